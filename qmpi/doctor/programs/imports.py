"""Import what a rank imports and tell what that took: `python -m qmpi.doctor.programs.imports`.

Theory of operation. An audit hook counts what Python opens, the memory map what the loader has
mapped. MPI is loaded but not started, which is not for a login node: `NOT_STARTED` in the
environment sees to it. Each import is told at once: one that crashes the process takes only the
rest along.
"""

import importlib
import importlib.util
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from qmpi.doctor.programs.lines import Code, Device, Imported, Library, Torch, tell
from qmpi.runtime.clock import Clock

GROUPS = (
    ("numpy", ("numpy",)),
    ("mpi4py", ("mpi4py.MPI",)),
    ("qmpi", ("qmpi.runtime.bootstrap", "qmpi.transport.mpi")),
    ("torch", ("torch",)),
)
"""In the order in which a trainer comes to need them; the first three are those of a light rank."""

NOT_STARTED = {"MPI4PY_RC_INITIALIZE": "0", "MPI4PY_RC_FINALIZE": "0"}
"""What mpi4py reads."""

OPENING = frozenset({"open", "os.listdir", "os.scandir"})


class Opens:
    """Counts what Python opens from now on."""

    def __init__(self, listen: Callable[[Callable[[str, Any], None]], None]) -> None:
        """Begin to count.

        Args:
            listen: installs an audit hook.
        """
        self.count = 0
        listen(self._hear)

    def _hear(self, event: str, arguments: object) -> None:
        del arguments
        self.count += event in OPENING


def import_group(name: str, modules: tuple[str, ...], opens: Opens, clock: Clock) -> Imported:
    """Import modules.

    Args:
        name: of the group.
        modules: in order.
        opens: counter.
        clock: clock.

    Returns:
        The cost, or the fault.
    """
    before, libraries, began = opens.count, len(mapped()), clock.now()
    fault = ""
    try:
        for module in modules:
            importlib.import_module(module)
    except Exception as problem:  # noqa: BLE001 - a broken installation raises anything
        fault = f"{type(problem).__name__}: {problem}".strip().splitlines()[0]
    seconds = clock.now() - began
    return Imported(name, seconds, opens.count - before, len(mapped()) - libraries, fault)


def mapped() -> set[str]:
    """Return the shared libraries in this process's memory map."""
    try:
        lines = Path("/proc/self/maps").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return set()
    paths = (line.split(maxsplit=5)[5] for line in lines if line.count(" ") >= 5 and "/" in line)
    return {path for path in paths if ".so" in path}


def library_facts() -> Library:
    """Return which MPI library mpi4py has loaded; MPI is not started."""
    mpi = sys.modules["mpi4py.MPI"]
    version = str(mpi.Get_library_version()).strip("\0 \n").partition("\n")[0]
    files = sorted(path for path in mapped() if Path(path).name.startswith("libmpi.so"))
    return Library(version, files[0] if files else "")


def torch_facts() -> Torch:
    """Return what torch says of itself, the processor and the GPUs."""
    from qmpi.training.precision import computes_bfloat16

    torch: Any = sys.modules["torch"]
    has_cuda = bool(torch.cuda.is_available())
    number = torch.cuda.device_count() if has_cuda else 0
    devices = [torch.cuda.get_device_properties(index) for index in range(number)]
    distributed = torch.distributed
    has_nccl = has_cuda and distributed.is_available() and distributed.is_nccl_available()
    return Torch(
        version=str(torch.__version__),
        threads=torch.get_num_threads(),
        capability=str(torch.backends.cpu.get_cpu_capability()),
        native_bfloat16=computes_bfloat16(torch.device("cuda" if has_cuda else "cpu")),
        devices=tuple(Device(str(one.name), int(one.total_memory)) for one in devices),
        cuda=str(torch.version.cuda or torch.version.hip or ""),
        nccl=".".join(map(str, torch.cuda.nccl.version())) if has_nccl else "",
        has_gloo=bool(distributed.is_available() and distributed.is_gloo_available()),
    )


def code_facts() -> Code:
    """Return what stands behind the modules loaded so far."""
    sources = [
        Path(origin)
        for module in list(sys.modules.values())
        if (origin := getattr(getattr(module, "__spec__", None), "origin", None))
        and str(origin).endswith(".py")
    ]
    missing = [path for path in sources if not _is_compiled(path)]
    folder = next((entry for entry in sys.path if entry.endswith("site-packages")), "")
    return Code(
        platform.python_version(), len(sources), len(missing), shadows(sys.path), folder
    )  # fmt: skip


def shadows(path: list[str]) -> tuple[str, ...]:
    """Find files that would be taken for modules of the standard library.

    Args:
        path: as `sys.path`; what comes after the standard library shadows nothing.

    Returns:
        Their paths.
    """
    library = Path(os.__file__).parent
    found: list[str] = []
    for entry in path:
        if Path(entry or ".").resolve() == library.resolve():
            break
        folder = Path(entry or ".")
        if folder.is_dir():
            inside = (one for one in sorted(folder.iterdir()) if _is_module(one))
            found += [str(one) for one in inside if one.stem in sys.stdlib_module_names]
    return tuple(found)


def _is_module(path: Path) -> bool:
    return path.suffix == ".py" or (path / "__init__.py").is_file()


def _is_compiled(source: Path) -> bool:
    try:
        return Path(importlib.util.cache_from_source(str(source))).exists()
    except (NotImplementedError, ValueError):
        return False


def main() -> None:
    """Import group by group and tell."""
    clock, opens = Clock(), Opens(sys.addaudithook)
    loaded: set[str] = set()
    for name, modules in GROUPS:
        told = import_group(name, modules, opens, clock)
        tell(told)
        loaded |= set() if told.fault else {name}
        if name == "qmpi":
            tell(code_facts())
    if "mpi4py" in loaded:
        tell(library_facts())
    if "torch" in loaded:
        tell(torch_facts())


if __name__ == "__main__":
    main()
