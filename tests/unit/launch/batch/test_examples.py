"""The scripts in hpc/ are those that qmpi writes."""

import runpy
from pathlib import Path

ROOT = Path(__file__).parents[4]


def test_the_scripts_in_hpc_are_those_that_qmpi_writes() -> None:
    texts = runpy.run_path(str(ROOT / "docs" / "make_batch.py"))["texts"]()
    kept = {path.name: path.read_text(encoding="utf-8") for path in (ROOT / "hpc").glob("*.sh")}
    assert kept == texts, "run docs/make_batch.py"
    assert {"slurm.sh", "pbs.sh", "lsf.sh", "flux.sh"} <= set(kept)
