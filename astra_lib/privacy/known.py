"""Second reading: names that the document has already given away, and whether two mentions are one person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from ..spanish.lists import COMMON_NAMES, DISCOURSE_WORDS, FUNCTION_WORDS, GEOGRAPHIC, PARTICLES, ROLES
from ..spanish.words import fold, is_spanish_word, phonetic
from .names import is_rare, names_a_thing, on_name_list
from .tokens import WORD, Mention, Token, letter_case, tokenize, tokens_of
from .weights import WEIGHTS

# layers whose finds are guesses: nothing but the word itself speaks for them
_GUESSES = ("crf", "surname")
NamesByFirstWord = dict[str, list[tuple[str, ...]]]


def find_again(
    text: str, known: set[str], sounds: set[str], tokens: Sequence[Token] | None = None
) -> Iterator[Mention]:
    """Single words of names met before. `known`: folded words; `sounds`: their phonetic keys."""
    tokens = tokenize(text) if tokens is None else tokens
    case = letter_case(tokens)
    for i, token in enumerate(tokens):
        if not _was_met(token, known, sounds) or names_a_thing(tokens, i, case):
            continue
        if _is_surely_name(token, case) or _follows_role(tokens, i, case):
            yield Mention(token.start, token.end, "again")


def _was_met(token: Token, known: set[str], sounds: set[str]) -> bool:
    """Is the word, or its sound, one of the names met before?"""
    key = token.key
    if key in PARTICLES or key in ROLES or len(key) < WEIGHTS.again_letters:
        return False
    if key in known and key not in DISCOURSE_WORDS and key not in FUNCTION_WORDS:
        return True
    long_enough = len(key) >= WEIGHTS.again_sound_letters
    return long_enough and is_rare(token.text) and phonetic(token.text) in sounds


def _is_surely_name(token: Token, case: str) -> bool:
    """Can the word be nothing but a name, the way it is written?"""
    uncommon = token.key not in COMMON_NAMES
    listed = on_name_list(token.key)
    if case == "mixed":
        return token.cap and (not token.first or (uncommon and (listed or is_rare(token.text))))
    return is_rare(token.text) or (listed and uncommon and not is_spanish_word(token.key))


def _follows_role(tokens: Sequence[Token], i: int, case: str) -> bool:
    """Does the word stand right after a role, and may it be a name?"""
    token = tokens[i]
    if i == 0 or tokens[i - 1].key not in ROLES or not token.joined:
        return False
    return (token.cap or case != "mixed") and (on_name_list(token.key) or is_rare(token.text))


def places_named(texts: Sequence[Sequence[Token]], found: Sequence[Sequence[Mention]]) -> set[str]:
    """Folded words that the document uses as a place ("la provincia de X", "volcán X").

    Words on a list of names do not count, nor do words of a name that a sure layer found.
    """
    places = set()
    for tokens in texts:
        places |= {t.key for i, t in enumerate(tokens) if _is_after_geographic(tokens, i)}
    for tokens, mentions in zip(texts, found, strict=True):
        for mention in mentions:
            if places and mention.layer not in _GUESSES:
                places -= {t.key for t in tokens_of(tokens, mention)}
    return places


def _is_after_geographic(tokens: Sequence[Token], i: int) -> bool:
    """A word with a capital, on no list of names, after "vereda", "río", "provincia de la"."""
    token = tokens[i]
    if not token.cap or not token.joined or on_name_list(token.key):
        return False
    for back in range(1, min(i, WEIGHTS.geographic_particles + 1) + 1):
        before = tokens[i - back]
        if before.key in GEOGRAPHIC:
            return True
        if before.key not in PARTICLES or not before.joined:
            return False
    return False


def is_place(tokens: Sequence[Token], mention: Mention, places: set[str]) -> bool:
    """Is a guess made of nothing but the document's places?"""
    if mention.layer not in _GUESSES:
        return False
    words = [t.key for t in tokens_of(tokens, mention) if t.key not in PARTICLES]
    return all(word in places for word in words)


def names_by_first_word(names: Iterable[str]) -> NamesByFirstWord:
    """First folded word -> the full names (two words or more) that start with it."""
    index: NamesByFirstWord = {}
    for name in names:
        words = tuple(fold(w) for w in WORD.findall(name))
        if sum(w not in PARTICLES for w in words) > 1:
            index.setdefault(words[0], []).append(words)
    return index


def find_known(tokens: Sequence[Token], index: NamesByFirstWord) -> Iterator[Mention]:
    """Full names of the index, word for word, in any case; the longest at each place."""
    i = 0
    while i < len(tokens):
        fitting = [len(name) for name in index.get(tokens[i].key, ()) if _stands_at(tokens, i, name)]
        if fitting:
            end = i + max(fitting)
            yield Mention(tokens[i].start, tokens[end - 1].end, "known")
            i = end
        else:
            i += 1


def _stands_at(tokens: Sequence[Token], i: int, name: tuple[str, ...]) -> bool:
    """Do the name's words stand at token i, side by side?"""
    here = tokens[i : i + len(name)]
    if tuple(t.key for t in here) != name:
        return False
    return all(t.joined for t in here[1:])


def is_same_name(words: Sequence[str], name: Sequence[str]) -> bool:
    """Could a mention's words be this person: does each of them sound like one of the name's?"""
    sounds = [phonetic(n) for n in name]
    return bool(words) and all(w in name or phonetic(w) in sounds for w in words)


def is_nearly_same_name(words: Sequence[str], name: Sequence[str], least: float) -> bool:
    """Could a mis-heard mention ("nel son falian chere risoto") be this person?

    Compared as one string of sounds with the whole name and its usual short forms; `least`: the share that
    must agree. Never when every word is a good name of its own: "Luis Gómez" is not "Luz Gómez".
    """
    from rapidfuzz import fuzz

    heard = "".join(phonetic(w) for w in words)
    if len(heard) < WEIGHTS.same_name_sounds or len(words) < 2 or all(on_name_list(w) for w in words):
        return False
    forms = _short_forms([phonetic(n) for n in name])
    return any(fuzz.ratio(heard, "".join(form), score_cutoff=100 * least) for form in forms)


def _short_forms(name: Sequence[str]) -> set[tuple[str, ...]]:
    """The whole name, all stretches of two words or more, and of four words or more also surnames first."""
    count = len(name)
    forms = {tuple(name)}
    for start in range(count):
        for end in range(start + 2, count + 1):
            forms.add(tuple(name[start:end]))
    if count > 3:
        forms.add((name[0], name[2]))
        forms.add((*name[2:], *name[:2]))
    return forms
