"""Modules behind a table: the same modules, found without looking for them."""

import py_compile
import subprocess
import sys
from importlib.util import MAGIC_NUMBER
from pathlib import Path

import pytest

from qmpi.launch.pack import finder
from qmpi.launch.pack.bytecode import compiled, early_items, modules, table_file
from qmpi.launch.pack.item import Item

SOURCES = {
    "pk/__init__.py": "from pk import a\n",
    "pk/a.py": "def where():\n    raise ValueError('line two')\n",
    "pk/data.txt": "hello",
    "pk/template.py": "this is {{ no }} Python\n",
    "pk/more/b.py": "name = __name__\n",
    "top.py": "value = 1\n",
}


@pytest.fixture
def environment(tmp_path: Path) -> Path:
    """An environment with a table, in which `modules.bin` is the only compiled file."""
    site = tmp_path / "my env" / "site"
    for name, text in SOURCES.items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_text(text)
    items = [Item(f"site/{name}", site / name) for name in SOURCES]
    (site / finder.TABLE_NAME).write_bytes(table_file(modules(items, ["site"])))
    return site


def run(site: Path, program: str, *flags: str) -> str:
    start = (
        "import sys, importlib.util as u\n"
        f"spec = u.spec_from_file_location('finder', {finder.__file__!r})\n"
        "f = u.module_from_spec(spec); spec.loader.exec_module(f)\n"
        f"f.install({str(site.parent)!r}, {str(site / finder.TABLE_NAME)!r})\n"
        f"sys.path.append({str(site)!r})\n"
    )
    done = subprocess.run(
        [sys.executable, "-I", *flags, "-c", start + program],
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_modules_are_what_they_would_be(environment: Path) -> None:
    told = run(
        environment,
        "import pk, pk.more.b, inspect, importlib.resources as r\n"
        "print(pk.__file__, pk.__path__, pk.__spec__.parent, pk.a.__file__, sep='|')\n"
        "print(type(pk.a.__loader__).__name__, pk.a.where.__code__.co_filename)\n"
        "print(inspect.getsource(pk.a.where).split()[-1])\n"
        "print((r.files('pk') / 'data.txt').read_text())\n"
        "print(pk.more.b.name, pk.more.__file__)\n",
    ).splitlines()
    site = str(environment)
    assert told[0] == f"{site}/pk/__init__.py|['{site}/pk']|pk|{site}/pk/a.py"
    assert told[1] == f"PackedLoader {site}/pk/a.py"
    assert told[2:] == ["two')", "hello", "pk.more.b None"]
    assert not list(environment.rglob("*.pyc"))


def test_no_module_is_opened_and_sources_need_not_be_there(environment: Path) -> None:
    program = (
        "seen = []\n"
        "sys.addaudithook(lambda e, a: seen.append(str(a[0])) if e == 'open' else None)\n"
        "import pk, pk.a, top\n"
        "print([x for x in seen if 'my env' in x])\n"
    )
    assert run(environment, program) == "[]"
    for name in ("pk/__init__.py", "pk/a.py", "top.py"):
        (environment / name).unlink()
    assert run(environment, program) == "[]"


def test_what_does_not_compile_is_left_to_python(environment: Path) -> None:
    told = run(
        environment, "try:\n    import pk.template\nexcept SyntaxError as e:\n    print(e.lineno)"
    )
    assert told == "1"


def test_bytes_of_another_python_are_compiled_anew(environment: Path) -> None:
    table = environment / finder.TABLE_NAME
    other = table.read_bytes().replace(MAGIC_NUMBER, b"\0\0\r\n")
    assert other != table.read_bytes()
    table.write_bytes(other)
    assert run(environment, "import pk.a\nprint(pk.a.__name__)") == "pk.a"


def test_a_missing_table_changes_nothing(environment: Path) -> None:
    (environment / finder.TABLE_NAME).unlink()
    assert run(environment, "import top\nprint(top.__loader__.__class__.__name__)") == (
        "SourceFileLoader"
    )


def test_a_package_that_has_other_folders_gets_what_lies_there(environment: Path) -> None:
    other = environment.parent / "other"
    other.mkdir()
    (other / "a.py").write_text("other = True\n")
    program = (
        "import types\npk = types.ModuleType('pk'); "
        f"pk.__path__ = [{str(other)!r}]; sys.modules['pk'] = pk\n"
        "import pk.a\nprint(pk.a.other)"
    )
    assert run(environment, program) == "True"


def test_of_two_files_of_a_name_the_one_that_python_finds() -> None:
    suffix = ".so"
    items = [
        Item("one/x.py", b""),
        Item("one/x/__init__.py", b""),
        Item("two/x.py", b""),
        Item(f"one/y{suffix}", b""),
        Item("one/y.py", b""),
        Item("two/z.py", b""),
        Item("one/not-a-name.py", b""),
        Item(f"one/MPI.openmpi{suffix}", b""),
        Item("elsewhere/w.py", b""),
    ]
    found = {name: (kind, item.path) for name, kind, item in modules(items, ["one", "two"])}
    assert found == {
        "x": ("p", "one/x/__init__.py"),
        "y": ("x", "one/y.so"),
        "z": ("m", "two/z.py"),
    }


def test_compiled_files_are_taken_only_if_they_are_of_the_source(tmp_path: Path) -> None:
    file = tmp_path / "m.py"
    file.write_text("x = 1\n")
    py_compile.compile(str(file))
    fresh = compiled(b"x = 1\n", file)
    assert fresh is not None
    assert fresh[4:8] == b"\x01\0\0\0"
    stale = compiled(b"x = 22\n", file)
    assert stale == compiled(b"x = 22\n", None)
    assert stale is not None
    assert b"\x16" in stale[16:]  # 22, from the source and not from the file
    assert compiled(b"x = (", None) is None
    assert compiled(b"\0", None) is None


def test_what_python_loads_first_has_files_of_its_own() -> None:
    items = [
        Item("lib/encodings/utf_8.py", b"x = 1\n"),
        Item("lib/ast.py", b""),
        Item("lib/w.so", b""),
    ]
    made = list(early_items(items, "lib"))
    tag = sys.implementation.cache_tag
    assert [item.path for item in made] == [f"lib/encodings/__pycache__/utf_8.{tag}.pyc"]
