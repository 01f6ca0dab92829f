"""The machine that a pack is unpacked on, and whether it can run there."""

import os
import platform
from pathlib import Path

from msgspec import Struct

from qmpi.errors import InputError
from qmpi.launch.pack.manifest import Manifest


class Machine(Struct, frozen=True):
    """What unpacking has to know of where it runs.

    Attributes:
        system: as `platform.system()` says it.
        kind: as `platform.machine()` says it.
        user: number of the user.
        boot: which start of the machine this is; empty if it does not say.
    """

    system: str
    kind: str
    user: int
    boot: str


def this_machine(boot_id: Path = Path("/proc/sys/kernel/random/boot_id")) -> Machine:
    """Describe the machine that this process runs on.

    Args:
        boot_id: file that holds another text after each start.

    Returns:
        What `place` has to know.
    """
    boot = boot_id.read_text(encoding="ascii").strip() if boot_id.is_file() else ""
    return Machine(platform.system(), platform.machine(), os.geteuid(), boot)


def require_machine(manifest: Manifest, machine: Machine, archive: Path) -> None:
    """Refuse a pack that was made on another kind of machine.

    Args:
        manifest: of the pack.
        machine: this one.
        archive: for the message.

    Raises:
        InputError: its programs cannot run here.
    """
    if (manifest.system, manifest.machine) != (machine.system, machine.kind):
        raise InputError(
            f"{archive} was made on {manifest.system} {manifest.machine}, this is {machine.system} "
            f"{machine.kind}: run `qmpi pack` on a machine of this kind"
        )
