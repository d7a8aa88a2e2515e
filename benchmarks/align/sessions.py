"""Constructed sessions: speech with word times, minutes, and the exact seconds each paragraph came from.

`session` builds a day of five kinds of paragraph: `verbatim` (a cleaned copy), `summary` (some of the
content words, in order), `hard` (18 % of them, shuffled), `formula` (the same few sentences all day long),
`unspoken`; and speech that is `unwritten`. On top: recognition errors, recesses, moved paragraphs, a
stretch of lost audio. `minutes_session` builds the other genre: summaries in the third person under hand-
overs, roll calls, agenda items and votes, over segments of fifteen seconds without word times.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from astra_lib.core.records import Paragraph, Transcript, Utterance, Word

from .segments import runs, snapped
from .speech import FUNCTION, Built, Clock, Lexicon, Span, pick

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
HANDOVERS = [
    "Seguidamente, intervino el honorable concejal {}:",
    "Finalizada la intervención, el Presidente concedió la palabra al concejal {}.",
    "Tomó la palabra el concejal {}, quien manifestó:",
]
WELCOME = (
    "Muy buenos días a todos, vamos a dar inicio a la sesión de hoy, "
    "señora secretaria por favor llamado a lista."
)
TO_THE_VOTE = (
    "En consideración la proposición de {} anuncio que se va a cerrar "
    "queda cerrada la aprueba la corporación. Aprobada."
)
VOTED = "Puesta en consideración la proposición {}, fue aprobada por unanimidad."

MIX = {"verbatim": 0.34, "summary": 0.3, "formula": 0.1, "unspoken": 0.08, "unwritten": 0.18}
HARD = {"hard": 0.7, "formula": 0.05, "unspoken": 0.08, "unwritten": 0.17}


@dataclass
class Clerk:
    """The minutes while they are written: texts with their kinds, and the gold beside them."""

    kinds: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)
    gold: list[dict[str, Any]] = field(default_factory=list)

    def write(self, kind: str, text: str, span: Span | None) -> None:
        """A paragraph, and the seconds it stands for (None: nobody said it)."""
        start, end = span or (None, None)
        self.gold.append({"paragraph": len(self.texts), "kind": kind, "start": start, "end": end})
        self.kinds.append(kind)
        self.texts.append(text)


def summarise(
    words: list[str], rng: np.random.Generator, keep: float, lexicon: Lexicon, *, shuffle: bool, filler: float
) -> str:
    """A third-person paragraph: `keep` of the content words, and `filler` new ones for each kept."""
    plain = [w.strip(".").lower() for w in words]
    content = [p for p, w in zip(plain, words, strict=True) if p not in FUNCTION and not w[0].isdigit()]
    chosen = [w for w in content if rng.random() < keep] or content[:1]
    chosen += [lexicon.content() for _ in range(int(round(filler * len(chosen))))]
    if shuffle or filler:
        rng.shuffle(chosen)
    out = str(rng.choice(OPENINGS)).split()
    for word in chosen:
        function = pick(rng, FUNCTION)
        if rng.random() < 0.7:
            out.append(function)
        out.append(word)
    return " ".join(out) + "."


def paragraph(index: int, kind: str, text: str) -> Paragraph:
    """A paragraph whose XML is one run of plain text."""
    return Paragraph(index, kind, text, f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>")


def session(
    seed: int,
    hours: float = 8.0,
    *,
    mix: dict[str, float] | None = None,  # share of each kind; MIX where None
    noise: float = 0.08,  # share of words misheard
    keep: float = 0.45,  # share of content words that a summary keeps
    filler: float = 0.0,  # new content words in a summary for each kept
    moved: float = 0.01,  # share of paragraphs that stand elsewhere than they were said
    recesses: int = 2,
    lost_s: float = 120.0,  # seconds of audio that are missing
    name: str = "built",
) -> Built:
    """A day of about `hours`, with word times and speakers."""
    rng = np.random.default_rng(seed)
    lexicon, clock, clerk = Lexicon(rng), Clock(rng), Clerk()
    kinds, shares = zip(*(mix or MIX).items(), strict=True)
    p = np.array(shares) / sum(shares)
    speakers = [f"S{i}" for i in range(14)]
    speaker, breaks = speakers[1], sorted(rng.uniform(0.2, 0.9, recesses) * hours * 3600)
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
        words = lexicon.sentences()
        if kind == "unspoken":
            copy = rng.random() < 0.5
            text = " ".join(words) if copy else summarise(words, rng, 0.5, lexicon, shuffle=False, filler=0)
            clerk.write(kind, text, None)
        elif kind == "formula":
            words = str(rng.choice(FORMULAS)).split()
            clerk.write(kind, " ".join(words), clock.say(words, speakers[0], noise))
            clock.wait(0.6)
        else:
            span = clock.say(words, speaker, noise)
            clock.wait(float(rng.uniform(0.1, 0.8)))
            if kind == "verbatim":
                clerk.write(kind, " ".join(w for w in words if rng.random() > 0.04), span)
            elif kind == "summary":
                clerk.write(kind, summarise(words, rng, keep, lexicon, shuffle=False, filler=filler), span)
            elif kind == "hard":
                clerk.write(kind, summarise(words, rng, 0.18, lexicon, shuffle=True, filler=filler), span)
    return finish(name, clock, clerk, rng, moved, lost_s)


def finish(
    name: str, clock: Clock, clerk: Clerk, rng: np.random.Generator, moved: float, lost_s: float
) -> Built:
    """Move some paragraphs, lose a stretch of audio, number everything."""
    order = rearranged(len(clerk.texts), rng, moved)
    words, utterances, gold = clock.words, clock.utterances, clerk.gold
    if lost_s:
        hole = float(rng.uniform(0.3, 0.7)) * clock.now
        words, utterances, gold = without_stretch(clock, gold, (hole, hole + lost_s))
    duration = round(clock.now, 3)
    return Built(
        Transcript(name, "puerto-manantial", duration, words, utterances, language="es"),
        [paragraph(new, "body", clerk.texts[old]) for new, old in enumerate(order)],
        [{**gold[old], "paragraph": new, "moved": abs(new - old) > 6} for new, old in enumerate(order)],
    )


def rearranged(count: int, rng: np.random.Generator, share: float) -> list[int]:
    """The numbers below `count`, a `share` of them up to thirty places from where they belong."""
    order = list(range(count))
    for number in [i for i in order if rng.random() < share]:
        order.remove(number)
        place = number + int(rng.integers(-30, 31))
        order.insert(max(0, min(len(order), place)), number)
    return order


def without_stretch(
    clock: Clock, gold: list[dict[str, Any]], lost: Span
) -> tuple[list[Word], list[Utterance], list[dict[str, Any]]]:
    """Words, utterances and gold of a recording that lacks the seconds `lost`.

    A paragraph of which more than half is lost counts as unspoken; any other ends or begins at the hole.
    """
    kept = [i for i, w in enumerate(clock.words) if not lost[0] <= w.start < lost[1]]
    place = {old: new for new, old in enumerate(kept)}
    words = [clock.words[i] for i in kept]
    utterances = []
    for u in clock.utterances:
        inside = [place[i] for i in range(*u.words) if i in place]
        if inside:
            first, last = inside[0], inside[-1]
            start, end = words[first].start, words[last].end
            utterances.append(Utterance(start, end, u.speaker, (first, last + 1)))
    return words, utterances, [heard_part(row, lost) for row in gold]


def heard_part(row: dict[str, Any], lost: Span) -> dict[str, Any]:
    """A gold row without the seconds `lost`."""
    start, end = row["start"], row["end"]
    if start is None:
        return row
    heard = end - start - max(0.0, min(end, lost[1]) - max(start, lost[0]))
    if heard < 0.5 * (end - start):
        return {**row, "start": None, "end": None}
    if lost[0] < end and start < lost[1]:
        start, end = (start, lost[0]) if start < lost[0] else (lost[1], end)
    return {**row, "start": start, "end": end}


@dataclass
class Debate:
    """What the parts of a minuted session share."""

    rng: np.random.Generator
    lexicon: Lexicon
    clock: Clock
    clerk: Clerk
    people: list[str]  # "first last given": the minutes hold all three, the chair says two
    keep: float
    filler: float
    noise: float

    def chair(self, text: str) -> Span:
        """The chair says something, after a moment."""
        self.clock.wait(float(self.rng.uniform(0.5, 2)))
        return self.clock.say(text.split(), "S0", self.noise)

    def bullet(self, words: list[str], span: Span) -> None:
        """The clerk notes in the third person what was said."""
        text = summarise(words, self.rng, self.keep, self.lexicon, shuffle=True, filler=self.filler)
        self.clerk.write("list", text, span)

    def roll_call(self) -> None:
        """Every name is called and answered; the minutes list the names."""
        self.chair(WELCOME)
        called = []
        for person in self.people:
            _, first, last = person.split()
            called += f"Honorable concejal {first} {last} Presente.".split()
        start, end = self.clock.say(called, "S1", self.noise)
        length = (end - start) / len(self.people)
        for i, person in enumerate(self.people):
            given, first, last = person.split()
            span = start + i * length, start + (i + 1) * length
            self.clerk.write("rollcall", f"{first} {last} {given}", span)

    def agenda_item(self) -> None:
        """A title, two to five speakers, and most times a vote."""
        title = " ".join(self.lexicon.sentence()[:7]).strip(".")
        span = self.chair(f"Siguiente punto del orden del día {title}.")
        self.clerk.write("agenda", title.upper(), span)
        if self.rng.random() < 0.5:
            self.clerk.write("heading", title.upper(), None)
        for _ in range(int(self.rng.integers(2, 6))):
            self.intervention()
        if self.rng.random() < 0.6:
            title = " ".join(self.lexicon.sentence()[:6]).strip(".")
            self.clerk.write("vote", VOTED.format(title), self.chair(TO_THE_VOTE.format(title)))
        self.lexicon.new_topic()

    def intervention(self) -> None:
        """The floor is given, somebody speaks for some minutes, the clerk writes a bullet per idea or two."""
        rng = self.rng
        who = int(rng.integers(len(self.people)))
        given, first, _ = self.people[who].split()
        span = self.chair(f"Tiene el uso de la palabra el honorable concejal {given} {first}.")
        if rng.random() < 0.7:
            self.clerk.write("handover", str(rng.choice(HANDOVERS)).format(self.people[who]), span)
        self.clock.wait(1.0)
        for _ in range(int(rng.integers(2, 8))):
            words = self.lexicon.sentences()
            span = self.clock.say(words, f"S{who + 2}", self.noise)
            draw = rng.random()
            if draw < 0.2:
                continue
            if draw < 0.35:  # two bullets out of one stretch
                half = len(words) // 2
                self.bullet(words[:half], span)
                self.bullet(words[half:], span)
            else:
                self.bullet(words, span)


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
    """Third-person minutes over segments without word times: roll call, agenda, speakers, bullets, votes."""
    rng = np.random.default_rng(seed)
    lexicon, clock, clerk = Lexicon(rng), Clock(rng), Clerk()
    w = lexicon.words
    people = [f"{w[i]} {w[i + 40]} {w[i + 80]}".title() for i in range(3000, 3011)]
    debate = Debate(rng, lexicon, clock, clerk, people, keep, filler, noise)
    clerk.write("heading", "ACTA NÚMERO 114", None)
    clerk.write("heading", "CONCEJO MUNICIPAL DE PUERTO MANANTIAL", None)
    debate.roll_call()
    while clock.now < hours * 3600:
        debate.agenda_item()
    clerk.write("signature", "PRESIDENTE", None)
    return segmented(name, clock, clerk, segment_s, diarised)


def segmented(name: str, clock: Clock, clerk: Clerk, segment_s: float, diarised: bool) -> Built:
    """Cut the speech at turns and every `segment_s`, forget the word times, snap the gold to segments."""
    words: list[Word] = []
    utterances = []
    for i, j in runs(clock.words, segment_s):
        start, end = clock.words[i].start, clock.words[j - 1].end
        speaker = clock.words[i].speaker if diarised else None
        step = (end - start) / (j - i)
        for k in range(i, j):
            begun = start + (k - i) * step
            words.append(Word(clock.words[k].text, begun, start + (k - i + 1) * step, None, speaker))
        utterances.append(Utterance(start, end, speaker, (i, j)))
    duration = round(clock.now, 3)
    transcript = Transcript(
        name, "puerto-manantial", duration, words, utterances, interpolated=True, language="es"
    )
    written = enumerate(zip(clerk.kinds, clerk.texts, strict=True))
    return Built(
        transcript,
        [paragraph(i, kind, text) for i, (kind, text) in written],
        snapped(clerk.gold, [(u.start, u.end) for u in utterances]),
    )
