"""Write docs/errors.md from the pages of `qmpi explain`.

python docs/make_errors.py
"""

from collections.abc import Iterator
from pathlib import Path

from qmpi.cli.error_pages import as_markdown
from qmpi.errors import QmpiError

TARGET = Path(__file__).parent / "errors.md"


def kinds(kind: type[QmpiError] = QmpiError) -> Iterator[type[QmpiError]]:
    """Yield every error class below one."""
    for child in kind.__subclasses__():
        yield child
        yield from kinds(child)


def text() -> str:
    """Return the document."""
    return as_markdown({kind.page(): (kind.fault, int(kind.exit_code)) for kind in kinds()})


if __name__ == "__main__":
    TARGET.write_text(text(), encoding="utf-8")
