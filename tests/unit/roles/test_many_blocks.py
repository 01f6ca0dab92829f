"""Many blocks through faults of every kind: each is right, and nothing is kept for good."""

import ctypes
import resource
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path

import hdf5plugin  # noqa: F401 - registers the filter for the undamaged corpus
import pytest
from msgspec.structs import replace
from unit.corpora.small_corpus import make_all, quick_plan, use_quick_maker
from unit.roles.data_path import LANES, PATIENCE, World, flipped

PAGE = resource.getpagesize()
MOST_GROWTH = 48 << 20


@pytest.fixture(autouse=True, scope="module")
def quick() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        use_quick_maker(patch)
        yield


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    out = tmp_path / "corpus"
    make_all(quick_plan(out))
    shutil.rmtree(out / "work")
    return out


def resident() -> int:
    """What is resident, less what the allocator keeps of memory that was freed.

    It has an arena a thread, and each rank that joins brings threads: here a hundred of them pass
    through one process.
    """
    if sys.platform == "linux":
        ctypes.CDLL(None).malloc_trim(0)
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def troubled(world: World) -> bool:
    """Whether a memory rank that was struck for long may still refuse."""
    machines = world.memories.values()
    return any(max(one.hangs_until, one.away_until) > world.now for one in machines)


def strike(world: World) -> None:
    """Something goes wrong, or is mended."""
    chance, living = world.chance, sorted(world.memories)
    deed = chance.choice(("kill", "kill all", "hang", "away", "held", "file", "file", "mend"))
    # As many ranks in trouble as may refuse a block before the data count as damaged: one.
    if deed in ("kill", "kill all", "hang", "away") and (troubled(world) or not living):
        return
    world.deeds[deed] = world.deeds.get(deed, 0) + 1
    match deed:
        case "kill" if len(living) > 1:
            world.kill(chance.choice(living))
        case "kill all":
            for rank in living:
                world.kill(rank)
        case "hang" | "away":
            stall(world, living, deed)
        case "held":
            flip_held(world)
        case "file":
            harm(world)
        case "mend":
            mend(world)
        case _:
            pass


def stall(world: World, living: list[int], deed: str) -> None:
    served = len(world.directory.memories) > 2
    seconds = world.chance.choice((2.0, 20.0, 3 * PATIENCE if served else 10.0))
    machine = world.memories[world.chance.choice(living)]
    machine.hangs_until = world.now + (seconds if deed == "hang" else 0.0)
    machine.away_until = world.now + (seconds if deed == "away" else 0.0)


def flip_held(world: World) -> None:
    for machine in world.memories.values():
        for item in list(machine.role.held._items.values())[-8:]:
            item.value = replace(item.value, frame=flipped(world.chance, item.value.frame))


def harm(world: World) -> None:
    path = world.chance.choice(sorted(world.whole))
    whole = world.whole[path]
    match world.chance.choice(("flipped", "torn", "gone")):
        case "flipped":
            path.write_bytes(flipped(world.chance, whole))
        case "torn":
            path.write_bytes(whole[: world.chance.randrange(len(whole))])
        case _:
            path.unlink(missing_ok=True)


def mend(world: World) -> None:
    for path, whole in world.whole.items():
        new = path.with_suffix(".new")
        new.write_bytes(whole)
        new.replace(path)


def played(corpus: Path, steps: int, seed: int, each: int) -> World:
    world, grown = World(corpus, steps, seed, loss=0.002), list[int]()

    def deed(world: World) -> None:
        strike(world)
        world.check()
        if min(trainer.step for trainer in world.trainers.values()) > steps // 5:
            grown.append(resident())

    try:
        world.run(each, deed)
        mend(world)
        world.check(idle=True)
    finally:
        world.close()
    assert world.blocks == steps * LANES
    assert grown[-1] - grown[0] < MOST_GROWTH, f"{(grown[-1] - grown[0]) >> 20} MiB"
    return world


@pytest.mark.parametrize("seed", range(2))
def test_some_blocks(corpus: Path, seed: int) -> None:
    world = played(corpus, 150, seed, 8)
    assert len(world.deeds) >= 4


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_two_hundred_thousand_blocks(corpus: Path) -> None:
    world = played(corpus, 25_000, 7, 60)
    assert min(world.deeds.values()) > 10, world.deeds
    assert len(world.deeds) == 8, world.deeds
