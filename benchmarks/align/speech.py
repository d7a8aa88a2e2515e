"""Invented speech: a vocabulary, a clock that lays words on the time line, a recogniser's mistakes.

The words are made up (syllables under Zipf's law, bursty by topic) around a real Spanish frame of function
words, so that the difficulty is set by the parameters and not by what a language model happens to write.
Every random number comes from the generator that is handed in: one seed, one session.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from astra_lib.core.records import Paragraph, Transcript, Utterance, Word

Span = tuple[float, float]  # seconds

FUNCTION = (
    "de la que el en los se del las por un para con una su al lo como más pero sus le ya este sí porque esta "
    "entre cuando muy sin sobre también me hasta hay donde quien desde todo nos durante todos uno les ni "
    "contra otros"
).split()
ONSETS = "b c d f g l m n p r s t v tr pl br gr cl ll ch".split()
VOWELS = "a e i o u ie ue".split()
CODAS = ["", "", "", "n", "r", "s", "l"]


@dataclass
class Built:
    """A session with its gold: `gold[i]` is `{paragraph, start, end, kind}`, times in seconds or None."""

    transcript: Transcript
    paragraphs: list[Paragraph]
    gold: list[dict[str, Any]] = field(default_factory=list)


def pick(rng: np.random.Generator, items: list[str]) -> str:
    """One of the items, each as likely as the others."""
    return items[int(rng.integers(len(items)))]


class Lexicon:
    """A vocabulary of `size` invented content words with Zipf frequencies and a topic that drifts."""

    def __init__(self, rng: np.random.Generator, size: int = 7000) -> None:
        parts = (len(ONSETS), len(VOWELS), len(CODAS))
        words: set[str] = set()
        while len(words) < size:
            syllables = rng.integers(0, parts, size=(int(rng.integers(2, 5)), 3)).tolist()
            words.add("".join(ONSETS[a] + VOWELS[b] + CODAS[c] for a, b, c in syllables))
        self.words = np.array(sorted(words))
        rng.shuffle(self.words)
        weight = 1.0 / (np.arange(size) + 12.0)
        self.p = weight / weight.sum()
        self.cumulative = np.cumsum(self.p)
        self.rng = rng
        self.new_topic()

    def new_topic(self) -> None:
        """Draw the 150 words that the speakers keep coming back to."""
        self.topic = self.rng.choice(len(self.words), 150, p=self.p, replace=False)

    def content(self) -> str:
        """A content word: one in three of the topic, the others of the whole vocabulary."""
        if self.rng.random() < 0.35:
            return str(self.words[self.topic[int(self.rng.integers(len(self.topic)))]])
        drawn = self.rng.random() * self.cumulative[-1]
        return str(self.words[int(np.searchsorted(self.cumulative, drawn))])

    def sentence(self) -> list[str]:
        """8 to 22 words, half of them content words, ending in a full stop."""
        words = []
        for _ in range(int(self.rng.integers(8, 23))):
            words.append(self.content() if self.rng.random() < 0.5 else pick(self.rng, FUNCTION))
        words[0] = words[0].capitalize()
        words[-1] += "."
        return words

    def sentences(self) -> list[str]:
        """The words of two to five sentences: what one paragraph of the minutes stands for."""
        return [word for _ in range(int(self.rng.integers(2, 6))) for word in self.sentence()]


class Clock:
    """Lays words on the time line: about 2.4 words a second, pauses after sentences and turns."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng, self.now = rng, 1.0
        self.words: list[Word] = []
        self.utterances: list[Utterance] = []

    def say(self, words: list[str], speaker: str, noise: float = 0.0) -> Span:
        """Speak the words, `noise` of them misheard; an utterance of its own, and its seconds."""
        first = len(self.words)
        for word in words:
            heard = mishear(word, self.rng, noise)
            length = 0.12 + 0.05 * len(word) + float(self.rng.random()) * 0.12
            for part in heard:
                step = length / len(heard)
                start, end = round(self.now, 3), round(self.now + step * 0.9, 3)
                confidence = round(float(self.rng.uniform(0.6, 1.0)), 3)
                self.words.append(Word(part, start, end, confidence, speaker))
                self.now += step
            if word[-1] in ".?!":
                self.wait(float(self.rng.uniform(0.4, 1.0)))
        if len(self.words) == first:  # nothing was recognised
            return self.now, self.now
        start, end = self.words[first].start, self.words[-1].end
        self.utterances.append(Utterance(start, end, speaker, (first, len(self.words))))
        return start, end

    def wait(self, seconds: float) -> None:
        """Silence."""
        self.now += seconds


def mishear(word: str, rng: np.random.Generator, rate: float) -> list[str]:
    """What a recogniser makes of a word: itself, a neighbour, nothing, or two pieces."""
    draw = rng.random()
    if draw >= rate:
        return [word]
    if draw < rate * 0.2:
        return []
    if draw < rate * 0.3 and len(word) > 5:
        return [word[: len(word) // 2], word[len(word) // 2 :]]
    letters = list(word)
    for _ in range(max(1, len(word) // 4)):
        letter = str(rng.choice(list("aeioulnrstd")))
        letters[int(rng.integers(len(letters)))] = letter
    return ["".join(letters)]
