"""An ingestion as stages of units whose results are files, for one process or many ranks.

Theory of operation: scan lists the files, one unit for each path that was named; clean reads,
judges and sketches about 32 MiB of them a unit; dedup searches one band of the sketches a unit;
tokenizer, a single unit, joins what was found and trains on an even sample of what is kept; write
encodes about one shard a unit. What the units are follows from the results before, never from who
does them, so any number of ranks, killed and started again, makes the same bytes.
"""

from collections.abc import Callable, Iterator
from functools import cached_property
from itertools import accumulate
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from qmpi.errors import ConfigError, CorruptData, InputError, StorageError
from qmpi.ingest.clean.files import CleanFiles, CleanMeta
from qmpi.ingest.clean.unit import Cleaner, CleanSettings, Progress
from qmpi.ingest.dedup.drop_list import CleanFolder, DropList, Summary, load_pairs, save_pairs
from qmpi.ingest.dedup.near import KEYS_AT_ONCE, Pairs, bands_for, equal_pairs, merged, near_pairs
from qmpi.ingest.judge.language import LanguageGuess
from qmpi.ingest.judge.rules import RULES
from qmpi.ingest.read.json_lines import is_json_lines, with_lines_marked
from qmpi.ingest.report import finish_corpus
from qmpi.ingest.scan import Scan, Slice, SourceFile, cut_units, scan
from qmpi.ingest.screen import load_screen
from qmpi.ingest.shard_codec import SAMPLE_CHARACTERS, CodecFile
from qmpi.ingest.spec import IngestSpec
from qmpi.ingest.write import Span, WriteResult, WriteShop, load_result, save_result, spans_of
from qmpi.protocol.work import UnitProgress, UnitReport
from qmpi.storage.atomic_file import write_atomic
from qmpi.storage.codec_names import codec_named
from qmpi.storage.corpus_index import TOKENIZER_NAME
from qmpi.storage.manifest import file_digest
from qmpi.storage.os_errors import explained
from qmpi.storage.shard_encoder import pieces_of
from qmpi.storage.tokenizer import Tokenizer, train_tokenizer

GIVEN_TOKENIZER = "given-tokenizer.json"
SCREEN_NAME = "screen.msgpack"
_SAMPLE_PIECE = 1 << 15
SCAN, CLEAN, DEDUP, TOKENIZER, WRITE = range(5)


