"""Gold texts with known people: outside corpora (evaluation only) and our own council texts."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from astra_lib.core.errors import MissingError


@dataclass
class Gold:
    """Texts of one document, and per text the character spans that are people."""

    texts: list[str]
    spans: list[list[tuple[int, int]]]
    roster: list[dict[str, str]] = field(default_factory=list)
    spoken: bool = False  # a recogniser's words, or made to look like them


_NO_BLANK_BEFORE, _NO_BLANK_AFTER = set(".,;:)?!»%"), set("(¿¡«")


def conll(path: Path) -> list[Gold]:
    """CoNLL-2002 or AnCora columns; documents start at a dateline ("( EFE )") or after 25 sentences."""
    if not path.is_file():
        raise MissingError("no such corpus", where=str(path))
    encoding = "latin-1" if b"\xc3" not in path.read_bytes()[:200_000] else "utf-8"
    documents: list[Gold] = []
    for block in path.read_text(encoding=encoding).split("\n\n"):
        rows = [line.split() for line in block.splitlines() if line.strip()]
        rows = [r for r in rows if len(r) > 1]
        if not rows:
            continue
        text, spans, open_at = "", [], None
        for r in rows:
            word, label = r[0], r[-1]
            if text and word not in _NO_BLANK_BEFORE and text[-1] not in _NO_BLANK_AFTER:
                text += " "
            start = len(text)
            text += word
            if label == "B-PER":
                spans.append([start, len(text)])
                open_at = True
            elif label == "I-PER" and open_at:
                spans[-1][1] = len(text)
            else:
                open_at = None
        dateline = re.search(r"\(\s?EFE", text) and len(rows) < 14
        if not documents or dateline or len(documents[-1].texts) >= 25:
            documents.append(Gold([], []))
        documents[-1].texts.append(text)
        documents[-1].spans.append([tuple(s) for s in spans])
    return documents


def recased(documents: list[Gold], how: str) -> list[Gold]:
    """ "capitals", "lower" or "lower, no marks"; offsets are kept, so a letter that changes length stays."""

    def change(text: str) -> str:
        if how == "capitals":
            return "".join(c.upper() if len(c.upper()) == 1 else c for c in text)
        if how.startswith("lower"):
            text = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
        if how == "lower, no marks":
            text = re.sub(r"[^\w\s]", " ", text)
        return text

    return [Gold([change(t) for t in d.texts], d.spans, d.roster) for d in documents]


def meddocan(folder: Path) -> list[Gold]:
    """MEDDOCAN's dev part: names of patients and staff."""
    notes = sorted((folder / "dev" / "brat").glob("*.ann"))
    if not notes:
        raise MissingError("no MEDDOCAN dev part", where=str(folder))
    documents = []
    for note in notes:
        text = note.with_suffix(".txt").read_text(encoding="utf-8")
        spans = []
        for line in note.read_text(encoding="utf-8").splitlines():
            part = line.split("\t")
            if part[0].startswith("T") and part[1].split()[0] in (
                "NOMBRE_PERSONAL_SANITARIO",
                "NOMBRE_SUJETO_ASISTENCIA",
            ):
                spans.append((int(part[1].split()[1]), int(part[1].split()[-1])))
        documents.append(Gold([text], [sorted(spans)]))
    return documents


def score(documents: list[Gold], find) -> dict[str, float]:
    """What `find(texts, roster) -> spans per text` masks, and what of it touches a person.

    A mention is masked when all its letters are covered.
    """
    mentions = masked = predicted = right = 0
    missed: list[str] = []
    wrong: list[str] = []
    for document in documents:
        for text, gold, spans in zip(
            document.texts, document.spans, find(document.texts, document.roster), strict=True
        ):
            covered = bytearray(len(text))
            for a, b in spans:
                covered[a:b] = b"\1" * (b - a)
            for a, b in gold:
                mentions += 1
                if all(covered[i] or not text[i].isalnum() for i in range(a, b)):
                    masked += 1
                else:
                    missed.append(text[max(0, a - 25) : a] + "⟦" + text[a:b] + "⟧" + text[b : b + 15])
            for a, b in spans:
                predicted += 1
                if any(a < y and x < b for x, y in gold):
                    right += 1
                else:
                    wrong.append(text[max(0, a - 25) : a] + "⟦" + text[a:b] + "⟧" + text[b : b + 15])
    return {
        "mentions": mentions,
        "masked": masked / max(mentions, 1),
        "precision": right / max(predicted, 1),
        "_missed": missed,
        "_wrong": wrong,
    }  # type: ignore[dict-item]
