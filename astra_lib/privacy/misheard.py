"""What a recogniser makes of names and of everything else.

A poor recording turns every twentieth word into something that no dictionary has ("seramos", "microfono").
In clean text an unknown word is nearly always a name; there it says nothing any more. So the poorer the
recording, the more evidence a name needs, and the people whom the roster or the same session's minutes name
are looked for by sound.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import NamedTuple

from ..spanish.lists import (
    COMMON_NAMES,
    COUNCIL_WORDS,
    FOREIGN_GIVEN,
    FOREIGN_SURNAMES,
    FUNCTION_WORDS,
    MONTHS,
    PARTICLES,
    ROLES,
    VOTE_ANSWERS,
    WEAK_ROLES,
)
from ..spanish.words import fold, is_spanish_word, phonetic
from .names import is_rare, on_name_list
from .roster import Roster
from .tokens import Mention, Token, tokenize, tokens_of
from .weights import WEIGHTS

# "concejal" as poor recognisers write it: "consejal", "con sejala"
_ROLE_SOUND = re.compile(r"(?:sej|cej)[ao][lrd][aeo]?$|^[ck]on?[sc]e[jgh]")
# what may stand between a badly heard role and the name, besides particles
_SLURRED = ("a", "ki", "k", "y")
_TEMPLATE_WORD = re.compile(r"(?<![\w{])[^\W\d_]{4,}(?![\w}])")
_SENTENCE = re.compile(r"[\n:;¿¡!?.]")
_SENTENCE_WHEN_POOR = re.compile(r"[\n:;¿¡!]")  # there, points and commas stand inside names
# layers that look for names they know: an unknown word is not all their evidence
_SURE_LAYERS = ("roster", "known", "heard", "again")
_GUESSING_LAYERS = ("crf", "trigger", "lists")


def is_unknown(token: Token) -> bool:
    """Neither a Spanish word nor on a list of names."""
    if on_name_list(token.key) or token.key in FOREIGN_GIVEN or token.key in FOREIGN_SURNAMES:
        return False
    return is_rare(token.text)


def unknown_share(spoken: Iterable[Sequence[Token]]) -> float:
    """Share of the words that are unknown; 0 where there are too few words to tell.

    Words written like a name or near a listed one do not count: a ceremony that honours fifty people is no
    poor recording.
    """
    words = strange = 0
    for tokens in spoken:
        words += len(tokens)
        named = _near_names(tokens)
        strange += sum(is_unknown(t) and not t.cap and i not in named for i, t in enumerate(tokens))
    return strange / words if words >= WEIGHTS.poor_recording_words else 0.0


def _near_names(tokens: Sequence[Token]) -> set[int]:
    """The indices beside names that are not ordinary words, too."""
    near: set[int] = set()
    for i, token in enumerate(tokens):
        if on_name_list(token.key) and token.key not in COMMON_NAMES:
            near |= set(range(i - WEIGHTS.name_neighbours, i)) | set(
                range(i + 1, i + WEIGHTS.name_neighbours + 1)
            )
    return near


@lru_cache(maxsize=1)
def _council_sounds() -> frozenset[str]:
    """The sounds of a council's ordinary words: those of our own templates and lists."""
    from .templates import COUNCIL, FILLERS, NEGATIVE, SPOKEN

    written = _TEMPLATE_WORD.findall(" ".join([*COUNCIL, *NEGATIVE, *SPOKEN]))
    words = {fold(w) for w in written if w.islower()} | COUNCIL_WORDS | set(FILLERS) | set(ROLES) | MONTHS
    return frozenset(phonetic(w) for w in words if len(w) > 3 and is_spanish_word(w))


class OrdinaryWords:
    """The sounds of ordinary words: the council's, and those of the session's own texts."""

    def __init__(self, texts: Iterable[Sequence[Token]]) -> None:
        sounds = set(_council_sounds())
        for tokens in texts:
            words = {t.text for t in tokens if len(t.key) > 3 and not t.cap}
            sounds |= {phonetic(w) for w in words if is_spanish_word(w)}
        self.by_length: dict[int, list[str]] = {}
        for sound in sounds:
            self.by_length.setdefault(len(sound), []).append(sound)
        self._known: dict[str, bool] = {}

    def resembles(self, word: str) -> bool:
        """Could the word be an ordinary one, mis-heard by a letter (two in long words)?"""
        key = fold(word)
        if key not in self._known:
            self._known[key] = self._is_near(phonetic(word))
        return self._known[key]

    def _is_near(self, sound: str) -> bool:
        from rapidfuzz.distance import Levenshtein
        from rapidfuzz.process import extractOne

        slips = 1 if len(sound) <= WEIGHTS.misheard_word_sounds else 2
        for length in range(len(sound) - slips, len(sound) + slips + 1):
            candidates = self.by_length.get(length, [])
            if extractOne(sound, candidates, scorer=Levenshtein.distance, score_cutoff=slips) is not None:
                return True
        return False


