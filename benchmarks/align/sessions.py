"""Constructed sessions: speech with word times, minutes, and the exact seconds each paragraph came from.

The words are made up (syllables under Zipf's law, bursty by topic) around a real Spanish frame of function words,
formulas and names, so that the difficulty is set by the parameters and not by what a language model happens to
write. Five kinds of paragraph: `verbatim` (a cleaned copy), `summary` (some of the content words, in order),
`hard` (18 % of them, shuffled), `formula` (the same few sentences all day long), `unspoken`; and speech that is
`unwritten`. On top: recognition errors, recesses, moved paragraphs, a stretch of lost audio. `minutes_session`
builds the other genre: summaries in the third person under hand-overs, roll calls, agenda items and votes, over
segments of fifteen seconds without word times.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from astra_lib.core.records import Paragraph, Transcript, Utterance, Word

FUNCTION = (
    "de la que el en los se del las por un para con una su al lo como más pero sus le ya este sí porque esta entre "
    "cuando muy sin sobre también me hasta hay donde quien desde todo nos durante todos uno les ni contra otros"
).split()
FORMULAS = [
    "Tiene el uso de la palabra el honorable concejal",
    "Por secretaría sírvase dar lectura al siguiente punto del orden del día",
    "Está en consideración la proposición leída, anuncio que se va a cerrar, queda cerrada",
    "¿La aprueba la corporación? Ha sido aprobada por unanimidad, señor presidente",
    "Muchas gracias, honorable concejal, continúa con el uso de la palabra",
    "Señora secretaria, sírvase verificar el quórum para decidir",
    "Se declara un receso de diez minutos de conformidad con el reglamento interno",
]
OPENINGS = [
    "Manifestó que",
    "Indicó que",
    "Recalcó que",
    "Señaló que",
    "Propuso que",
    "Advirtió que",
    "Para el concejal,",
    "A su juicio,",
    "Solicitó que",
    "Agradeció",
    "Aclaró que",
    "Explicó que",
    "Cuestionó que",
]


@dataclass
class Built:
    """A session with its gold: `gold[i]` is `{paragraph, start, end, kind}`, times in seconds or None."""

    transcript: Transcript
    paragraphs: list[Paragraph]
    gold: list[dict[str, Any]] = field(default_factory=list)


class Lexicon:
    """A vocabulary of `size` invented content words with Zipf frequencies and a topic that drifts."""

    def __init__(self, rng: np.random.Generator, size: int = 7000) -> None:
        onset = [
            "b",
            "c",
            "d",
            "f",
            "g",
            "l",
            "m",
            "n",
            "p",
            "r",
            "s",
            "t",
            "v",
            "tr",
            "pl",
            "br",
            "gr",
            "cl",
            "ll",
            "ch",
        ]
        vowel, coda = ["a", "e", "i", "o", "u", "ie", "ue"], ["", "", "", "n", "r", "s", "l"]
        words: set[str] = set()
        while len(words) < size:
            picks = rng.integers(
                0, (len(onset), len(vowel), len(coda)), size=(int(rng.integers(2, 5)), 3)
            ).tolist()
            words.add("".join(onset[a] + vowel[b] + coda[c] for a, b, c in picks))
        self.words = np.array(sorted(words))
        rng.shuffle(self.words)
        weight = 1.0 / (np.arange(size) + 12.0)
        self.p = weight / weight.sum()
        self.cumulative = np.cumsum(self.p)
        self.rng = rng
        self.new_topic()

    def new_topic(self) -> None:
        self.topic = self.rng.choice(len(self.words), 150, p=self.p, replace=False)

    def content(self) -> str:
        if self.rng.random() < 0.35:
            return str(self.words[self.topic[int(self.rng.integers(len(self.topic)))]])
        return str(self.words[int(np.searchsorted(self.cumulative, self.rng.random() * self.cumulative[-1]))])

    def sentence(self) -> list[str]:
        """8 to 22 words, half of them content words, ending in a full stop."""
        length = int(self.rng.integers(8, 23))
        words = [
            self.content() if self.rng.random() < 0.5 else FUNCTION[int(self.rng.integers(len(FUNCTION)))]
            for _ in range(length)
        ]
        words[0] = words[0].capitalize()
        words[-1] += "."
        return words


class Clock:
    """Lays words on the time line: about 2.4 words a second, pauses after sentences and turns."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng, self.now = rng, 1.0
        self.words: list[Word] = []
        self.utterances: list[Utterance] = []

    def say(self, words: list[str], speaker: str, noise: float = 0.0) -> tuple[float, float]:
        first = len(self.words)
        for word in words:
            heard = mishear(word, self.rng, noise)
            length = 0.12 + 0.05 * len(word) + float(self.rng.random()) * 0.12
            for part in heard:
                self.words.append(
                    Word(
                        part,
                        round(self.now, 3),
                        round(self.now + length / len(heard) * 0.9, 3),
                        round(float(self.rng.uniform(0.6, 1.0)), 3),
                        speaker,
                    )
                )
                self.now += length / len(heard)
            if word[-1] in ".?!":
                self.now += float(self.rng.uniform(0.4, 1.0))
        start = self.words[first].start if len(self.words) > first else self.now
        end = self.words[-1].end if len(self.words) > first else self.now
        if len(self.words) > first:
            self.utterances.append(Utterance(start, end, speaker, (first, len(self.words))))
        return start, end

    def wait(self, seconds: float) -> None:
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
        letters[int(rng.integers(len(letters)))] = str(rng.choice(list("aeioulnrstd")))
    return ["".join(letters)]


