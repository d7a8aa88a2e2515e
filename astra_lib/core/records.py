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
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal, TypeVar

from .errors import InputError, MissingError, disk_errors

if TYPE_CHECKING:
    from pydantic import ConfigDict, TypeAdapter, ValidationError

ParagraphKind = Literal[
    "heading", "agenda", "rollcall", "formula", "handover", "vote", "body", "list", "table", "signature"
]
KINDS: tuple[str, ...] = ParagraphKind.__args__  # type: ignore[attr-defined]
VerdictName = Literal["PROMOTED", "REJECTED", "INSUFFICIENT_EVIDENCE"]


class Record:
    """What every record shares: a field it does not have is an error (see `from_dict`)."""

    __pydantic_config__: ClassVar[ConfigDict] = {"extra": "forbid"}


R = TypeVar("R", bound=Record)


@dataclass
class Word(Record):
    text: str
    start: float
    end: float
    confidence: float | None = None
    speaker: str | None = None


@dataclass
class Utterance(Record):
    """`words` is the half-open range [i, j) into the transcript's words."""

    start: float
    end: float
    speaker: str | None
    words: tuple[int, int]


@dataclass
class Transcript(Record):
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
class Paragraph(Record):
    """One paragraph of the minutes: `xml` is canonical WordprocessingML, `style` the tenant's style name."""

    index: int
    kind: str
    text: str
    xml: str
    style: str = ""


@dataclass
class Block(Record):
    """A stretch of speech of one or more speakers, cut at pauses; seconds; at most 60 s."""

    start: float
    end: float
    speaker: str | None
    text: str


@dataclass
class Pair(Record):
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
class Example(Record):
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
class AdapterCard(Record):
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
class Verdict(Record):
    """verdict.json: what the Judge said, and on what numbers."""

    verdict: str
    reasons: list[str]
    metrics: dict[str, dict[str, float]]
    comparison: dict[str, dict[str, float]]
    examples: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class AuditRecord(Record):
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


def from_dict(cls: type[R], row: Any, *, where: str = "record") -> R:
    """Build a record from a JSON object.

    Raises `InputError` for an unknown field, a missing one or a value of another type, and names the field
    (`words.3.start`). pydantic does the reading: 0.06 s for a transcript of 60,000 words, which took a loop
    of ours over the fields 0.22 s without a look at any value's type.
    """
    from pydantic import ValidationError

    try:
        return _reader(cls).validate_python(row)  # type: ignore[arg-type]  # a class is hashable
    except ValidationError as error:
        raise InputError(
            f"{cls.__name__}: {_fault(error)}", where=where, remedy="Correct it there, or make the file again"
        ) from None


@cache
def _reader(cls: Any) -> TypeAdapter[Any]:
    from pydantic import TypeAdapter

    return TypeAdapter(cls)


def _fault(error: ValidationError) -> str:
    """What pydantic found, in one line: an unknown field, where there is one, says most about a file."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    unknown = [one for one in found if one["type"] == "unexpected_keyword_argument"]
    first = (unknown or found)[0]
    place = ".".join(map(str, first["loc"]))
    if unknown:
        return f"unknown field {place!r}"
    if first["type"] == "missing":
        return f"the field {place!r} is missing"
    what = "expected a JSON object" if first["type"] == "dataclass_type" else first["msg"]
    return f"{place}: {what}" if place else what


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


def read_jsonl(path: Path | str, cls: type[R] | None = None) -> list[Any]:
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
