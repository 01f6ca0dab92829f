"""[memory]: what would not act is refused, and none of it is a run's identity."""

import pytest
from msgspec.structs import replace

from qmpi.config.load import dump_toml, parse_job, settings_digest
from qmpi.config.memory import (
    CHUNK_TOKENS,
    LevelSettings,
    MemorySettings,
    id_bytes,
    most_frame_bytes,
)
from qmpi.config.memory_checks import memory_fault
from qmpi.config.settings import Settings
from qmpi.errors import ConfigError
from qmpi.policy.eviction.choice import ORDERS
from qmpi.storage.shard_layout import dtype_name

CONTENT = '[[data.sources]]\nkind = "content"\nname = "a"\ntype = "code"\n'


def test_less_than_a_chunk_is_refused():
    chunk = 2 * CHUNK_TOKENS
    assert parse_job(f"[memory]\nbudget = {chunk}").memory.budget == chunk
    with pytest.raises(ConfigError, match=rf"less than one chunk .* takes, {chunk}:"):
        parse_job(f"[memory]\nbudget = {chunk - 1}")
    with pytest.raises(ConfigError, match=f"takes, {2 * chunk}:"):
        parse_job(f"[memory]\nbudget = {chunk}\n[model]\nvocab_size = 70000")


def test_a_job_without_a_corpus_needs_no_room_for_one():
    assert parse_job(f"[memory]\nbudget = 0\n{CONTENT}").memory.budget == 0


def test_more_than_the_machine_has_is_told():
    job = Settings(memory=MemorySettings(budget=1 << 30))
    assert memory_fault(job, 1 << 30) == ""
    assert "more than this machine has, 1073741823" in memory_fault(job, (1 << 30) - 1)


@pytest.mark.parametrize("policy", ORDERS)
def test_no_policy_changes_the_identity(policy):
    job = parse_job(f'[memory]\npolicy = "{policy}"\nttl_seconds = 9\nbudget = 99999999')
    assert settings_digest(job) == settings_digest(replace(job, memory=MemorySettings()))


@pytest.mark.parametrize("size", [1, 65_536, 65_537])
def test_ids_take_what_their_type_takes(size):
    assert id_bytes(size) == {"uint16": 2, "uint32": 4}[dtype_name(size)]


HOST = '{kind = "host", budget = 1000000}'
DISK = '{kind = "disk", budget = 1000000, directory = "/scratch"}'


def test_levels_are_read_and_written_and_no_part_of_the_identity():
    job = parse_job(f"[memory]\nlevels = [{HOST}, {DISK}]")
    assert [level.place for level in job.memory.levels] == ["/dev/shm", "/scratch"]
    assert parse_job(dump_toml(job)) == job
    assert settings_digest(job) == settings_digest(parse_job(""))
    table = "[[memory.levels]]\nkind = 'host'\nbudget = 1000000"
    assert parse_job(table).memory.levels == job.memory.levels[:1]
    assert parse_job("", [f"memory.levels=[{HOST}]"]).memory.levels == job.memory.levels[:1]


@pytest.mark.parametrize(
    ("levels", "said"),
    [
        (f"{DISK}, {HOST}", "in the order host, disk"),
        (f"{HOST}, {HOST}", "each kind may stand there once"),
        ('{kind = "disk", budget = 1000000}', r"levels\[0\].directory is missing"),
        (DISK.replace("/scratch", "scratch"), "must be an absolute path"),
        (f"{HOST}, {DISK.replace('/scratch', '/dev/./shm/')}", "both lie in /dev/shm, where one"),
        (DISK.replace("/scratch", "/a\\u0000b"), r"levels\[0\].directory holds a NUL character"),
        (HOST.replace("1000000", "99999999999999999999"), "budget"),
        (HOST.replace("1000000", str(1 << 61)), "budget = 2305843009213693952: must be"),
        (HOST.replace("1000000", "1000"), "may be less than one compressed chunk"),
        (HOST.replace("host", "tape"), "kind = 'tape': must be one of"),
    ],
)
def test_levels_that_contradict_are_refused(levels, said):
    with pytest.raises(ConfigError, match=said):
        parse_job(f"[memory]\nlevels = [{levels}]")


def test_a_level_of_one_chunk_is_enough_and_not_more_than_the_machine_has():
    least = most_frame_bytes(32768)
    job = parse_job(f"[memory]\nlevels = [{HOST.replace('1000000', str(least))}]")
    whole = job.memory.budget + least
    assert memory_fault(job, whole) == ""
    assert f"and {least} of the host level are more" in memory_fault(job, whole - 1)
    disk = LevelSettings(kind="disk", budget=1 << 60, directory="/scratch")
    assert memory_fault(Settings(memory=MemorySettings(levels=(disk,))), 1 << 30) == ""
