"""What a machine is made of: the shape of a node, what joins the nodes, how often one fails.

A machine file (TOML) describes one kind of machine, so that a job can be laid out, submitted and
costed without standing on it. Some come with qmpi (`qmpi/config/machines`); a user writes another
for his own. A figure of 0 means "not known": whoever needs it says so instead of guessing.
"""

import tomllib
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from qmpi.config.explain import explain
from qmpi.errors import ConfigError

Amount = Annotated[float, Meta(ge=0.0)]
MACHINES = Path(__file__).parent / "machines"
SUFFIX = ".toml"


class NodeShape(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[node]: one node, which several ranks share."""

    cores: Annotated[int, Meta(ge=1, le=65_536, description="Cores of a node.")] = 2
    memory_gib: Annotated[Amount, Meta(description="Memory of a node, GiB.")] = 16.0
    core_gflops: Annotated[
        Amount, Meta(description="Peak of a core in the compute type, GFLOP/s.")
    ] = 0.0
    gpus: Annotated[int, Meta(ge=0, le=64, description="GPUs of a node.")] = 0
    ram_dir_gib: Annotated[
        Amount, Meta(description="Size of its RAM file system, GiB; 0: half of the memory.")
    ] = 0.0
    watts: Annotated[Amount, Meta(description="Draw of a busy node, its GPUs included, W.")] = 0.0


class GpuShape(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[gpu]: one GPU; all zeros where there is none."""

    name: Annotated[str, Meta(description="Its name, such as H100 SXM.")] = ""
    memory_gib: Annotated[Amount, Meta(description="Memory, GiB.")] = 0.0
    bf16_tflops: Annotated[
        Amount, Meta(description="Peak of dense bfloat16 products, TFLOP/s.")
    ] = 0.0
    fp8_tflops: Annotated[Amount, Meta(description="Peak of dense FP8 products, TFLOP/s.")] = 0.0
    memory_gbytes: Annotated[Amount, Meta(description="Bandwidth of its memory, GB/s.")] = 0.0
    watts: Annotated[Amount, Meta(description="Its power limit, W; 0: not known.")] = 0.0


class NetworkShape(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[network]: what joins GPUs inside a node, and nodes to each other."""

    inside_gbytes: Annotated[
        Amount, Meta(description="A GPU to its neighbours in the node, one way, GB/s.")
    ] = 0.0
    node_gbytes: Annotated[
        Amount, Meta(description="A node to the others, one way, all its adapters, GB/s.")
    ] = 0.0
    latency_us: Annotated[Amount, Meta(description="A small message to another node, us.")] = 0.0
    plugin: Annotated[
        str, Meta(description="What NCCL needs to reach the fabric; empty: nothing.")
    ] = ""


class FileShape(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[files]: the shared file system."""

    read_gbytes: Annotated[Amount, Meta(description="Reading, all nodes together, GB/s.")] = 0.0
    write_gbytes: Annotated[Amount, Meta(description="Writing, all nodes together, GB/s.")] = 0.0
    opens_per_second: Annotated[
        Amount, Meta(description="Files opened a second, all nodes together.")
    ] = 0.0


class FailureRates(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[failures]: how often a node is lost."""

    node_days: Annotated[
        Amount, Meta(description="Mean days between two losses of one node; 0: not known.")
    ] = 0.0


class Prices(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[prices]: what it costs."""

    node_hour: Annotated[Amount, Meta(description="An hour of a node; 0: not known.")] = 0.0
    kwh: Annotated[Amount, Meta(description="A kilowatt-hour, where energy is paid apart.")] = 0.0
    overhead: Annotated[
        float,
        Meta(ge=1.0, le=10.0, description="Power of the building over that of its nodes (PUE)."),
    ] = 1.2
    currency: Annotated[str, Meta(max_length=10, description="Name of the money.")] = "USD"


class SchedulerShape(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """[scheduler]: how a job is handed in."""

    kind: Annotated[
        Literal["", "slurm", "pbs", "lsf", "flux"],
        Meta(description="Kind of scheduler; empty: none."),
    ] = ""
    queue: Annotated[str, Meta(description="Partition or queue; empty: the default one.")] = ""
    account: Annotated[str, Meta(description="Who is charged; empty: nobody is named.")] = ""
    options: Annotated[
        tuple[str, ...], Meta(description='More options of the scheduler, as "--constraint=gpu".')
    ] = ()
    setup: Annotated[
        tuple[str, ...],
        Meta(description='Lines of shell before the start, as "module load cray-python".'),
    ] = ()


class Machine(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A whole machine file."""

    node: NodeShape = NodeShape()
    gpu: GpuShape = GpuShape()
    network: NetworkShape = NetworkShape()
    files: FileShape = FileShape()
    failures: FailureRates = FailureRates()
    prices: Prices = Prices()
    scheduler: SchedulerShape = SchedulerShape()


def known_machines() -> tuple[str, ...]:
    """Return the names of the machines that come with qmpi, sorted."""
    names = [entry.name for entry in MACHINES.iterdir()]
    return tuple(sorted(n.removesuffix(SUFFIX) for n in names if n.endswith(SUFFIX)))


def load_machine(name: str) -> Machine:
    """Read a machine file.

    Args:
        name: one of `known_machines`, or the path of a file.

    Returns:
        The machine.

    Raises:
        ConfigError: there is none, or it says something illegal.
    """
    known = known_machines()
    if name in known:
        return _parse((MACHINES / f"{name}{SUFFIX}").read_text(encoding="utf-8"), name)
    try:
        return _parse(Path(name).read_text(encoding="utf-8"), name)
    except UnicodeDecodeError as error:
        raise ConfigError(f"{name} is not UTF-8 text; is it a machine file?") from error
    except OSError as error:
        raise ConfigError(
            f"there is no machine {name!r} ({error.strerror}); known are {', '.join(known)}, or "
            "name a file"
        ) from error


def _parse(text: str, name: str) -> Machine:
    try:
        raw = tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{name} is not TOML: {error}") from error
    faults = explain(raw, Machine)
    if faults:
        raise ConfigError("\n  ".join([f"{name}: {len(faults)} to correct", *faults]))
    return msgspec.convert(raw, Machine)
