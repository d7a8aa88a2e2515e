"""One person, one placeholder: whose name a mention is, among everybody whom a document names."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ..spanish.lists import PARTICLES
from ..spanish.words import fold, phonetic
from .known import is_nearly_same_name, is_same_name
from .names import looks_like_name
from .placeholders import PERSON_TYPES
from .roster import Roster
from .tokens import Mention
from .weights import WEIGHTS

_COUNCILLOR = re.compile(r"(?:concej|edil|president|vicepresident|primer|segund|c?abildante)")


@dataclass
class KnownPerson:
    """Somebody of this document: folded name words, placeholder family, and the fullest spelling seen."""

    words: tuple[str, ...]
    kind: str
    surface: str
    roster: str = ""  # the roster's key
    sure: bool = False  # a guess is masked, but not looked for elsewhere


@dataclass
class Appearance:
    """A mention in one text of the document, as it is spelt there."""

    document: str
    mention: Mention
    surface: str

    @property
    def is_sure(self) -> bool:
        """Is it more than a guess of the tagger?"""
        return self.mention.layer != "crf" or self.mention.score >= WEIGHTS.propagate_tagger

    @property
    def fullness(self) -> tuple[bool, int, bool]:
        """Sorts whole names before parts of them, and what was found by its sound last."""
        return (
            bool(self.mention.name),
            -len(words_of(self.surface)),
            "lists" not in self.mention.layer,
        )


def words_of(name: str) -> tuple[str, ...]:
    """Folded words without particles."""
    words = map(fold, re.findall(r"[^\W\d_]+", name))
    return tuple(word for word in words if word not in PARTICLES)


def name_of(surface: str, mention: Mention) -> tuple[str, ...]:
    """The words that say who it is.

    Of a name found by its sound, those of the name that was written. Ordinary words do not count ("Urrea
    ayer").
    """
    words = words_of(surface) or (fold(surface),)
    return mention.name or tuple(w for w in words if looks_like_name(w)) or words


def roster_kind(role: str) -> str:
    """Placeholder family of a roster role: table and floor are councillors, the rest are officials."""
    return "CONCEJAL" if not role or _COUNCILLOR.match(fold(role)) else "FUNCIONARIO"


def councillor_named(
    words: tuple[str, ...], mention: Mention, known: Iterable[KnownPerson]
) -> KnownPerson | None:
    """Which of the roster people that the mention may be fits its words; of namesakes, the roster's first.

    Where only one is left, the words may be anything that sounds like a part of the name.
    """
    for person in known:
        if person.roster not in mention.who:
            continue
        sounds = {phonetic(word) for word in person.words}
        all_theirs = all(phonetic(word) in sounds for word in words)
        if is_same_name(words, person.words) or (len(mention.who) == 1 and all_theirs):
            return person
    return None


def met_before(words: tuple[str, ...], mention: Mention, people: Iterable[KnownPerson]) -> KnownPerson | None:
    """Whose name the words are, or nearly are.

    One word after "señor" is never a councillor: nobody calls them so without the title.
    """
    for person in people:
        if person.roster and len(words) == 1 and mention.role == "CIUDADANO":
            continue
        least = WEIGHTS.same_as_roster if person.roster else WEIGHTS.same_as_other
        if is_same_name(words, person.words) or is_nearly_same_name(words, person.words, least):
            return person
    return None


class DocumentPeople:
    """The people of one document, the roster's first; `earlier`: `(kind, name)` from earlier documents."""

    def __init__(self, roster: Roster, earlier: Iterable[tuple[str, str]] = ()) -> None:
        self.known = [KnownPerson(p.names, roster_kind(p.role), p.name, p.key) for p in roster.people]
        self.earlier = [KnownPerson(words_of(name), kind, name) for kind, name in earlier]

    def who(self, surface: str, mention: Mention) -> KnownPerson:
        """Whom the mention names: a councillor, somebody met before, or somebody new."""
        words = name_of(surface, mention)
        person = councillor_named(words, mention, self.known) or met_before(words, mention, self.known)
        if person is not None:
            return person
        # people of earlier documents come back by their full names only
        if len(words) > 1:
            person = met_before(words, mention, self.earlier)
        if person is not None:
            self.earlier.remove(person)
        else:
            person = KnownPerson(words, mention.role or "CIUDADANO", surface)
        self.known.append(person)
        return person


def identified(
    appearances: Iterable[Appearance], people: DocumentPeople
) -> list[tuple[Appearance, KnownPerson]]:
    """Each appearance with its person, in the document's order.

    Whole names go first, so that a lone surname finds the one it belongs to wherever that stands. A person's
    family is the strongest that any mention gave.
    """
    given = []
    for one in sorted(appearances, key=lambda one: one.fullness):
        person, role = people.who(one.surface, one.mention), one.mention.role
        if not person.roster and role and PERSON_TYPES.index(role) < PERSON_TYPES.index(person.kind):
            person.kind = role
        person.sure = person.sure or bool(person.roster) or one.is_sure
        given.append((one, person))
    return sorted(given, key=lambda pair: (pair[0].document, pair[0].mention.start))
