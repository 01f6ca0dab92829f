"""The pictures of docs/design.md are those of the code."""

import difflib
import importlib.util
from types import ModuleType

import pytest
from architecture.tree import ROOT


@pytest.fixture(scope="module")
def draw() -> ModuleType:
    spec = importlib.util.spec_from_file_location("draw", ROOT / "docs" / "draw.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pictures_are_drawn_from_the_code(draw: ModuleType) -> None:
    before = draw.DESIGN.read_text(encoding="utf-8")
    change = difflib.unified_diff(
        before.splitlines(), draw.drawn(before).splitlines(), "document", "code", "", "", 1
    )
    told = "\n".join(change)
    assert not told, f"run `python docs/draw.py` and commit docs/design.md:\n{told}"


def test_a_missing_place_is_told(draw: ModuleType) -> None:
    with pytest.raises(ValueError, match="no place for the picture"):
        draw.drawn("no pictures here")


def test_arrows_point_down_and_lead_everywhere(draw: ModuleType) -> None:
    height = {name: n for n, layer in enumerate(reversed(draw.floors())) for name in layer}
    inside, outside = draw.imports()
    for package, targets in inside.items():
        assert all(height[target] < height[package] for target in targets), package
        drawn = draw._nearest(targets, inside)
        assert targets <= drawn | {far for near in drawn for far in draw._reached(near, inside)}
    assert "mpi4py" in outside["transport"]
    assert outside["roles"] <= {"msgspec"}


def test_the_step_tells_of_blocks_and_a_report(draw: ModuleType) -> None:
    picture = draw.picture_of_step()
    for arrow in ("trainer->>memory: BlockRequest", "trainer->>coordinator: StepReport"):
        assert arrow in picture
