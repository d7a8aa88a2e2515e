"""How a Spanish word is folded, how it sounds, and whether it is a word at all."""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from .lists import COUNCIL_WORDS, GIVEN, SURNAMES


@lru_cache(maxsize=200_000)
def fold(word: str) -> str:
    """Lower case without accents ("Peñón" -> "penon"); the length may change, so never use it for offsets."""
    if word.isascii():
        return word.lower()
    return "".join(c for c in unicodedata.normalize("NFKD", word) if not unicodedata.combining(c)).lower()


def fold_words(text: str) -> str:
    """Folded, with one blank between words."""
    return fold(" ".join(text.split()))


_PHONETIC = [
    (re.compile(p), r)
    for p, r in (
        ("qu(?=[ei])", "k"),
        ("gu(?=[ei])", "g"),
        ("g(?=[ei])", "j"),
        ("sch|sh", "c"),
        ("ch", "x"),
        ("c(?=[ei])", "s"),
        ("[cq]", "k"),
        ("ph", "f"),
        ("[zs]+", "s"),
        ("x", "x"),
        ("h", ""),
        ("w", "gu"),
        ("v", "b"),
        ("ll", "y"),
        ("i(?=[aeou])", "y"),
        ("y$", "i"),
        ("j", "j"),
        ("m(?=[bp])", "n"),
        ("gue", "ge"),
        (r"(.)\1+", r"\1"),
        ("[dts]$", ""),
        ("n(?=s)", ""),
    )
]


@lru_cache(maxsize=100_000)
def phonetic(word: str) -> str:
    """How a Spanish word sounds to a recogniser: "Venabides" and "benavidez" have one key.

    b=v, s=z=c, ll=y, no h, no weak final consonant.
    """
    key = fold(word)
    for pattern, replacement in _PHONETIC:
        key = pattern.sub(replacement, key)
    return key


_ENCLITIC = re.compile(r"(?<=[aeiounrdsáéíóú])(?:(?:me|te|se|nos|os)?(?:lo|la|le)s?|me|te|se|nos)$")
_VERB_ENDINGS = ("ar", "er", "ir", "ando", "endo", "éndo", "ándo")
_DIMINUTIVE = re.compile(r"(?:qu|gu|c|z)?(?:it|ic|cit|cic|ecit)([oa])s?$")
_NUMERALS = (
    r"(?:veinti|treinti|diec[ií])\w+|\w+cient[oa]s|diez|quinient[oa]s|cien|ciento|mil|millon(?:es|ario)?"
    r"|\w+avos?"
)
_DERIVED = r"\w{3,}(?:mente|[ií]sim[oa]s?|ismo|istas?|ci[oó]n|ciones)"
_REGULAR = re.compile(rf"(?:{_NUMERALS}|{_DERIVED})$")
_PREFIXES = (
    "pro|pre|re|geo|anti|sub|des|bio|auto|micro|super|sobre|inter|multi|mini|contra|extra|tele"
    "|hidro|agro|eco|socio"
    "|video|foto|ciber|infra"
)
_PREFIX = re.compile(rf"(?:{_PREFIXES})(?=\w{{4}})")
_UNSHARP = str.maketrans("áéíóú", "aeiou")


def _in_dictionary(word: str) -> bool:
    import simplemma

    return simplemma.is_known(word, lang="es")


@lru_cache(maxsize=200_000)
def is_spanish_word(word: str) -> bool:
    """Is it a Spanish word: in simplemma's dictionary, a council's, or regularly made from such words?

    Regularly made are numerals, plurals, words with a prefix, verbs with pronouns ("perdónenme") and
    diminutives. On a list of names and in no dictionary, a word is a name.
    """
    lower = word.lower()
    if _in_dictionary(lower) or lower.isdigit() or _REGULAR.match(lower):
        return True
    key = fold(lower)
    if key in COUNCIL_WORDS:
        return True
    if key in GIVEN or key in SURNAMES:
        return False
    if _is_plural(lower) or _has_prefix(lower):
        return True
    return _is_verb_with_pronoun(lower) or _is_diminutive(lower)


def _is_plural(word: str) -> bool:
    if len(word) < 6:
        return False
    return any(word.endswith(end) and _in_dictionary(word.removesuffix(end)) for end in ("s", "es"))


def _has_prefix(word: str) -> bool:
    prefix = _PREFIX.match(word)
    return prefix is not None and _in_dictionary(word[prefix.end() :])


def _is_verb_with_pronoun(word: str) -> bool:
    pronoun = _ENCLITIC.search(word)
    if pronoun is None:
        return False
    verb = word[: pronoun.start()]
    return len(verb) > 2 and (verb.endswith(_VERB_ENDINGS) or _in_dictionary(verb.translate(_UNSHARP)))


def _is_diminutive(word: str) -> bool:
    """ "casita", "poquito": the stem with one of the endings that a diminutive takes away."""
    ending = _DIMINUTIVE.search(fold(word))
    if ending is None:
        return False
    stem, vowel = word[: ending.start()], ending[1]
    if len(stem) < 3:
        return False
    return any(_in_dictionary(stem + end) for end in ("", vowel, "e", "c" + vowel, "g" + vowel, "z", "ón"))
