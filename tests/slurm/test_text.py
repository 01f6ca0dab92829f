"""What Slurm prints is taken apart rightly."""

import pytest
from slurm.missing import missing
from slurm.text import fields, job_id, nodes

SHOWN = (
    "JobId=7 JobName=a b=c d UserId=root(0) GroupId=root(0) JobState=RUNNING Reason=None "
    "Restarts=2 ExitCode=0:0 RunTime=00:00:05 AllocNode:Sid=head:9 Command=(null) "
    "NodeList=node[0-2] TRES=cpu=6,mem=3M,node=3 Power= "
)


def test_job_of_sbatch() -> None:
    assert job_id("Submitted batch job 12\n") == 12
    assert job_id("12;proof\n") == 12
    assert job_id("qmpi: submitted\nSubmitted batch job 9\nqmpi status RUN\n") == 9
    with pytest.raises(ValueError, match="no job"):
        job_id("sbatch: error: invalid partition")


def test_fields_of_a_job() -> None:
    told = fields(SHOWN)
    assert told["JobState"] == "RUNNING"
    assert told["Restarts"] == "2"
    assert told["AllocNode:Sid"] == "head:9"
    assert told["NodeList"] == "node[0-2]"
    assert told["TRES"] == "cpu=6,mem=3M,node=3"
    assert told["Power"] == ""


def test_states_of_nodes() -> None:
    assert nodes("node0 idle\nnode1 down*\n\nnode2 allocated\n") == {
        "node0": "idle",
        "node1": "down",
        "node2": "allocated",
    }


def test_missing_programs_are_named_with_their_packages() -> None:
    said = missing(lambda name: None if name in ("sbatch", "munged") else f"/bin/{name}", user=0)
    assert said == "no sbatch, munged: apt-get install slurm-wlm munge libpmix-dev"


def test_missing_rights_are_named() -> None:
    assert "root" in missing(lambda name: name, user=1000)
    assert missing(lambda name: name, 0, lambda: "not permitted").endswith("not permitted")
    assert missing(lambda name: name, 0, lambda: "") == ""
