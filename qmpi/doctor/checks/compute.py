"""torch, its number formats, GPUs, and what joins trainers."""

import re

from qmpi.doctor.amounts import plural, size
from qmpi.doctor.finding import Verdict, error, ok, warning
from qmpi.doctor.probes import PROGRAM_SECONDS, Probes
from qmpi.doctor.programs.lines import Imported, Torch

QUERY = "--query-gpu=name,memory.total,driver_version"
PLUGIN = re.compile(r"^libnccl-net.*\.so")


def check_torch(probes: Probes) -> Verdict:
    """Whether torch loads, and what it computes with.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    told = probes.imports
    for one in told.all(Imported):
        if one.name == "torch" and one.fault:
            return error(f"it does not load: {one.fault}", "pip install --force-reinstall torch")
    torch = probes.imports.pick(Torch)
    wanted = probes.around.job.train.threads
    found = f"{torch.version}, {plural(torch.threads, 'thread')} a trainer, {torch.capability}"
    if torch.threads != wanted:
        return warning(
            f"{found}; [train] threads asks for {wanted}",
            "something in the environment sets torch's threads; start the job from a clean shell",
        )
    return ok(found)


def check_bfloat16(probes: Probes) -> Verdict:
    """Whether bfloat16 products are native here.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    torch, precision = probes.imports.pick(Torch), probes.around.job.train.precision
    if precision in {"float16", "float8"} and not torch.devices:
        return warning(
            f"[train] precision = {precision!r} on a processor, where products in it are very slow",
            'set [train] precision = "auto" where runs begin on this machine',
        )
    if torch.native_bfloat16:
        return ok("native")
    if precision == "bfloat16":
        return warning(
            "emulated, which is slow, and [train] precision asks for it",
            'set [train] precision = "float32" or "auto" where runs begin on this machine',
        )
    return ok(f"not native; [train] precision = {precision!r} computes in float32")


def check_gpus(probes: Probes) -> Verdict:
    """Which GPUs there are, and whether torch sees them.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    torch, device = probes.imports.pick(Torch), probes.around.job.train.device
    cards = _cards(probes)
    if torch.devices:
        names = {one.name for one in torch.devices}
        memory = min(one.memory for one in torch.devices)
        driver = f", driver {cards[0][2]}" if cards else ""
        what = f"{len(torch.devices)} x {', '.join(sorted(names))}, {size(memory)} each"
        if len(cards) > len(torch.devices):
            return warning(
                f"{what}{driver}; the machine has {len(cards)}",
                "CUDA_VISIBLE_DEVICES or the scheduler hides some; ask for all that you mean",
            )
        return ok(f"{what}{driver}, CUDA {torch.cuda}")
    if cards:
        found = f"{len(cards)} x {cards[0][0]}, driver {cards[0][2]}, but torch sees none"
        advice = (
            "install the torch that fits this driver"
            if torch.cuda
            else "this torch is for CPUs; install one with CUDA"
        )
        return (error if device == "cuda" else warning)(found, advice)
    if device == "cuda":
        return error(
            'none, and [train] device = "cuda" asks for one',
            'go to a machine with GPUs, or set device = "auto"',
        )
    return ok("none; trainers compute on the processor")


def check_collectives(probes: Probes) -> Verdict:
    """What joins trainers: gloo, NCCL, and what a Slingshot network needs.

    Args:
        probes: of the machine.

    Returns:
        The verdict.
    """
    around, torch = probes.around, probes.imports.pick(Torch)
    if not torch.has_gloo:
        return error("this torch has no gloo", "install a torch that was built with it")
    interfaces = sorted(path.name for path in (around.root / "sys/class/net").glob("*"))
    named = around.environ.get("GLOO_SOCKET_IFNAME", "")
    if named and interfaces and named not in interfaces:
        return error(
            f"GLOO_SOCKET_IFNAME={named}: there is no such interface",
            f"unset it, or name one of: {' '.join(interfaces)}",
        )
    if named == "lo" and len(around.hosts) > 1:
        return error(
            "GLOO_SOCKET_IFNAME=lo: trainers of two hosts cannot meet",
            "unset it, or name an interface that joins the hosts",
        )
    found = f"gloo{' over ' + named if named else ''}"
    found += f", NCCL {torch.nccl}" if torch.nccl else ", no NCCL"
    fast = [name for name in interfaces if name.startswith("hsn")]
    has_slingshot = bool(fast) or (around.root / "sys/class/cxi").is_dir()
    lacking = _lacking(probes) if has_slingshot and torch.nccl else []
    if lacking:
        return warning(
            f"{found}; Slingshot ({' '.join(fast)}), but {'; '.join(lacking)}",
            'load the module of aws-ofi-nccl and export NCCL_NET="AWS Libfabric" '
            "NCCL_SOCKET_IFNAME=hsn FI_CXI_DEFAULT_CQ_SIZE=131072; without, NCCL runs over TCP, "
            "2 to 3 times slower",
        )
    return ok(f"{found}{', Slingshot with its plug-in' if has_slingshot and torch.nccl else ''}")


def _lacking(probes: Probes) -> list[str]:
    environ, root = probes.around.environ, probes.around.root
    folders = [one for one in environ.get("LD_LIBRARY_PATH", "").split(":") if one]
    files = (
        path.name for folder in folders for path in (root / folder.lstrip("/")).glob("libnccl-net*")
    )
    lacking: list[str] = []
    if not any(PLUGIN.match(name) for name in files):
        lacking.append("no libnccl-net.so (aws-ofi-nccl) in LD_LIBRARY_PATH")
    lacking += [
        f"{name} is not set"
        for name in ("NCCL_NET", "NCCL_SOCKET_IFNAME", "FI_CXI_DEFAULT_CQ_SIZE")
        if not environ.get(name)
    ]
    return lacking


def _cards(probes: Probes) -> list[tuple[str, str, str]]:
    program = probes.around.find("nvidia-smi")
    if program is None:
        return []
    command = [program, QUERY, "--format=csv,noheader"]
    answer = probes.around.run(command, probes.around.environ, PROGRAM_SECONDS)
    rows = [[part.strip() for part in line.split(",")] for line in answer.out.splitlines()]
    return [(row[0], row[1], row[2]) for row in rows if len(row) == 3 and answer.code == 0]
