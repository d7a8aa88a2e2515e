"""The council's people, and where a text names them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from ..core.errors import InputError
from ..spanish.lists import COMMON_NAMES, DISCOURSE_WORDS, FUNCTION_WORDS, PARTICLES, ROLES
from ..spanish.words import fold, is_spanish_word, phonetic
from .names import is_rare, names_a_thing, on_name_list
from .tokens import WORD, Mention, Token, letter_case, tokenize
from .weights import WEIGHTS


@dataclass(frozen=True)
class Person:
    """A roster entry; `names` are folded words without particles, `surnames` those after the given ones."""

    key: str
    name: str
    role: str
    party: str
    names: tuple[str, ...] = ()
    surnames: frozenset[str] = frozenset()

    @classmethod
    def from_row(cls, row: dict[str, str], number: int) -> Person:
        """From a row `{key, name, role, party}`; `InputError` when it has no name."""
        if not isinstance(row, dict) or not str(row.get("name", "")).strip():
            raise InputError(
                "a roster row needs a name",
                where=f"roster row {number}",
                remedy="Rows are {key, name, role, party}",
            )
        words = (fold(word) for word in WORD.findall(row["name"]))
        names = tuple(word for word in words if word not in PARTICLES)
        surnames = names[2:] if len(names) > 3 else names[1:]
        key = str(row.get("key") or f"p{number}")
        role, party = row.get("role") or "", row.get("party") or ""
        return cls(key, row["name"].strip(), role, party, names, frozenset(surnames))


@dataclass
class Roster:
    """The council's people; `by_name` and `by_sound` lead from one name to the keys of those who bear it."""

    people: list[Person] = field(default_factory=list)
    by_name: dict[str, set[str]] = field(default_factory=dict)
    by_sound: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, rows: Iterable[dict[str, str]]) -> Roster:
        """From roster.json's rows `{key, name, role, party}`; `InputError` names the row that is wrong."""
        roster = cls()
        for number, row in enumerate(rows):
            person = Person.from_row(row, number)
            if any(p.key == person.key for p in roster.people):
                raise InputError(f"key {person.key!r} twice", where=f"roster row {number}")
            roster.people.append(person)
            for name in person.names:
                roster.by_name.setdefault(name, set()).add(person.key)
                roster.by_sound.setdefault(phonetic(name), set()).add(person.key)
        return roster

    def nearly(self, word: str) -> set[str]:
        """Who has a name that sounds like the word but for one letter (two in long names)?"""
        from rapidfuzz.distance import Levenshtein

        if on_name_list(fold(word)) or is_spanish_word(word):
            return set()
        heard = phonetic(word)
        found: set[str] = set()
        for sound, people in self.by_sound.items():
            if len(sound) < WEIGHTS.slip_sounds:
                continue
            slips = 1 if len(sound) < WEIGHTS.two_slips_sounds else 2
            if Levenshtein.distance(heard, sound, score_cutoff=slips) <= slips:
                found |= people
        return found


def find_roster(text: str, roster: Roster, tokens: Sequence[Token] | None = None) -> Iterator[Mention]:
    """Roster people by any two of their names in any order, or by one that can be nothing else."""
    tokens = tokenize(text) if tokens is None else tokens
    case = letter_case(tokens)
    bearers = [_bearers(tokens, i, roster, case) for i in range(len(tokens))]
    i = 0
    while i < len(tokens):
        if not bearers[i]:
            i += 1
            continue
        used, who = _names_in_a_row(text, tokens, bearers, i)
        if _is_named(tokens, used, case):
            last = used[-1]
            yield Mention(tokens[i].start, tokens[last].end, "roster", "", frozenset(who))
            i = last + 1
        else:
            i += 1


def _bearers(tokens: Sequence[Token], i: int, roster: Roster, case: str) -> set[str]:
    """Whose name may stand at token i: as written, by its sound, after a role by nearly its sound."""
    token = tokens[i]
    exact = roster.by_name.get(token.key)
    if exact:
        return exact
    if len(token.key) < WEIGHTS.sound_letters:
        return set()
    after_role = i > 0 and tokens[i - 1].key in ROLES
    like_a_name = token.key not in COMMON_NAMES and (is_rare(token.text) or on_name_list(token.key))
    announced = after_role and token.key not in FUNCTION_WORDS and token.key not in DISCOURSE_WORDS
    if like_a_name or announced:
        alike = roster.by_sound.get(phonetic(token.text))
        if alike:
            return alike
    if after_role and (case != "mixed" or token.cap):
        return roster.nearly(token.text)
    return set()


def _names_in_a_row(
    text: str, tokens: Sequence[Token], bearers: Sequence[set[str]], start: int
) -> tuple[list[int], set[str]]:
    """The tokens from `start` on that are different names of the same people, and these people's keys."""
    used, who = [start], set(bearers[start])
    at = start + 1
    while at < len(tokens):
        gap = text[tokens[at - 1].end : tokens[at].start]
        if gap.strip() not in ("", ",", "-", ".") or "\n" in gap:
            break
        particle = tokens[at].key in PARTICLES and not gap.strip()
        if particle and at + 1 < len(tokens) and who & bearers[at + 1]:
            at += 1
        repeated = any(tokens[u].key == tokens[at].key for u in used)
        if repeated or not who & bearers[at]:
            break
        who &= bearers[at]
        used.append(at)
        at += 1
    return used, who


def _is_named(tokens: Sequence[Token], used: Sequence[int], case: str) -> bool:
    """Do the names at `used` stand for somebody: enough of them, and of no place and no institution?"""
    first = used[0]
    if len(used) == 1:
        named = _stands_alone(tokens, first, case)
    elif len(used) == 2 and case != "mixed" and all(tokens[u].key in COMMON_NAMES for u in used):
        named = any(t.key in ROLES for t in tokens[max(0, first - 2) : first])
    else:
        named = True
    if named and len(used) < 3:
        return not names_a_thing(tokens, first, case)
    return named


def _stands_alone(tokens: Sequence[Token], i: int, case: str) -> bool:
    """May one name stand for a councillor here?"""
    token = tokens[i]
    if i and tokens[i - 1].key in ROLES:
        return True
    if case == "mixed":
        if not token.cap or (token.first and token.key in COMMON_NAMES):
            return False
        # part of somebody else's name: the other layers have it
        return not any(n.cap and on_name_list(n.key) and not n.first for n in _neighbours(tokens, i))
    if is_rare(token.text):
        return True
    return on_name_list(token.key) and token.key not in COMMON_NAMES and not is_spanish_word(token.key)


def _neighbours(tokens: Sequence[Token], i: int) -> list[Token]:
    """The words beside token i that only blanks part from it."""
    found = []
    if i > 0 and tokens[i].joined:
        found.append(tokens[i - 1])
    if i + 1 < len(tokens) and tokens[i + 1].joined:
        found.append(tokens[i + 1])
    return found
