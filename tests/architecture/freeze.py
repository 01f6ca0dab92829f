"""Write the frozen lists anew, when a change of contract is meant.

python tests/architecture/freeze.py
"""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from architecture.frozen_lists import LISTS  # noqa: E402 - tests/ is on the path from here on

if __name__ == "__main__":
    for name, make in LISTS.items():
        (HERE / "frozen" / name).write_text(make(), encoding="utf-8")
