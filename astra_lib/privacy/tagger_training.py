"""Train the name recogniser on sentences composed here: `python -m astra_lib.privacy.tagger_training` (about two minutes).

No text and no name of anybody else's goes in: templates written for this project, filled from lists of common names
(facts) and from invented ones, then shouted in capitals and mumbled in lower case.
"""

from __future__ import annotations

import argparse
import random
import re
import unicodedata
from pathlib import Path

from .tagger import BEGIN, INSIDE, MODEL, OUT, features
from ..spanish.lists import FOREIGN_GIVEN, FOREIGN_SURNAMES, GIVEN, PLACES, SURNAMES
from .people import COMMON, tokenize
from .templates import COUNCIL, FILLERS, INITIALS, NEGATIVE, NEWS, ORGANISATIONS, SPOKEN, THINGS

_SLOT = re.compile(r"\{(\w+)\}")
_ACCENTS = str.maketrans({"a": "á", "e": "é", "i": "í", "o": "ó", "u": "ú"})
_GIVEN, _SURNAMES = sorted(GIVEN), sorted(SURNAMES)
_FGIVEN, _FSURNAMES, _PLACES = sorted(FOREIGN_GIVEN), sorted(FOREIGN_SURNAMES), sorted(PLACES)
_COMMON = sorted(COMMON | {"antes", "diez", "primero", "tercero"})
_ONSETS = "b br c ch d dr f fr g gr h j k kl kr l m n p pr r s sh st t tr v w y z zh".split()
_VOWELS = "a a a e e e i i o o u ei ia ou".split()
_CODAS = "  n n r s l m t k v ck rt ns tz ch nd wski vic ov son berg er in an".split(" ")


def invented(r: random.Random) -> str:
    """A name that is on no list: syllables."""
    name = "".join(r.choice(_ONSETS) + r.choice(_VOWELS) for _ in range(r.choice((1, 2, 2, 3)))) + r.choice(
        _CODAS
    )
    return name if len(name) > 3 else name + r.choice(_ONSETS) + r.choice(_VOWELS)


def _accented(word: str, r: random.Random) -> str:
    """Our lists carry no accents; texts mostly do. One vowel gets one, now and then."""
    vowels = [i for i, c in enumerate(word) if c in "aeiou"]
    if vowels and r.random() < 0.35:
        at = r.choice(vowels[-2:])
        word = word[:at] + word[at].translate(_ACCENTS) + word[at + 1 :]
    return word


def _given(r: random.Random) -> str:
    roll = r.random()
    return (
        _accented(r.choice(_GIVEN), r) if roll < 0.72 else r.choice(_FGIVEN) if roll < 0.87 else invented(r)
    )


def _surname(r: random.Random) -> str:
    roll = r.random()
    name = (
        _accented(r.choice(_SURNAMES), r)
        if roll < 0.62
        else r.choice(_FSURNAMES)
        if roll < 0.75
        else invented(r)
    )
    if r.random() < 0.03:
        name += "-" + r.choice(_SURNAMES)
    return name


def _title(name: str) -> str:
    return "-".join(w[:1].upper() + w[1:] for w in name.split("-"))


def person(r: random.Random, form: str = "P") -> str:
    """P: any form, F: full, S: surname(s), G: given name(s), I: surname first, in capitals half the time."""
    if form == "P":
        form = r.choices("FSGN", (0.56, 0.25, 0.1, 0.09))[0]
    if form == "G":
        return " ".join(_title(_given(r)) for _ in range(r.choice((1, 1, 1, 2))))
    if form == "S":
        return " ".join(_title(_surname(r)) for _ in range(r.choice((1, 1, 1, 2))))
    if form == "I":
        names = [_title(_surname(r)), _title(_surname(r)), _title(_given(r))]
        joined = " ".join(names[:2]) + r.choice((" ", " ", ", ")) + names[2]
        return joined.upper() if r.random() < 0.5 else joined
    if form == "N":
        return f"{r.choice('ABCDEFGHIJLMNPRSTV')}. {_title(_surname(r))}"
    given = [_title(_given(r)) for _ in range(r.choice((1, 1, 1, 2)))]
    surnames = [_title(_surname(r)) for _ in range(r.choice((1, 1, 2)))]
    if r.random() < 0.06:
        surnames.insert(0, r.choice(("de", "de la", "del", "von", "van", "De", "de los", "di")))
    if r.random() < 0.04:
        given.append(r.choice("ABCDEFGHJLMPRS") + ".")
    return " ".join(given + surnames)


def place(r: random.Random) -> str:
    roll = r.random()
    if roll < 0.7:
        return _title(_accented(r.choice(_PLACES), r))
    if roll < 0.8:
        return r.choice(("San ", "Santa ", "Puerto ", "Villa ", "Ciudad ", "La ", "El ", "Los ")) + _title(
            _given(r)
        )
    return _title(invented(r))


def thing(r: random.Random) -> str:
    """A place or institution that carries a person's name."""
    return (
        f"{r.choice(THINGS)} {r.choice(('', '', '', 'de ', 'San ', 'Santa '))}{person(r, r.choice('FFSG'))}"
    )


def organisation(r: random.Random) -> str:
    roll = r.random()
    if roll < 0.55:
        return r.choice(ORGANISATIONS)
    if roll < 0.75:
        return r.choice(INITIALS)
    if roll < 0.85:
        return "".join(r.choice("ABCDEFGIMNOPRSTU") for _ in range(r.choice((2, 3, 3, 4))))
    return _title(invented(r)) + r.choice(("", "", " S.A.", " SAS", " y Compañía"))


