"""A job lies on nodes so that no node holds more than it has room for, or says so."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from qmpi.config.machine import GpuShape, Machine, NodeShape
from qmpi.config.presets import preset
from qmpi.config.settings import RoleSettings, Settings
from qmpi.errors import ConfigError
from qmpi.launch.batch.layout import Layout, Wanted, lay_out
from qmpi.policy.placement import place
from qmpi.protocol.envelope import RoleName
from qmpi.runtime.here import as_found

GPUS = Machine(node=NodeShape(cores=64, gpus=4), gpu=GpuShape(name="G", memory_gib=64.0))
CORES = Machine(node=NodeShape(cores=16, memory_gib=64.0))


def job(device: str = "auto", lanes: int = 4096, threads: int = 1, **roles: int | str) -> Settings:
    found = preset("cluster")
    train = replace(found.train, device=device, lanes=lanes, threads=threads)
    return replace(found, train=train, roles=replace(found.roles, **roles))


def laid(settings: Settings, machine: Machine, nodes: int, **given: int) -> Layout:
    wanted = Wanted(nodes, given.get("per_host"), given.get("ranks"), 1_000_000)
    return lay_out(settings, machine, wanted)


def on_nodes(settings: Settings, layout: Layout) -> list[Counter[RoleName]]:
    """What each node holds when ranks lie on nodes as even as can be."""
    each, more = divmod(layout.ranks, layout.nodes)
    hosts = [str(node) for node in range(layout.nodes) for _ in range(each + (node < more))]
    placement = place(hosts, settings.roles, settings.train.lanes, settings.parallel.team_size)
    found = [Counter[RoleName]() for _ in range(layout.nodes)]
    for host, roles in zip(hosts, placement.roles, strict=True):
        found[int(host)].update(roles)
    return found


def seated(roles: Counter[RoleName]) -> int:
    return roles[RoleName.TRAINER] + roles[RoleName.SPARE]


shares = st.integers(0, 15).map(lambda share: f"{share}%")
jobs = st.builds(
    RoleSettings, generator=shares, memory=shares, replica=shares, spare=shares, trainer=shares
)


@given(jobs, st.integers(1, 40), st.sampled_from((1, 2, 4, 8)))
@settings(max_examples=25, deadline=None)
def test_trainers_and_spares_have_a_gpu_each(roles: RoleSettings, nodes: int, gpus: int) -> None:
    wanted = replace(job("cuda"), roles=roles)
    machine = replace(GPUS, node=NodeShape(cores=64, gpus=gpus))
    layout = laid(wanted, machine, nodes)
    dealt = on_nodes(wanted, layout)
    assert layout.ranks_per_host == -(-layout.ranks // nodes)
    assert all(seated(roles) <= gpus for roles in dealt)
    # Few GPUs are left over, and those where light roles happen to lie.
    assert sum(map(seated, dealt)) >= nodes * gpus * 0.6 - 4


def test_a_machine_of_gpus_is_filled() -> None:
    wanted = job("cuda")
    layout = laid(wanted, GPUS, 250)
    used = sum(map(seated, on_nodes(wanted, layout)))
    assert 0.9 * 1000 <= used <= 1000
    assert layout.gpus == 4
    assert "GPU of its own, of 4" in " ".join(layout.words)


@given(st.integers(1, 30), st.sampled_from((1, 2, 3, 8)))
@settings(max_examples=20, deadline=None)
def test_trainers_have_their_cores(nodes: int, threads: int) -> None:
    wanted = job("cpu", threads=threads)
    layout = laid(wanted, CORES, nodes)
    for roles in on_nodes(wanted, layout):
        working = roles[RoleName.GENERATOR] + roles[RoleName.MEMORY]
        assert seated(roles) * threads + working <= 16
    assert layout.threads == threads


def test_a_job_that_uses_no_gpu_is_laid_out_by_cores() -> None:
    layout = laid(job("cpu"), GPUS, 2)
    assert layout.gpus == 0
    assert layout.ranks_per_host > 40


def test_more_nodes_than_work_are_refused_with_the_number_that_does() -> None:
    small = replace(preset("laptop"), train=replace(preset("laptop").train, lanes=2))
    with pytest.raises(ConfigError, match=r"2 lanes.*take --nodes (\d+)") as refused:
        laid(small, CORES, 50)
    number = int(str(refused.value).rpartition("--nodes ")[2].split()[0])
    assert laid(small, CORES, number).ranks >= number


def test_spares_that_nobody_asked_for_are_not_started() -> None:
    few = job("cuda", lanes=8, generator=1, memory=1, trainer=4, replica=1, spare=1)
    layout = laid(few, GPUS, 4)
    dealt = sum(on_nodes(few, layout), Counter[RoleName]())
    assert dealt[RoleName.TRAINER] == 8
    assert dealt[RoleName.SPARE] == 1
    assert "8 lanes" in " ".join(layout.words)


def test_shares_of_spares_are_of_the_ranks_that_have_work() -> None:
    layout = laid(job("cuda", lanes=64), GPUS, 60)
    dealt = sum(on_nodes(job("cuda", lanes=64), layout), Counter[RoleName]())
    assert dealt[RoleName.TRAINER] == 64
    assert dealt[RoleName.SPARE] <= 3
    assert "GPUs have nothing to do; there are 64 lanes" in " ".join(layout.words)


def test_a_job_of_numbers_that_needs_more_gpus_names_the_nodes() -> None:
    many = job("cuda", generator=1, memory=1, trainer=30, replica=1, spare=1)
    said = r"30 trainers and 1 spare, each .* take --nodes (\d+)"
    with pytest.raises(ConfigError, match=said) as refused:
        laid(many, GPUS, 2)
    number = int(str(refused.value).rpartition("--nodes ")[2].split(",")[0])
    assert number in (8, 9, 10)
    assert laid(many, GPUS, number).ranks >= 35


def test_a_job_of_numbers_on_few_cores_is_only_told() -> None:
    layout = laid(preset("laptop"), Machine(node=NodeShape(cores=2)), 1)
    assert layout.ranks == 7
    assert "more busy ranks than cores" in " ".join(layout.words)


def test_a_job_on_gpus_needs_gpus() -> None:
    with pytest.raises(ConfigError, match=r"--machine|train\.device"):
        laid(job("cuda"), CORES, 2)


def test_a_trainer_needs_no_more_threads_than_a_node_has() -> None:
    with pytest.raises(ConfigError, match=r"train\.threads"):
        laid(job("cpu", threads=17), CORES, 2)


def test_a_state_that_fits_nowhere_is_refused() -> None:
    with pytest.raises(ConfigError, match="GiB a trainer, and a GPU"):
        lay_out(job("cuda"), GPUS, Wanted(4, None, None, 70_000_000_000))
    with pytest.raises(ConfigError, match="a node has"):
        lay_out(job("cpu"), CORES, Wanted(4, None, None, 70_000_000_000))


@pytest.mark.parametrize(
    ("given", "ranks", "per_host"),
    [({"per_host": 7}, 28, 7), ({"ranks": 10}, 10, 3), ({"per_host": 3, "ranks": 9}, 9, 3)],
)
def test_what_is_given_holds(given: dict[str, int], ranks: int, per_host: int) -> None:
    layout = laid(job("cuda"), GPUS, 4, **given)
    assert (layout.ranks, layout.ranks_per_host) == (ranks, per_host)


@pytest.mark.parametrize("given", [{"ranks": 3}, {"per_host": 2, "ranks": 9}])
def test_what_is_given_must_fit(given: dict[str, int]) -> None:
    with pytest.raises(ConfigError, match="give from 4 to"):
        laid(job("cuda"), GPUS, 4, **given)


def test_too_many_given_ranks_are_told() -> None:
    assert "more busy ranks than GPUs" in " ".join(laid(job("cuda"), GPUS, 4, per_host=9).words)


def test_this_machine_is_looked_at() -> None:
    pages = {"SC_PHYS_PAGES": 1 << 22, "SC_PAGE_SIZE": 4096}
    found = as_found(["nvidia0", "nvidia1", "nvidiactl", "sda"], lambda: 12, pages.__getitem__)
    assert (found.node.cores, found.node.gpus, found.node.memory_gib) == (12, 2, 16.0)
    assert as_found().node.cores >= 1
