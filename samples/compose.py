"""From topics and procedure to sessions: what is said by whom, what the clerk writes, what rests on what.

A composed session is plain data: `utterances` (speaker, text, pause before) and `paragraphs` (kind, text, and
the half-open range of utterances they rest on, or None for what nobody says).
"""

from __future__ import annotations

import random
import re
from pathlib import Path
from typing import Any

import yaml

SOURCES = Path(__file__).resolve().parent / "sources"
MONTHS = "enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre".split()
ORDINALS = "Primero Segundo Tercero Cuarto Quinto Sexto Séptimo Octavo Noveno Décimo Undécimo".split()
TITLES = {  # treatment: sex
    "ingeniero": "m",
    "ingeniera": "f",
    "doctor": "m",
    "doctora": "f",
    "señor": "m",
    "señora": "f",
    "arquitecto": "m",
    "arquitecta": "f",
    "profesor": "m",
    "profesora": "f",
    "capitán": "m",
    "teniente": "m",
    "mayor": "m",
    "coronel": "m",
    "abogado": "m",
    "abogada": "f",
    "licenciado": "m",
    "licenciada": "f",
    "don": "m",
    "doña": "f",
    "médico": "m",
    "médica": "f",
    "enfermera": "f",
    "economista": "m",
    "contador": "m",
    "contadora": "f",
    "comandante": "m",
    "padre": "m",
    "hermana": "f",
    "intendente": "m",
    "subintendente": "m",
}
MALE_IN_A = {"josé", "garcía", "borja"}
FEMALE_NOT_IN_A = set(
    """
    carmen inés luz beatriz rosario isabel ester nohemí yineth leonor flor irene berenice mercedes
    """.split()
)


def load(name: str) -> Any:
    return yaml.safe_load((SOURCES / f"{name}.yaml").read_text(encoding="utf-8"))


def load_topics() -> dict[str, dict[str, Any]]:
    """Every topic of the bank by id."""
    topics = {}
    for path in sorted((SOURCES / "topics").glob("*.yaml")):
        topic = yaml.safe_load(path.read_text(encoding="utf-8"))
        topics[topic["id"]] = topic
    return topics


def written_sessions() -> dict[str, dict[str, Any]]:
    """The sessions written out by hand, by id."""
    found = [
        yaml.safe_load(p.read_text(encoding="utf-8")) for p in sorted((SOURCES / "sessions").glob("*.yaml"))
    ]
    return {s["session_id"]: s for s in found}


def words_of(topic: dict[str, Any]) -> int:
    return sum(len(u["text"].split()) for scene in topic["scenes"] for u in scene.get("speech") or [])


# -- people and slots


def guest(
    entry: dict[str, Any], voices: dict[str, list[dict[str, Any]]], used: dict[str, int]
) -> dict[str, Any]:
    """A guest with sex guessed from treatment or first name, and the next free voice of that sex."""
    first, *rest = entry["name"].split()
    sex = entry.get("sex") or TITLES.get(first.lower())
    name = entry["name"]
    title = first.lower() if first.lower() in TITLES and rest else ""
    if title:
        name = " ".join(rest)
    if sex is None:
        given = name.split()[0].lower()
        in_a = given.endswith("a") and given not in MALE_IN_A
        sex = "f" if in_a or given in FEMALE_NOT_IN_A else "m"
    used[sex] = used.get(sex, -1) + 1
    voice = voices[sex][used[sex] % len(voices[sex])]
    return {
        "name": name,
        "title": title,
        "role": entry.get("role") or ("ciudadana" if sex == "f" else "ciudadano"),
        "party": "",
        "sex": sex,
        "voice": voice,
    }


def forms(person: dict[str, Any]) -> dict[str, str]:
    """How a person is named, addressed and introduced."""
    f = person["sex"] == "f"
    article = "la" if f else "el"
    surname = " ".join(person["name"].split()[-2:])
    if person["party"]:
        trato = "concejala" if f else "concejal"
        persona = f"{article} honorable {trato} {person['name']}"
        vocativo = f"{trato} {surname.split()[0]}"
    else:
        trato = person.get("title") or ("señora" if f else "señor")
        persona = (
            f"{trato} {person['name']}" if trato in ("don", "doña") else f"{article} {trato} {person['name']}"
        )
        vocativo = f"{trato} {person['name'].split()[0] if trato in ('don', 'doña') else surname.split()[0]}"
    given = " ".join(person["name"].split()[:-2])
    return {
        "nombre": person["name"],
        "apellido": surname,
        "lista": f"{surname} {given}".upper(),
        "partido": person["party"],
        "cargo": person["role"],
        "persona": persona,
        "persona_M": persona[0].upper() + persona[1:],
        "vocativo": vocativo,
        "vocativo_M": vocativo[0].upper() + vocativo[1:],
        "trato": trato,
    }


