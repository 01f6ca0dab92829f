"""Tensors in safetensors files: the format in which models are passed on.

Theory of operation. A file is 8 bytes with the length of a JSON header, the header (type, shape and
place of each tensor), and the raw bytes, little-endian, without a hole. So a header tells all about
a model without reading it, and a tensor is a piece of the file. Weights of several files have an
index that says which file holds which tensor.

Read and written here rather than by the library, which needs torch for bfloat16, holds what it
writes in memory, and renames its own temporary over whatever has the name, a device too; decision
0030. Nothing in the format detects a flipped bit: whoever relies on weights keeps a digest.

Source: the format's description at https://github.com/huggingface/safetensors#format.
"""

import mmap
import struct
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import prod
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import msgspec

from qmpi.errors import CorruptData, InputError
from qmpi.storage.atomic_file import write_atomic_with
from qmpi.storage.os_errors import explained, require_file
from qmpi.units import Bytes

ONE_FILE = "model.safetensors"
INDEX = "model.safetensors.index.json"
"""Names that every reader of such models knows."""

TYPE_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2, "I64": 8, "I32": 4, "I16": 2, "I8": 1}
TYPE_BYTES |= {"U64": 8, "U32": 4, "U16": 2, "U8": 1, "BOOL": 1}
"""Bytes of an element by type; a tensor of another type is listed, and its size is not checked."""

_LENGTH = struct.Struct("<Q")
_HEADER_LIMIT = 100_000_000
_ALIGNMENT = 8
_METADATA = "__metadata__"
_PICKLED = ("pytorch_model.bin", "pytorch_model.bin.index.json")


class TensorEntry(NamedTuple):
    """Where a tensor is, and what it is.

    Attributes:
        file: that holds it.
        type: of its elements, as the format spells it: "F32", "BF16", "F16", ...
        shape: elements along each dimension.
        start: first byte in the file.
        size: bytes.
    """

    file: Path
    type: str
    shape: tuple[int, ...]
    start: int
    size: int


class _Place(msgspec.Struct, frozen=True):
    dtype: str
    shape: list[int]
    data_offsets: tuple[int, int]


class _Index(msgspec.Struct, frozen=True):
    weight_map: dict[str, str]


def read_weights(path: Path) -> dict[str, TensorEntry]:
    """Tell which tensors a model has; reads headers alone.

    Args:
        path: a safetensors file, or a directory with one, or with several and their index.

    Returns:
        Tensors by name.

    Raises:
        InputError: there are no weights in that form.
        CorruptData: a file is damaged, or lacks what the index says that it holds.
        StorageError: a file cannot be read.
    """
    with explained("look at", path):
        if not path.exists():
            raise InputError(f"there are no weights at {path}")
        is_directory = path.is_dir()
    return _of_directory(path) if is_directory else read_tensors(path)


def _of_directory(path: Path) -> dict[str, TensorEntry]:
    index = path / INDEX
    if index.exists():
        return _of_index(index)
    named = path / ONE_FILE
    files = [named] if named.exists() else sorted(path.glob("*.safetensors"))
    if len(files) == 1:
        return read_tensors(files[0])
    if files:
        raise InputError(f"{path} holds {len(files)} safetensors files but no {INDEX}")
    if any((path / name).exists() for name in _PICKLED):
        raise InputError(
            f"{path} holds pickled weights, which may run any program when they are read; save the "
            "model again as safetensors"
        )
    raise InputError(f"{path} holds no {ONE_FILE} and no {INDEX}")


def _of_index(index: Path) -> dict[str, TensorEntry]:
    require_file(index)
    with explained("read", index):
        data = index.read_bytes()
    try:
        places = msgspec.json.decode(data, type=_Index).weight_map
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CorruptData(f"{index} is damaged ({error})") from error
    read: dict[str, dict[str, TensorEntry]] = {}
    for name in sorted(set(places.values())):
        if not name or Path(name).name != name or not name.isprintable():
            raise InputError(f"{index} names {name!r}, which is no file beside it")
        read[name] = read_tensors(index.with_name(name))
    for tensor, name in places.items():
        if tensor not in read[name]:
            file = index.with_name(name)
            raise CorruptData(f"{file} lacks {tensor}, which the index places in it")
    return {tensor: read[name][tensor] for tensor, name in places.items()}


