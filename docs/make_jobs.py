"""Writes jobs/*.toml from the presets; a test holds the two equal."""

from pathlib import Path

from qmpi.config.describe import describe
from qmpi.config.presets import PRESETS, preset

FOLDER = Path(__file__).parent.parent / "jobs"


def texts() -> dict[str, str]:
    """Return the text of each job file by its name."""
    return {f"{name}.toml": describe(preset(name), title) for name, (title, _) in PRESETS.items()}


if __name__ == "__main__":
    for file_name, text in texts().items():
        (FOLDER / file_name).write_text(text, encoding="utf-8")
