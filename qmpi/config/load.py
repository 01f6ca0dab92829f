"""Reading a job file: TOML plus overrides to checked settings, and back.

Every mistake is told at once, each with the path of the field, what was given, what is legal and
the nearest known name. Nothing starts on settings that were not checked.
"""

import hashlib
import re
import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
from msgspec.structs import replace

from qmpi.config.checks import contradictions, resolve
from qmpi.config.data import CorpusSource
from qmpi.config.explain import explain
from qmpi.config.guard import LEAST_WARMUP
from qmpi.config.identity import identity
from qmpi.config.machine import known_machines
from qmpi.config.parallel import AUTO, OLDER_NAME, SECTION, ParallelSettings, is_left_open, renamed
from qmpi.config.settings import Settings
from qmpi.errors import ConfigError
from qmpi.units import Digest

JOB_LIMIT_BYTES = 4 << 20

Choose = Callable[[Settings], ParallelSettings]
"""Gives a job its layout that leaves it to qmpi."""

BUILTIN = "builtin:"
"""Prefix of corpora and tokenizers that qmpi brings along."""


def load_job(
    path: Path,
    overrides: Sequence[str] = (),
    run_dir: str | None = None,
    choose: Choose | None = None,
) -> Settings:
    """Read a job file.

    Args:
        path: a TOML file.
        overrides: "section.key=value" each, or "parallel=auto"; the value is TOML, or else taken as
            text.
        run_dir: replaces job.run_dir.
        choose: chooses the layout of a job that says `parallel = "auto"`. None: such a job is
            looked at as if each trainer held the whole model.

    Returns:
        Checked settings; relative paths are made absolute, those of the user's home directory too,
        so that the run can go on from any directory.

    Raises:
        ConfigError: the file cannot be read, or says something illegal.
    """
    return _anchor(parse_job(_read(path), overrides, run_dir, name=str(path), choose=choose))


def parse_job(
    text: str,
    overrides: Sequence[str] = (),
    run_dir: str | None = None,
    *,
    name: str = "job",
    choose: Choose | None = None,
) -> Settings:
    """Read a job from text.

    Args:
        text: TOML.
        overrides: as in `load_job`.
        run_dir: as in `load_job`.
        name: of the file, for messages.
        choose: as in `load_job`.

    Returns:
        Checked settings.

    Raises:
        ConfigError: it says something illegal.
    """
    try:
        raw = renamed(tomllib.loads(text))
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name} is not TOML: {error}{_twice(text)}") from error
    except ValueError as error:
        raise ConfigError(f"{name} holds a number of thousands of digits") from error
    except RecursionError as error:
        raise ConfigError(f"{name}: arrays or tables are nested too deep for a job") from error
    for override in overrides:
        _override(raw, override)
    raw = renamed(raw)
    if run_dir is not None:
        _section(raw, "job")["run_dir"] = run_dir
    is_open = is_left_open(raw)
    if is_open:
        del raw[SECTION]
    _refuse(name, explain(raw, Settings))
    settings = _refit(msgspec.convert(raw, Settings), overrides)
    _refuse(name, contradictions(settings))
    settings = resolve(settings)
    if not is_open or choose is None:
        return settings
    settings = replace(settings, parallel=choose(settings))
    _refuse(name, contradictions(settings))
    return settings


def faults_of(settings: Settings) -> list[str]:
    """List what is wrong with a job that was not read from text.

    Args:
        settings: the job; a field may hold what no job file could say.

    Returns:
        One sentence each; none: a job file that says so loads.
    """
    return explain(msgspec.to_builtins(settings), Settings) or contradictions(settings)


def settings_digest(settings: Settings) -> Digest:
    """Return the identity of the arithmetic and of the data.

    The layout of a team belongs to it, the number of teams does not. Roles, run directory,
    snapshots, failure and monitor settings may change between incarnations; what is hashed here may
    not.

    Args:
        settings: a job.

    Returns:
        SHA-256 in hexadecimal.
    """
    kept = identity(settings)
    return Digest(hashlib.sha256(msgspec.json.encode(kept, order="deterministic")).hexdigest())


def dump_toml(settings: Settings) -> str:
    """Return a job file that loads to equal settings.

    Args:
        settings: a job.

    Returns:
        TOML.
    """
    lines: list[str] = []
    builtins: dict[str, dict[str, Any]] = msgspec.to_builtins(settings)
    for section, fields in builtins.items():
        lines.append(f"[{section}]")
        plain = {k: v for k, v in fields.items() if k != "sources"}
        lines += [f"{key} = {toml_value(value)}" for key, value in plain.items()]
        for source in fields.get("sources", ()):
            lines += ["", f"[[{section}.sources]]"]
            lines += [f"{key} = {toml_value(value)}" for key, value in source.items()]
        lines.append("")
    return "\n".join(lines)


