"""From the running environment to one file."""

import tempfile
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from msgspec import Struct

from qmpi.errors import ConfigError
from qmpi.launch.pack.archive import digested, write_pack
from qmpi.launch.pack.distributions import required
from qmpi.launch.pack.environment import collect, describe
from qmpi.launch.pack.manifest import Manifest, identity
from qmpi.storage.atomic_file import is_temporary_of, write_atomic_with, written_by_nobody
from qmpi.storage.os_errors import explained

_SQUASHED = (".sqsh", ".squashfs", ".sqfs")


class Packed(Struct, frozen=True):
    """A pack that was made.

    Attributes:
        path: of the file.
        pack: identity.
        bytes: size of the file.
        manifest: what it holds.
    """

    path: Path
    pack: str
    bytes: int
    manifest: Manifest


class Choice(Struct, frozen=True):
    """What goes into a pack, and how tight.

    Attributes:
        without: names of packages to leave out.
        whole: headers, type stubs and test programs of packages too.
        level: of zstd, 1 to 19.
    """

    without: frozenset[str] = frozenset()
    whole: bool = False
    level: int = 6


def make_pack(output: Path, choice: Choice) -> Packed:
    """Pack the environment that runs now.

    Args:
        output: the file; replaced if it exists.
        choice: what goes into it.

    Returns:
        What was made.

    Raises:
        ConfigError: the file's name promises another format, or what has it is no file.
        LaunchError: the environment cannot be packed.
        StorageError: a file cannot be read, or the pack not written.
    """
    if output.name.endswith(_SQUASHED):
        raise ConfigError(
            f"{output}: qmpi packs .tar.zst. For a squashfs image, unpack it and run "
            f"`mksquashfs DIR {output.name}`: the directory can be mounted anywhere"
        )
    _require_place(output)
    packages = required(choice.without)
    items = collect(packages, whole=choice.whole)
    manifest = describe(tuple(digested(items)), packages, choice.without)

    def fill(file: BinaryIO) -> None:
        write_pack(file, manifest, items, choice.level)

    write_atomic_with(output, fill, durable=True)
    return Packed(output, identity(manifest.encoded()), output.stat().st_size, manifest)


def _require_place(output: Path) -> None:
    # Reading the environment takes a minute: what can be told before is told before.
    if output.exists() and not output.is_file():
        what = "a directory" if output.is_dir() else "no file, but a device or a pipe"
        raise ConfigError(f"{output} is {what}: name a file, as env.qmpi.tar.zst")
    with explained("write", output):
        with suppress(PermissionError):  # to list is more than to write
            for left in output.parent.iterdir():
                if is_temporary_of(left, output) and written_by_nobody(left):
                    left.unlink(missing_ok=True)
        with tempfile.TemporaryFile(dir=output.parent):
            pass