def summarise(
    words: list[str], rng: np.random.Generator, keep: float, lexicon: Lexicon, *, shuffle: bool, filler: float
) -> str:
    """A third-person paragraph that keeps `keep` of the content words and adds `filler` new ones for each kept."""
    content = [
        w.strip(".").lower() for w in words if w.strip(".").lower() not in FUNCTION and not w[0].isdigit()
    ]
    chosen = [w for w in content if rng.random() < keep] or content[:1]
    chosen += [lexicon.content() for _ in range(int(round(filler * len(chosen))))]
    if shuffle or filler:
        rng.shuffle(chosen)
    out = str(rng.choice(OPENINGS)).split()
    for word in chosen:
        out += [FUNCTION[int(rng.integers(len(FUNCTION)))]] * int(rng.random() < 0.7) + [word]
    return " ".join(out) + "."


MIX = {"verbatim": 0.34, "summary": 0.3, "formula": 0.1, "unspoken": 0.08, "unwritten": 0.18}


def session(
    seed: int,
    hours: float = 8.0,
    *,
    mix: dict[str, float] | None = None,
    noise: float = 0.08,
    keep: float = 0.45,
    filler: float = 0.0,
    moved: float = 0.01,
    recesses: int = 2,
    lost_s: float = 120.0,
    name: str = "built",
) -> Built:
    """A session of about `hours`; `mix` gives the share of each kind (`hard` is one of them); `noise` the share of
    words misheard; `keep` the content words a summary keeps; `moved` paragraphs stand elsewhere than they were said."""
    rng = np.random.default_rng(seed)
    lexicon, clock = Lexicon(rng), Clock(rng)
    kinds, shares = zip(*(mix or MIX).items(), strict=True)
    p = np.array(shares) / sum(shares)
    paragraphs: list[str] = []
    gold: list[dict[str, Any]] = []
    speakers = [f"S{i}" for i in range(14)]
    speaker, breaks = speakers[1], sorted(rng.uniform(0.2, 0.9, recesses) * hours * 3600)

    def write(text: str, kind: str, span: tuple[float, float] | None) -> None:
        gold.append(
            {"paragraph": len(paragraphs), "kind": kind, "start": span and span[0], "end": span and span[1]}
        )
        paragraphs.append(text)

    while clock.now < hours * 3600:
        if breaks and clock.now > breaks[0]:
            clock.wait(float(rng.uniform(300, 1200)))
            breaks.pop(0)
        if rng.random() < 0.02:
            lexicon.new_topic()
        if rng.random() < 0.2:
            speaker = str(rng.choice(speakers))
            clock.wait(float(rng.uniform(0.5, 2.5)))
        kind = str(rng.choice(kinds, p=p))
        words = [w for _ in range(int(rng.integers(2, 6))) for w in lexicon.sentence()]
        if kind == "unspoken":
            write(
                " ".join(words)
                if rng.random() < 0.5
                else summarise(words, rng, 0.5, lexicon, shuffle=False, filler=0),
                kind,
                None,
            )
            continue
        if kind == "formula":
            words = str(rng.choice(FORMULAS)).split()
            span = clock.say(words, speakers[0], noise)
            write(" ".join(words), kind, span)
            clock.wait(0.6)
            continue
        span = clock.say(words, speaker, noise)
        clock.wait(float(rng.uniform(0.1, 0.8)))
        if kind == "verbatim":
            write(" ".join(w for w in words if rng.random() > 0.04), kind, span)
        elif kind == "summary":
            write(summarise(words, rng, keep, lexicon, shuffle=False, filler=filler), kind, span)
        elif kind == "hard":
            write(summarise(words, rng, 0.18, lexicon, shuffle=True, filler=filler), kind, span)
    return _finish(name, clock, paragraphs, gold, rng, moved, lost_s)