def fill(template: str, r: random.Random) -> tuple[str, list[tuple[int, int]]]:
    """A template's slots filled; the spans that are people."""
    out, spans, last = "", [], 0
    for slot in _SLOT.finditer(template):
        out += template[last : slot.start()]
        kind = slot[1]
        if kind in ("P", "F", "S", "G", "I"):
            name = person(r, kind)
            spans.append((len(out), len(out) + len(name)))
        elif kind == "L":
            name = place(r)
        elif kind == "O":
            name = organisation(r)
        elif kind == "T":
            name = thing(r)
        elif kind == "N":
            name = str(
                r.choice(
                    (r.randint(2, 90), r.randint(100, 9999), f"{r.randint(1, 999)}.{r.randint(100, 999)}")
                )
            )
        elif kind == "C":
            name = r.choice(_COMMON)
            name = name.capitalize() if not out or out.endswith(". ") else name
        elif kind == "W":
            name = r.choice(FILLERS)
        else:
            raise ValueError(f"unknown slot {{{kind}}} in {template!r}")
        out, last = out + name, slot.end()
    return out + template[last:], spans


_HEARD = (
    ("v", "b"),
    ("b", "v"),
    ("z", "s"),
    ("c", "s"),
    ("s", "z"),
    ("h", ""),
    ("ll", "y"),
    ("y", "ll"),
    ("j", "g"),
    ("qu", "k"),
    ("g", "j"),
    ("x", "s"),
)


def recased(text: str, spans: list[tuple[int, int]], r: random.Random) -> tuple[str, list[tuple[int, int]]]:
    """As written, in capitals, or as a recogniser writes: lower case, often without marks, names misspelt."""
    roll = r.random()
    if roll < 0.45:
        return text, spans
    if roll < 0.62:
        upper = text.upper()
        if r.random() < 0.5:
            upper = "".join(unicodedata.normalize("NFD", c)[0] if c in "ÁÉÍÓÚ" else c for c in upper)
        return (upper, spans) if len(upper) == len(text) else (text, spans)
    out, moved, last = "", [], 0
    for start, end in spans:
        name = text[start:end]
        if r.random() < 0.15:
            a, b = r.choice(_HEARD)
            name = name.replace(a, b, 1) or name
        out += text[last:start]
        moved.append((len(out), len(out) + len(name)))
        out, last = out + name, end
    out = (out + text[last:]).lower()
    if roll > 0.8:
        out = re.sub(r"[^\w\s]", " ", out)
    return out, moved


def composed(count: int, seed: int) -> list[tuple[str, list[tuple[int, int]]]]:
    """`count` texts of one to three sentences, with the spans of their people."""
    r = random.Random(seed)
    banks, weights = (NEWS, COUNCIL, SPOKEN, NEGATIVE), (0.34, 0.22, 0.15, 0.29)
    made = []
    for _ in range(count):
        text, spans = "", []
        for bank in r.choices(banks, weights, k=r.choice((1, 1, 2, 3))):
            one, found = fill(r.choice(bank), r)
            offset = len(text) + bool(text)
            text = f"{text} {one}" if text else one
            spans += [(a + offset, b + offset) for a, b in found]
        made.append(recased(text, spans, r))
    return made


def labels(tokens, spans) -> list[str]:
    """B, I, O for each token."""
    out = []
    for token in tokens:
        inside = next(((a, b) for a, b in spans if a <= token.start < b), None)
        first = inside is not None and not any(
            inside[0] <= t.start < token.start for t in tokens if t.start < token.start
        )
        out.append(OUT if inside is None else BEGIN if first else INSIDE)
    return out


def train(out: Path, count: int = 24_000, seed: int = 20261122, iterations: int = 80) -> dict[str, float]:
    """Train and write the model; returns token precision and recall on freshly composed sentences (a sanity check, no benchmark)."""
    import pycrfsuite

    trainer = pycrfsuite.Trainer(verbose=False)
    trainer.select("lbfgs")
    trainer.set_params(
        {
            "c1": 0.4,
            "c2": 0.05,
            "max_iterations": iterations,
            "feature.minfreq": 4,
            "feature.possible_transitions": True,
        }
    )
    for text, spans in composed(count, seed):
        tokens = tokenize(text)
        if tokens:
            trainer.append(features(text, tokens), labels(tokens, spans))
    trainer.train(str(out))
    tagger = pycrfsuite.Tagger()
    tagger.open(str(out))
    right = guessed = real = 0
    for text, spans in composed(800, seed + 1):
        tokens = tokenize(text)
        if not tokens:
            continue
        for said, is_ in zip(tagger.tag(features(text, tokens)), labels(tokens, spans), strict=True):
            right, guessed, real = right + (said != OUT != is_), guessed + (said != OUT), real + (is_ != OUT)
    return {
        "precision": right / max(guessed, 1),
        "recall": right / max(real, 1),
        "bytes": float(out.stat().st_size),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--out", type=Path, default=MODEL)
    parser.add_argument("--sentences", type=int, default=24_000)
    parser.add_argument("--seed", type=int, default=20261122)
    parser.add_argument("--iterations", type=int, default=80)
    args = parser.parse_args()
    print(train(args.out, args.sentences, args.seed, args.iterations))


if __name__ == "__main__":
    main()
