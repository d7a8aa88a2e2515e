"""scrubadub's side: what it calls a find (filth), and the detectors that need nothing but the text."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any

import scrubadub

from ..spanish.words import fold
from .forms import ReadNumber, find_structured
from .placeholders import LOOKALIKE
from .tokens import Mention


class PersonFilth(scrubadub.filth.Filth):
    """Somebody's name; `mention` says which layer found it and what it knows."""

    type = "PERSONA"

    def __init__(self, mention: Mention, **kwargs: Any) -> None:
        super().__init__(beg=mention.start, end=mention.end, **kwargs)
        self.mention = mention


class DatumFilth(scrubadub.filth.Filth):
    """A structured datum, a party or a look-alike of our own placeholders; `value` is its normal form."""

    def __init__(self, kind: str, value: str, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.type, self.value = kind, value


class StructuredDetector(scrubadub.detectors.Detector):
    """Documents, phones, e-mail, addresses, plates, accounts, IPs, cards, birth dates; written or spoken."""

    name = "astra_structured"

    def __init__(self, read_number: ReadNumber, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.read_number = read_number

    def iter_filth(self, text: str, document_name: str | None = None) -> Iterator[DatumFilth]:
        for found in find_structured(text, self.read_number):
            yield DatumFilth(
                found.type,
                found.value,
                beg=found.start,
                end=found.end,
                text=text[found.start : found.end],
                detector_name=self.name,
                document_name=document_name,
            )


_PARTY_HEAD = re.compile(
    r"^(?:partido|movimiento|coalici[oó]n|alianza|grupo)\s+(?:pol[ií]tico\s+)?", re.IGNORECASE
)
_SAID_HEAD = r"(?:(?:partido|movimiento|coalici[oó]n)\s+(?:pol[ií]tico\s+)?(?:de\s+la\s+)?)"
_ACCENTS = {"a": "[aá]", "e": "[eé]", "i": "[ií]", "o": "[oó]", "u": "[uúü]", "n": "[nñ]"}


def party_pattern(party: str) -> re.Pattern[str]:
    """A party with or without its "Partido", accents and capitals aside.

    A name of one word ("Verde") is a word like any other unless it is announced, and so is a short one.
    """
    name = _PARTY_HEAD.sub("", party) or party
    words = r"\s+".join("".join(_ACCENTS.get(c, re.escape(c)) for c in fold(word)) for word in name.split())
    ordinary = len(name.split()) == 1 or (name == party and len(party) < 6)
    head = _SAID_HEAD if ordinary else _SAID_HEAD + "?"
    return re.compile(rf"(?<!\w){head}{words}(?!\w)", re.IGNORECASE)


class PartyDetector(scrubadub.detectors.Detector):
    """The roster's parties."""

    name = "astra_party"

    def __init__(self, parties: Iterable[str], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        named = {p.strip() for p in parties if p.strip()}
        self.patterns = [(party, party_pattern(party)) for party in sorted(named, key=len, reverse=True)]

    def iter_filth(self, text: str, document_name: str | None = None) -> Iterator[DatumFilth]:
        for party, pattern in self.patterns:
            for match in pattern.finditer(text):
                yield DatumFilth(
                    "PARTIDO", fold(party), match=match, detector_name=self.name, document_name=document_name
                )


class LookalikeDetector(scrubadub.detectors.RegexDetector):
    """Text that already looks like a placeholder of ours."""

    name = "astra_lookalike"

    def iter_filth(self, text: str, document_name: str | None = None) -> Iterator[DatumFilth]:
        for match in LOOKALIKE.finditer(text):
            yield DatumFilth(
                "LITERAL", match[0], match=match, detector_name=self.name, document_name=document_name
            )
