"""One Slurm for all proofs of a session, whole again before each; references made once."""

import signal
from collections.abc import Callable, Iterator

import pytest
from slurm.cluster import Cluster
from slurm.missing import missing
from slurm.proof import settings, undisturbed

NODES = 3


@pytest.fixture(scope="session")
def slurm() -> Iterator[Cluster]:
    lack = missing()
    if lack:
        pytest.skip(lack)
    # Who ends a test run by SIGTERM means what Ctrl-C means: clear away, then leave.
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    with Cluster(NODES) as cluster:
        yield cluster
    signal.signal(signal.SIGTERM, before)


@pytest.fixture
def cluster(slurm: Cluster) -> Iterator[Cluster]:
    yield slurm
    slurm.run("scancel", "--user", "root")
    for node in slurm.nodes:
        if not slurm.hosts.is_up(node):
            slurm.boot_node(node)
    slurm.wait_for_nodes(timeout=120)


@pytest.fixture(scope="session")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Callable[[int], str]:
    """Digest of the undisturbed run of so many steps, trained on this machine without Slurm."""
    known: dict[int, str] = {}

    def digest(steps: int) -> str:
        if steps not in known:
            folder = tmp_path_factory.mktemp("undisturbed")
            known[steps] = undisturbed(folder, settings(train_steps=steps))
        return known[steps]

    return digest
