"""The records that pass between the stages, and their JSON and JSONL form.

Times are seconds (float) in transcripts and pairs, integer milliseconds in dataset rows and in what is
served. Every file is UTF-8, NFC, one JSON object a line for `.jsonl`, and is written whole or not at all.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Literal, TypeVar

from .errors import InputError, MissingError, disk_errors

ParagraphKind = Literal[
    "heading", "agenda", "rollcall", "formula", "handover", "vote", "body", "list", "table", "signature"
]
KINDS: tuple[str, ...] = ParagraphKind.__args__  # type: ignore[attr-defined]
VerdictName = Literal["PROMOTED", "REJECTED", "INSUFFICIENT_EVIDENCE"]
T = TypeVar("T")


@dataclass
class Word:
    text: str
    start: float
    end: float
    confidence: float | None = None
    speaker: str | None = None


@dataclass
class Utterance:
    """`words` is the half-open range [i, j) into the transcript's words."""

    start: float
    end: float
    speaker: str | None
    words: tuple[int, int]


@dataclass
class Transcript:
    """What was said. `interpolated`: word times were not given and are spread over their segment."""

    session_id: str
    tenant: str
    duration: float
    words: list[Word] = field(default_factory=list)
    utterances: list[Utterance] = field(default_factory=list)
    interpolated: bool = False
    language: str | None = None
    source: str | None = None

    def text(self, start: float = 0.0, end: float = float("inf")) -> str:
        """The words whose middle lies in [start, end) seconds."""
        return " ".join(w.text for w in self.words if start <= (w.start + w.end) / 2 < end)


@dataclass
class Paragraph:
    """One paragraph of the minutes: `xml` is canonical WordprocessingML, `style` the tenant's style name."""

    index: int
    kind: str
    text: str
    xml: str
    style: str = ""


@dataclass
class Block:
    """A stretch of speech of one or more speakers, cut at pauses; seconds; at most 60 s."""

    start: float
    end: float
    speaker: str | None
    text: str


@dataclass
class Pair:
    """One paragraph of the minutes and where it was spoken; `start` is None where it never was."""

    session_id: str
    tenant: str
    paragraph: int
    kind: str
    text: str
    xml: str
    start: float | None = None
    end: float | None = None
    confidence: float = 0.0
    speech: str = ""
    blocks: list[Block] = field(default_factory=list)


@dataclass
class Example:
    """A row of train.jsonl / val.jsonl; `prompt` and `completion` are lists of {role, content}."""

    prompt: list[dict[str, str]]
    completion: list[dict[str, str]]
    id: str
    session_id: str
    tenant: str
    start_ms: int
    end_ms: int
    confidence: float


@dataclass
class AdapterCard:
    """adapter.json: what an adapter is and came from."""

    id: str
    tenant: str
    base_model: str
    base_digest: str
    dataset_sha256: str
    seed: int
    rank: int
    alpha: int
    target_modules: list[str]
    chat_template_digest: str
    versions: dict[str, str]
    metrics: dict[str, float]
    created: str


@dataclass
class Verdict:
    """verdict.json: what the Judge said, and on what numbers."""

    verdict: str
    reasons: list[str]
    metrics: dict[str, dict[str, float]]
    comparison: dict[str, dict[str, float]]
    examples: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class AuditRecord:
    """One served paragraph; `previous` is the hash of the record before it in this tenant's chain."""

    audit_id: str
    tenant: str
    session_id: str
    start_ms: int
    end_ms: int
    transcript_sha256: str
    adapter_id: str
    adapter_sha256: str
    generation: int
    base_model: str
    prompt_sha256: str
    confidence: float
    output_sha256: str
    time: str
    previous: str


def to_dict(record: Any) -> dict[str, Any]:
    """A record as plain JSON types."""
    return asdict(record)


def from_dict(cls: type[T], row: dict[str, Any], *, where: str = "record") -> T:
    """Build a record from a JSON object. Missing fields raise `InputError`; unknown ones too."""
    known = {f.name: f for f in fields(cls)}  # type: ignore[arg-type]
    if not isinstance(row, dict):
        raise InputError(f"expected a JSON object, found {type(row).__name__}", where=where)
    if unknown := sorted(set(row) - set(known)):
        raise InputError(f"unknown field {unknown[0]!r} for {cls.__name__}", where=where)
    values = dict(row)
    try:
        if cls is Transcript:
            values["words"] = [from_dict(Word, w, where=where) for w in row.get("words", [])]
            values["utterances"] = [from_dict(Utterance, u, where=where) for u in row.get("utterances", [])]
        if cls is Utterance and "words" in row:
            first, end = row["words"]
            values["words"] = (int(first), int(end))
        if cls is Pair:
            values["blocks"] = [from_dict(Block, b, where=where) for b in row.get("blocks", [])]
        return cls(**values)
    except InputError:
        raise
    except (TypeError, ValueError) as error:
        raise InputError(f"{cls.__name__}: {error}", where=where) from None


