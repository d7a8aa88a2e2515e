"""From finds to placeholders: overlaps settled, mentions given to people, each its number from the map."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import scrubadub

from ..spanish.lists import PARTICLES
from ..spanish.words import fold
from .detectors import DatumFilth, PersonFilth
from .identity import Appearance, DocumentPeople, KnownPerson, identified, roster_kind
from .placeholders import PERSON_TYPES, PlaceholderMap, kind_of
from .roster import Roster
from .tokens import Mention


def without_overlaps(data: Iterable[DatumFilth]) -> list[DatumFilth]:
    """Structured finds and parties of one text: look-alikes win over everything, then the longest."""
    kept: list[DatumFilth] = []
    for one in sorted(data, key=lambda f: (f.type != "LITERAL", f.beg - f.end)):
        if all(one.end <= k.beg or one.beg >= k.end for k in kept):
            kept.append(one)
    return kept


def merged_people(people: Iterable[PersonFilth], data: Sequence[DatumFilth]) -> list[Mention]:
    """The people of one text: overlapping mentions become one; what touches a structured find gives way."""
    groups: list[list[Mention]] = []
    for filth in sorted(people, key=lambda f: (f.beg, -f.end)):
        mention = filth.mention
        if any(mention.start < d.end and d.beg < mention.end for d in data):
            continue
        if groups and mention.start < max(other.end for other in groups[-1]):
            groups[-1].append(mention)
        else:
            groups.append([mention])
    return [merge(group) for group in groups]


def merge(group: Sequence[Mention]) -> Mention:
    """One mention out of several that overlap, as wide as all of them.

    It may be any of the people on whom the layers agree; if they agree on nobody, any whom one of them named.
    Of several roles the strongest counts.
    """
    named = [m.who for m in group if m.who]
    agreed = frozenset.intersection(*named) if named else frozenset()
    roles = sorted((m.role for m in group if m.role), key=PERSON_TYPES.index)
    names = [m.name for m in group if m.name and (not agreed or m.who & agreed)]
    return Mention(
        start=min(m.start for m in group),
        end=max(m.end for m in group),
        layer="+".join(sorted({m.layer for m in group})),
        role=roles[0] if roles else "",
        who=agreed or frozenset().union(*named),
        score=max(m.score for m in group),
        name=names[0] if names else (),
    )


def person_identity(words: Iterable[str]) -> str:
    return "P|" + " ".join(words)


def party_identity(party: str) -> str:
    return f"PARTIDO|{fold(party)}"


def in_sentence_case(name: str) -> str:
    """How a name is written when it comes back, one blank between its words."""
    words = name.split()
    if name.isupper() or name.islower():
        words = [w.lower() if fold(w) in PARTICLES else w.capitalize() for w in words]
    return " ".join(words)


def register(roster: Roster, placeholders: PlaceholderMap) -> None:
    """Give the roster's people and parties their placeholders, in the roster's order."""
    with placeholders.transaction():
        for person in roster.people:
            placeholders.assign(person_identity(person.names), roster_kind(person.role), person.name)
        for party in dict.fromkeys(p.party for p in roster.people if p.party):
            placeholders.assign(party_identity(party), "PARTIDO", party)


def assign_datum(filth: DatumFilth, placeholders: PlaceholderMap) -> DatumFilth:
    """A look-alike of our placeholders gets one more "=" inside, which `unmask` takes out again."""
    if filth.type == "LITERAL":
        filth.replacement_string = "[=" + filth.text[1:]
    else:
        identity = f"{filth.type}|{filth.value}"
        filth.replacement_string = placeholders.assign(identity, filth.type, filth.text)
    return filth


def assign_person(one: Appearance, person: KnownPerson, placeholders: PlaceholderMap) -> PersonFilth:
    filth = PersonFilth(
        one.mention, text=one.surface, document_name=one.document, detector_name=PlaceholderAssigner.name
    )
    name = in_sentence_case(person.surface)
    identity = person_identity(person.words)
    filth.replacement_string = placeholders.assign(identity, person.kind, name, person.sure)
    return filth


class PlaceholderAssigner(scrubadub.post_processors.PostProcessor):
    """Settles all finds of a document at once; set `texts`, by name, before each call."""

    name = "astra_placeholders"

    def __init__(self, roster: Roster, placeholders: PlaceholderMap) -> None:
        super().__init__()
        self.roster, self.map = roster, placeholders
        self.texts: dict[str, str] = {}

    def process_filth(self, filth_list: Iterable[Any]) -> list[Any]:
        """Data first and people after them, text by text: the same document gets the same numbers again."""
        # scrubadub merges what overlaps; its parts tell more
        parts: dict[str, list[Any]] = {}
        for filth in filth_list:
            for part in getattr(filth, "filths", [filth]):
                parts.setdefault(part.document_name, []).append(part)
        data: list[DatumFilth] = []
        appearances: list[Appearance] = []
        for name, here in sorted(parts.items()):
            found = without_overlaps(part for part in here if isinstance(part, DatumFilth))
            data += sorted(found, key=lambda f: f.beg)
            people = merged_people((part for part in here if isinstance(part, PersonFilth)), found)
            appearances += [Appearance(name, m, self.texts[name][m.start : m.end]) for m in people]
        with self.map.transaction():
            assigned: list[Any] = [assign_datum(filth, self.map) for filth in data]
            earlier = [(kind_of(placeholder), name) for placeholder, name in self.map.people().items()]
            memory = DocumentPeople(self.roster, earlier)
            return assigned + [assign_person(*pair, self.map) for pair in identified(appearances, memory)]