def _finish(
    name: str,
    clock: Clock,
    texts: list[str],
    gold: list[dict[str, Any]],
    rng: np.random.Generator,
    moved: float,
    lost_s: float,
) -> Built:
    """Move some paragraphs, lose a stretch of audio, number everything."""
    order = list(range(len(texts)))
    for at in [i for i in order if rng.random() < moved]:
        order.remove(at)
        order.insert(max(0, min(len(order), at + int(rng.integers(-30, 31)))), at)
    words, utterances = clock.words, clock.utterances
    if lost_s:
        hole = float(rng.uniform(0.3, 0.7)) * clock.now
        lost = (hole, hole + lost_s)
        kept = [i for i, w in enumerate(words) if not lost[0] <= w.start < lost[1]]
        place = {old: new for new, old in enumerate(kept)}
        utterances = []
        for u in clock.utterances:
            inside = [place[i] for i in range(*u.words) if i in place]
            if inside:
                utterances.append(
                    Utterance(
                        words[kept[inside[0]]].start,
                        words[kept[inside[-1]]].end,
                        u.speaker,
                        (inside[0], inside[-1] + 1),
                    )
                )
        words = [words[i] for i in kept]
        for row in gold:
            if row["start"] is not None:
                heard = (
                    row["end"]
                    - row["start"]
                    - max(0.0, min(row["end"], lost[1]) - max(row["start"], lost[0]))
                )
                if heard < 0.5 * (row["end"] - row["start"]):
                    row["start"] = row["end"] = None
                elif lost[0] < row["end"] and row["start"] < lost[1]:
                    row["start"], row["end"] = (
                        (row["start"], lost[0]) if row["start"] < lost[0] else (lost[1], row["end"])
                    )
    paragraphs = [
        Paragraph(new, "body", texts[old], f"<w:p><w:r><w:t>{texts[old]}</w:t></w:r></w:p>")
        for new, old in enumerate(order)
    ]
    rows = [{**gold[old], "paragraph": new, "moved": abs(new - old) > 6} for new, old in enumerate(order)]
    return Built(
        Transcript(name, "puerto-manantial", round(clock.now, 3), words, utterances, language="es"),
        paragraphs,
        rows,
    )


def minutes_session(
    seed: int,
    hours: float = 1.6,
    *,
    keep: float = 0.35,
    filler: float = 0.5,
    noise: float = 0.1,
    segment_s: float = 15.0,
    diarised: bool = True,
    name: str = "minutes",
) -> Built:
    """Third-person minutes over segments without word times: hand-overs, bullets, a roll call, agenda items, votes."""
    rng = np.random.default_rng(seed)
    lexicon, clock = Lexicon(rng), Clock(rng)
    texts: list[tuple[str, str]] = []
    gold: list[dict[str, Any]] = []

    def write(kind: str, text: str, span: tuple[float, float] | None) -> None:
        gold.append(
            {"paragraph": len(texts), "kind": kind, "start": span and span[0], "end": span and span[1]}
        )
        texts.append((kind, text))

    def chair(text: str) -> tuple[float, float]:
        clock.wait(float(rng.uniform(0.5, 2)))
        return clock.say(text.split(), "S0", noise)

    names = [
        f"{lexicon.words[i]} {lexicon.words[i + 40]} {lexicon.words[i + 80]}".title()
        for i in range(3000, 3011)
    ]
    write("heading", "ACTA NÚMERO 114", None)
    write("heading", "CONCEJO MUNICIPAL DE PUERTO MANANTIAL", None)
    chair(
        "Muy buenos días a todos, vamos a dar inicio a la sesión de hoy, señora secretaria por favor llamado a lista."
    )
    roll = clock.say(
        " ".join(f"Honorable concejal {n.split()[1]} {n.split()[2]} . Presente." for n in names)
        .replace(" .", "")
        .split(),
        "S1",
        noise,
    )
    for i, person in enumerate(names):
        first, last, given = person.split()[1], person.split()[2], person.split()[0]
        length = (roll[1] - roll[0]) / len(names)
        write("rollcall", f"{first} {last} {given}", (roll[0] + i * length, roll[0] + (i + 1) * length))
    while clock.now < hours * 3600:
        title = " ".join(lexicon.sentence()[:7]).strip(".")
        write("agenda", title.upper(), chair(f"Siguiente punto del orden del día {title}."))
        if rng.random() < 0.5:
            write("heading", title.upper(), None)
        for _ in range(int(rng.integers(2, 6))):
            _intervention(rng, lexicon, clock, write, chair, names, keep, filler, noise)
        if rng.random() < 0.6:
            title = " ".join(lexicon.sentence()[:6]).strip(".")
            write(
                "vote",
                f"Puesta en consideración la proposición {title}, fue aprobada por unanimidad.",
                chair(
                    f"En consideración la proposición de {title} anuncio que se va a cerrar queda cerrada la aprueba la corporación. Aprobada."
                ),
            )
        lexicon.new_topic()
    write("signature", "PRESIDENTE", None)
    return _segmented(name, clock, texts, gold, segment_s, diarised)


