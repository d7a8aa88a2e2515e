"""Council text with known people: our topics' sentences, names redrawn at each seed, written and spoken."""

from __future__ import annotations

import random
import re
from pathlib import Path

import yaml

from astra_lib.core.errors import MissingError
from astra_lib.privacy.tagger_training import invented, person

from .corpora import Gold

# invented people of the topics besides their guests, checked by hand; a name not listed here is not scored
# as one
CITIZENS = """
Eliécer Mosquera|Marcos|Gildardo Montes Upegui|Gildardo|Bertilda|Noelia Grisales|Nubia Restrepo Cano|
Heladio|Blanca Oliva Tejada Rivas|Blanca|Maribel|Arquímedes|Heriberto Anaya|Deyanira Lucumí Angulo|
Aristides Cabal|Arístides Cabal|Berenice|Rosmira Cifuentes|Fabiola Rentería Mosquera|
Yeferson Quintana Rúa|Yeferson|Arley|Saúl Mondragón Bejarano|Nohemí Escudero Bastidas|Nohemí|
Ramiro Castañeda Ulloa|Ramiro Catañeda Ulloa|Aparicio Lozada|Mercedes Paternina Soto
""".replace("\n", "").split("|")
# the topics these were checked in
CHECKED = ("b", "c", "d")
_TITLES = re.compile(
    r"^(?:(?:Doctora?|Señora?|Ingenier[oa]|Capit[aá]n|Arquitect[oa]|Licenciad[oa]|Subintendente"
    r"|Mayor|Teniente|Abogad[oa]|Don|Doña|Padre|"
    r"Economista|Psic[oó]log[oa]|Profesora?|Enfermer[oa]|Coronel|Veterinari[oa]|Bi[oó]log[oa])\s+)+"
)
_HEARD = (
    ("v", "b"),
    ("b", "v"),
    ("z", "s"),
    ("ce", "se"),
    ("ll", "y"),
    ("h", ""),
    ("qu", "k"),
    ("j", "g"),
    ("s", "z"),
    ("y", "ll"),
)


def council(folder: Path, seed: int, spoken: bool, rollcall: bool = False) -> list[Gold]:
    """One document a topic: its minutes, or its speech as a recogniser writes it.

    Speech is in lower case and without marks; some of its names are mis-heard.

    `rollcall`: only the list of councillors, surnames first, half of it in capitals."""
    topics = [p for p in sorted(folder.glob("*.yaml")) if p.name.startswith(CHECKED)]
    if not topics:
        raise MissingError("no topics", where=str(folder))
    r = random.Random(seed)
    documents = []
    for topic in topics:
        rows = yaml.safe_load(topic.read_text(encoding="utf-8"))
        roster = [
            {"key": f"c{i:02d}", "name": _new(r), "role": "concejal", "party": "Partido Río Claro"}
            for i in range(11)
        ]
        cast = _cast(rows, r)
        texts, spans = [], []
        for text in _texts(rows, spoken):
            if spoken:
                text = _floor(r) + text
            made, found = _filled(text, cast, roster, rows, r, spoken)
            texts.append(made)
            spans.append(found)
        if rollcall:
            texts, spans = [], []
            for row in roster:
                given, surnames = row["name"].split(" ", 1)
                line = f"{surnames} {given}: presente".upper() if r.random() < 0.5 else f"{surnames}, {given}"
                texts.append(line)
                spans.append([(0, len(surnames) + len(given) + (1 if ":" in line else 2))])
        if spoken:
            texts, spans = zip(*[_as_heard(t, s, r) for t, s in zip(texts, spans, strict=True)], strict=True)
        documents.append(Gold(list(texts), [sorted(s) for s in spans], roster, spoken))
    return documents


def _new(r: random.Random, words: int = 3) -> str:
    """A person of so many words; three in ten carry a surname that is on no list."""
    while True:
        name = person(r, "F").split()
        if len(name) >= 2 and "." not in "".join(name) and all(w[0].isupper() and len(w) > 3 for w in name):
            break
    if r.random() < 0.3:
        name[-1] = invented(r).capitalize()
    return " ".join((name + [person(r, "S").split()[-1]])[:words] if words > 1 else [name[0]])


