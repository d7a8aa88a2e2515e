"""What a recogniser makes of names, and of everything else: mis-heard ordinary words are no names, mis-heard names still are.

A poor recording turns every twentieth word into none of the language ("seramos", "microfono", "quórum" into "Juan"), and an
unknown word, which in clean text is nearly always a name, says nothing any more. So the noisier the speech, the more evidence
a name needs. The other way round, whoever the roster or the minutes of the same session name is looked for by sound.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from functools import lru_cache

from ..spanish.words import fold, is_spanish_word, phonetic
from ..spanish.lists import (
    COUNCIL_WORDS,
    FOREIGN_GIVEN,
    FOREIGN_SURNAMES,
    FUNCTION_WORDS,
    GIVEN,
    PARTICLES,
    ROLES,
    SURNAMES,
)
from .people import COMMON, WEAK_ROLES, Mention, Roster, Token, rare, tokenize

NOISY = 0.025  # a good recogniser's speech stays below .011, capitals or not, a bad one's above .03, session by session
_ROLE_SOUND = re.compile(r"(?:sej|cej)[ao][lrd][aeo]?$|^[ck]on?[sc]e[jgh]")
_ANSWERS = frozenset("si no presente ausente positivo negativo".split())
_MONTHS = frozenset(
    "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split()
)
_SPLIT = re.compile(r"[\n:;¿¡!]")  # a bad recogniser puts points and commas inside names
_SENTENCE = re.compile(r"[\n:;¿¡!?.]")


def unknown(token: Token) -> bool:
    """No Spanish word and on no list of names."""
    return rare(token.text) and not any(
        token.key in names for names in (GIVEN, SURNAMES, FOREIGN_GIVEN, FOREIGN_SURNAMES)
    )


def noise(spoken: Iterable[Sequence[Token]]) -> float:
    """Share of the words that are none; 0 where there are too few to say. What is written like a name, or stands within two
    words of a listed one, does not count: a ceremony that honours fifty people is no bad recording."""
    texts = [list(text) for text in spoken]
    words, strange = sum(map(len, texts)), 0
    for tokens in texts:
        named = [
            i for i, t in enumerate(tokens) if (t.key in GIVEN or t.key in SURNAMES) and t.key not in COMMON
        ]
        beside = {i + step for i in named for step in (-2, -1, 1, 2)}
        strange += sum(unknown(t) and not t.cap and i not in beside for i, t in enumerate(tokens))
    return strange / words if words >= 30 else 0.0


@lru_cache(maxsize=1)
def _council_sounds() -> frozenset[str]:
    from .templates import COUNCIL, FILLERS, NEGATIVE, SPOKEN

    written = " ".join([*COUNCIL, *NEGATIVE, *SPOKEN])
    words = {fold(w) for w in re.findall(r"(?<![\w{])[^\W\d_]{4,}(?![\w}])", written) if w.islower()}
    return frozenset(
        phonetic(w)
        for w in words | set(COUNCIL_WORDS) | set(FILLERS) | set(ROLES) | _MONTHS
        if is_spanish_word(w) and len(w) > 3
    )


class Vocabulary:
    """The sounds of ordinary words: the council's, and those of the session's own texts."""

    def __init__(self, texts: Iterable[Sequence[Token]]) -> None:
        words = {
            t.text for text in texts for t in text if len(t.key) > 3 and not t.cap and is_spanish_word(t.text)
        }
        self.sounds: dict[int, list[str]] = {}
        for sound in _council_sounds() | {phonetic(w) for w in words}:
            self.sounds.setdefault(len(sound), []).append(sound)
        self._near: dict[str, bool] = {}

    def near(self, word: str) -> bool:
        """Could the word be an ordinary one, mis-heard by a letter (two in long words)?"""
        from rapidfuzz.distance import Levenshtein
        from rapidfuzz.process import extractOne

        key = fold(word)
        if key not in self._near:
            sound = phonetic(word)
            off = 1 if len(sound) < 7 else 2
            self._near[key] = any(
                extractOne(sound, self.sounds[n], scorer=Levenshtein.distance, score_cutoff=off) is not None
                for n in range(len(sound) - off, len(sound) + off + 1)
                if n in self.sounds
            )
        return self._near[key]


def announces(tokens: Sequence[Token], i: int) -> bool:
    """Does a role word, well or badly heard ("con sejala", "doctora"), stand before token i?"""
    for back in (1, 2):
        if i < back:
            return False
        before = tokens[i - back]
        if before.key in ROLES or _ROLE_SOUND.search(phonetic(before.text)) or _ROLE_SOUND.search(before.key):
            return True
        if before.key not in PARTICLES and before.key not in ("a", "ki", "k", "y"):
            return False
    return False


def believable(tokens: Sequence[Token], mention: Mention, words: Vocabulary) -> bool:
    """Is there more to a mention in noisy speech than a word that no dictionary has?"""
    if mention.layer in ("roster", "known", "heard", "again"):
        return True
    inside = [
        i for i, t in enumerate(tokens) if mention.start <= t.start < mention.end and t.key not in PARTICLES
    ]
    if not inside:
        return False
    first = inside[0]
    if (
        first > 1
        and tokens[first - 1].key == "de"
        and len(inside) == 1
        and (tokens[first - 2].key in FUNCTION_WORDS or re.search(r"\d", _gap(tokens, first)))
    ):
        return False  # "veintiocho de Ariel", "23 de Avril"
    names = [i for i in inside if _name(tokens[i])]
    strange = [i for i in inside if unknown(tokens[i]) and not words.near(tokens[i].text)]
    before = tokens[first - 1].key if first else ""
    if before in ROLES and before not in WEAK_ROLES and any(unknown(tokens[i]) for i in inside):
        return True
    if announces(tokens, first):
        return first in names or first in strange
    if len(names) + len(strange) > 1:
        return bool(names)
    return bool(names) and len(inside) == 1 and tokens[names[0]].cap and not tokens[names[0]].first


def trimmed(tokens: Sequence[Token], mention: Mention, words: Vocabulary) -> Mention:
    """A guess in noisy speech without the mis-heard ordinary words at its ends."""
    inside = [t for t in tokens if mention.start <= t.start < mention.end]
    if mention.layer not in ("crf", "trigger", "lists"):
        return mention
    for end in (-1, 0):
        while len(inside) > 1 and (
            unknown(inside[end]) and words.near(inside[end].text) or not end and inside[0].key in PARTICLES
        ):
            inside.pop(end)
    return replace(mention, start=inside[0].start, end=inside[-1].end) if inside else mention


def _gap(tokens: Sequence[Token], i: int) -> str:
    return "0" if tokens[i - 1].start - tokens[i - 2].end > 2 else ""


def _name(token: Token) -> bool:
    """On a list of names, and no ordinary word unless it is written like a name."""
    key = token.key
    listed = len(key) > 3 and (key in GIVEN or key in SURNAMES) and key not in COMMON and key not in ROLES
    return listed and (not is_spanish_word(token.text) or token.cap and not token.first)


class Ear:
    """Finds people by the sound of their names. `names`: folded words, given names first; `who`: their roster keys.

    `noisy`: of poor speech less of a name must be left (4 % of its sounds: in good speech that takes "muchas gracias" for one)."""

    def __init__(self, roster: Roster, written: Iterable[tuple[str, ...]] = (), noisy: bool = False) -> None:
        self.slack, self.split = (4, _SPLIT) if noisy else (0, _SENTENCE)
        self.forms: dict[str, tuple[tuple[str, ...], frozenset[str], bool]] = {}
        for person in roster.people:
            self._add(person.names, frozenset({person.key}))
        for names in dict.fromkeys(written):
            self._add(names, frozenset())

    def _add(self, names: tuple[str, ...], who: frozenset[str]) -> None:
        n = len(names)
        if n < 2 or any(len(w) < 2 for w in names):
            return
        given, last = (names[:2], names[2:]) if n > 3 else (names[:1], names[1:])
        whole = {
            names,
            (*last, *given),
            (given[0], last[0]),
            (*given, last[0]),
            (given[0], *last),
            last,
            given,
        }
        for form in sorted(whole, key=lambda f: (-len(f), f)):
            self._form(form, names, who, alone=len(form) == 1)
        for word in (last[0], given[0]):
            self._form((word,), names, who, alone=True)

    def _form(self, form: Sequence[str], names: tuple[str, ...], who: frozenset[str], alone: bool) -> None:
        sound = "".join(map(phonetic, form))
        if len(sound) < (4 if alone else 8):
            return
        if sound in self.forms and self.forms[sound][0] != names:
            if alone or len(form) < 3:
                self.forms[sound] = (
                    (),
                    frozenset(),
                    alone,
                )  # two people share it: it is somebody's name, but whose
            return
        self.forms.setdefault(sound, (names, who, alone))

    def mentions(self, text: str, tokens: Sequence[Token]) -> Iterator[Mention]:
        """Stretches of one to eight words that sound like a name, the best of those that overlap."""
        import numpy as np
        from rapidfuzz import fuzz
        from rapidfuzz.process import cdist

        forms = list(self.forms)
        windows = list(self._windows(text, tokens))
        if not forms or not windows:
            return
        scores = cdist([s for *_, s in windows], forms, scorer=fuzz.ratio, score_cutoff=62, dtype=np.uint8)
        found = []
        for row, column in zip(*np.nonzero(scores), strict=True):
            a, b, sound = windows[row]
            names, who, alone = self.forms[forms[column]]
            margin = (
                int(scores[row, column])
                + self.slack
                - self._least(
                    min(len(sound), len(forms[column])),
                    alone,
                    announces(tokens, a) or alone and self._called(tokens, a, b),
                )
            )
            if margin >= 0 and self._worth(tokens[a:b], alone):
                # what is covered weighs as well as how well it agrees: a whole name before the best half of it
                found.append(
                    (-(int(scores[row, column]) - 50) * (len(sound) + len(forms[column])), a, b, names, who)
                )
        taken: set[int] = set()
        for _, a, b, names, who in sorted(found, key=lambda f: f[:3]):
            if not taken & set(range(a, b)):
                taken |= set(range(a, b))
                yield Mention(tokens[a].start, tokens[b - 1].end, "heard", "", who, 1.0, names)

    def _windows(self, text: str, tokens: Sequence[Token], most: int = 8) -> Iterator[tuple[int, int, str]]:
        for a, token in enumerate(tokens):
            sound = ""
            for b in range(a, min(a + most, len(tokens))):
                if b > a and self.split.search(text[tokens[b - 1].end : tokens[b].start]):
                    break
                sound += phonetic(tokens[b].text)
                if len(sound) > 34:
                    break
                if len(sound) > 3:
                    yield a, b + 1, sound

    @staticmethod
    def _least(length: int, alone: bool, announced: bool) -> int:
        """Per cent of the sounds that must agree: the shorter a name, the more; less after a role."""
        if alone:
            return (76 if length > 5 else 84) if announced else 101
        return (72 if length > 17 else 76 if length > 13 else 84 if length > 9 else 90) - (
            6 if announced else 0
        )

    @staticmethod
    def _called(tokens: Sequence[Token], a: int, b: int) -> bool:
        """In a roll call or a vote: "sí, castellón, sí"?"""
        return a > 0 and b < len(tokens) and tokens[a - 1].key in _ANSWERS and tokens[b].key in _ANSWERS

    @staticmethod
    def _worth(tokens: Sequence[Token], alone: bool) -> bool:
        """Words of speech alone make no name, unless a role announces them."""
        return alone or not all(t.key in FUNCTION_WORDS or t.key in PARTICLES for t in tokens)


def written_names(text: str, found: Iterable[Mention]) -> Iterator[tuple[str, ...]]:
    """Folded words of the full names that minutes give."""
    for m in found:
        words = tuple(t.key for t in tokenize(text[m.start : m.end]) if t.key not in PARTICLES)
        if 2 <= len(words) <= 5 and m.score >= 0.5 and (m.layer != "crf" or m.score >= 0.8):
            yield words
