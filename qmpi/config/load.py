"""Reading a job file: TOML plus overrides to checked settings, and back.

Every mistake is told at once, each with the path of the field, what was given, what is legal and the nearest
known name. Nothing starts on settings that were not checked.
"""

import hashlib
import tomllib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from qmpi.config.checks import contradictions, resolve
from qmpi.config.explain import explain
from qmpi.config.settings import Settings
from qmpi.errors import ConfigError
from qmpi.units import Digest

JOB_LIMIT_BYTES = 4 << 20


def load_job(path: Path, overrides: Sequence[str] = (), run_dir: str | None = None) -> Settings:
    """Read a job file.

    Args:
        path: a TOML file.
        overrides: "section.key=value" each; the value is TOML, or else taken as text.
        run_dir: replaces job.run_dir.

    Returns:
        Checked settings.

    Raises:
        ConfigError: the file cannot be read, or says something illegal.
    """
    return parse_job(_read(path), overrides, run_dir, name=str(path))


def parse_job(
    text: str, overrides: Sequence[str] = (), run_dir: str | None = None, *, name: str = "job"
) -> Settings:
    """Read a job from text.

    Args:
        text: TOML.
        overrides: as in `load_job`.
        run_dir: as in `load_job`.
        name: of the file, for messages.

    Returns:
        Checked settings.

    Raises:
        ConfigError: it says something illegal.
    """
    try:
        raw = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError(f"{name} is not TOML: {error}") from error
    for override in overrides:
        _override(raw, override)
    if run_dir is not None:
        _section(raw, "job")["run_dir"] = run_dir
    faults = explain(raw, Settings)
    if faults:
        raise ConfigError("\n  ".join([f"{name}: {_count(faults)}", *faults]))
    settings = msgspec.convert(raw, Settings)
    faults = contradictions(settings)
    if faults:
        raise ConfigError("\n  ".join([f"{name}: {_count(faults)}", *faults]))
    return resolve(settings)


def settings_digest(settings: Settings) -> Digest:
    """Return the identity of the arithmetic and of the data.

    Roles, run directory, snapshots, failure and monitor settings may change between incarnations; what is
    hashed here may not.

    Args:
        settings: a job.

    Returns:
        SHA-256 in hexadecimal.
    """
    kept: dict[str, Any] = {
        "seed": settings.job.seed,
        "model": msgspec.to_builtins(settings.model),
        "train": msgspec.to_builtins(settings.train),
        "optimizer": msgspec.to_builtins(settings.optimizer),
        "tokenizer": settings.data.tokenizer,
        "sources": msgspec.to_builtins(settings.data.sources),
    }
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
        value: text, number or truth value.

    Returns:
        What `tomllib` reads back equal.
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # JSON strings are TOML basic strings, DEL excepted.
        return msgspec.json.encode(value).decode().replace("\x7f", "\\u007f")
    return repr(value)


def _read(path: Path) -> str:
    try:
        if path.stat().st_size > JOB_LIMIT_BYTES:
            raise ConfigError(
                f"{path} is {path.stat().st_size} bytes; a job file is a few kilobytes"
            )
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ConfigError(
            f"{path} is not UTF-8 text (byte {error.start}); is it a job file?"
        ) from error
    except FileNotFoundError as error:
        raise ConfigError(
            f"there is no job file {path}; make one with `qmpi init --preset laptop -o {path}`"
        ) from error
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from error


def _override(raw: dict[str, Any], override: str) -> None:
    path, equals, text = override.partition("=")
    parts = path.strip().split(".")
    if not equals or len(parts) != 2 or not all(parts):
        raise ConfigError(f"--set {override!r}: write section.key=value, such as train.steps=100")
    try:
        value = tomllib.loads(f"value = {text}")["value"]
    except tomllib.TOMLDecodeError:
        value = text.strip()
    _section(raw, parts[0])[parts[1]] = value


def _section(raw: dict[str, Any], name: str) -> dict[str, Any]:
    section = raw.setdefault(name, {})
    if not isinstance(section, dict):
        raise ConfigError(f"{name} must be a section, written [{name}]")
    return section  # pyright: ignore[reportUnknownVariableType]


def _count(faults: Sequence[str]) -> str:
    return "1 mistake" if len(faults) == 1 else f"{len(faults)} mistakes"