def topic_slots(people: dict[str, dict[str, Any]]) -> dict[str, str]:
    """`{A}`, `{A_apellido}`, `{A_partido}`, `{concejal_A}`, `{g1}`, `{g1_role}` for everybody in a topic."""
    slots: dict[str, str] = {}
    for key, person in people.items():
        f = forms(person)
        titled = f"{person['title']} {person['name']}" if person.get("title") else person["name"]
        slots |= {
            key: titled,
            f"{key}_apellido": f["apellido"],
            f"{key}_partido": f["partido"],
            f"{key}_role": person["role"],
            f"concejal_{key}": f"honorable {f['trato']} {person['name']}"
            if person["party"]
            else f"{f['trato']} {person['name']}",
        }
    return slots


def fill(text: str, slots: dict[str, Any]) -> str:
    """Fill slots, contract `a el` and `de el`, and begin with a capital."""
    missing = [s for s in re.findall(r"{(\w+)}", text) if s not in slots]
    if missing:
        raise ValueError(f"unknown slot {{{missing[0]}}} in: {text[:80]}")
    text = re.sub(r"{(\w+)}", lambda m: str(slots[m[1]]), text)
    text = re.sub(r"\b([Aa]|[Dd]e) el\b", r"\1l", text)
    return text[:1].upper() + text[1:]


def clock(minutes: int) -> tuple[str, str]:
    """`9:05 a. m.` and how it is said."""
    h, m = divmod(minutes, 60)
    twelve = (h - 1) % 12 + 1
    part = "de la mañana" if h < 12 else "de la tarde"
    return f"{twelve}:{m:02d} {'a. m.' if h < 12 else 'p. m.'}", (
        f"{twelve} y {m} {part}" if m else f"{twelve} en punto {part}"
    )


# -- a session being put together


class SessionScript:
    """Utterances and paragraphs in order, added scene by scene."""

    def __init__(self, session_id: str, number: str, title: str, people: dict[str, dict[str, Any]]) -> None:
        self.session_id, self.number, self.title, self.people = session_id, number, title, people
        self.utterances: list[dict[str, Any]] = []
        self.paragraphs: list[dict[str, Any]] = []

    def say(self, speaker: str, text: str) -> list[int]:
        self.utterances.append({"speaker": speaker, "text": text})
        return [len(self.utterances) - 1, len(self.utterances)]

    def silence(self, seconds: float) -> None:
        self.utterances.append({"speaker": None, "text": "", "seconds": seconds})

    def write(self, kind: str, text: str, speech: list[int] | None = None, **extra: Any) -> None:
        self.paragraphs.append({"kind": kind, "text": text, "speech": speech or None, **extra})

    def scene(self, scene: dict[str, Any], slots: dict[str, str], rename: dict[str, str]) -> None:
        base = len(self.utterances)
        for u in scene.get("speech") or []:
            if "silence" in u:
                self.silence(u["silence"])
                continue
            self.say(rename.get(u["speaker"], u["speaker"]), fill(u["text"], slots))
        said = len(self.utterances)
        for p in scene.get("paragraphs") or []:
            span = p.get("speech")
            if span and base + span[1] > said:
                place = f"{self.session_id}: {p['text'][:50]!r}"
                raise ValueError(f"{place} rests on utterance {span}, the scene has {said - base}")
            rows = p["text"].split("\n") if p["kind"] == "table" else [p["text"]]
            for n, row in enumerate(rows):
                self.write(
                    p["kind"],
                    fill(row.strip(), slots),
                    [base + span[0], base + span[1]] if span else None,
                    **({"row": n} if p["kind"] == "table" else {}),
                    **({"picture": f"{self.session_id}-{len(self.paragraphs)}"} if p.get("picture") else {}),
                )

    def data(self) -> dict[str, Any]:
        for u in self.utterances:
            if u["speaker"] is not None and u["speaker"] not in self.people:
                raise ValueError(f"{self.session_id}: nobody is called {u['speaker']!r}")
        return {
            "session_id": self.session_id,
            "number": self.number,
            "title": self.title,
            "people": self.people,
            "utterances": self.utterances,
            "paragraphs": self.paragraphs,
        }


class Bank:
    """Variants dealt without repetition until a drawer is empty."""

    def __init__(self, procedure: dict[str, Any], rng: random.Random) -> None:
        self.procedure, self.rng = procedure, rng
        self.left: dict[str, list[Any]] = {}

    def draw(self, drawer: str, items: list[Any] | None = None) -> Any:
        if not self.left.get(drawer):
            self.left[drawer] = list(items if items is not None else self.procedure[drawer])
            self.rng.shuffle(self.left[drawer])
        return self.left[drawer].pop()


def dealt(items: list[Any], n: int) -> Any:
    """Variant for session number `n`: neighbouring sessions never share one."""
    return items[n % len(items)]


def written(source: dict[str, Any], roster: dict[str, Any]) -> dict[str, Any]:
    """A session written out by hand."""
    used: dict[str, int] = {}
    people = {
        **roster["people"],
        **{g["key"]: guest(g, roster["guest_voices"], used) for g in source.get("guests") or []},
    }
    s = SessionScript(
        source["session_id"], str(source["number"]), source.get("title", "Sesión ordinaria"), people
    )
    slots = topic_slots(people)
    for scene in source["scenes"]:
        s.scene(scene, slots, {})
    return s.data()