def is_announced(tokens: Sequence[Token], i: int) -> bool:
    """Does a role word, well or badly heard ("con sejala", "doctora"), stand before token i?"""
    for back in (1, 2):
        if i < back:
            return False
        before = tokens[i - back]
        if before.key in ROLES or _ROLE_SOUND.search(phonetic(before.text)) or _ROLE_SOUND.search(before.key):
            return True
        if before.key not in PARTICLES and before.key not in _SLURRED:
            return False
    return False


def has_evidence(tokens: Sequence[Token], mention: Mention, words: OrdinaryWords) -> bool:
    """Is there more to a mention in poor speech than a word that no dictionary has?"""
    if mention.layer in _SURE_LAYERS:
        return True
    inside = [
        i for i, t in enumerate(tokens) if mention.start <= t.start < mention.end and t.key not in PARTICLES
    ]
    if not inside:
        return False
    first = inside[0]
    if len(inside) == 1 and _is_in_date(tokens, first):
        return False
    names = [i for i in inside if _is_listed_name(tokens[i])]
    strange = [i for i in inside if is_unknown(tokens[i]) and not words.resembles(tokens[i].text)]
    before = tokens[first - 1].key if first else ""
    if before in ROLES and before not in WEAK_ROLES and any(is_unknown(tokens[i]) for i in inside):
        return True
    if is_announced(tokens, first):
        return first in names or first in strange
    if len(names) + len(strange) > 1:
        return bool(names)
    if not names or len(inside) > 1:
        return False
    return tokens[first].cap and not tokens[first].first


def _is_in_date(tokens: Sequence[Token], i: int) -> bool:
    """ "veintiocho de Ariel", "23 de Avril": a month mis-heard."""
    if i < 2 or tokens[i - 1].key != "de":
        return False
    # more than two characters before "de": a figure stands there, since tokens are words
    figure = tokens[i - 1].start - tokens[i - 2].end > 2
    return figure or tokens[i - 2].key in FUNCTION_WORDS


def _is_listed_name(token: Token) -> bool:
    """On a list of names, and no ordinary word unless it is written like a name."""
    key = token.key
    if len(key) < WEIGHTS.listed_letters or not on_name_list(key) or key in COMMON_NAMES or key in ROLES:
        return False
    return not is_spanish_word(token.text) or (token.cap and not token.first)


def trim_misheard(tokens: Sequence[Token], mention: Mention, words: OrdinaryWords) -> Mention:
    """A guess in poor speech without the mis-heard ordinary words at its ends."""

    def is_ordinary(token: Token) -> bool:
        return is_unknown(token) and words.resembles(token.text)

    inside = tokens_of(tokens, mention)
    if mention.layer not in _GUESSING_LAYERS or not inside:
        return mention
    while len(inside) > 1 and is_ordinary(inside[-1]):
        inside = inside[:-1]
    while len(inside) > 1 and (is_ordinary(inside[0]) or inside[0].key in PARTICLES):
        inside = inside[1:]
    return replace(mention, start=inside[0].start, end=inside[-1].end)


@dataclass(frozen=True)
class SoundForm:
    """Whose name a string of sounds is; `names` is empty when several people share it."""

    names: tuple[str, ...]  # folded words, given names first
    who: frozenset[str]  # roster keys
    alone: bool  # a single word


class Window(NamedTuple):
    """The words `[start, end)` of a text and how they sound together."""

    start: int
    end: int
    sound: str


