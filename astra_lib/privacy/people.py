"""Where people are named whom nobody listed: after a role word, or by a given name and surnames side by side.

The finders are generous: what they agree on is decided by the caller who merges their mentions.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from ..spanish.lists import (
    COMMON_NAMES,
    COUNCIL_BODIES,
    COURTESIES,
    DISCOURSE_WORDS,
    FUNCTION_WORDS,
    GIVEN,
    INSTITUTION_HEADS,
    OFFICE_WORDS,
    PARTICLES,
    PLACES,
    ROLES,
    SURNAMES,
    TITLE_ABBREVIATIONS,
    WEAK_ROLES,
)
from ..spanish.words import is_spanish_word
from .names import can_start_name, is_rare, is_title, name_end, names_a_thing, on_name_list
from .tokens import Mention, Token, letter_case, neighbour, tokenize
from .weights import WEIGHTS

# "H.C. Urrea": honorable concejal
_HONOURABLE = ("h", "c", "hc")
_OFFICE_GAPS = ("", ",", "(", ", (", "-", "–", "e", "(e)", "(e),")


def find_triggered(text: str, tokens: Sequence[Token] | None = None) -> Iterator[Mention]:
    """Names announced by a role: "honorable concejal X", "doctora X", "secretario de Infraestructura, X"."""
    tokens = tokenize(text) if tokens is None else tokens
    case = letter_case(tokens)
    for i in range(len(tokens)):
        role, after = _role_phrase(text, tokens, i)
        if not role or after >= len(tokens):
            continue
        last = tokens[after - 1]
        if _is_parted(text, tokens, after) and last.key not in TITLE_ABBREVIATIONS:
            continue
        if _is_announced_name(tokens, after, case, last.key):
            end = name_end(tokens, after, case)
            yield Mention(tokens[after].start, tokens[end - 1].end, "trigger", role)
        elif tokens[after].key in OFFICE_WORDS or last.key in ROLES:
            yield from _named_after_office(text, tokens, after, case, role)


def _role_phrase(text: str, tokens: Sequence[Token], i: int) -> tuple[str, int]:
    """What the role words from token i on make of a person ("" for no role), and the index after them.

    "doctora" alone makes an official; "señor concejal" a councillor, because the more telling word counts.
    """
    token = tokens[i]
    role = ROLES.get(token.key, "")
    if not role and not (token.key in _HONOURABLE and token.text.isupper()):
        return "", i
    after = i + 1
    while after < len(tokens) and not _is_parted(text, tokens, after):
        key = tokens[after].key
        if key not in COURTESIES and key not in ROLES:
            break
        if key in ROLES and ROLES[key] != "CIUDADANO":
            role = ROLES[key]
        after += 1
    if not role and token.key != "h":
        role = "CONCEJAL"
    return role, after


def _is_parted(text: str, tokens: Sequence[Token], i: int) -> bool:
    """Is there more than blanks before token i?"""
    return bool(text[tokens[i - 1].end : tokens[i].start].strip(" "))


def _is_announced_name(tokens: Sequence[Token], i: int, case: str, role_word: str) -> bool:
    """Is the word after a role a name?"""
    token = tokens[i]
    if is_title(token) or token.key in PARTICLES or len(token.text) < WEIGHTS.name_letters:
        return False
    if token.first and token.key in DISCOURSE_WORDS:
        return False
    if case == "mixed":
        return _is_announced_with_capital(tokens, i, case, role_word)
    if is_rare(token.text) or (token.key in GIVEN and token.key not in COMMON_NAMES):
        return True
    if not on_name_list(token.key):
        return False
    after = neighbour(tokens, i)
    if after is not None and on_name_list(after.key) and after.key not in COMMON_NAMES:
        return True
    return role_word not in WEAK_ROLES and token.key not in DISCOURSE_WORDS


def _is_announced_with_capital(tokens: Sequence[Token], i: int, case: str, role_word: str) -> bool:
    token = tokens[i]
    if not token.cap or token.key in COUNCIL_BODIES:
        return False
    if is_rare(token.text) or (on_name_list(token.key) and token.key not in DISCOURSE_WORDS):
        return True
    # an ordinary word with a capital: only a strong role makes it a name
    if role_word in WEAK_ROLES or token.key in PLACES or token.key in FUNCTION_WORDS or token.upper:
        return False
    after = neighbour(tokens, i)
    return after is not None and (not after.cap or can_start_name(after, case))


def _named_after_office(
    text: str, tokens: Sequence[Token], start: int, case: str, role: str
) -> Iterator[Mention]:
    """ "secretaria de Hacienda Paula Ríos", "gerente de la empresa de aguas, Óscar Lemus"."""
    for i in range(start, min(start + WEIGHTS.office_reach + 1, len(tokens))):
        token = tokens[i]
        gap = text[tokens[i - 1].end : token.start].strip()
        if gap not in _OFFICE_GAPS:
            return
        goes_on = case == "mixed" and gap == "," and i > start + 1 and not token.cap
        if goes_on and token.key not in COURTESIES and token.key not in ROLES:
            return  # the sentence does, not the office
        if _is_given_name(tokens, i, case, gap):
            yield Mention(token.start, tokens[name_end(tokens, i, case) - 1].end, "trigger", role)
            return


def _is_given_name(tokens: Sequence[Token], i: int, case: str, gap: str) -> bool:
    """A given name after a comma, or before a surname; `gap`: what parts it from the office."""
    token = tokens[i]
    written = token.cap if case == "mixed" else token.key not in COMMON_NAMES
    if token.key not in GIVEN or not written:
        return False
    if not gap and names_a_thing(tokens, i, case):
        return False
    if gap.startswith(","):
        return True
    after = neighbour(tokens, i)
    if after is None:
        return False
    return can_start_name(after, case) or (case == "mixed" and after.cap and not is_title(after))


def find_listed(text: str, tokens: Sequence[Token] | None = None) -> Iterator[Mention]:
    """A given name and surnames in either order, and lone surnames, unless a place bears them."""
    tokens = tokenize(text) if tokens is None else tokens
    case = letter_case(tokens)
    i = 0
    while i < len(tokens):
        token = tokens[i]
        listed = case == "mixed" and token.cap and on_name_list(token.key)
        if not listed and not can_start_name(token, case):
            i += 1
            continue
        end = name_end(tokens, i, case)
        words = tokens[i:end]
        if not names_a_thing(tokens, i, case):
            if _is_full_name(words, case):
                yield Mention(token.start, words[-1].end, "lists", score=_listed_share(words))
            elif _is_lone_surname(words, case):
                yield Mention(token.start, words[-1].end, "surname", score=WEIGHTS.lone_surname)
        i = end


def _keys(words: Sequence[Token]) -> list[str]:
    return [t.key for t in words if t.key not in PARTICLES]


def _listed_share(words: Sequence[Token]) -> float:
    """Share of the words that are on a list; one on both lists counts twice, up to 1."""
    keys = _keys(words)
    return min(1.0, sum((k in GIVEN) + (k in SURNAMES) for k in keys) / len(keys))


def _is_full_name(words: Sequence[Token], case: str) -> bool:
    """A given name beside a surname or an unknown word, or two given names."""
    keys = _keys(words)
    given = sum(k in GIVEN for k in keys)
    surnames = any(k in SURNAMES for k in keys) or any(is_rare(t.text) for t in words)
    if given < 2 and not (given and surnames and len(keys) > 1):
        return False
    if case == "mixed":
        return True
    # without capitals one of the words must be nothing but a name
    return any(k not in COMMON_NAMES and (k in GIVEN or not is_spanish_word(k)) for k in keys)


def _is_lone_surname(words: Sequence[Token], case: str) -> bool:
    """One word with a capital, inside a sentence, that is a surname and nothing else."""
    keys, first = _keys(words), words[0]
    if case != "mixed" or len(keys) != 1 or first.first or first.upper:
        return False
    key = keys[0]
    if key not in SURNAMES or key in GIVEN:
        return False
    return key not in COMMON_NAMES and key not in PLACES and key not in INSTITUTION_HEADS