def toml_value(value: object) -> str:
    """Return a value as TOML.

    Args:
        value: text, number, truth value, or a list or table of these.

    Returns:
        What `tomllib` reads back equal.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # JSON strings are TOML basic strings, DEL excepted.
        return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
    if isinstance(value, list | tuple):
        items: list[object] = [*value]
        return f"[{', '.join(map(toml_value, items))}]"
    if isinstance(value, dict):
        fields: dict[str, object] = {**value}
        told = (f"{toml_value(name)} = {toml_value(held)}" for name, held in fields.items())
        return f"{{{', '.join(told)}}}"
    return repr(value)


def _read(path: Path) -> str:
    try:
        # One that a shell made, as /dev/stdin, has no name of its own; only a named pipe waits for
        # a writer that may never come.
        if path.is_fifo() and path.resolve().exists():
            raise ConfigError(f"{path} is a pipe, not a file; is it a job file?")
        # Read with a limit: a device or a pipe has no size to ask for.
        with path.open("rb") as file:
            data = file.read(JOB_LIMIT_BYTES + 1)
        if len(data) > JOB_LIMIT_BYTES:
            raise ConfigError(f"{path} is above 4 MiB; a job file is a few kilobytes")
        # Editors on Windows put a byte-order mark in front, which TOML does not know.
        return data.decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path} is not UTF-8 text (byte {error.start}); is it a job file?"
        ) from error
    except FileNotFoundError as error:
        raise ConfigError(
            f"there is no job file {path}; make one with `qmpi init --preset laptop -o {path}`"
        ) from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}; is it a job file?") from error


def _anchor(settings: Settings) -> Settings:
    data, job, snapshot = settings.data, settings.job, settings.snapshot
    sources = tuple(
        replace(source, path=_anchored(source.path)) if isinstance(source, CorpusSource) else source
        for source in data.sources
    )
    return replace(
        settings,
        job=replace(job, run_dir=_anchored(job.run_dir)),
        snapshot=replace(snapshot, ram_dir=_anchored(snapshot.ram_dir)),
        initial=replace(settings.initial, weights=_anchored(settings.initial.weights)),
        data=replace(data, sources=sources, tokenizer=_anchored(data.tokenizer)),
        curriculum=replace(settings.curriculum, reference=_anchored(settings.curriculum.reference)),
        machine=replace(settings.machine, name=_machine(settings.machine.name)),
    )


def _machine(name: str) -> str:
    return name if not name or name in known_machines() else str(absolute(name))


def _anchored(path: str) -> str:
    return path if not path or path.startswith(BUILTIN) else str(absolute(path))


def absolute(path: str) -> Path:
    """Return a path as every command takes it, wherever it was named.

    Args:
        path: as a job file or a command line gives it; "~" stands for the home directory, and what
            is relative counts from the working directory.

    Returns:
        An absolute path; links are kept.

    Raises:
        ConfigError: there is no such home directory.
    """
    try:
        return Path(path).expanduser().absolute()
    except RuntimeError as error:
        raise ConfigError(
            f"{path!r}: there is no such home directory; for a name that begins so, write ./{path}"
        ) from error


def _override(raw: dict[str, Any], override: str) -> None:
    path, equals, text = override.partition("=")
    parts = path.strip().split(".")
    if path.strip() in (SECTION, OLDER_NAME) and text.strip().strip("\"'") == AUTO:
        raw.pop(OLDER_NAME, None)
        raw[SECTION] = AUTO
        return
    if equals and path.strip() in (SECTION, OLDER_NAME):
        raise ConfigError(
            f'--set {override!r}: the whole section can be "{AUTO}" alone; for a size write '
            f"{SECTION}.tensor=2"
        )
    if not equals or len(parts) != 2 or not all(parts):
        raise ConfigError(f"--set {override!r}: write section.key=value, such as train.steps=100")
    _section(raw, parts[0])[parts[1]] = _override_value(parts[0], parts[1], text)


def _refit(settings: Settings, overrides: Sequence[str]) -> Settings:
    # `--set train.steps=10` must try any job: warm-ups that only the file states give way to it.
    named = {override.partition("=")[0].strip() for override in overrides}
    optimizer, guard, steps = settings.optimizer, settings.guard, settings.train.steps
    if "train.steps" not in named:
        return settings
    if "optimizer.warmup_steps" not in named and optimizer.warmup_steps >= steps:
        optimizer = replace(optimizer, warmup_steps=-1)
    if "guard.warmup_steps" not in named and guard.is_on and guard.warmup_steps >= steps:
        guard = replace(guard, warmup_steps=max(LEAST_WARMUP, steps // 2))
    return replace(settings, optimizer=optimizer, guard=guard)


def _override_value(section: str, key: str, text: str) -> object:
    kind = get_type_hints(Settings).get(section)
    is_text = kind is not None and get_type_hints(kind).get(key) is str
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (ValueError, RecursionError):
        return text.strip()
    value = parsed.pop("value")
    # A line break in the text could smuggle in a second key; and `job.name=2026` means text.
    return text.strip() if parsed or (is_text and not isinstance(value, str)) else value


def _twice(text: str) -> str:
    # TOML's own words for this tell of no section and of no remedy.
    both = re.search(rf"^({SECTION}|{OLDER_NAME})\s*=.*^\[\1\]", text, re.MULTILINE | re.DOTALL)
    return f'; {both[1]} = "{AUTO}" and [{both[1]}] exclude each other' if both else ""


def _section(raw: dict[str, Any], name: str) -> dict[str, Any]:
    if name == SECTION and is_left_open(raw):
        raw[name] = {}  # who names a size has chosen
    section = raw.setdefault(name, {})
    if not isinstance(section, dict):
        raise ConfigError(f"{name} must be a section, written [{name}]")
    return section  # pyright: ignore[reportUnknownVariableType]


def _refuse(name: str, faults: Sequence[str]) -> None:
    if faults:
        raise ConfigError("\n  ".join([f"{name}: {_count(faults)}", *faults]))


def _count(faults: Sequence[str]) -> str:
    return "1 mistake" if len(faults) == 1 else f"{len(faults)} mistakes"