def read_tensors(path: Path) -> dict[str, TensorEntry]:
    """Tell which tensors a file holds; reads its header alone.

    Args:
        path: a safetensors file.

    Returns:
        Tensors by name, in the order of their bytes.

    Raises:
        CorruptData: it is none, is cut short, or contradicts itself.
        StorageError: it cannot be read.
    """
    require_file(path)
    with explained("read the weights", path), path.open("rb") as file:
        size = file.seek(0, 2)
        file.seek(0)
        head = file.read(_LENGTH.size)
        length = _LENGTH.unpack(head)[0] if len(head) == _LENGTH.size else _HEADER_LIMIT + 1
        if length > min(_HEADER_LIMIT, size - _LENGTH.size):
            raise CorruptData(f"{path} is not a safetensors file, or is cut short")
        body = file.read(length)
    start = _LENGTH.size + length
    entries = [
        (name, TensorEntry(path, p.dtype, tuple(p.shape), start + p.data_offsets[0], _size(p)))
        for name, p in _places(body, path).items()
    ]
    entries.sort(key=lambda item: (item[1].start, item[1].size))
    at = start
    for name, entry in entries:
        if entry.start != at or entry.size != _expected(entry):
            raise CorruptData(f"{path} is damaged: {name} does not fill its place")
        at += entry.size
    if at != size:
        raise CorruptData(f"{path} is cut short, or has bytes that belong to no tensor")
    return dict(entries)


def _places(body: bytes, path: Path) -> dict[str, _Place]:
    try:
        header = msgspec.json.decode(body, type=dict[str, Any])
        header.pop(_METADATA, None)
        places = msgspec.convert(header, dict[str, _Place])
    except (msgspec.DecodeError, msgspec.ValidationError, UnicodeDecodeError, RecursionError) as e:
        raise CorruptData(f"{path} is not a safetensors file, or is damaged ({e})") from e
    return places


def _size(place: _Place) -> int:
    return place.data_offsets[1] - place.data_offsets[0]


def _expected(entry: TensorEntry) -> int:
    if any(count < 0 for count in entry.shape) or entry.size < 0:
        return -1
    each = TYPE_BYTES.get(entry.type)
    return entry.size if each is None else each * prod(entry.shape)


def tensor_bytes(entry: TensorEntry) -> memoryview:
    """Return the bytes of a tensor, mapped into memory.

    Args:
        entry: of `read_weights`.

    Returns:
        Read-only bytes, little-endian.

    Raises:
        StorageError: the file cannot be read.
        CorruptData: it has become shorter.
    """
    if not entry.size:
        return memoryview(b"")
    with explained("read the weights", entry.file), entry.file.open("rb") as file:
        if file.seek(0, 2) < entry.start + entry.size:
            raise CorruptData(f"{entry.file} has become shorter")
        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    return memoryview(mapped)[entry.start : entry.start + entry.size]


class NewTensor(NamedTuple):
    """A tensor to be written.

    Attributes:
        name: its name.
        type: of its elements, a key of `TYPE_BYTES`.
        shape: elements along each dimension.
    """

    name: str
    type: str
    shape: tuple[int, ...]

    @property
    def size(self) -> Bytes:
        """Bytes that it takes."""
        return Bytes(TYPE_BYTES[self.type] * prod(self.shape))


def write_tensors(path: Path, tensors: Sequence[NewTensor], data: Iterable[memoryview]) -> None:
    """Write a safetensors file, whole or not at all.

    Args:
        path: target, replaced if it exists.
        tensors: what it holds.
        data: their bytes, in the same order; each is let go before the next is asked for.

    Raises:
        StorageError: the operating system refused.
    """

    def fill(file: BinaryIO) -> None:
        file.write(_header(tensors))
        for piece in data:
            file.write(piece)

    write_atomic_with(path, fill, durable=True)


def _header(tensors: Sequence[NewTensor]) -> bytes:
    # Readers made for torch want to be told that it is theirs.
    header: dict[str, object] = {_METADATA: {"format": "pt"}}
    for tensor, start in zip(tensors, _starts(tensors), strict=True):
        offsets = [start, start + tensor.size]
        header[tensor.name] = {
            "dtype": tensor.type, "shape": list(tensor.shape), "data_offsets": offsets
        }  # fmt: skip
    body = msgspec.json.encode(header)
    body += b" " * (-len(body) % _ALIGNMENT)
    return _LENGTH.pack(len(body)) + body


def _starts(tensors: Sequence[NewTensor]) -> Iterator[int]:
    at = 0
    for tensor in tensors:
        yield at
        at += tensor.size


def encode_index(files: Mapping[str, Sequence[NewTensor]]) -> bytes:
    """Return the index of weights in several files.

    Args:
        files: tensors by name of the file.

    Returns:
        JSON for `INDEX`.
    """
    total = sum(tensor.size for tensors in files.values() for tensor in tensors)
    places = {tensor.name: name for name, tensors in files.items() for tensor in tensors}
    index = {"metadata": {"total_size": total}, "weight_map": places}
    return msgspec.json.format(msgspec.json.encode(index), indent=2) + b"\n"