class IngestPlan:
    """The stages of one ingestion.

    Attributes:
        stages: their names.
        spec: what decides the result.
    """

    stages: tuple[str, ...] = ("scan", "clean", "dedup", "tokenizer", "write")

    def __init__(self, spec: IngestSpec, work: Path) -> None:
        """Open a plan; reads nothing yet.

        Args:
            spec: what decides the result.
            work: directory of intermediate files, in the directory of the corpus under way.
        """
        self.spec = spec
        self._work = work
        self._corpus = work.parent
        self._drops = DropList(work / "dedup")
        self._codec = CodecFile(work / "codec.json", spec.codec)

    # What the stages before have found. Each is looked at once, when that stage is done.

    @cached_property
    def scans(self) -> list[Scan]:
        """What the walks found."""
        found: list[Scan] = []
        for unit in range(len(self.spec.paths)):
            path = self._scan_path(unit)
            with explained("read", path):
                data = path.read_bytes()
            found.append(msgspec.msgpack.decode(data, type=Scan))
        return found

    @cached_property
    def files(self) -> list[SourceFile]:
        """All files, in input order."""
        return [file for found in self.scans for file in found.files]

    @cached_property
    def slices(self) -> list[list[Slice]]:
        """Slices of each unit of cleaning."""
        return list(cut_units(self.files))

    @cached_property
    def _settings(self) -> CleanSettings:
        spec = self.spec
        screened = self._work / SCREEN_NAME if spec.screen_digest else None
        return CleanSettings(
            fields=spec.fields,
            encoding=spec.encoding,
            rules={name: spec.rules[name] for name in RULES if name in spec.rules},
            bands=bands_for(spec.near_duplicates) if spec.near_duplicates else None,
            languages=LanguageGuess(spec.languages) if spec.languages else None,
            screen=load_screen(screened) if screened else None,
        )

    @cached_property
    def _rows(self) -> int:
        bands = bands_for(self.spec.near_duplicates).number if self.spec.near_duplicates else 0
        return 2 + bands

    @cached_property
    def _cleaner(self) -> Cleaner:
        return Cleaner(self.files, self._settings, self._folder("clean"))

    @cached_property
    def _cleaned(self) -> CleanFolder:
        return CleanFolder(self._work / "clean", len(self.slices), self._rows)

    @cached_property
    def _shares(self) -> int:
        return max(1, -(-sum(self._cleaned.counts()) // KEYS_AT_ONCE))

    @cached_property
    def _summary(self) -> Summary:
        return self._drops.summary()

    @cached_property
    def _spans(self) -> list[Span]:
        return spans_of(self._summary, self.spec.shard_tokens)

    @cached_property
    def _shop(self) -> WriteShop:
        return WriteShop(
            corpus=self._corpus,
            work=self._work,
            files=self.files,
            units=self.slices,
            summary=self._summary,
            drops=self._drops,
            tokenizer=Tokenizer.load(self._corpus / TOKENIZER_NAME),
            shard_tokens=self.spec.shard_tokens,
            kept=self.spec.passed(),
            codec=codec_named(self._codec.read().name),
        )

    # The plan.

    def units(self, stage: int) -> int:
        """Return the number of units of a stage.

        Args:
            stage: number of the stage; those before are done.
        """
        counts: dict[int, Callable[[], int]] = {
            SCAN: lambda: len(self.spec.paths),
            CLEAN: lambda: len(self.slices),
            DEDUP: lambda: self._shares * (self._rows - 1),
            TOKENIZER: lambda: 1,
            WRITE: lambda: len(self._spans),
        }
        return counts[stage]()

    def weight(self, stage: int, unit: int) -> int:
        """Return the bytes that a unit's progress counts up to; 0 if it counts none.

        Args:
            stage: number of the stage.
            unit: number of the unit.
        """
        if stage == CLEAN:
            return sum(
                (self.files[piece.file].size if piece.end == -1 else piece.end) - piece.begin
                for piece in self.slices[unit]
            )
        if stage == WRITE:
            span = self._spans[unit]
            return sum(self._summary.kept_bytes[span.begin : span.end])
        return 0

    def done(self, stage: int) -> dict[int, UnitReport]:
        """Return the units whose results are there and right; what is damaged is removed.

        Args:
            stage: number of the stage.

        Returns:
            What each came to, by its number.
        """
        found = ((unit, self._found(stage, unit)) for unit in range(self.units(stage)))
        return {unit: report for unit, report in found if report is not None}

    def _found(self, stage: int, unit: int) -> UnitReport | None:
        if stage == CLEAN:
            files = CleanFiles(self._work / "clean", unit)
            return self._cleaned_report(unit, files.meta()) if files.is_done() else None
        if stage == TOKENIZER:
            tokenizer = self._corpus / TOKENIZER_NAME
            whole = self._drops.is_done() and tokenizer.exists() and self._codec.is_done()
            return UnitReport(documents=sum(self._summary.kept)) if whole else None
        path = self._result_path(stage, unit)
        if not path.exists():
            return None
        try:
            return self._read_report(stage, unit, path)
        except (StorageError, msgspec.DecodeError, RecursionError):
            path.unlink(missing_ok=True)
            return None

    def _read_report(self, stage: int, unit: int, path: Path) -> UnitReport:
        if stage == SCAN:
            with explained("read", path):
                return _scanned_report(msgspec.msgpack.decode(path.read_bytes(), type=Scan))
        if stage == DEDUP:
            return UnitReport(counters={"pairs": int(load_pairs(path).later.size)})
        result = load_result(path)
        for shard in result.shards:
            if file_digest(self._corpus / shard.name) != shard.sha256:
                raise CorruptData(f"{shard.name} is damaged")
        return self._written_report(unit, result)

    def run(self, stage: int, unit: int, progress: Progress) -> UnitReport:
        """Do a unit.

        Args:
            stage: number of the stage.
            unit: number of the unit.
            progress: told how far it is.

        Returns:
            What it came to.
        """
        steps: dict[int, Callable[[int, Progress], UnitReport]] = {
            SCAN: self._scan,
            CLEAN: self._clean,
            DEDUP: self._dedup,
            TOKENIZER: self._gather,
            WRITE: self._write,
        }
        return steps[stage](unit, progress)

    def finish(self) -> dict[str, Any]:
        """Write the index and the report; the corpus is whole then, but for its place.

        Returns:
            Name, tokens, documents and digest.
        """
        codec = self._codec.read()
        return finish_corpus(self.spec, self._corpus, self.scans, self._results(), codec)

    def _results(self) -> Iterator[Any]:
        for unit in range(len(self.slices)):
            files = CleanFiles(self._work / "clean", unit)
            yield files.meta(), files.path("left.zst")
        for unit in range(len(self._spans)):
            yield load_result(self._result_path(WRITE, unit))

    # The stages.

    def _scan(self, unit: int, progress: Progress) -> UnitReport:
        walked = scan(self.spec.path(unit), Path(self.spec.out))
        found = with_lines_marked(walked, self.spec.fields)
        self._folder("scan")
        write_atomic(self._scan_path(unit), msgspec.msgpack.encode(found))
        progress(UnitProgress(documents=len(found.files)))
        return _scanned_report(found)

    def _clean(self, unit: int, progress: Progress) -> UnitReport:
        return self._cleaned_report(unit, self._cleaner.clean(unit, self.slices[unit], progress))

    def _cleaned_report(self, unit: int, meta: CleanMeta) -> UnitReport:
        return UnitReport(
            documents=meta.column("sizes").size,
            bytes=self.weight(CLEAN, unit),
            counters={reason: count.documents for reason, count in meta.dropped.items()},
        )

    def _dedup(self, unit: int, progress: Progress) -> UnitReport:
        del progress
        row, share = divmod(unit, self._shares)
        if row == 0:
            pairs = equal_pairs(self._cleaned, share, self._shares)
        else:
            part = (share, self._shares)
            pairs = near_pairs(self._cleaned, row - 1, part, self.spec.near_duplicates)
        self._folder("dedup")
        save_pairs(self._result_path(DEDUP, unit), pairs)
        return UnitReport(counters={"pairs": int(pairs.later.size)})

    def _gather(self, unit: int, progress: Progress) -> UnitReport:
        del unit
        nothing = Pairs(np.zeros(0, np.int64), np.zeros(0, np.int64))
        equal, every = nothing, nothing
        for number in range(self.units(DEDUP)):
            found = load_pairs(self._result_path(DEDUP, number))
            # Joined one by one: memory grows with what is left out, not with the bands.
            every = merged([every, found])
            if number < self._shares:
                equal = merged([equal, found])
        summary = self._summarise(every)
        if not sum(summary.kept):
            raise InputError(f"no usable text found; left out: {self._why_nothing()}")
        tokenizer = self._tokenizer(summary, every, progress)
        tokenizer.save(self._corpus / TOKENIZER_NAME)
        self._codec.decide(tokenizer, self._sample(summary, every, SAMPLE_CHARACTERS, progress))
        self._drops.save(every, equal.later, summary)
        return UnitReport(documents=sum(summary.kept), digest=tokenizer.digest)

    def _summarise(self, gone: Pairs) -> Summary:
        summary = Summary([], [], [], [])
        starts = [0, *accumulate(self._cleaned.counts())]
        line = 0
        for unit, slices in enumerate(self.slices):
            meta = CleanFiles(self._work / "clean", unit).meta()
            sizes = meta.column("sizes")
            inside = np.searchsorted(gone.later, [starts[unit], starts[unit + 1]])
            lost = gone.later[inside[0] : inside[1]] - starts[unit]
            summary.documents.append(sizes.size)
            summary.kept.append(sizes.size - lost.size)
            summary.kept_bytes.append(int(sizes.sum() - sizes[lost].sum()))
            line = line if slices[0].begin else 0
            summary.lines.append(line)
            # Of a file that goes on in the next unit, count the lines so far.
            last = self.files[slices[-1].file]
            here = meta.lines[-1] if is_json_lines(last) else 0
            line = here if len(slices) > 1 else line + here
        return summary

    def _why_nothing(self) -> str:
        reasons: dict[str, int] = {}
        for found in self.scans:
            for item in found.left_out:
                reasons[item.reason] = reasons.get(item.reason, 0) + 1
        for unit in range(len(self.slices)):
            for reason, count in CleanFiles(self._work / "clean", unit).meta().dropped.items():
                reasons[reason] = reasons.get(reason, 0) + count.documents
        return str(reasons or "nothing, no files")

    def _tokenizer(self, summary: Summary, gone: Pairs, progress: Progress) -> Tokenizer:
        if self.spec.tokenizer_digest:
            tokenizer = Tokenizer.load(self._work / GIVEN_TOKENIZER)
            if tokenizer.digest != self.spec.tokenizer_digest:
                raise ConfigError(f"{self._work / GIVEN_TOKENIZER} is not the one begun with")
            return tokenizer
        sample = self._sample(summary, gone, self.spec.sample_characters, progress)
        return train_tokenizer(sample, self.spec.vocab_size)

    def _sample(
        self, summary: Summary, gone: Pairs, size: int, progress: Progress
    ) -> Iterator[str]:
        # An equal share of each unit: the start of a corpus is often of one kind.
        lost = set(gone.later.tolist())
        share = -(-size // max(1, sum(map(bool, summary.kept))))
        starts = [0, *accumulate(summary.documents)]
        taken = 0
        for unit, count in enumerate(summary.documents):
            files = CleanFiles(self._work / "clean", unit)
            kept = [number for number in range(count) if starts[unit] + number not in lost]
            left = share
            for text in files.texts(files.meta(), kept) if kept else ():
                # In short pieces: the library holds some hundreds of what it is given.
                yield from (piece.text for piece in pieces_of(text[:left], _SAMPLE_PIECE))
                taken += min(left, len(text))
                progress(UnitProgress(bytes=taken))
                left -= len(text)
                if left <= 0:
                    break

    def _write(self, unit: int, progress: Progress) -> UnitReport:
        result = self._shop.write(self._spans[unit], progress)
        self._folder("write")
        save_result(self._result_path(WRITE, unit), result)
        return self._written_report(unit, result)

    def _written_report(self, unit: int, result: WriteResult) -> UnitReport:
        return UnitReport(
            documents=result.documents,
            tokens=result.tokens,
            bytes=self.weight(WRITE, unit),
            counters={reason: count.documents for reason, count in result.dropped.items()},
        )

    # Places.

    def _folder(self, name: str) -> Path:
        folder = self._work / name
        with explained("make", folder):
            folder.mkdir(parents=True, exist_ok=True)
        return folder

    def _scan_path(self, unit: int) -> Path:
        return self._result_path(SCAN, unit)

    def _result_path(self, stage: int, unit: int) -> Path:
        return self._work / self.stages[stage] / f"{unit:06d}.result"


def _scanned_report(found: Scan) -> UnitReport:
    return UnitReport(documents=len(found.files), counters={"left out": len(found.left_out)})
