"""`qmpi pack` and `qmpi unpack`: exit codes, what scripts read, and the page of the manual."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from unit.launch.pack.small import write_small

from qmpi.cli.main import run
from qmpi.launch.pack.item import Item
from qmpi.storage.atomic_file import temporary_name

PAGE = Path(__file__).parents[3] / "hpc" / "pack.md"


def test_unpacking_tells_what_it_did(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive, target = write_small(tmp_path / "p.tar.zst"), tmp_path / "my env"
    assert run(["unpack", str(archive), str(target), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["directory"] == str(target)
    assert (told["reused"], told["files"], told["host"]) == (False, 5, os.uname().nodename)
    assert run(["unpack", str(archive), str(target), "--verify"]) == 0
    shown = capsys.readouterr().out
    assert "is there already" in shown
    assert f"{target}/bin/qmpi train" in shown


def test_exit_codes(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    archive = write_small(tmp_path / "p")
    archive.write_bytes(archive.read_bytes()[:-200])
    assert run(["unpack", str(archive), str(tmp_path / "env")]) == 3
    assert "is damaged" in capsys.readouterr().err
    assert run(["unpack", str(archive), str(tmp_path / "env"), "--for-many"]) == 0
    assert "damaged" in json.loads(capsys.readouterr().out)["error"]
    assert run(["unpack", str(archive), str(tmp_path / "env"), "--hostfile", "h"]) == 2
    assert run(["pack", "-o", str(tmp_path / "e"), "--without", "numpi"]) == 2
    assert "qmpi does not need it" in capsys.readouterr().err
    assert not (tmp_path / "env").exists()


def test_a_program_that_cannot_be_run_is_explained(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for item, said in (
        (Item("bin/python", b"#!/bin/sh\n"), "noexec"),
        (Item("bin/python", b"#!/bin/sh\necho no libz >&2; exit 1\n", program=True), "no libz"),
    ):
        archive = write_small(tmp_path / "p", (item,))
        assert run(["unpack", str(archive), str(tmp_path / "env")]) == 3
        assert said in capsys.readouterr().err
        assert not (tmp_path / "env").exists()


def script(name: str) -> str:
    blocks = re.findall(r"^```sh\n(.*?)^```", PAGE.read_text(), re.DOTALL | re.MULTILINE)
    return next(block for block in blocks if name in block)


@pytest.mark.parametrize(("slurm", "broadcast"), [(True, True), (True, False), (False, False)])
def test_the_function_for_batch_scripts(tmp_path: Path, *, slurm: bool, broadcast: bool) -> None:
    programs, called = tmp_path / "bin", tmp_path / "called"
    programs.mkdir()
    local = tmp_path / "local; touch oops"
    own = local / "env" / "bin"
    own.mkdir(parents=True)
    for program in (programs / "sbcast", programs / "srun", programs / "qmpi", own / "qmpi"):
        code = 0 if broadcast or program.name != "sbcast" else 1
        act = 'shift 2; exec "$@"' if program.name == "srun" else f"exit {code}"
        program.write_text(
            f'#!/bin/sh\nprintf "%s|" {program.name} "$@" | head -1 >> "$CALLED"\n'
            f'echo >> "$CALLED"\n{act}\n'
        )
        program.chmod(0o755)
    environment = {
        "PATH": f"{programs}:{os.environ['PATH']}",
        "CALLED": str(called),
        "PACK": "the pack's file",
        "LOCAL": str(local),
        "JOB": "a job.toml",
        "RUN": "$(run)",
        **({"SLURM_JOB_ID": "7", "SLURM_JOB_NUM_NODES": "3"} if slurm else {}),
    }
    done = subprocess.run(
        ["bash", "-eu", "-c", script("qmpi_unpack()")],
        env=environment, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    lines = called.read_text().splitlines()
    everywhere = f"qmpi|unpack|--everywhere|the pack's file|{local}/env|"
    ask = [f"sbcast|--force|the pack's file|{local}/env.tar.zst|"]
    there = f"qmpi|unpack|{local}/env.tar.zst|{local}/env|"
    expected = (ask if slurm else []) + [there if slurm and broadcast else everywhere]
    step = [line for line in lines if line.startswith("srun")]
    assert [line.split("|")[1:4] for line in step] == (
        [["--ntasks=3", "--ntasks-per-node=1", "sh"]] if slurm and broadcast else []
    )
    assert [line for line in lines if line not in step] == [
        *expected,
        "qmpi|train|a job.toml|--run-dir|$(run)|",
    ]
    assert not (tmp_path / "oops").exists()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_leaves_nothing_half_unpacked(tmp_path: Path, number: signal.Signals) -> None:
    begun = tmp_path / "begun"
    slow = f"#!/bin/sh\ntouch '{begun}'\nexec sleep 60\n".encode()
    archive = write_small(tmp_path / "p", (Item("bin/python", slow, program=True),))
    folder = tmp_path / "there"
    process = subprocess.Popen(
        [sys.executable, "-m", "qmpi.cli.main", "unpack", str(archive), str(folder / "env")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    while not begun.exists() and process.poll() is None:
        time.sleep(0.02)
    assert any(folder.glob(".env.part-*"))
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == (130 if number == signal.SIGINT else -number)
    assert b"Traceback" not in said
    assert [path.name for path in folder.iterdir()] == [".env.lock"]


@pytest.mark.parametrize("output", ["", ".", "pipe", "/dev/null", "absent/file"])
def test_a_place_that_takes_no_pack_is_told_before_anything_is_read(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    output: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("qmpi.launch.pack.make.required", lambda _: pytest.fail("it reads"))
    os.mkfifo("pipe")
    assert run(["pack", "--output", output]) == (3 if "/file" in output else 2)
    said = capsys.readouterr().err
    assert "name a file" in said or "check the path" in said
    assert list(Path().iterdir()) == [Path("pipe")]


def test_what_killed_processes_left_goes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    output = tmp_path / "env"
    own, other = temporary_name(output), temporary_name(tmp_path / "env.b")
    dead = own.with_name(own.name.replace(str(os.getpid()), "99999999"))
    for path in (own, other, dead):
        path.touch()
    monkeypatch.setattr("qmpi.launch.pack.make.required", lambda _: 1 / 0)
    assert run(["pack", "--output", str(output)]) == 4
    assert sorted(tmp_path.iterdir()) == sorted([own, other])


def test_a_file_of_hosts_that_is_not_there_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    archive, hosts = write_small(tmp_path / "p"), str(tmp_path / "hosts")
    more = ["--everywhere", "--hostfile", hosts]
    assert run(["unpack", *more, str(archive), str(tmp_path / "env")]) == 3
    assert f"cannot read {hosts}" in capsys.readouterr().err


def test_the_root_is_no_place_for_a_pack(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["unpack", str(write_small(tmp_path / "p")), "/"]) == 2
    assert "choose a directory below it" in capsys.readouterr().err
