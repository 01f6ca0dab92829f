"""Draw the pictures of docs/design.md from the code; a test holds text and code equal.

Theory of operation. The floors come from the layers of setup.cfg, the arrows between them from the
import statements of the modules. The state machines are the tables that the roles execute. The
messages come from the simulator: the shipped roles run a
small job, and what they say is recorded. Messages of one kind between the same two roles are drawn
as one arrow with their number, where the first of them was sent; so the picture shows the order of
the conversation and not the chance of one run.

    python docs/draw.py
"""

import ast
import configparser
import importlib
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from msgspec.structs import replace

from qmpi.config.settings import RoleSettings
from qmpi.ports.base import Effect, Event
from qmpi.protocol.envelope import RoleName
from qmpi.roles.coordinator import machine as coordinator
from qmpi.roles.farm import dealer
from qmpi.roles.table import Rule
from qmpi.roles.trainer import machine as trainer
from qmpi.simulator.engine import Care, Simulation
from qmpi.simulator.faults import parse_fault
from qmpi.simulator.scenario import USUAL
from qmpi.simulator.trace import Spoken

ROOT = Path(__file__).parents[1]
DESIGN = ROOT / "docs" / "design.md"

CAST = RoleSettings(generator=1, memory=1, trainer=2, replica=1, spare=1)
RANKS = 7
SEED = 1
STEP = 10
"""A step before which a snapshot is due, so that its copy is in the picture."""

SIGNS_OF_LIFE = ("Beat", "BeatHeard")

Imports = dict[str, set[str]]


def floors() -> list[list[str]]:
    """Return the layers of setup.cfg that exist, top first."""
    config = configparser.ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    lines = config["importlinter:contract:floors"]["layers"].split("\n")
    layers = [re.findall(r"\w+", line) for line in lines if line.strip()]
    return [[name for name in layer if _modules(name)] for layer in layers]


def imports() -> tuple[Imports, Imports]:
    """Return what each package imports.

    Returns:
        Other packages of qmpi, and libraries that are not Python's own.
    """
    inside: Imports = {}
    outside: Imports = {}
    for package in (name for layer in floors() for name in layer):
        names = {name for path in _modules(package) for name in _imported(path)}
        inside[package] = {
            parts[1] for name in names if (parts := name.split("."))[0] == "qmpi" and parts[1:]
        } - {package, "__version__"}
        roots = {name.split(".")[0] for name in names}
        outside[package] = roots - {"qmpi", "__future__"} - sys.stdlib_module_names
    return inside, outside


def picture_of_floors() -> str:
    """Return the floors as a flow chart, and all imports as a table."""
    inside, outside = imports()
    lines = ["```mermaid", "flowchart TB"]
    for number, layer in enumerate(floors()):
        lines += [f'  subgraph floor{number}[" "]', "    direction LR"]
        lines += [f"    {name}[{name}]" for name in layer]
        lines += ["  end"]
    for package, targets in inside.items():
        lines += [f"  {package} --> {target}" for target in sorted(_nearest(targets, inside))]
    lines += ["```", "", "| package | imports of qmpi | libraries |", "|---|---|---|"]
    for layer in floors():
        for name in layer:
            said = (", ".join(sorted(part)) or "-" for part in (inside[name], outside[name]))
            lines.append(f"| `{name}` | {' | '.join(said)} |")
    return "\n".join(lines)


def picture_of_start() -> str:
    """Return the messages from the first hello to the first grant."""
    return _sequence(_to_grant(_conversation()))


def picture_of_step() -> str:
    """Return the messages of one step."""
    return _sequence(said for said in _conversation() if said.step == STEP)


def picture_of_death() -> str:
    """Return the messages from a trainer's death to the next grant."""
    spoken = _conversation(f"when step {STEP} kill trainer 0")
    forming = [number for number, said in enumerate(spoken) if said.message == "Regroup"]
    granted = next(number for number, said in enumerate(spoken) if said.message == "Grant")
    return _sequence(_to_grant(spoken[next(n for n in forming if n > granted) :]))


def picture_of_machine(rules: Sequence[Rule[Any]]) -> str:
    """Return a transition table as a picture of its phases, and as a table.

    Args:
        rules: what the machine executes, in order of precedence.
    """
    moves: dict[tuple[str, str], dict[str, None]] = {}
    for rule in rules:
        for phase in rule.phases if rule.to else ():
            moves.setdefault((phase, rule.to), {})[_trigger(rule)] = None
    arrows = [f"  {a} --> {b}: {', '.join(triggers)}" for (a, b), triggers in moves.items()]
    lines = ["```mermaid", "stateDiagram-v2", *arrows, "```", ""]
    lines += ["| in | on | if | do | then |", "|---|---|---|---|---|"]
    for rule in rules:
        phases, on = ", ".join(rule.phases), rule.on.__name__ if rule.on else "as soon as"
        guard = _said(rule.guard) if rule.guard else ""
        lines.append(f"| {phases} | {on} | {guard} | {_said(rule.action)} | {rule.to} |")
    return "\n".join(lines)


