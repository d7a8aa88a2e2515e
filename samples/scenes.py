"""The composed sessions: procedure around topics, each session with wording of its own."""

from __future__ import annotations

import random
from datetime import date
from typing import Any

from .compose import MONTHS, ORDINALS, Bank, SessionScript, clock, dealt, fill, forms, guest, topic_slots


class Composer:
    """One composed session. `n`: its place among the sessions, which chooses the formulas' variants."""

    def __init__(
        self,
        plan: dict[str, Any],
        n: int,
        topics: dict[str, Any],
        roster: dict[str, Any],
        procedure: dict[str, Any],
        seed: int,
    ) -> None:
        self.plan, self.n, self.roster, self.procedure = plan, n, roster, procedure
        self.topics = [topics[t] for t in plan["topics"]]
        self.rng = random.Random(f"{seed}:{plan['id']}")
        self.bank = Bank(procedure, self.rng)
        self.people = dict(roster["people"])
        self.used: dict[str, int] = {}
        self.s = SessionScript(plan["id"], f"{plan['number']:03d}", "Sesión ordinaria", self.people)
        day = date.fromisoformat(plan["id"])
        h, m = map(int, plan["opens"].split(":"))
        self.opens = h * 60 + m
        spoken_date = f"{day.day} de {MONTHS[day.month - 1]} de {day.year}"
        hour, hour_spoken = clock(self.opens)
        councillors = [k for k, p in self.people.items() if p["party"]]
        others = [k for k in councillors if k not in ("president", "vp")]
        self.rng.shuffle(others)
        self.absent = others[: self.n % 3]
        self.late = others[2] if self.n % 2 else None
        self.here = [k for k in councillors if k not in self.absent]
        on_time = [k for k in self.here if k != self.late]
        self.slots: dict[str, Any] = {
            "fecha": spoken_date,
            "fecha_voz": spoken_date,
            "hora": hour,
            "hora_voz": hour_spoken,
            "numero": plan["number"],
            "numero_voz": plan["number"],
            "presidente": self.people["president"]["name"],
            "secretaria": self.people["secretary"]["name"],
            "presentes": len(on_time),
            "presentes_voz": len(on_time),
            "anterior": plan["number"] - 1,
            "anterior_voz": plan["number"] - 1,
        }
        self.councillors, self.on_time = councillors, on_time
        self.aside_budget = 3

    def pick(self, drawer: str) -> Any:
        return dealt(self.procedure[drawer], self.n)

    def text(self, template: str, **slots: Any) -> str:
        return fill(template, self.slots | slots)

    # -- the parts, in order ---------------------------------------------------------------------------------

    def compose(self) -> dict[str, Any]:
        self.front()
        self.opening()
        self.roll_call()
        self.agenda()
        if self.plan.get("minutes_vote"):
            self.minutes()
        half = (len([t for t in self.topics if t["kind"] != "withdrawn"]) + 1) // 2
        for k, topic in enumerate(t for t in self.topics if t["kind"] != "withdrawn"):
            if self.plan.get("recess") and k == half:
                self.recess()
            if self.late and k == 1:
                self.late_arrival()
            self.topic(topic)
        self.varios()
        self.close()
        self.s.utterances = [u | {"pause": round(self.rng.uniform(0.3, 0.8), 2)} for u in self.s.utterances]
        return self.s.data()

    def front(self) -> None:
        p, w = self.plan, self.s.write
        w("heading", f"ACTA No. {p['number']:03d}")
        w("heading", self.roster["council"].upper())
        w("body", fill("Sesión ordinaria del {fecha}. Lugar: " + self.roster["place"] + ".", self.slots))
        w("body", fill("Hora de citación: {hora}.", self.slots))
        if self.n % 2 == 0:
            for row, (a, b) in enumerate(
                [
                    ("Dignatario", "Cargo"),
                    (self.slots["presidente"], "Presidente"),
                    (self.people["vp"]["name"], "Vicepresidenta"),
                    (self.slots["secretaria"], "Secretaria general"),
                ]
            ):
                w("table", f"{a} | {b}", row=row)
        for line in self.pick("before"):
            self.s.say("secretary" if "presidente" in line.lower() else "president", line)
        self.s.silence(2.5)

    def opening(self) -> None:
        v = self.pick("opening")
        self.s.write("formula", self.text(v["text"]), self.s.say("president", self.text(v["speech"])))

    def roll_call(self) -> None:
        s, bank = self.s, self.procedure
        row, absent_row = dealt(bank["rollcall_row"], self.n), dealt(bank["rollcall_absent_row"], self.n)
        s.write("heading", "1. LLAMADO A LISTA Y VERIFICACIÓN DEL QUÓRUM")
        if self.n % 8 in (2, 5):
            lead = s.say("secretary", self.pick("rollcall_block"))
            names = ", ".join(self.people[k]["name"] for k in self.on_time)
            excused = (
                "; con excusa, " + " y ".join(self.people[k]["name"] for k in self.absent)
                if self.absent
                else ""
            )
            span = s.say("secretary", f"{names}{excused}.")
            s.write("formula", self.pick("rollcall_lead"), lead)
            for k in self.on_time:
                s.write("rollcall", self.text(row, **forms(self.people[k])), span)
            for k in self.absent:
                s.write("rollcall", self.text(absent_row, **forms(self.people[k])), span)
        else:
            each = bank["rollcall_each"]
            call = dealt(each["call"], self.n)
            s.write("formula", self.pick("rollcall_lead"), s.say("secretary", dealt(each["intro"], self.n)))
            for k in [c for c in self.councillors if c != self.late]:
                person = forms(self.people[k])
                called = (
                    call
                    if self.people[k]["sex"] == "m" or "Doctor" not in call
                    else call.replace("Doctor", "Doctora")
                )
                first = s.say("secretary", self.text(called, **person))
                if k in self.absent:
                    last = s.say("secretary", self.bank.draw("absent", each["absent"]))
                    s.write("rollcall", self.text(absent_row, **person), [first[0], last[1]])
                else:
                    last = s.say(k, self.bank.draw("answer", each["answer"]))
                    s.write("rollcall", self.text(row, **person), [first[0], last[1]])
        v = self.pick("quorum")
        s.write("formula", self.text(v["text"]), s.say("secretary", self.text(v["speech"])))

    def agenda(self) -> None:
        s, v = self.s, self.pick("agenda_read")
        first = s.say("president", v["president"])
        s.write("formula", self.text(v["text"]), [first[0], s.say("secretary", v["secretary"])[1]])
        self.items = ["Llamado a lista y verificación del quórum", "Lectura y aprobación del orden del día"]
        if self.plan.get("minutes_vote"):
            self.minutes_title = self.text(dealt(self.procedure["minutes_vote"]["title"], self.n))
            self.items.append(self.minutes_title)
        self.items += [
            self.text(t["title"], **self.topic_people(t)[2]) for t in self.topics if t["kind"] != "withdrawn"
        ]
        self.varios_title = dealt(self.procedure["varios"]["title"], self.n)
        self.items.append(self.varios_title)
        numbered = self.n % 4 != 1
        for k, item in enumerate(self.items):
            spoken = f"{ORDINALS[k] if self.n % 3 else f'Punto {k + 1}'}. {item.replace('n.º', 'número')}."
            s.write(
                "agenda",
                f"{k + 1}. {item}." if numbered else f"{item}.",
                s.say("secretary", spoken),
                **({} if numbered else {"number": True}),
            )
        v = self.pick("agenda_vote")
        first = s.say("president", v["president"])
        s.write("vote", self.text(v["text"]), [first[0], s.say("secretary", self.text(v["secretary"]))[1]])

    def head(self, title: str, spoken: str) -> None:
        """The president calls the next item, the secretary reads it, the clerk writes a heading."""
        self.s.say("president", self.bank.draw("next_point"))
        span = self.s.say("secretary", spoken)
        number = self.items.index(title) + 1
        self.s.write("heading", f"{number}. {title.upper()}", span)

    def minutes(self) -> None:
        bank = self.procedure["minutes_vote"]
        self.head(
            self.minutes_title,
            fill(
                dealt(bank["read"], self.n),
                {"titulo_voz": self.minutes_title.lower().replace("n.º", "número")},
            ),
        )
        v = dealt(bank["variants"], self.n // 2)
        first = self.s.say("president", self.text(v["president"]))
        self.s.write("vote", self.text(v["text"]), [first[0], self.s.say("secretary", v["secretary"])[1]])

    def topic_people(
        self, topic: dict[str, Any]
    ) -> tuple[dict[str, str], dict[str, dict[str, Any]], dict[str, str]]:
        """`rename` (abstract key -> key of this session), people by abstract key, slots; stable per topic."""
        if not hasattr(self, "casts"):
            self.casts: dict[str, Any] = {}
        if topic["id"] not in self.casts:
            used_keys = {
                u["speaker"] for sc in topic["scenes"] for u in sc.get("speech") or [] if "speaker" in u
            }
            used_keys |= {h["to"] for sc in topic["scenes"] if (h := sc.get("handover"))}
            letters = sorted(set("ABCDEFGH") & used_keys | set("ABCD"))
            crew = [k for k in self.on_time if k != "president"]
            self.rng.shuffle(crew)
            rename = dict(zip(letters, crew, strict=False))
            people = {a: self.people[k] for a, k in rename.items()}
            entries = topic.get("guest") or topic.get("guests") or []
            for g in [entries] if isinstance(entries, dict) else entries:
                key = f"{topic['id']}:{g['key']}"
                rename[g["key"]] = key
                people[g["key"]] = self.people[key] = guest(g, self.roster["guest_voices"], self.used)
            for fixed in ("president", "secretary", "vp"):
                people[fixed] = self.people[fixed]
            self.casts[topic["id"]] = (rename, people, topic_slots(people))
        return self.casts[topic["id"]]

    def topic(self, topic: dict[str, Any]) -> None:
        rename, people, slots = self.topic_people(topic)
        self.head(fill(topic["title"], slots), fill(topic["agenda_speech"], slots))
        self.scenes(topic, rename, people, slots)
        wrote_vote = any(p["kind"] == "vote" for sc in topic["scenes"] for p in sc.get("paragraphs") or [])
        if topic["kind"] == "bill" and not wrote_vote:
            self.vote("el proyecto de acuerdo")

    def scenes(
        self,
        topic: dict[str, Any],
        rename: dict[str, str],
        people: dict[str, dict[str, Any]],
        slots: dict[str, str],
    ) -> None:
        for k, scene in enumerate(topic["scenes"]):
            if to := (scene.get("handover") or {}).get("to"):
                known = forms(people[to])
                v = self.bank.draw("handover" if people[to]["party"] else "guest_handover")
                span = self.s.say("president", self.text(v["speech"], **known))
                if topic["kind"] != "withdrawn":
                    self.s.write("handover", self.text(v["text"], **known), span)
            self.s.scene(scene, slots, rename)
            if topic["kind"] == "report" and k == 0:
                self.s.write("body", "", None, picture=topic["id"])
            if self.aside_budget and k and self.rng.random() < 0.15:
                self.aside_budget -= 1
                for speaker, line in self.bank.draw("asides"):
                    self.s.say(speaker, line)

    def vote(self, matter: str) -> None:
        no = self.rng.choice([0, 1, 2, 3])
        yes = len(self.here) - no
        slots = {"asunto": matter, "si": yes, "no": no, "si_voz": yes, "no_voz": no if no else "ninguno"}
        v = self.bank.draw("vote")
        first = self.s.say("president", self.text(v["president"], **slots))
        self.s.write(
            "vote",
            self.text(v["text"], **slots),
            [first[0], self.s.say("secretary", self.text(v["secretary"], **slots))[1]],
        )
        against = set(self.rng.sample([k for k in self.here if k != "president"], no))
        if self.n % 2:
            self.s.write("table", "Concejal | Sí | No", row=0)
            for r, k in enumerate(self.here, 1):
                self.s.write(
                    "table",
                    f"{self.people[k]['name']} | {' | X' if k in against else 'X | '}",
                    row=r,
                )

    def late_arrival(self) -> None:
        each, person = self.procedure["rollcall_each"], forms(self.people[self.late])
        span = self.s.say(self.late, dealt(each["late"], self.n // 2))
        self.s.say(
            "secretary", "Queda registrada su asistencia." if self.n % 4 == 1 else "Ya lo anoto, gracias."
        )
        self.s.write(
            "body", self.text(dealt(each["late_text"], self.n // 2), **person), [span[0], span[1] + 1]
        )

    def recess(self) -> None:
        v = dealt(self.procedure["recess"], self.n // 2)
        first = self.s.say("president", v["announce"])
        self.s.silence(round(self.rng.uniform(50, 80), 1))
        self.s.say("president", v["resume"])
        last = self.s.say("secretary", v["confirm"])
        self.s.write("formula", v["text"], first)
        self.s.write("formula", v["after"], [last[0] - 1, last[1]])

    def varios(self) -> None:
        self.head(self.varios_title, dealt(self.procedure["varios"]["read"], self.n))
        items = self.procedure["varios"]["items"]
        mine = [items[(2 * self.n + k) % len(items)] for k in range(2)]
        authors = self.rng.sample([k for k in self.here if k != "president"], 2)
        for author, item in zip(authors, mine, strict=True):
            v, known = self.bank.draw("handover"), forms(self.people[author])
            self.s.write(
                "handover",
                self.text(v["text"], **known),
                self.s.say("president", self.text(v["speech"], **known)),
            )
            self.s.write("list", item["text"], self.s.say(author, item["speech"]))
        for topic in [t for t in self.topics if t["kind"] == "withdrawn"]:
            rename, people, slots = self.topic_people(topic)
            self.scenes(topic, rename, people, slots)

    def close(self) -> None:
        seconds = sum(len(u["text"].split()) / 2.2 + u.get("seconds", 0) for u in self.s.utterances)
        hour, spoken = clock(self.opens + round(seconds / 60))
        v = self.pick("closing")
        self.s.write(
            "formula",
            self.text(v["text"], hora=hour).replace("m..", "m."),
            self.s.say("president", self.text(v["speech"], hora_voz=spoken)),
        )
        self.s.write("body", self.pick("constancia"))
        if self.n % 3 == 2:
            self.s.write("table", "Concejal | Ingreso | Salida", row=0)
            for r, k in enumerate(self.here, 1):
                came = clock(self.opens + (17 if k == self.late else 0))[0]
                self.s.write("table", f"{self.people[k]['name']} | {came} | {hour}", row=r)
        for name, role in (
            (self.slots["presidente"], "Presidente"),
            (self.slots["secretaria"], "Secretaria General"),
        ):
            self.s.write("signature", name.upper())
            self.s.write("signature", role)