def atomic_write(path: Path | str, data: bytes | str) -> Path:
    """Write a file whole or not at all: to a temporary neighbour, synced, then renamed over `path`.

    Raises `DiskError` (a full disk, no rights); what stood at `path` before is then still there.
    """
    path = Path(path)
    try:
        payload = data.encode("utf-8") if isinstance(data, str) else data
    except UnicodeEncodeError as error:
        raise InputError(
            f"text with half a character at {error.start} (a lone surrogate)", where=str(path)
        ) from None
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.", suffix=".part")
        try:
            with os.fdopen(handle, "wb") as out:
                out.write(payload)
                out.flush()
                os.fsync(out.fileno())
            Path(temporary).chmod(0o644)
            Path(temporary).replace(path)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise
    return path


def dumps(value: Any) -> str:
    """Canonical JSON: sorted keys, no blanks, NFC, NaN refused."""
    return unicodedata.normalize(
        "NFC", json.dumps(value, ensure_ascii=False, sort_keys=True, separators=(",", ":"), allow_nan=False)
    )


def write_json(path: Path | str, value: Any) -> Path:
    text = json.dumps(value, ensure_ascii=False, indent=2, sort_keys=True, allow_nan=False)
    return atomic_write(path, unicodedata.normalize("NFC", text) + "\n")


def read_bytes(path: Path | str) -> bytes:
    """A file's bytes; `MissingError` when it is not there, `InputError` when it is empty or a folder."""
    path = Path(path)
    if path.is_dir():
        raise InputError("a folder, not a file", where=str(path), remedy="Name a file in it")
    if not path.is_file():
        raise MissingError("no such file", where=str(path), remedy="Check the path")
    data = path.read_bytes()
    if not data:
        raise InputError("the file is empty", where=str(path), remedy="Copy it again from its source")
    return data


def read_json(path: Path | str) -> Any:
    try:
        return json.loads(read_bytes(path).decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise InputError("not UTF-8 text", where=str(path), remedy="Export it again as UTF-8 JSON") from None
    except json.JSONDecodeError as error:
        raise InputError(
            f"not JSON at line {error.lineno}: {error.msg}",
            where=str(path),
            remedy="It may be truncated: copy or export it again",
        ) from None
    except RecursionError:
        raise InputError("JSON nested too deep", where=str(path)) from None


def write_jsonl(path: Path | str, rows: Iterable[Any]) -> Path:
    """Rows are dataclass records or dicts."""
    lines = [dumps(row if isinstance(row, dict) else to_dict(row)) for row in rows]
    return atomic_write(path, "".join(line + "\n" for line in lines))


def iter_jsonl(path: Path | str) -> Iterator[tuple[str, dict[str, Any]]]:
    """`(where, row)` for every line; `InputError` names the line that is not JSON."""
    path = Path(path)
    if not path.is_file():
        raise MissingError("no such file", where=str(path), remedy="Check the path")
    with path.open("rb") as lines:
        for number, line in enumerate(lines, 1):
            where = f"{path}:{number}"
            try:
                text = line.decode("utf-8-sig" if number == 1 else "utf-8")
                if text.strip():
                    yield where, json.loads(text)
            except UnicodeDecodeError:
                raise InputError("not UTF-8 text", where=where, remedy="Export it again as UTF-8") from None
            except json.JSONDecodeError as error:
                raise InputError(
                    f"not JSON: {error.msg}", where=where, remedy="It may be truncated: copy or make it again"
                ) from None
            except RecursionError:
                raise InputError("JSON nested too deep", where=where) from None


def read_jsonl(path: Path | str, cls: type[T] | None = None) -> list[Any]:
    """All rows of a JSONL file, as `cls` records when given."""
    return [row if cls is None else from_dict(cls, row, where=where) for where, row in iter_jsonl(path)]


def sha256_bytes(data: bytes | str) -> str:
    return hashlib.sha256(data.encode("utf-8") if isinstance(data, str) else data).hexdigest()


def sha256_file(path: Path | str) -> str:
    digest = hashlib.sha256()
    with Path(path).open("rb") as stream:
        while chunk := stream.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()
