"""What was found in a text and what stands there now."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

from .xml import XmlText, replace_in_xml


class Replacement(Protocol):
    """What replacing needs of an entity."""

    @property
    def start(self) -> int: ...
    @property
    def end(self) -> int: ...
    @property
    def replacement(self) -> str: ...


@dataclass(frozen=True)
class Entity:
    """`[start, end)` of the input and what stands there now; type LITERAL marks an escaped look-alike."""

    start: int
    end: int
    type: str
    text: str
    replacement: str


@dataclass
class MaskedText:
    """A masked text and what was replaced in it."""

    text: str
    entities: list[Entity] = field(default_factory=list)
    original: str | None = None  # XML whose names were spread over runs

    @property
    def spellings(self) -> list[str]:
        """What stood where placeholders stand now."""
        return [e.text for e in self.entities if e.type != "LITERAL"]

    def restore(self) -> str:
        """The input, byte for byte."""
        if self.original is not None:
            return self.original
        out, last, shift = [], 0, 0
        for e in self.entities:
            at = e.start + shift
            out += [self.text[last:at], e.text]
            last = at + len(e.replacement)
            shift += len(e.replacement) - (e.end - e.start)
        return "".join([*out, self.text[last:]])


def replaced(text: str, entities: Sequence[Replacement]) -> str:
    """The text with its entities exchanged."""
    out, last = [], 0
    for e in entities:
        out += [text[last : e.start], e.replacement]
        last = e.end
    return "".join([*out, text[last:]])


def masked_xml(source: XmlText, entities: Sequence[Entity]) -> MaskedText:
    """A fragment with the entities of its text exchanged; they come back on the fragment's own offsets."""
    made, single = replace_in_xml(source, [(e.start, e.end, e.replacement) for e in entities])
    moved = []
    for e in entities:
        start, end = source.spans[e.start][0], source.spans[e.end - 1][1]
        moved.append(replace(e, start=start, end=end, text=source.xml[start:end]))
    return MaskedText(made, sorted(moved, key=lambda e: e.start), None if single else source.xml)
