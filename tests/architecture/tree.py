"""The project's own files, for tests that read them."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
CODE = ("qmpi", "tests", "docs")
FOLDERS = (*CODE, "jobs", "hpc", ".ci")


def python_files(*folders: str) -> list[Path]:
    """Return the modules below `folders` (all of the project's by default), sorted."""
    return sorted(p for folder in folders or CODE for p in (ROOT / folder).rglob("*.py"))


def text_files() -> Iterator[tuple[Path, str]]:
    """Yield every text file of the project with its text; caches and environments apart."""
    below = (p for folder in FOLDERS for p in sorted((ROOT / folder).rglob("*")))
    for path in (*sorted(ROOT.glob("[!.]*.*")), ROOT / "Makefile", *below):
        if path.is_file() and "__pycache__" not in path.parts:
            try:
                yield path, path.read_text(encoding="utf-8")
            except UnicodeDecodeError:
                continue


def name_of(path: Path) -> str:
    """Return a file's name from the root."""
    return path.relative_to(ROOT).as_posix()


def parse(path: Path) -> ast.Module:
    """Read a module."""
    return ast.parse(path.read_text(encoding="utf-8"), str(path))
