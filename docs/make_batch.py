"""Writes hpc/*.sh, the scripts that `qmpi submit jobs/cluster.toml` makes; a test holds them equal.

They stand for a project in /project/me, on a machine of eight GPUs a node.
"""

from pathlib import Path

from msgspec.structs import replace

from qmpi.config.machine import load_machine
from qmpi.config.presets import preset
from qmpi.launch.batch.directives import Request
from qmpi.launch.batch.layout import Wanted, lay_out
from qmpi.launch.batch.script import Content, Variants, render
from qmpi.model.shape import parameter_count

FOLDER = Path(__file__).parent.parent / "hpc"
PROJECT = Path("/project/me")
NODES = 64


def texts() -> dict[str, str]:
    """Return the text of each script by its name."""
    settings, machine = preset("cluster"), load_machine("h100")
    wanted = Wanted(NODES, None, None, parameter_count(settings.model))
    layout = lay_out(settings, machine, wanted)
    content = Content(
        job=PROJECT / "cluster.toml",
        run=PROJECT / "runs" / "cluster",
        workdir=PROJECT,
        qmpi=("qmpi",),
    )
    found: dict[str, str] = {}
    for kind in ("slurm", "pbs", "lsf", "flux"):
        request = Request(
            scheduler=kind,
            name=settings.job.name,
            layout=layout,
            seconds=12 * 3600,
            queue="gpu",
            account="me",
        )
        found[f"{kind}.sh"] = render(request, content)
        if kind == "slurm":
            seeds = Variants("job.seed", ("0", "1", "2"))
            array = replace(request, values=len(seeds.values))
            found["slurm-array.sh"] = render(array, replace(content, variants=seeds))
    return found


if __name__ == "__main__":
    for file_name, text in texts().items():
        (FOLDER / file_name).write_text(text, encoding="utf-8")
