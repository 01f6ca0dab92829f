"""Pages: what they say of CUDA devices and tests is there, and no place is left open."""

import re

from architecture.tree import ROOT, name_of, python_files, text_files

LIMITS = (ROOT / "docs" / "limits.md").read_text(encoding="utf-8")

PLACED = ("qmpi/training", "qmpi/model", "qmpi/runtime", "qmpi/exchange", "qmpi/transport")
"""Where a device is computed on, and not only planned for."""

DEVICE = re.compile(r'torch\.cuda|device\.type|"cuda"')


def rows() -> list[list[str]]:
    """Cells of the table of forms for CUDA devices."""
    section = LIMITS.partition("## GPUs")[2].partition("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1:]]


def test_each_module_that_asks_for_the_device_is_listed_with_its_test() -> None:
    asking = {
        name_of(path)
        for path in python_files(*PLACED)
        if DEVICE.search(path.read_text(encoding="utf-8"))
    }
    listed = {cells[3].strip("`") for cells in rows()}
    # The optimizer hands the kind of the device on to Muon.
    assert asking - {"qmpi/training/optimizer.py"} <= listed
    assert all((ROOT / name).is_file() for name in listed)


def test_each_listed_test_is_found_by_the_word_cuda() -> None:
    tests = {cells[4].strip("`") for cells in rows()}
    assert len(tests) >= 7
    for name in tests:
        named = "cuda" in name or re.search(
            r'def test_cuda|id="cuda"', (ROOT / name).read_text(encoding="utf-8")
        )
        assert named, f"`pytest -k cuda` finds nothing in {name}"


def test_every_test_that_needs_a_device_is_listed() -> None:
    needing = {
        name_of(path)
        for path in python_files("tests/unit", "tests/mpi")
        if re.search(r"import .*(NEEDS_CUDA|needs_cuda)", path.read_text(encoding="utf-8"))
    }
    assert needing == {cells[4].strip("`") for cells in rows()}


OPEN = "@" * 2
"""Around the name of what a figure will stand for, as long as it is being measured."""


def test_no_page_has_a_place_that_is_still_to_be_filled() -> None:
    found = [
        f"{name_of(path)}:{number}: {line}"
        for path, text in text_files()
        if name_of(path).startswith(("docs/", "README", "hpc/", "CHANGELOG", "CONTRIBUTING"))
        for number, line in enumerate(text.splitlines(), 1)
        if OPEN in line
    ]
    assert not found, "\n".join(found)


MODELS = (ROOT / "docs" / "models.md").read_text(encoding="utf-8")


def test_code_on_the_page_of_models_is_that_of_the_files() -> None:
    shown = re.findall(r"```python\n# (\S+)\n(.*?)```", MODELS, re.DOTALL)
    assert len(shown) >= 5
    for name, code in shown:
        assert code in (ROOT / name).read_text(encoding="utf-8"), f"not in {name}:\n{code}"


def test_files_on_the_page_of_models_are_there_and_families_are_gone_through() -> None:
    named = re.findall(r"(?:tests|qmpi)/[\w/]+\.py", MODELS)
    assert all((ROOT / name).is_file() for name in named)
    table = MODELS.partition("| test, over all families |")[2].partition("\n\n")[0]
    listed = set(re.findall(r"tests/[\w/]+\.py", table))
    using = {
        name_of(path)
        for path in python_files("tests/unit")
        if "unit.model.families import" in path.read_text(encoding="utf-8")
    }
    assert using - {"tests/unit/training/compiling_member.py"} == listed
