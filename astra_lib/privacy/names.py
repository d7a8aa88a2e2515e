"""How a person's name is built: which words begin it, which go on with it, when it is a street's instead."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from ..spanish.lists import (
    COMMON_NAMES,
    COURTESIES,
    GIVEN,
    INSTITUTION_HEADS,
    INSTITUTION_TAILS,
    NOBLE_PARTICLES,
    OWNED_INSTITUTIONS,
    PARTICLES,
    PLACES,
    ROLES,
    SAINTS,
    SURNAME_HEADS,
    SURNAME_HEADS_SPOKEN,
    SURNAMES,
)
from ..spanish.words import fold, is_spanish_word
from .tokens import Mention, Token
from .weights import WEIGHTS

# particles that join two parts of one name; "y" joins two people, "san" and "da" begin a part of their own
_JOINING = PARTICLES - {"e", "da", "san", "y"}
_ARTICLES = ("la", "las", "los")


def on_name_list(key: str) -> bool:
    """Is the folded word a given name or a surname of our lists?"""
    return key in GIVEN or key in SURNAMES


def looks_like_name(key: str) -> bool:
    """Is the folded word on a list of names, or no Spanish word?"""
    return on_name_list(key) or not is_spanish_word(key)


@lru_cache(maxsize=100_000)
def is_rare(text: str) -> bool:
    """Neither a Spanish word nor a place: only a name, a foreign word or a slip of the recogniser is left."""
    key = fold(text)
    if len(key) < WEIGHTS.rare_letters:
        return False
    if key in PLACES or key in INSTITUTION_HEADS or key in ROLES:
        return False
    return not is_spanish_word(text) and not is_spanish_word(key)


def is_title(token: Token) -> bool:
    """A role, a courtesy or an institution's head word: never a part of a name."""
    if token.key in ROLES or token.key in COURTESIES:
        return True
    return token.key in INSTITUTION_HEADS and not on_name_list(token.key)


def can_start_name(token: Token, case: str) -> bool:
    """May a name start (or end) with this word, going by the word alone?"""
    if is_title(token) or len(token.text) < 2:
        return False
    if case == "mixed":
        return token.cap and (on_name_list(token.key) or is_rare(token.text))
    return (on_name_list(token.key) and token.key not in COMMON_NAMES) or is_rare(token.text)


def can_continue_name(token: Token, case: str, after_particle: bool = False) -> bool:
    """May a name that has begun go on with this word?"""
    opens_surname = after_particle and case == "mixed" and token.key in SURNAME_HEADS
    if is_title(token) and not opens_surname:
        return False
    if case == "mixed":
        if not token.cap:
            return False
        if not after_particle or opens_surname or on_name_list(token.key):
            return True
        return token.key not in PLACES and not token.first
    if is_rare(token.text):
        return True
    if not after_particle:
        return on_name_list(token.key)
    listed = on_name_list(token.key) and token.key not in COMMON_NAMES
    return listed or token.key in SURNAME_HEADS_SPOKEN


def name_end(tokens: Sequence[Token], start: int, case: str) -> int:
    """Index after the name that starts at token `start`: further names and the particles between them."""
    end = start + 1
    while end < len(tokens) and end - start < WEIGHTS.name_words and tokens[end].joined:
        if tokens[end].key == "y":
            break
        word = _after_particle(tokens, end)
        if word >= len(tokens) or not tokens[word].joined:
            break
        if not can_continue_name(tokens[word], case, after_particle=word > end):
            break
        end = word + 1
    return end


def _after_particle(tokens: Sequence[Token], i: int) -> int:
    """The index itself, or the one after a particle and its article ("de la")."""
    if tokens[i].key not in _JOINING:
        return i
    i += 1
    while i < len(tokens) and tokens[i].joined and tokens[i].key in _ARTICLES:
        i += 1
    return i


def extend_name(tokens: Sequence[Token], mention: Mention, case: str) -> Mention:
    """The mention with the name words directly beside it: half a masked name still tells who it is."""
    inside = [i for i, t in enumerate(tokens) if mention.start <= t.start < mention.end]
    if not inside:
        return mention
    first, last = inside[0], inside[-1]
    if mention.layer == "roster":
        # two councillors may stand side by side: each ends where the roster says
        return replace(mention, start=0) if _only_particles_before(tokens, first) else mention
    last = _extend_right(tokens, last, case)
    first = _extend_left(tokens, first, case)
    first = _extend_to_initials(tokens, first, case)
    if _only_particles_before(tokens, first):
        first = 0
    if case == "mixed":
        first = _extend_to_particle(tokens, first)
    return replace(mention, start=tokens[first].start, end=max(mention.end, tokens[last].end))


def _only_particles_before(tokens: Sequence[Token], first: int) -> bool:
    """Does the line start with particles and then the name ("DE ANGULO ORIANA")?"""
    return 0 < first <= WEIGHTS.leading_particles and all(t.key in PARTICLES for t in tokens[:first])


def _extend_right(tokens: Sequence[Token], last: int, case: str) -> int:
    for i in range(last + 1, len(tokens)):
        if not tokens[i].joined or tokens[i].first or not can_continue_name(tokens[i], case):
            return i - 1
    return len(tokens) - 1


def _extend_left(tokens: Sequence[Token], first: int, case: str) -> int:
    while first > 0 and tokens[first].joined:
        before = tokens[first - 1]
        if before.first or not can_start_name(before, case) or names_a_thing(tokens, first - 1, case):
            break
        first -= 1
    return first


def _extend_to_initials(tokens: Sequence[Token], first: int, case: str) -> int:
    """ "F. W. Taylor"; but the letters of "H.C. Urrea" are a title."""
    if first > 1 and (tokens[first - 2].key, tokens[first - 1].key) == ("h", "c"):
        return first
    while first > 0 and _is_initial(tokens[first - 1], tokens[first], case):
        first -= 1
    return first


def _is_initial(letter: Token, name: Token, case: str) -> bool:
    """Only a point and a blank fit between an initial and the name after it."""
    if len(letter.text) != 1 or (case == "mixed" and not letter.cap):
        return False
    return name.start - letter.end in (1, 2) and not name.joined


def _extend_to_particle(tokens: Sequence[Token], first: int) -> int:
    """ "De la Serna", "Di Vaio": a particle with a capital is part of the name."""
    for back in (1, 2):
        if first < back:
            break
        head = tokens[first - back]
        if not head.cap or head.upper or head.key not in NOBLE_PARTICLES:
            continue
        between = tokens[first - back + 1 : first]
        if tokens[first].joined and all(t.joined and t.key in PARTICLES for t in between):
            return first - back
    return first


def names_a_thing(tokens: Sequence[Token], i: int, case: str) -> bool:
    """Is the name at token i a place's or an institution's ("Colegio Andrés Bello", "San José")?"""
    if i > 0 and _is_saint(tokens[i - 1], case) and tokens[i].joined:
        return True
    for steps in range(min(i, WEIGHTS.thing_reach)):
        at = i - 1 - steps
        key = tokens[at].key
        if not tokens[at + 1].joined or key in ROLES:
            return False
        if key in INSTITUTION_HEADS:
            if steps and key in OWNED_INSTITUTIONS:
                return False
            before = tokens[max(0, at - WEIGHTS.thing_role_reach) : at]
            return not any(t.key in ROLES for t in before)
        if key not in INSTITUTION_TAILS:
            return False
    return False


def _is_saint(token: Token, case: str) -> bool:
    return token.key in SAINTS and (token.cap or case != "mixed")
