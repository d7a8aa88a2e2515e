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
    """How a Spanish word sounds to a recogniser: b=v, s=z=c, ll=y, silent h, weak finals gone ("Venabides" = "benavidez")."""
    key = fold(word)
    for pattern, replacement in _PHONETIC:
        key = pattern.sub(replacement, key)
    return key


_ENCLITIC = re.compile(r"(?<=[aeiounrdsáéíóú])(?:(?:me|te|se|nos|os)?(?:lo|la|le)s?|me|te|se|nos)$")
_DIMINUTIVE = re.compile(r"(?:qu|gu|c|z)?(?:it|ic|cit|cic|ecit)([oa])s?$")
_COUNTING = re.compile(
    r"(?:(?:veinti|treinti|diec[ií])\w+|\w+cient[oa]s|diez|quinient[oa]s|cien|ciento|mil|millon(?:es|ario)?|\w+avos?|\w{3,}(?:mente|[ií]sim[oa]s?|ismo|istas?|ci[oó]n|ciones))$"
)
_PREFIX = re.compile(
    r"(?:pro|pre|re|geo|anti|sub|des|bio|auto|micro|super|sobre|inter|multi|mini|contra|extra|tele|hidro|agro|eco|socio|video|foto|ciber|infra)(?=\w{4})"
)
_UNSHARP = str.maketrans("áéíóú", "aeiou")


@lru_cache(maxsize=200_000)
def is_spanish_word(word: str) -> bool:
    """Is it a Spanish word form: in simplemma's dictionary, a numeral, a verb with pronouns ("perdónenme"), a diminutive?"""
    import simplemma

    lower = word.lower()
    if simplemma.is_known(lower, lang="es") or lower.isdigit() or _COUNTING.match(lower):
        return True
    key = fold(lower)
    if key in COUNCIL_WORDS:
        return True
    if key in GIVEN or key in SURNAMES:
        return False
    for plural in ("s", "es"):
        if (
            lower.endswith(plural)
            and len(lower) > 5
            and simplemma.is_known(lower.removesuffix(plural), lang="es")
        ):
            return True
    if (prefix := _PREFIX.match(lower)) and simplemma.is_known(lower[prefix.end() :], lang="es"):
        return True
    if match := _ENCLITIC.search(lower):
        verb = lower[: match.start()]
        if len(verb) > 2 and (
            simplemma.is_known(verb.translate(_UNSHARP), lang="es")
            or verb.endswith(("ar", "er", "ir", "ando", "endo", "éndo", "ándo"))
        ):
            return True
    if match := _DIMINUTIVE.search(key):
        stem = lower[: match.start()]
        endings = ("", match[1], "e", "c" + match[1], "g" + match[1], "z", "ón")
        return len(stem) > 2 and any(simplemma.is_known(stem + e, lang="es") for e in endings)
    return False
