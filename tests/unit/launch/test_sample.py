"""What `qmpi sample` is asked for may be odd; it is never a bug."""

from pathlib import Path

import pytest
import torch

from qmpi.errors import CorruptData, InputError
from qmpi.launch.sample import Draws, read_newest, sample_run
from qmpi.storage.run_directory import RunDirectory
from qmpi.storage.snapshot_file import SnapshotHeader, write_snapshot
from qmpi.storage.snapshot_store import snapshot_path
from qmpi.training.sample import generate


def test_prompt_that_is_not_text(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="UTF-8"):
        sample_run(tmp_path, "\udcff", Draws(5, 1.0, 0), tmp_path, print)


@pytest.mark.parametrize("temperature", [1e-300, 5e-324, 1.0, 1e300])
def test_any_temperature_gives_tokens(temperature: float) -> None:
    def model(ids: torch.Tensor) -> torch.Tensor:
        return torch.linspace(-30.0, 30.0, 9).repeat(*ids.shape, 1)

    drawn = generate(model, [1], 4, temperature, seed=3)
    assert len(drawn) == 4
    if temperature < 1.0:
        assert drawn == [8, 8, 8, 8]


def test_a_damaged_checkpoint_is_passed_over_and_told(tmp_path: Path) -> None:
    directory = RunDirectory(tmp_path)
    directory.create()
    with pytest.raises(InputError, match="no checkpoint yet"):
        read_newest(directory, print)
    paths = [snapshot_path(directory.checkpoints, step) for step in (10, 20)]
    for path in paths:
        header = SnapshotHeader(step=1, size=len(path.name), digest="", run_id="r")
        write_snapshot(path, header, [path.name.encode()], durable=False)
    said: list[str] = []
    assert bytes(read_newest(directory, said.append)) == paths[1].name.encode()
    assert not said
    paths[1].write_bytes(paths[1].read_bytes()[:-1] + b"?")
    assert bytes(read_newest(directory, said.append)) == paths[0].name.encode()
    assert paths[1].name in said[0]
    assert paths[0].name in said[0]
    paths[0].write_bytes(b"")
    with pytest.raises(CorruptData) as told:
        read_newest(directory, said.append)
    assert all(path.name in str(told.value) for path in paths)
