"""Held-out rows of a job's sources, with what they are called by when losses are added up.

Theory of operation. Each source gives as many rows as another, so that the loss of each is as sure
as that of another. Which rows these are follows from the job alone. Each address is asked again
whether training can take it, and refused if so.
"""

from collections.abc import Sequence

import numpy as np
from msgspec import Struct

from qmpi.config.data import WARMUP
from qmpi.config.settings import Settings
from qmpi.content.level import band_of
from qmpi.corpora.sources import Sources
from qmpi.errors import InputError, InvariantError
from qmpi.policy.held_out import held_out_row, is_held_out
from qmpi.policy.scoring import Label
from qmpi.protocol.membership import SourceFact
from qmpi.protocol.recipe import RowAddress
from qmpi.storage.shard_layout import dtype_name
from qmpi.storage.tokenizer import Tokenizer


class HeldOutRows(Struct, frozen=True):
    """Rows to measure on.

    Attributes:
        block: their ids, as a lane's block has them.
        labels: of each row.
        sizes: bytes of the text of each row's targets.
        left_out: sources of which nothing is held out.
    """

    block: bytes
    labels: tuple[Label, ...]
    sizes: tuple[int, ...]
    left_out: tuple[str, ...]


def read_held_out(settings: Settings, sources: Sources, tokens: int) -> HeldOutRows:
    """Read the held-out rows of a job.

    Args:
        settings: the job.
        sources: of the job.
        tokens: targets wanted of all sources together, >= 1; rounded up to whole rows, fewer where
            less is held out.

    Returns:
        The rows, source by source.

    Raises:
        InputError: no source has anything held out.
        InvariantError: a row is trained on.
        StorageError: a shard is damaged, or cannot be read.
    """
    facts = sources.open()
    measured = sum(fact.name != WARMUP for fact in facts)
    wanted = -(-tokens // (settings.train.sequence_tokens * measured))
    addresses = chosen(facts, wanted)
    refuse_trained(facts, addresses)
    left_out = tuple(f.name for f in facts if f.rows and not f.held_out)
    if not addresses:
        raise InputError(
            f"nothing is held out of {', '.join(left_out)}: the run was begun with "
            "evaluation.held_out = 0; begin one with a share such as 0.005"
        )
    block = sources.build_all(addresses)[1]
    columns = settings.train.sequence_tokens + 1
    return HeldOutRows(
        block=block,
        labels=tuple(label_of(sources, facts, address) for address in addresses),
        sizes=target_bytes(block, columns, settings.model.vocab_size, sources.tokenizer),
        left_out=left_out,
    )


def chosen(facts: Sequence[SourceFact], wanted: int) -> tuple[RowAddress, ...]:
    """Return the addresses of the first held-out rows of each source but that of a warm-up.

    Args:
        facts: of the sources.
        wanted: rows of each.

    Returns:
        Source by source; fewer of a corpus that holds fewer out.
    """
    return tuple(
        RowAddress(number, held_out_row(fact, row))
        for number, fact in enumerate(facts)
        if fact.name != WARMUP
        for row in range(min(wanted, fact.held_out) if fact.rows else wanted)
    )


def refuse_trained(facts: Sequence[SourceFact], addresses: Sequence[RowAddress]) -> None:
    """Check that no row is one of those that training takes.

    Args:
        facts: of the sources.
        addresses: rows to measure on.

    Raises:
        InvariantError: one of them is trained on.
    """
    for address in addresses:
        if not is_held_out(facts[address.source], address.row):
            name = facts[address.source].name
            raise InvariantError(f"row {address.row} of source {name!r} is trained on")


def label_of(sources: Sources, facts: Sequence[SourceFact], address: RowAddress) -> Label:
    """Return what a row belongs to.

    Args:
        sources: open.
        facts: of them.
        address: of the row.

    Returns:
        Its source, and the type and band of the document that it begins in.
    """
    name, stream = facts[address.source].name, sources.stream_of(address)
    if stream is None:
        return Label(name)
    return Label(name, stream.type, band_of(stream.level))


def target_bytes(
    block: bytes, columns: int, vocab_size: int, tokenizer: Tokenizer
) -> tuple[int, ...]:
    """Return the bytes of the text that the targets of each row stand for.

    Args:
        block: ids, [rows, columns], as a lane's block has them.
        columns: ids of a row; all but the first are targets.
        vocab_size: rows of the model's embedding; fixes the type of ids.
        tokenizer: of the ids.

    Returns:
        UTF-8 bytes a row; end-of-text counts none. A character cut at an end of a row counts as the
        three bytes of its replacement.
    """
    kind = np.dtype(dtype_name(vocab_size)).newbyteorder("<")
    rows = np.frombuffer(block, kind).reshape(-1, columns)[:, 1:]
    return tuple(_bytes(row.tolist(), tokenizer) for row in rows)


def _bytes(ids: list[int], tokenizer: Tokenizer) -> int:
    text = tokenizer.decode([number for number in ids if number != tokenizer.end_of_text])
    return len(text.encode())
