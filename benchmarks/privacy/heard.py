"""The sample sessions as a real recogniser heard them: what was said is known, and with it who was named.

Names are marked in what was said and carried over to what was heard, letter by letter. A name of which the
recogniser left less than half of its sound ("Aurelio" heard as "a veces") tells nobody anything: it is
counted apart.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from astra_lib.core.records import read_json
from astra_lib.minutes import read_minutes
from astra_lib.privacy.placeholders import PERSON_TYPES
from astra_lib.scrub import Scrubber
from astra_lib.spanish.words import fold, phonetic
from astra_lib.transcript import read_transcript, speech_blocks

from .corpora import Gold

# people of the sample's debates besides councillors and guests, checked by hand
CITIZENS = """
Evelio|Anselmo Verdugo Lasso|Arcesio|Gildardo|Marcos|Quimes|Maribel|Nubia Restrepo Cano|Aristides Cabal|
Heriberto Anaya|Rosmira Cifuentes|Heladio|Noelia Grisales|Matilde Rengifo Cano|Anselmo Piedrahíta|
Baldomero Tirado Manrique|Crisanto|Abelino Cárdenas Rebolledo|Abelino|Fabiola|Saturnino Vélez|Bertilda|
Eliécer Mosquera|Arley|Ulpiano|Luisa Fernanda|Luisa|Wilson Barona|Zoila|Eufemia Saavedra
""".replace("\n", "").split("|")
# named after somebody, or written like it, and nobody all the same
NOBODY = re.compile(
    r"colegio Simón \w+|Alianza Ribereña|Raíces Vivas|Peñas Blancas|Ave María|Teatro Aurora|La Cruz"
    r"|Casa Puente|Puerto Manantial|Ribera Sana|Nutrir Ribera"
)
_PARTICLE = r"(?:\s+(?:de|del|de la|de los))?"
RECOGNISABLE = 0.5
PLAIN = 0.7  # of a name's sound: a reader sees at once that it is a name


@dataclass
class HeardSession:
    """`gold`: the blocks of speech and the people to be recognised; `lost`: names heard as something else."""

    gold: Gold
    lost: list[list[tuple[int, int]]]
    minutes: list[str]
    who: list[list[str]] = field(default_factory=list)  # beside every span of `gold`: the name that was said


def named(text: str, people: list[str]) -> list[tuple[int, int]]:
    """Where clean text names one of the people: any of their names, side by side."""
    words = "|".join(
        sorted({re.escape(w) for p in people for w in p.split() if w[0].isupper()}, key=len, reverse=True)
    )
    taken = [m.span() for m in NOBODY.finditer(text)]
    spans = [m.span() for m in re.finditer(rf"(?<!\w)(?:{words})(?:{_PARTICLE}\s+(?:{words}))*(?!\w)", text)]
    return [s for s in spans if not any(a < s[1] and s[0] < b for a, b in taken)]


def _plain(text: str) -> tuple[str, list[int]]:
    """Folded letters, and where each stood."""
    kept = [(c, i) for i, c in enumerate(text) if c.isalnum()]
    return "".join(fold(c) or "?" for c, _ in kept), [i for _, i in kept]


def carried(said: str, spans: list[tuple[int, int]], heard: str) -> list[tuple[int, int, str]]:
    """Spans of `said` on the whole words of `heard`, each with the name that was said."""
    from rapidfuzz.distance import Levenshtein

    a, at = _plain(said)
    b, there = _plain(heard)
    inside = [-1] * len(said)
    for n, (x, y) in enumerate(spans):
        inside[x:y] = [n] * (y - x)
    owner = [-1] * len(b)
    for tag, i, j, k, m in (
        (o.tag, o.src_start, o.src_end, o.dest_start, o.dest_end) for o in Levenshtein.opcodes(a, b)
    ):
        for step in range(m - k):
            source = (
                i + step if tag != "insert" and i + step < j else max(i - 1, 0) if tag == "insert" else j - 1
            )
            left, right = inside[at[source]], inside[at[min(source + 1, len(at) - 1)]]
            # letters put in between belong to a name only when it goes on after them
            owner[k + step] = left if tag != "insert" or left == right else -1
    at_heard = dict(zip(there, owner, strict=True))
    found: dict[int, list[tuple[int, int]]] = {}
    for word in re.finditer(r"\w+", heard):
        owners = [at_heard[i] for i in range(*word.span()) if i in at_heard]
        best = max(set(owners), key=owners.count) if owners else -1
        if best >= 0 and owners.count(best) * 2 >= len(owners):
            found.setdefault(best, []).append(word.span())
    return [
        (parts[0][0], parts[-1][1], said[spans[n][0] : spans[n][1]]) for n, parts in sorted(found.items())
    ]


def alike(said: str, heard: str) -> float:
    """How much of a name's sound is left: the best of its words, or of the whole, 0 to 1."""
    from rapidfuzz import fuzz

    pairs = [(said, heard)] + [(s, h) for s in said.split() for h in heard.split() if len(s) > 3]
    return (
        max(
            fuzz.ratio("".join(map(phonetic, s.split())), "".join(map(phonetic, h.split()))) for s, h in pairs
        )
        / 100
    )


