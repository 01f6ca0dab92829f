"""What decides the result of an ingestion, as plain values: equal specs give equal corpora.

Theory of operation: the spec is written into the directory under way and compared when a command is
given again. It holds digests of what was read besides the input (a tokenizer, evaluation sets), so
that a changed file starts anew.
"""

import os
import re
from pathlib import Path
from typing import Any

import msgspec

from qmpi.errors import ConfigError, InputError
from qmpi.ingest.dedup.near import ALGORITHM
from qmpi.ingest.read.files import Fields
from qmpi.ingest.scan import shown
from qmpi.ingest.settings import IngestOptions
from qmpi.ingest.shard_codec import codec_wish
from qmpi.storage.codec_names import USUAL_CODEC
from qmpi.storage.tokenizer import LARGEST_VOCABULARY, SMALLEST_VOCABULARY

SPEC_VERSION = 1
_NO_FILES = frozenset({"idna", "punycode", "undefined"})
"""Codecs of Python for domain names, and for nothing."""


class IngestSpec(msgspec.Struct, frozen=True, kw_only=True):
    """The description of an ingestion; attributes not named here are those of `IngestOptions`.

    Attributes:
        qmpi_ingest: version of the description; first, so that its file is known by its start.
        paths: what to read, as the system spells it.
        folder: working directory that relative paths start from.
        out: directory of the corpus.
        tokenizer_digest: of the tokenizer to use; "": one is trained.
        screen_digest: of the table to screen against; "": nothing is.
        sketches: version of the MinHash algorithm.
    """

    qmpi_ingest: int = SPEC_VERSION
    paths: tuple[bytes, ...]
    folder: str
    out: str
    name: str
    vocab_size: int
    field: str
    id_field: str
    sample_characters: int
    shard_tokens: int
    encoding: str
    rules: dict[str, float]
    languages: tuple[str, ...]
    near_duplicates: float
    tokenizer_digest: str = ""
    screen_digest: str = ""
    sketches: int = ALGORITHM
    codec: str = USUAL_CODEC

    def path(self, unit: int) -> Path:
        """Return one of the paths.

        Args:
            unit: its number.
        """
        return Path(os.fsdecode(self.paths[unit]))

    @property
    def fields(self) -> Fields:
        """Names of the parts of a record."""
        return Fields(self.field, self.id_field)

    def passed(self) -> str:
        """Return the names of the checks that every kept document has passed."""
        checks = ["not a duplicate"]
        if self.near_duplicates:
            checks.append(f"no near duplicate at {self.near_duplicates:g}")
        if self.rules:
            checks.append(f"{len(self.rules)} rules")
        if self.languages:
            checks.append(f"language {' '.join(self.languages)}")
        if self.screen_digest:
            checks.append("not in an evaluation set")
        return "; ".join(checks)

    def plain(self) -> dict[str, Any]:
        """Return the spec as plain JSON values."""
        return msgspec.json.decode(msgspec.json.encode(self), type=dict[str, Any])


def spec_of(
    paths: list[Path], out: Path, options: IngestOptions, tokenizer: str, screen: str
) -> IngestSpec:
    """Describe an ingestion.

    Args:
        paths: what to read.
        out: directory of the corpus.
        options: as told.
        tokenizer: digest of the tokenizer to use; "": one is trained.
        screen: digest of the table to screen against; "": nothing is.

    Returns:
        The spec.

    Raises:
        InputError: an option is out of its range.
        ConfigError: there is no such codec.
    """
    if options.near_duplicates and not 0.5 <= options.near_duplicates <= 1:
        raise InputError("near-duplicates are told by a similarity of 0.5 to 1, or 0 for none")
    if not tokenizer and not SMALLEST_VOCABULARY <= options.vocab_size <= LARGEST_VOCABULARY:
        # Said now, not after hours of reading.
        raise InputError(
            f"vocab_size {options.vocab_size} lies outside {SMALLEST_VOCABULARY} to "
            f"{LARGEST_VOCABULARY}"
        )
    _check_encoding(options.encoding)
    codec_wish(options.codec)
    for what, text in (
        ("directory", str(out)),
        ("--name", options.name),
        ("--field", options.field),
        ("--id-field", options.id_field),
    ):
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise InputError(f"{what} {text!r} is not UTF-8; choose another") from error
    return IngestSpec(
        paths=tuple(os.fsencode(path) for path in paths),
        folder=shown(str(Path.cwd())),
        out=str(out),
        name=options.name or out.name,
        vocab_size=options.vocab_size,
        field=options.field,
        id_field=options.id_field,
        sample_characters=options.sample_characters,
        shard_tokens=options.shard_tokens,
        encoding=options.encoding,
        rules=options.rules,
        languages=options.languages,
        near_duplicates=options.near_duplicates,
        tokenizer_digest=tokenizer,
        screen_digest=screen,
        codec=options.codec,
    )


def _check_encoding(name: str) -> None:
    if not name:
        return
    if re.sub("[^a-z0-9]", "", name.lower()) in _NO_FILES:
        raise InputError(f"{name!r} is not an encoding of text files; try latin-1 or cp1252")
    try:
        b"a".decode(name)
    except (LookupError, ValueError) as error:
        if re.match(r"utf[-_]?(16|32)", name, re.IGNORECASE):
            raise InputError(
                f"files in {name} are known by their byte-order mark alone; convert those without "
                "one, as with `iconv -t utf-8`, and leave --encoding out"
            ) from error
        raise InputError(f"no encoding {name!r}; try latin-1 or cp1252") from error


def spec_from(description: dict[str, Any]) -> IngestSpec:
    """Read a spec.

    Args:
        description: plain JSON values.

    Returns:
        The spec.

    Raises:
        ConfigError: it is of another version of qmpi.
    """
    try:
        spec = msgspec.json.decode(msgspec.json.encode(description), type=IngestSpec)
    except msgspec.ValidationError as error:
        raise ConfigError(f"not an ingestion that this qmpi can go on with: {error}") from error
    if (spec.qmpi_ingest, spec.sketches) != (SPEC_VERSION, ALGORITHM):
        raise ConfigError("the ingestion was begun by another version of qmpi; begin it anew")
    return spec
