"""Safetensors files: what the library reads and writes, and what is damaged."""

import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file

from qmpi.errors import CorruptData, InputError, StorageError
from qmpi.storage.safetensors_file import (
    INDEX,
    ONE_FILE,
    TYPE_BYTES,
    NewTensor,
    encode_index,
    read_tensors,
    read_weights,
    tensor_bytes,
    write_tensors,
)

NUMPY = {"F32": np.float32, "F16": np.float16, "I64": np.int64, "U8": np.uint8}


def arrays():
    return {
        "b": np.arange(12, dtype=np.float32).reshape(3, 4),
        "a": np.arange(5, dtype=np.float16),
        "none": np.zeros((0, 4), np.float32),
        "one": np.array(7, np.int64),
    }


def write(path, made):
    kinds = {np.dtype(kind): name for name, kind in NUMPY.items()}
    tensors = [NewTensor(name, kinds[a.dtype], a.shape) for name, a in made.items()]
    write_tensors(path, tensors, (memoryview(a.tobytes()) for a in made.values()))


def test_the_library_reads_what_is_written(tmp_path):
    write(tmp_path / "x", arrays())
    read = load_file(tmp_path / "x")
    assert set(read) == set(arrays())
    for name, array in arrays().items():
        np.testing.assert_array_equal(read[name], array)
    with safe_open(tmp_path / "x", framework="np") as file:
        assert file.metadata() == {"format": "pt"}


def test_what_the_library_writes_is_read(tmp_path):
    save_file(arrays(), tmp_path / "x")
    entries = read_tensors(tmp_path / "x")
    assert set(entries) == set(arrays())
    for name, array in arrays().items():
        entry = entries[name]
        assert (NUMPY[entry.type], entry.shape) == (array.dtype.type, array.shape)
        assert bytes(tensor_bytes(entry)) == array.tobytes()


@given(st.data())
def test_a_damaged_header_is_refused_where_the_library_refuses_it(tmp_path_factory, data):
    path = tmp_path_factory.mktemp("damaged") / "x"
    write(path, arrays())
    raw = bytearray(path.read_bytes())
    head = 8 + struct.unpack_from("<Q", raw)[0]
    if data.draw(st.booleans()):
        raw = raw[: data.draw(st.integers(0, len(raw) - 1))]
    else:
        raw[data.draw(st.integers(0, head - 1))] ^= 1 << data.draw(st.integers(0, 7))
    path.write_bytes(raw)
    try:
        ours = read_tensors(path)
    except CorruptData:
        return
    if any(entry.type not in TYPE_BYTES for entry in ours.values()):
        return  # listed, so that a message can name the type; the library knows only its own
    # Stricter than the library we may be; never laxer.
    with safe_open(path, framework="np") as file:
        assert set(file.keys()) == set(ours)
        for name, entry in ours.items():
            assert file.get_slice(name).get_dtype() == entry.type
            assert tuple(file.get_slice(name).get_shape()) == entry.shape


@pytest.mark.parametrize(
    "header",
    [
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [0, 4]}},
        {"a": {"dtype": "F32", "shape": [-1, -2], "data_offsets": [0, 8]}},
        {"a": {"dtype": "F32", "shape": [2], "data_offsets": [8, 0]}},
        {"a": {"dtype": "U8", "shape": [4], "data_offsets": [4, 8]}},
        {"a": {"dtype": "U8", "shape": [8], "data_offsets": [0, 8]},
         "b": {"dtype": "U8", "shape": [8], "data_offsets": [0, 8]}},
        {"a": 5}, [], {"a": {"dtype": "F32"}},
    ],
)  # fmt: skip
def test_places_that_contradict_themselves_are_damage(tmp_path, header):
    body = json.dumps(header).encode()
    path = tmp_path / "x"
    path.write_bytes(struct.pack("<Q", len(body)) + body + bytes(8))
    with pytest.raises(CorruptData, match="x"):
        read_tensors(path)
    with pytest.raises(SafetensorError):
        safe_open(path, framework="np").keys()


def test_an_index_joins_files_and_must_be_true(tmp_path):
    files = {"m-1.safetensors": ["b"], "m-2.safetensors": ["a", "one"]}
    tensors = {}
    for name, held in files.items():
        write(tmp_path / name, {key: arrays()[key] for key in held})
        tensors[name] = [
            NewTensor(key, "F32" if key == "b" else "F16" if key == "a" else "I64",
                      arrays()[key].shape) for key in held
        ]  # fmt: skip
    (tmp_path / INDEX).write_bytes(encode_index(tensors))
    entries = read_weights(tmp_path)
    assert {name: entry.file.name for name, entry in entries.items()} == {
        "b": "m-1.safetensors", "a": "m-2.safetensors", "one": "m-2.safetensors"
    }  # fmt: skip
    assert json.loads((tmp_path / INDEX).read_text())["metadata"] == {"total_size": 66}
    (tmp_path / INDEX).write_text('{"weight_map": {"b": "m-2.safetensors"}}')
    with pytest.raises(CorruptData, match="lacks b"):
        read_weights(tmp_path)
    for name in ("../x.safetensors", "", ".", "a\\u0000b"):
        (tmp_path / INDEX).write_text(f'{{"weight_map": {{"b": "{name}"}}}}')
        with pytest.raises(InputError, match="no file beside it"):
            read_weights(tmp_path)
    (tmp_path / INDEX).write_text("{")
    with pytest.raises(CorruptData, match="damaged"):
        read_weights(tmp_path)


def test_what_holds_no_weights_is_told(tmp_path):
    with pytest.raises(InputError, match="no weights at"):
        read_weights(tmp_path / "absent")
    with pytest.raises(InputError, match=ONE_FILE):
        read_weights(tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"x")
    with pytest.raises(InputError, match="pickled"):
        read_weights(tmp_path)
    write(tmp_path / "other.safetensors", arrays())
    assert set(read_weights(tmp_path)) == set(read_weights(tmp_path / "other.safetensors"))
    write(tmp_path / "second.safetensors", arrays())
    with pytest.raises(InputError, match="2 safetensors files"):
        read_weights(tmp_path)


def test_a_file_that_became_shorter_is_not_read(tmp_path):
    write(tmp_path / "x", arrays())
    entry = read_tensors(tmp_path / "x")["b"]
    (tmp_path / "x").write_bytes(b"")
    with pytest.raises(CorruptData, match="shorter"):
        tensor_bytes(entry)
    (tmp_path / "x").unlink()
    with pytest.raises(StorageError):
        tensor_bytes(entry)