def _cast(rows: dict, r: random.Random) -> dict[str, str]:
    """Name in the topic -> name this time; partial names follow their bearer."""
    guests = rows.get("guest") or []
    names = [_TITLES.sub("", g["name"]) for g in (guests if isinstance(guests, list) else [guests])] + list(
        CITIZENS
    )
    cast: dict[str, str] = {}
    for name in sorted(names, key=lambda n: -len(n.split())):
        bearer = next((k for k in cast if name.split()[0] == k.split()[0] and len(k.split()) > 1), None)
        cast[name] = (
            cast[bearer].split()[0] if bearer and len(name.split()) == 1 else _new(r, len(name.split()))
        )
    return cast


def _texts(rows: dict, spoken: bool) -> list[str]:
    key = "speech" if spoken else "paragraphs"
    return [part["text"] for scene in rows["scenes"] for part in scene.get(key) or []]


_FLOOR = (
    "Tiene la palabra la concejala {A}. ",
    "Muchas gracias {B}. Continúa el honorable concejal {C}. ",
    "Gracias, presidente. Saludo a {D} y a la doctora {B}. ",
    "Bueno, como decía {C}, ",
    "Le contesto al concejal {A_apellido}. ",
    "Gracias {A}, adelante {D}. ",
    "Concejal {B_apellido}, dos minutos. ",
)


def _floor(r: random.Random) -> str:
    """Every third utterance of a session hands the floor over, thanks or answers somebody."""
    return r.choice(_FLOOR) if r.random() < 0.34 else ""


def _filled(
    text: str, cast: dict[str, str], roster: list[dict[str, str]], rows: dict, r: random.Random, spoken: bool
) -> tuple[str, list[tuple[int, int]]]:
    guests = rows.get("guest") or []
    guests = {g["key"]: g for g in (guests if isinstance(guests, list) else [guests])}
    literal = "|".join(map(re.escape, sorted(cast, key=len, reverse=True)))
    out, spans, last = "", [], 0
    for match in re.finditer(rf"\{{(\w+)\}}|(?<!\w)({literal})(?!\w)", text):
        out += text[last : match.start()]
        last = match.end()
        slot, name, before = match[1], match[2], ""
        if slot:
            base = slot.split("_")[-1] if slot.startswith("concejal_") else slot.split("_")[0]
            if base in guests:
                if slot.endswith("role"):
                    out += guests[base]["role"]
                    continue
                full = guests[base]["name"]
                title = _TITLES.match(full)
                before, name = title[0] if title else "", cast[_TITLES.sub("", full)]
            elif slot.endswith("partido"):
                out += "su partido"
                continue
            else:
                row = (
                    roster["ABCDEFGH".index(base)]
                    if base in "ABCDEFGH"
                    else roster[8 if base == "president" else 9]
                )
                words = row["name"].split()
                before = "honorable concejal " if slot.startswith("concejal_") else ""
                name = words[1] if slot.endswith("apellido") else row["name"]
                if spoken and not slot.endswith("apellido"):
                    name = (
                        r.choice((words[0], words[1], " ".join(words[:2]), row["name"]))
                        if before or r.random() < 0.5
                        else " ".join(words[:2])
                    )
        else:
            name = cast[name]
        out += before
        spans.append((len(out), len(out) + len(name)))
        out += name
    return out + text[last:], spans


def _as_heard(text: str, spans: list[tuple[int, int]], r: random.Random) -> tuple[str, list[tuple[int, int]]]:
    out, moved, last = "", [], 0
    for start, end in spans:
        name = text[start:end].lower()
        if r.random() < 0.15:
            a, b = r.choice([x for x in _HEARD if x[0] in name] or [("~", "")])
            name = name.replace(a, b, 1)
        out += re.sub(r"[^\w\s]", " ", text[last:start].lower())
        moved.append((len(out), len(out) + len(name)))
        out, last = out + name, end
    return out + re.sub(r"[^\w\s]", " ", text[last:].lower()), moved