def _trigger(rule: Rule[Any]) -> str:
    guard = rule.guard.__name__ if rule.guard else ""
    return rule.on.__name__ if rule.on else guard.replace("_", " ")


def _said(function: Callable[..., object]) -> str:
    return (function.__doc__ or "").split("\n")[0].rstrip(".").replace("|", "\\|")


def table_of_ports() -> str:
    """Return each port with its effects, its events and the suite that holds it to its promises."""
    lines = ["| port | effects | events | suite |", "|---|---|---|---|"]
    for name in ports():
        module = importlib.import_module(f"qmpi.ports.{name}")
        kinds = (_leaves(module, base) for base in (Effect, Event))
        said = " | ".join(", ".join(f"`{kind}`" for kind in some) or "-" for some in kinds)
        suite = f"[{name}_suite](../tests/conformance/{name}_suite.py)"
        lines.append(f"| `{name}` | {said} | {suite} |")
    return "\n".join(lines)


def ports() -> list[str]:
    """Return the names of all ports: a file each, besides what they share."""
    paths = sorted((ROOT / "qmpi" / "ports").glob("*.py"))
    return [path.stem for path in paths if path.stem not in {"__init__", "base"}]


def _leaves(module: ModuleType, base: type) -> list[str]:
    """Return the kinds of a module that no other of it is a kind of, in order of definition."""
    kinds = [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, base) and kind.__module__ == module.__name__
    ]
    return [k.__name__ for k in kinds if not any(k in other.__bases__ for other in kinds)]


PICTURES: dict[str, Callable[[], str]] = {
    "floors": picture_of_floors,
    "ports": table_of_ports,
    "coordinator machine": lambda: picture_of_machine(coordinator.RULES),
    "trainer machine": lambda: picture_of_machine(trainer.RULES),
    "dealer machine": lambda: picture_of_machine(dealer.RULES),
    "start": picture_of_start,
    "step": picture_of_step,
    "death": picture_of_death,
}


def drawn(text: str) -> str:
    """Return a document with every picture drawn anew.

    Args:
        text: with a pair of comments `begin NAME` and `end NAME` for each picture.

    Returns:
        The text; only what stands between the comments may differ.

    Raises:
        ValueError: a pair is missing.
    """
    for name, draw in PICTURES.items():
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        if begin not in text or end not in text:
            raise ValueError(f"{DESIGN.name} has no place for the picture {name!r}")
        head, _, rest = text.partition(begin)
        tail = rest.partition(end)[2]
        text = f"{head}{begin}\n{draw()}\n{end}{tail}"
    return text


def _modules(package: str) -> list[Path]:
    path = ROOT / "qmpi" / package
    single = path.with_suffix(".py")
    return [single] if single.exists() else sorted(path.rglob("*.py"))


def _imported(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _nearest(targets: set[str], inside: Imports) -> set[str]:
    """Return those targets that no other target imports: fewer arrows, the same order."""
    return targets - {far for near in targets for far in _reached(near, inside)}


def _reached(package: str, inside: Imports) -> set[str]:
    found: set[str] = set()
    waiting = set(inside[package])
    while waiting:
        name = waiting.pop()
        found.add(name)
        waiting |= inside[name] - found
    return found


def _conversation(*faults: str) -> list[Spoken]:
    simulation = Simulation(
        replace(USUAL, roles=CAST),
        RANKS,
        SEED,
        [parse_fault(f) for f in faults],
        care=Care(keep_trace=0),
    )
    simulation.run()
    return [said for said in simulation.trace.spoken if said.message not in SIGNS_OF_LIFE]


def _to_grant(spoken: list[Spoken]) -> Iterator[Spoken]:
    """Yield what is said about membership until a whole group has its grant."""
    granted = False
    for said in spoken:
        if granted and said.message != "Grant":
            return
        granted = said.message == "Grant"
        if not said.message.startswith(("Block", "Rows", "Snapshot", "StepReport")):
            yield said


def _sequence(spoken: Iterable[Spoken]) -> str:
    arrows = Counter((s.source, s.target, s.message) for s in spoken)
    acting = {role for source, target, _ in arrows for role in (source, target)}
    lines = ["```mermaid", "sequenceDiagram"]
    lines += [f"  participant {role}" for role in RoleName if role in acting]
    for (source, target, message), count in arrows.items():
        times = f" x{count}" if count > 1 else ""
        lines.append(f"  {source}->>{target}: {message}{times}")
    return "\n".join([*lines, "```"])


if __name__ == "__main__":
    DESIGN.write_text(drawn(DESIGN.read_text(encoding="utf-8")), encoding="utf-8")
