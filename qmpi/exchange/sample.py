"""Text from a checkpoint of a run: for `qmpi sample` and for the report of `qmpi demo`.

Theory of operation. In training a document begins after the end token of the one before. So a
prompt is put after an end token, or the model would take it for the middle of a document.
"""

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from msgspec import Struct

from qmpi.config.settings import Settings
from qmpi.corpora.tokenizer import check_rows, divider_of, open_tokenizer
from qmpi.errors import InputError
from qmpi.exchange.checkpoint import Tell, read_checkpoint, run_settings
from qmpi.exchange.text_stream import TextStream
from qmpi.training.draws import Draws
from qmpi.units import Step

if TYPE_CHECKING:
    from qmpi.model.transformer import Transformer
    from qmpi.storage.tokenizer import Tokenizer

BATCH = 16
"""Texts that are continued at once."""


class Piece(NamedTuple):
    """A piece of a text.

    Attributes:
        row: which text, from 0.
        text: what comes next of it; may be empty.
        tokens: that the whole has been made of so far, the prompt's not counted.
        last: nothing follows.
        ended: the model has ended the document.
    """

    row: int
    text: str
    tokens: int
    last: bool
    ended: bool


class Wanted(Struct, frozen=True):
    """Which texts are wanted.

    Attributes:
        prompts: beginnings; "": a new document.
        count: texts of each, >= 1.
        mid_document: the prompts are of the middle of a document.
        step: of the checkpoint; None: the newest that is whole.
    """

    prompts: tuple[str, ...]
    count: int = 1
    mid_document: bool = False
    step: int | None = None

    def check(self) -> None:
        """Refuse what cannot be continued.

        Raises:
            InputError: a prompt is no text, or is missing where it is needed.
        """
        for prompt in self.prompts:
            if any("\ud800" <= character <= "\udfff" for character in prompt):
                raise InputError(
                    "the prompt is not UTF-8 text; set a UTF-8 locale, or write it otherwise"
                )
            if self.mid_document and not prompt:
                raise InputError("the middle of a document needs a prompt that is not empty")

    @property
    def rows(self) -> tuple[tuple[str, int], ...]:
        """Prompt and number of its copy, of each text."""
        return tuple((prompt, copy) for prompt in self.prompts for copy in range(self.count))


class Sampler:
    """A model of a run, ready to write."""

    def __init__(self, run: Path, step: int | None, cache: Path, tell: Tell) -> None:
        """Load a checkpoint.

        Args:
            run: directory of the run.
            step: of the checkpoint; None: the newest that is whole.
            cache: directory of built-in corpora.
            tell: told, in words, what people should hear.

        Raises:
            InputError: no run, no checkpoint, or a tokenizer that is not the model's.
            CorruptData: the checkpoint is damaged, or all of them are.
        """
        self._tell = tell
        self._settings: Settings = run_settings(run)
        self._tokenizer: Tokenizer = open_tokenizer(self._settings, cache)
        check_rows(self._settings, self._tokenizer)
        checkpoint = read_checkpoint(run, self._settings.parallel.team_size, step, tell)
        # Loaded here: torch takes seconds, and a wrong argument should be told at once.
        from qmpi.training.sample import load_model

        self._model: Transformer = load_model(
            self._settings, checkpoint.payloads, divider_of(self._settings, self._tokenizer)
        )
        self.step: Step = checkpoint.step

    def stream(self, wanted: Wanted, draws: Draws) -> Iterator[Piece]:
        """Continue prompts.

        Args:
            wanted: which texts.
            draws: how to draw.

        Yields:
            Pieces of the texts, without the prompts; of several texts in turn.
        """
        wanted.check()
        draws.check()
        numbered = self._numbered(wanted)
        prompts = [self._prompt(prompt, wanted, number) for number, prompt in numbered]
        seeds = [draws.seed_of(copy) for _, copy in wanted.rows]
        for start in range(0, len(prompts), BATCH):
            batch = slice(start, start + BATCH)
            for piece in self._batch(prompts[batch], seeds[batch], draws):
                yield piece._replace(row=start + piece.row)

    @staticmethod
    def _numbered(wanted: Wanted) -> Iterator[tuple[int, str]]:
        for number, (prompt, copy) in enumerate(wanted.rows):
            # Of several texts of one prompt, only the first speaks of it.
            yield (number // wanted.count + 1 if not copy else 0), prompt

    def _prompt(self, prompt: str, wanted: Wanted, number: int) -> list[int]:
        start = [] if wanted.mid_document else [self._tokenizer.end_of_text]
        ids = start + self._tokenizer.encode(prompt)
        window = self._settings.train.sequence_tokens
        if not ids:
            raise InputError(f"prompt {number} has no tokens: the tokenizer leaves nothing of it")
        if len(ids) > window and number:
            self._tell(
                f"prompt {number} has {len(ids)} tokens, the model was trained on {window}: it "
                f"sees the last {window}"
            )
        return ids

    def _batch(
        self, prompts: Sequence[list[int]], seeds: Sequence[int], draws: Draws
    ) -> Iterator[Piece]:
        from qmpi.training.sample import Limits, Row, continue_rows

        tokenizer = self._tokenizer
        limits = Limits(self._settings.train.sequence_tokens, tokenizer.end_of_text, tokenizer.size)
        rows: list[Row] = [Row(ids, seed) for ids, seed in zip(prompts, seeds, strict=True)]
        streams = [TextStream(tokenizer.decode, _text_of(ids, limits.end)) for ids in prompts]
        counts = [0] * len(rows)
        for drawn in continue_rows(self._model, rows, draws, limits):
            stream, ended = streams[drawn.row], drawn.token == limits.end
            counts[drawn.row] += 1
            text = "" if ended else stream.add(drawn.token)
            if drawn.last:
                text += stream.rest()
            yield Piece(drawn.row, text, counts[drawn.row], drawn.last, ended)


def _text_of(ids: list[int], end: int) -> list[int]:
    return ids[1:] if ids[:1] == [end] else ids


def sample_run(
    run: Path, prompt: str, draws: Draws, cache: Path, tell: Callable[[str], None]
) -> str:
    """Continue a prompt with the weights of the newest checkpoint on disk that is whole.

    Args:
        run: directory of the run.
        prompt: beginning of the text; empty: the start of a document.
        draws: how many tokens, and how wild.
        cache: directory of built-in corpora.
        tell: told, in words, if a newer checkpoint is damaged.

    Returns:
        The prompt and its continuation.

    Raises:
        InputError: an argument is out of range, or there is no checkpoint.
        CorruptData: every checkpoint is damaged.
    """
    wanted = Wanted((prompt,))
    wanted.check()
    draws.check()
    sampler = Sampler(run, None, cache, tell)
    return prompt + "".join(piece.text for piece in sampler.stream(wanted, draws))