def _intervention(rng, lexicon, clock, write, chair, names, keep, filler, noise) -> None:
    """The floor is given, somebody speaks for some minutes, the clerk writes a bullet per idea or two."""
    who = int(rng.integers(len(names)))
    given = chair(
        f"Tiene el uso de la palabra el honorable concejal {names[who].split()[0]} {names[who].split()[1]}."
    )
    if rng.random() < 0.7:
        write(
            "handover",
            str(
                rng.choice(
                    [
                        "Seguidamente, intervino el honorable concejal {}:",
                        "Finalizada la intervención, el Presidente concedió la palabra al concejal {}.",
                        "Tomó la palabra el concejal {}, quien manifestó:",
                    ]
                )
            ).format(names[who]),
            given,
        )
    clock.wait(1.0)
    ideas = int(rng.integers(2, 8))
    for _ in range(ideas):
        words = [w for _ in range(int(rng.integers(2, 6))) for w in lexicon.sentence()]
        span = clock.say(words, f"S{who + 2}", noise)
        draw = rng.random()
        if draw < 0.2:
            continue
        if draw < 0.35:  # two bullets out of one stretch
            half = len(words) // 2
            write("list", summarise(words[:half], rng, keep, lexicon, shuffle=True, filler=filler), span)
            write("list", summarise(words[half:], rng, keep, lexicon, shuffle=True, filler=filler), span)
        else:
            write("list", summarise(words, rng, keep, lexicon, shuffle=True, filler=filler), span)


def _segmented(name, clock, texts, gold, segment_s, diarised) -> Built:
    """Cut the speech into segments at turns and every `segment_s`, forget the word times, snap the gold to segments."""
    words, segments, first = clock.words, [], 0
    for i in range(1, len(words) + 1):
        if (
            i == len(words)
            or words[i].speaker != words[first].speaker
            or words[i].end - words[first].start > segment_s
        ):
            segments.append((first, i))
            first = i
    spread: list[Word] = []
    utterances = []
    for a, b in segments:
        start, end = words[a].start, words[b - 1].end
        speaker = words[a].speaker if diarised else None
        step = (end - start) / (b - a)
        spread += [
            Word(words[k].text, start + (k - a) * step, start + (k - a + 1) * step, None, speaker)
            for k in range(a, b)
        ]
        utterances.append(Utterance(start, end, speaker, (a, b)))
    for row in gold:
        if row["start"] is not None:
            inside = [
                u
                for u in utterances
                if min(u.end, row["end"]) - max(u.start, row["start"])
                > 0.5 * min(u.end - u.start, row["end"] - row["start"])
            ]
            if inside:
                row["start"], row["end"] = inside[0].start, inside[-1].end
    paragraphs = [
        Paragraph(i, kind, text, f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>")
        for i, (kind, text) in enumerate(texts)
    ]
    return Built(
        Transcript(
            name,
            "puerto-manantial",
            round(clock.now, 3),
            spread,
            utterances,
            interpolated=True,
            language="es",
        ),
        paragraphs,
        gold,
    )
