"""DIR/tuning.jsonl: one record a line, chained by hash as the journal of a run is.

Theory of operation. Who goes on with a tuning believes what stands here and does not train it
again; so a line counts once its newline is there, and one that was changed is refused. Records are
few, and each is minutes of work: every one is waited for until the device has it.
"""

import os
from pathlib import Path

import msgspec

from qmpi.errors import CorruptData
from qmpi.protocol.tuning import TuningRecord
from qmpi.storage.journal import chain_hash
from qmpi.storage.os_errors import explained

_FIRST_HASH = "0" * 64


class _Line(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    prev: str
    record: msgspec.Raw
    hash: str


class TuningFile:
    """Reads what a tuning has written, and appends to it.

    Attributes:
        path: of the file.
        records: in order.
    """

    def __init__(self, path: Path) -> None:
        """Read the file; a torn last line is left out, and cut off by the next record.

        Args:
            path: of the file; it need not exist.

        Raises:
            StorageError: it cannot be read.
            CorruptData: a line does not fit the chain.
        """
        self.path, self.records = path, list[TuningRecord]()
        self._hash, self._size = _FIRST_HASH, 0
        with explained("read the record of the tuning", path):
            data = path.read_bytes() if path.exists() else b""
        for number, raw in enumerate(data.splitlines(keepends=True), 1):
            if raw.endswith(b"\n"):
                self._take(number, raw)

    def append(self, record: TuningRecord) -> None:
        """Append a record, and wait until the device has it.

        Args:
            record: the next one.

        Raises:
            StorageError: no space or no access.
        """
        raw = msgspec.json.encode(record)
        line = _Line(self._hash, msgspec.Raw(raw), chain_hash(self._hash, raw))
        text = msgspec.json.encode(line) + b"\n"
        with explained("write the record of the tuning", self.path), self.path.open("ab") as file:
            file.truncate(self._size)
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        self._hash, self._size = line.hash, self._size + len(text)
        self.records.append(record)

    def _take(self, number: int, raw: bytes) -> None:
        try:
            line = msgspec.json.decode(raw, type=_Line)
            record = msgspec.json.decode(line.record, type=TuningRecord)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
            raise self._broken(number, f"is none of a tuning ({error})") from error
        if line.prev != self._hash or line.hash != chain_hash(line.prev, bytes(line.record)):
            raise self._broken(number, "was changed, or does not follow the line before it")
        self._hash, self._size = line.hash, self._size + len(raw)
        self.records.append(record)

    def _broken(self, number: int, what: str) -> CorruptData:
        return CorruptData(
            f"{self.path} line {number} {what}: take it from a backup, or tune anew in another "
            "directory"
        )
