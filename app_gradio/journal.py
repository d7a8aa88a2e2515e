"""What an interrupted draft has written: a line per block, on the disk before the next is asked for."""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path
from types import TracebackType
from typing import IO, Any

from astra_lib.core.errors import ConflictError

from .service import ServedParagraph


@dataclass
class Journal:
    """`written`: block number -> its paragraphs, [] where the model had nothing to write.

    Gaps are not kept, so that they are tried again. The journal itself is locked, not a lock file beside it:
    the lock is gone with the journal, and a finished draft leaves neither in the user's folder.
    """

    path: Path
    file: IO[bytes]
    written: dict[int, list[ServedParagraph]] = field(default_factory=dict)

    @classmethod
    def open(cls, out: Path, tenant: str, transcript_sha256: str, unit_s: tuple[float, ...]) -> Journal:
        """The journal beside `out`, locked; what another recording left there is thrown away.

        `unit_s` is how the speech was cut into blocks, in seconds. Raises `ConflictError` while another
        process drafts into the same file.
        """
        path = out.with_suffix(".partial.jsonl")
        path.parent.mkdir(parents=True, exist_ok=True)
        head = {"tenant": tenant, "transcript_sha256": transcript_sha256, "unit_s": list(unit_s)}
        file = os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.close()
            raise ConflictError(
                "this draft is being written", where=str(out), remedy="Wait for it, or give another --out"
            ) from None
        made = cls(path, file)
        rows, end = _whole_lines(file)
        if rows[:1] == [head]:
            made.written = {row["block"]: [_paragraph(p) for p in row["paragraphs"]] for row in rows[1:]}
            file.seek(end)
            file.truncate()  # drops a line that a kill cut short
        else:
            file.seek(0)
            file.truncate()
            made._line(head)
        return made

    def add(self, block: int, paragraphs: list[ServedParagraph]) -> None:
        """On the disk when this returns."""
        self._line({"block": block, "paragraphs": [asdict(p) for p in paragraphs]})
        self.written[block] = paragraphs

    def discard(self) -> None:
        """Delete the journal, once the Word file is written."""
        self.path.unlink(missing_ok=True)

    def _line(self, row: dict[str, Any]) -> None:
        self.file.write(json.dumps(row, ensure_ascii=False).encode() + b"\n")
        self.file.flush()
        os.fsync(self.file.fileno())

    def __enter__(self) -> Journal:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.file.close()


def _whole_lines(file: IO[bytes]) -> tuple[list[dict[str, Any]], int]:
    """The rows up to the first incomplete line, and the offset behind them in bytes."""
    rows: list[dict[str, Any]] = []
    end = 0
    for line in file.read().splitlines(keepends=True):
        try:
            row = json.loads(line) if line.endswith(b"\n") else None
        except ValueError:
            row = None
        if not isinstance(row, dict):
            break
        rows.append(row)
        end += len(line)
    return rows, end


def _paragraph(row: dict[str, Any]) -> ServedParagraph:
    return ServedParagraph(**{**row, "unresolved": tuple(row["unresolved"])})
