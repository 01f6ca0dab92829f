"""Words in a script that nobody can break out of.

Theory of operation. Three places take text from outside, each with its own rule:

    a shell word       quoted by shlex; what is not printable is written as bytes, so that a word
                       never ends its line: a line of its own could be a directive
    a directive word   names of queues and accounts: refused unless plain, since four schedulers
                       read quotes in four ways and none of them tells which
    a whole line       an option or a line of set-up that the user means as it stands: refused if it
                       would reach into the next line, or look like a directive where it is none

A job's name is not refused but made plain: it is only a label.
"""

import re
import shlex

from qmpi.errors import ConfigError

PLAIN = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.,@:+/-]*")
"""What queues and accounts are called everywhere."""

SENTINEL = re.compile(r"\s*#\s*(SBATCH|PBS|BSUB)|\W*(flux|FLUX):")
"""Begins a directive in one of the four schedulers; Flux takes any signs in front of its own."""

_ESCAPED = {"'": "\\'", "\\": "\\\\"}


def shell_word(text: str) -> str:
    """Return text as one word of bash, on one line.

    Args:
        text: anything but NUL, which no argument can hold; bytes that are not UTF-8 as lone
            surrogates, as Python reads them from a command line.

    Returns:
        Shell text that expands to exactly these bytes.

    Raises:
        ConfigError: there is a NUL in it, or a surrogate that stands for no byte.
    """
    if "\0" in text or not _encodes(text):
        raise ConfigError(f"{text!r}: no file and no argument can be called so")
    if text.isprintable():
        return shlex.quote(text)
    return "$'" + "".join(map(_escaped, text)) + "'"


def shell_words(texts: tuple[str, ...]) -> str:
    """Return texts as words of bash, on one line.

    Args:
        texts: as `shell_word` takes them.

    Returns:
        Shell text.
    """
    return " ".join(map(shell_word, texts))


def _encodes(text: str) -> bool:
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return False
    return True


def _escaped(char: str) -> str:
    if char in _ESCAPED:
        return _ESCAPED[char]
    if char.isprintable():
        return char
    return "".join(f"\\x{byte:02x}" for byte in char.encode("utf-8", "surrogateescape"))


def plain_word(text: str, what: str) -> str:
    """Return a word that may stand in a directive as it is.

    Args:
        text: as given.
        what: where it comes from, for the message.

    Returns:
        The same.

    Raises:
        ConfigError: it holds anything but letters, digits and `_ . , @ : + / -`.
    """
    if PLAIN.fullmatch(text):
        return text
    raise ConfigError(
        f"{what} {text!r}: a name of a scheduler has letters, digits and _ . , @ : + / - only, and "
        "does not begin with a dash"
    )


def option_line(text: str, scheduler: str) -> str:
    """Return an option that a scheduler shall see as it stands.

    Args:
        text: as "--constraint=gpu".
        scheduler: kind.

    Returns:
        The same.

    Raises:
        ConfigError: it does not begin with a dash, or would reach into the next line.
    """
    if not text.startswith("-"):
        raise ConfigError(f"--option {text!r}: an option of the scheduler begins with a dash")
    if not text.isprintable() or text.endswith("\\"):
        raise ConfigError(
            f"--option {text!r}: it must stand on one line; give --option once for each"
        )
    if scheduler == "flux":
        _check_flux(text)
    return text


def _check_flux(text: str) -> None:
    # Flux takes its directives apart as a shell would; an open quote would swallow the next line.
    try:
        shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"--option {text!r}: {error}") from error
    if '"""' in text or "'''" in text:
        raise ConfigError(f"--option {text!r}: write it without triple quotes")


def setup_line(text: str) -> str:
    """Return a line of shell that the user wants run before the start.

    Args:
        text: as "module load cray-python".

    Returns:
        The same.

    Raises:
        ConfigError: it is more than one line, or looks like a directive.
    """
    if not text.replace("\t", " ").isprintable() or text.endswith("\\"):
        raise ConfigError(f"--setup {text!r}: it must be one line; give --setup once for each")
    if SENTINEL.match(text):
        raise ConfigError(
            f"--setup {text!r} looks like a directive, which stands at the head of a script: give "
            "it with --option"
        )
    return text


def label(text: str, limit: int) -> str:
    """Return a name that every scheduler takes as the name of a job.

    Args:
        text: name of the run.
        limit: longest name, characters, >= 5.

    Returns:
        Letters, digits, _ and -, beginning with a letter.
    """
    plain = re.sub(r"[^A-Za-z0-9_-]+", "-", text).strip("-")
    named = plain if plain[:1].isalpha() else f"qmpi-{plain}"
    return named[:limit].rstrip("-")