class SoundIndex:
    """Finds people by the sound of their names: the roster's, and `written` names of the session's minutes.

    In a `poor` recording less of a name must be left, and points may stand inside it.
    """

    def __init__(self, roster: Roster, written: Iterable[tuple[str, ...]] = (), poor: bool = False) -> None:
        self.slack = WEIGHTS.poor_slack if poor else 0
        self.split = _SENTENCE_WHEN_POOR if poor else _SENTENCE
        self.forms: dict[str, SoundForm] = {}
        for person in roster.people:
            self._add(person.names, frozenset({person.key}))
        for names in dict.fromkeys(written):
            self._add(names, frozenset())

    def _add(self, names: tuple[str, ...], who: frozenset[str]) -> None:
        """All forms in which a person of two names or more is called, whole names first."""
        if len(names) < 2 or any(len(word) < 2 for word in names):
            return
        split = 2 if len(names) > 3 else 1
        given, last = names[:split], names[split:]
        forms = {names, last, given}
        forms |= {(*last, *given), (given[0], last[0]), (*given, last[0]), (given[0], *last)}
        for form in sorted(forms, key=lambda f: (-len(f), f)):
            self._add_form(form, SoundForm(names, who, alone=len(form) == 1))
        for word in (last[0], given[0]):
            self._add_form((word,), SoundForm(names, who, alone=True))

    def _add_form(self, words: Sequence[str], form: SoundForm) -> None:
        sound = "".join(map(phonetic, words))
        if len(sound) < (WEIGHTS.sound_form_alone if form.alone else WEIGHTS.sound_form):
            return
        taken = self.forms.get(sound)
        if taken is None:
            self.forms[sound] = form
        elif taken.names != form.names and (form.alone or len(words) < 3):
            # two people share it: somebody's name, but not known whose
            self.forms[sound] = SoundForm((), frozenset(), form.alone)

    def mentions(self, text: str, tokens: Sequence[Token]) -> Iterator[Mention]:
        """Stretches of one to eight words that sound like a name, the best of those that overlap."""
        found = []
        for window, sound, per_cent in self._alike(text, tokens):
            form = self.forms[sound]
            if self._is_enough(tokens, window, sound, per_cent) and _is_worth(tokens, window, form):
                # what is covered weighs as well as how well it agrees: a whole name before its best half
                weight = (per_cent - WEIGHTS.agree_worth) * (len(window.sound) + len(sound))
                found.append((-weight, window.start, window.end, form))
        taken: set[int] = set()
        for _, start, end, form in sorted(found, key=lambda f: f[:3]):
            if not taken & set(range(start, end)):
                taken |= set(range(start, end))
                first, last = tokens[start], tokens[end - 1]
                yield Mention(first.start, last.end, "heard", who=form.who, name=form.names)

    def _alike(self, text: str, tokens: Sequence[Token]) -> Iterator[tuple[Window, str, int]]:
        """`(window, sound of a form, per cent of agreement)`, in the windows' and then the forms' order."""
        import numpy as np
        from rapidfuzz import fuzz
        from rapidfuzz.process import cdist

        forms = list(self.forms)
        windows = list(self._windows(text, tokens))
        if not forms or not windows:
            return
        scores = cdist(
            [w.sound for w in windows],
            forms,
            scorer=fuzz.ratio,
            score_cutoff=WEIGHTS.sound_cutoff,
            dtype=np.uint8,
        )
        for row, column in zip(*np.nonzero(scores), strict=True):
            yield windows[row], forms[column], int(scores[row, column])

    def _windows(self, text: str, tokens: Sequence[Token]) -> Iterator[Window]:
        for start in range(len(tokens)):
            sound = ""
            for end in range(start + 1, min(start + WEIGHTS.sound_window_words, len(tokens)) + 1):
                last = tokens[end - 1]
                if end - start > 1 and self.split.search(text[tokens[end - 2].end : last.start]):
                    break
                sound += phonetic(last.text)
                if len(sound) > WEIGHTS.sound_window_sounds:
                    break
                if len(sound) >= WEIGHTS.sound_window_least:
                    yield Window(start, end, sound)

    def _is_enough(self, tokens: Sequence[Token], window: Window, sound: str, per_cent: int) -> bool:
        """Do enough of the sounds agree for a name of this length at this place?"""
        alone = self.forms[sound].alone
        announced = is_announced(tokens, window.start) or (alone and _is_vote(tokens, window))
        length = min(len(window.sound), len(sound))
        return per_cent + self.slack >= least_agreement(length, alone, announced)


def least_agreement(length: int, alone: bool, announced: bool) -> int:
    """Per cent of the sounds that must agree: the shorter a name, the more; less after a role. 101: never."""
    if alone:
        if not announced:
            return 101
        return WEIGHTS.agree_alone_long if length > 5 else WEIGHTS.agree_alone_short
    if length > 17:
        least = WEIGHTS.agree_long
    elif length > 13:
        least = WEIGHTS.agree_middle
    elif length > 9:
        least = WEIGHTS.agree_short
    else:
        least = WEIGHTS.agree_shortest
    return least - WEIGHTS.agree_announced if announced else least


def _is_vote(tokens: Sequence[Token], window: Window) -> bool:
    """In a roll call or a vote: "sí, castellón, sí"?"""
    if window.start == 0 or window.end >= len(tokens):
        return False
    return tokens[window.start - 1].key in VOTE_ANSWERS and tokens[window.end].key in VOTE_ANSWERS


def _is_worth(tokens: Sequence[Token], window: Window, form: SoundForm) -> bool:
    """Function words alone are not a name, unless a role announced them."""
    words = tokens[window.start : window.end]
    return form.alone or not all(t.key in FUNCTION_WORDS or t.key in PARTICLES for t in words)


def written_names(text: str, found: Iterable[Mention]) -> Iterator[tuple[str, ...]]:
    """Folded words of the full names that minutes give."""
    least, most = WEIGHTS.written_words_least, WEIGHTS.written_words_most
    for mention in found:
        tagger = mention.layer == "crf"
        sure = WEIGHTS.propagate_tagger if tagger else WEIGHTS.propagate_name
        words = tuple(t.key for t in tokenize(text[mention.start : mention.end]) if t.key not in PARTICLES)
        if least <= len(words) <= most and mention.score >= sure:
            yield words