def sessions(samples: Path) -> list[HeardSession]:
    """Every sample session; blocks as the aligner cuts them."""
    from samples.build import composed
    from samples.compose import load, load_topics, written_sessions

    sources = {
        "roster": load("roster"),
        "procedure": load("procedure"),
        "plan": load("plan"),
        "topics": load_topics(),
        "written": written_sessions(),
    }
    roster = read_json(samples / "manantial" / "roster.json")
    made = []
    for folder in sorted((samples / "manantial" / "sessions").iterdir()):
        made.append(_session(composed(folder.name, sources), folder, roster))
    return made


def _session(data: dict[str, Any], folder: Path, roster: list[dict[str, str]]) -> HeardSession:
    people = [p["name"] for p in data["people"].values()] + CITIZENS
    said = " ".join(u["text"] for u in data["utterances"] if u["text"])
    t = read_transcript(folder / "transcript.json")
    blocks = [b.text for b in speech_blocks(t)]
    heard = "\n".join(blocks)
    gold, lost, who = [[] for _ in blocks], [[] for _ in blocks], [[] for _ in blocks]
    starts = [0]
    for block in blocks:
        starts.append(starts[-1] + len(block) + 1)
    for a, b, name in carried(said, named(said, people), heard):
        n = next(i for i in range(len(blocks)) if a < starts[i + 1])
        span = (a - starts[n], min(b - starts[n], len(blocks[n])))
        if alike(name, heard[a:b]) >= RECOGNISABLE:
            gold[n].append(span)
            who[n].append(name)
        else:
            lost[n].append(span)
    minutes = [p.text for p in read_minutes(folder / "acta.docx").paragraphs]
    return HeardSession(Gold(blocks, gold, roster), lost, minutes, who)


def measured(found: list[HeardSession], spoken: bool = True) -> dict[str, float]:
    """Each session masked with its minutes. `spoken` False: as if no recogniser had written any of it.

    `masked`: mentions covered whole; `touched`: at least in part; `*_plain`: of those that still sound like
    the name; `precision`:
    spans that touch a name; `same`: people named in the minutes that got the same placeholder in speech."""
    count = dict.fromkeys(
        "mentions masked touched plain masked_plain touched_plain spans right both same lost".split(), 0
    )
    for one in found:
        gold = one.gold
        entities = Scrubber("benchmark", gold.roster).entities(
            one.minutes + gold.texts, gold.texts if spoken else ()
        )
        written = {e.text: e.replacement for found_here in entities[: len(one.minutes)] for e in found_here}
        for text, spans, lost, who, es in zip(
            gold.texts, gold.spans, one.lost, one.who, entities[len(one.minutes) :], strict=True
        ):
            people = [e for e in es if e.type in PERSON_TYPES]
            covered = {i for e in people for i in range(e.start, e.end)}
            for (a, b), name in zip(spans, who, strict=True):
                plain = alike(name, text[a:b]) >= PLAIN
                whole = all(i in covered or not text[i].isalnum() for i in range(a, b))
                touched = [e for e in people if e.start < b and a < e.end]
                for key, hit in (
                    ("mentions", True),
                    ("masked", whole),
                    ("touched", bool(touched)),
                    ("plain", plain),
                    ("masked_plain", plain and whole),
                    ("touched_plain", plain and bool(touched)),
                    ("both", name in written and bool(touched)),
                    ("same", name in written and any(e.replacement == written[name] for e in touched)),
                ):
                    count[key] += hit
            count["lost"] += len(lost)
            count["spans"] += len(people)
            count["right"] += sum(any(e.start < b and a < e.end for a, b in [*spans, *lost]) for e in people)
    share = {
        "masked": "mentions",
        "touched": "mentions",
        "masked_plain": "plain",
        "touched_plain": "plain",
        "same": "both",
    }
    return (
        {"mentions": count["mentions"], "plain": count["plain"], "lost": count["lost"]}
        | {k: count[k] / max(count[of], 1) for k, of in share.items()}
        | {"precision": count["right"] / max(count["spans"], 1)}
    )
