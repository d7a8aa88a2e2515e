"""The 42-minute block: a paragraph whose words come back much later must not swallow what lies between.

An aligner that takes the outermost matching words of a paragraph as its span turned one motion, read at the
start of a debate and quoted again at its end, into a single block of 42 minutes. The document here has that
trap three times.
"""

import pytest

from astra_lib.alignment import align, overlap, score
from astra_lib.core.records import Paragraph
from astra_lib.core.settings import load
from astra_lib.text import tokens
from benchmarks.align.sessions import Built, Clerk, Clock, Lexicon, finish, summarise

PARAMS = load({}).align
ECHO_S = 42 * 60


@pytest.fixture(scope="module")
def document() -> Built:
    """Three debates of 45 minutes. Each opens with a motion that is quoted 42 minutes later, unwritten."""
    import numpy as np

    rng = np.random.default_rng(42)
    lexicon, clock, clerk = Lexicon(rng), Clock(rng), Clerk()
    for debate in range(3):
        begun = clock.now
        motion = [w for _ in range(3) for w in lexicon.sentence()]
        clerk.write("motion", " ".join(motion), clock.say(motion, "S0", 0.05))
        while clock.now < begun + ECHO_S - 60:
            words = [w for _ in range(int(rng.integers(2, 6))) for w in lexicon.sentence()]
            draw, speaker = rng.random(), f"S{int(rng.integers(1, 8))}"
            span = clock.say(words, speaker, 0.08)
            clock.wait(0.5)
            if draw < 0.4:
                clerk.write("verbatim", " ".join(words), span)
            elif draw < 0.75:
                text = summarise(words, rng, 0.5, lexicon, shuffle=False, filler=0)
                clerk.write("summary", text, span)
        clock.wait(max(0.0, begun + ECHO_S - clock.now))
        clock.say(motion if debate < 2 else motion[-len(motion) // 2 :], "S0", 0.05)
        clock.wait(5)
        lexicon.new_topic()
    return finish("forty-two-minutes", clock, clerk, rng, moved=0.0, lost_s=0.0)


@pytest.fixture(scope="module")
def alignment(document):
    return align(document.transcript, document.paragraphs, PARAMS)


def hull(paragraph: Paragraph, document: Built) -> float:
    """Seconds from the first to the last run of four words that paragraph and speech share: the old span."""
    heard = [t for w in document.transcript.words for t in (tokens(w.text) or [""])]
    wanted = tokens(paragraph.text)
    runs = {tuple(wanted[i : i + 4]) for i in range(len(wanted) - 3)}
    places = [i for i in range(len(heard) - 3) if tuple(heard[i : i + 4]) in runs]
    words = document.transcript.words
    return words[min(places[-1], len(words) - 1)].end - words[places[0]].start


def test_the_trap_is_there(document):
    motions = [g["paragraph"] for g in document.gold if g["kind"] == "motion"]
    assert len(motions) == 3
    assert all(hull(document.paragraphs[i], document) > 40 * 60 for i in motions)


def test_no_block_of_forty_two_minutes(alignment):
    assert alignment.metrics["longest_block_s"] <= PARAMS.block_max_s
    assert alignment.metrics["longest_span_s"] <= 180


def test_score_and_coverage(document, alignment):
    found = score(alignment.pairs, document.gold)
    assert found["f1"] > 0.85 and found["precision"] > 0.85
    assert alignment.metrics["coverage"] > 0.5
    assert alignment.metrics["estimated_precision"] > 0.85


def test_the_motions_are_found_where_one_of_their_readings_is(document, alignment):
    for row in document.gold:
        if row["kind"] == "motion":
            pair = alignment.pairs[row["paragraph"]]
            assert pair.start is not None
            readings = [(row["start"], row["end"]), (row["start"] + ECHO_S, row["end"] + ECHO_S)]
            assert max(overlap((pair.start, pair.end), r) for r in readings) > 0.3
