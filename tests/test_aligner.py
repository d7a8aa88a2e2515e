"""The aligner: what must hold for every session, and what people get wrong."""

import math
import random
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from astra_lib.aligner import explains
from astra_lib.alignment import align, overlap, score
from astra_lib.core.errors import InputError
from astra_lib.core.records import Paragraph, Transcript, Utterance, Word
from astra_lib.core.settings import Semantic, load
from benchmarks.align.segments import as_segments
from benchmarks.align.sessions import HARD, Built, minutes_session, session

PARAMS = load({}).align


def paragraphs(*texts: str) -> list[Paragraph]:
    return [Paragraph(i, "body", t, f"<w:p><w:r><w:t>{t}</w:t></w:r></w:p>") for i, t in enumerate(texts)]


def spoken(text: str, *, start: float = 0.0, step: float = 0.4, speaker: str | None = "A") -> list[Word]:
    return [
        Word(w, start + i * step, start + i * step + step * 0.9, 0.9, speaker)
        for i, w in enumerate(text.split())
    ]


def transcript(words: list[Word], duration: float | None = None) -> Transcript:
    return Transcript(
        "s",
        "puerto-manantial",
        duration or (max((w.end for w in words), default=0.0)),
        words,
        [Utterance(words[0].start, words[-1].end, words[0].speaker, (0, len(words)))] if words else [],
    )


def check_invariants(alignment, given: Transcript, texts: list[Paragraph]) -> None:
    pairs = alignment.pairs
    assert [p.paragraph for p in pairs] == [p.index for p in texts]
    last = (-1.0, -1.0)
    for pair in pairs:
        assert 0.0 <= pair.confidence <= 1.0
        if pair.start is None:
            assert pair.end is None and not pair.blocks and pair.speech == "" and pair.confidence == 0
            continue
        assert pair.start < pair.end
        assert pair.start >= last[0] - 1e-3 and pair.end >= last[1] - 1e-3, "pairs run forward"
        last = pair.start, pair.end
        assert pair.end - pair.start <= 300.0 + 1e-6
        assert pair.blocks and pair.speech
        for block in pair.blocks:
            assert block.end - block.start <= PARAMS.block_max_s + 1e-6
            assert block.start >= pair.start - 1e-3 and block.end <= pair.end + 1e-3
        for a, b in zip(pair.blocks, pair.blocks[1:], strict=False):
            assert a.end <= b.start + 1e-6
    assert 0 <= alignment.metrics["coverage"] <= 1
    assert 0 <= alignment.metrics["estimated_precision"] <= 1
    for a, b in zip(alignment.unwritten, alignment.unwritten[1:], strict=False):
        assert a[1] <= b[0] + 1e-6


def test_constructed_mixture_is_aligned():
    accepted = []
    for seed in range(100, 104):
        built = session(seed, 1.5)
        alignment = align(built.transcript, built.paragraphs, PARAMS)
        check_mixture(alignment, built)
        gold = {g["paragraph"] for g in built.gold if g["kind"] == "unspoken"}
        accepted += [p.start is not None for p in alignment.pairs if p.paragraph in gold]
    assert len(accepted) > 30 and sum(accepted) / len(accepted) <= 0.04


def check_mixture(alignment, built: Built) -> None:
    check_invariants(alignment, built.transcript, built.paragraphs)
    found = score(alignment.pairs, [g for g in built.gold if not g.get("moved")])
    assert found["f1"] >= 0.93 and found["boundary_p95_s"] <= 5.5
    verbatim = score(
        alignment.pairs, [g for g in built.gold if g["kind"] == "verbatim" and not g.get("moved")]
    )
    assert verbatim["recall"] >= 0.97
    assert not alignment.metrics["mismatch"] and alignment.metrics["estimated_precision"] > 0.9


def test_hard_summaries():
    rows = [
        score(align(b.transcript, b.paragraphs, PARAMS).pairs, b.gold)
        for b in (session(s, 1.5, mix=HARD) for s in range(201, 209))
    ]
    assert sum(r["f1"] for r in rows) / len(rows) >= 0.88
    unspoken = [r["paragraphs"] - r["spoken"] for r in rows]
    assert sum(unspoken) >= 80
    assert (
        sum(r["unspoken_accepted"] * n for r, n in zip(rows, unspoken, strict=True)) / sum(unspoken) <= 0.03
    )


@pytest.mark.parametrize("diarised", [True, False])
def test_minutes_over_segments_without_word_times(diarised):
    built = minutes_session(301, diarised=diarised, keep=0.5, filler=0.3)
    alignment = align(built.transcript, built.paragraphs, PARAMS)
    check_invariants(alignment, built.transcript, built.paragraphs)
    found = score(alignment.pairs, built.gold)
    assert found["f1"] >= 0.75 and found["time_f1"] >= 0.88
    assert alignment.metrics["interpolated"]


def test_a_roll_call_shares_one_stretch():
    names = [
        "Benavides Cuartas Aurelio",
        "Ospina Latorre Marcela",
        "Quiceno Mora Hernán",
        "Toro Villada Luz Adriana",
        "Castrillón Peña Jorge Iván",
        "Murcia Henao Yolanda",
    ]
    said = (
        "buenos días secretaria por favor llamado a lista con mucho gusto presidente "
        "aurelio benavides presente marcela ospina "
        "presente hernán quiceno presente luz adriana toro presente jorge iván castriyón "
        "presente yolanda murcia presente hay quórum"
    )
    words = spoken(said) + spoken(
        "pasamos entonces al segundo punto que trata del presupuesto de rentas y gastos del municipio",
        start=30,
    )
    segments = [(0, len(said.split())), (len(said.split()), len(words))]
    given = Transcript(
        "s",
        "t",
        40,
        words,
        [Utterance(words[a].start, words[b - 1].end, "A", (a, b)) for a, b in segments],
        interpolated=True,
    )
    alignment = align(given, [Paragraph(i, "rollcall", n, "") for i, n in enumerate(names)], PARAMS)
    found = [p for p in alignment.pairs if p.start is not None]
    assert len(found) >= 5 and all(p.end < 30 for p in found)


def test_headings_heard_only_when_the_agenda_was_read_do_not_fence_the_session():
    """The agenda is read out at the start; when an item is reached its title is misheard: a wrong match."""
    built = minutes_session(303, keep=0.5, filler=0.3)
    titles = [(i, p) for i, p in enumerate(built.paragraphs) if p.kind == "agenda"]
    assert len(titles) >= 5
    read, shift = " ".join(p.text for _, p in titles), 120.0
    words = [replace(w, start=w.start + shift, end=w.end + shift) for w in built.transcript.words]
    garbled = {w for _, p in titles for w in p.text.lower().split() if len(w) > 4}
    words = [replace(w, text="brrm") if w.text.lower().strip(".") in garbled else w for w in words]
    agenda = [
        replace(w, text=w.text.lower())
        for w in spoken(read, speaker="S0", step=shift / len(read.split()) * 0.9)
    ]
    utterances = [Utterance(0.0, agenda[-1].end, "S0", (0, len(agenda)))] + [
        Utterance(
            u.start + shift, u.end + shift, u.speaker, (u.words[0] + len(agenda), u.words[1] + len(agenda))
        )
        for u in built.transcript.utterances
    ]
    heard = replace(
        built.transcript,
        words=agenda + words,
        utterances=utterances,
        duration=built.transcript.duration + shift,
    )
    rows = [replace(p, kind="heading") if p.kind == "agenda" else p for p in built.paragraphs]
    gold = [
        {
            **g,
            "start": None if g["start"] is None else g["start"] + shift,
            "end": None if g["end"] is None else g["end"] + shift,
        }
        for g in built.gold
        if g["kind"] in ("list", "handover", "vote")
    ]
    found = score(align(heard, rows, PARAMS).pairs, gold)
    assert found["f1"] >= 0.7 and found["time_f1"] >= 0.85


def test_a_title_written_twice_is_read_once():
    built = minutes_session(302, keep=0.5, filler=0.3)
    again = {
        g["paragraph"]
        for g, p in zip(built.gold, built.paragraphs, strict=True)
        if p.kind == "heading" and p.index > 2
    }
    pairs = align(built.transcript, built.paragraphs, PARAMS).pairs
    assert len(again) >= 3 and not [i for i in again if pairs[i].start is not None]
    assert all(pairs[i - 1].start is not None for i in again)


def test_silence_or_foreign_speech_inside_a_span_is_split_off():
    """The first half of a paragraph, ninety seconds about something else, the second half: never one span."""
    one = (
        "el alumbrado de la vereda la floresta tiene doscientas luminarias apagadas desde "
        "enero por falta de repuestos"
    )
    two = (
        "la empresa contratista no responde las llamadas de los vecinos y el interventor "
        "pidió caducidad del contrato"
    )
    rng = random.Random(3)
    other = " ".join(
        "".join(rng.choice("bcdlmnprst") + rng.choice("aeiou") for _ in range(3)) for _ in range(225)
    )
    words = spoken(one) + spoken(other, start=10) + spoken(two, start=102)
    alignment = align(transcript(words), paragraphs(f"{one}. {two}."), PARAMS)
    pair = alignment.pairs[0]
    assert pair.start is not None and pair.end - pair.start < 25
    check_invariants(alignment, transcript(words), paragraphs(one))


@pytest.mark.slow
@given(
    st.integers(0, 10_000), st.floats(0.0, 0.5), st.booleans(), st.sampled_from(["mix", "hard", "minutes"])
)
@example(20, 0.0, False, "minutes")  # its block began before its pair
@settings(max_examples=25, deadline=None)
def test_invariants_hold_whatever_is_said(seed, noise, strip_speakers, genre):
    if genre == "minutes":
        built = minutes_session(seed, 0.3, noise=noise, diarised=not strip_speakers)
    else:
        built = session(seed, 0.3, noise=noise, lost_s=30, recesses=1, mix=HARD if genre == "hard" else None)
    given_transcript = built.transcript
    if strip_speakers:
        given_transcript = replace(
            given_transcript, words=[replace(w, speaker=None) for w in given_transcript.words]
        )
    alignment = align(given_transcript, built.paragraphs, PARAMS)
    check_invariants(alignment, given_transcript, built.paragraphs)
    check_gaps(alignment, given_transcript)


def check_gaps(alignment, given: Transcript) -> None:
    """No run of units longer than `max_gap_s` in a span without a stem of its paragraph, edges included."""
    from astra_lib.text import STOPWORDS, stem, tokens

    for pair in alignment.pairs:
        if pair.start is None:
            continue
        stems = {stem(t) for t in tokens(pair.text) if t not in STOPWORDS}
        hits = [
            w
            for w in given.words
            if pair.start - 1e-3 <= w.start
            and w.end <= pair.end + 1e-3
            and any(stem(t) in stems for t in tokens(w.text))
        ]
        if not hits:
            continue  # heard by its sound only
        longest_unit = 15.0 + (
            25.0 if given.interpolated else 16.0
        )  # a matched word may stand anywhere in its unit, at both ends
        for a, b in zip(hits, hits[1:], strict=False):
            assert b.start - a.end <= PARAMS.max_gap_s + 2 * longest_unit


@given(
    st.lists(
        st.tuples(st.floats(0, 600) | st.just(math.nan) | st.just(math.inf), st.floats(-5, 20)),
        min_size=1,
        max_size=60,
    ),
    st.lists(
        st.sampled_from(["", "presidente", "la vía al barrio La Floresta", "1", "…", "votos 11", "a", "😀"]),
        min_size=1,
        max_size=12,
    ),
)
@settings(max_examples=60, deadline=None)
def test_any_times_and_any_paragraphs(times, texts):
    vocabulary = "presidente la vía … al barrio floresta once votos sí -- no quórum acta ¡! .".split()
    words = [Word(vocabulary[i % len(vocabulary)], s, s + d, None, None) for i, (s, d) in enumerate(times)]
    given_transcript = Transcript("s", "t", 600.0, words, [])
    rows = paragraphs(*texts)
    usable = [
        w
        for w in words
        if any(c.isalnum() for c in w.text)
        and math.isfinite(w.start)
        and math.isfinite(w.end)
        and w.end >= w.start >= 0
    ]
    if not usable or not any(t.strip() for t in texts):
        with pytest.raises(InputError):
            align(given_transcript, rows, PARAMS)
        return
    check_invariants(align(given_transcript, rows, PARAMS), given_transcript, rows)


def test_empty_acta_and_empty_transcript_say_so():
    built = session(5, 0.1)
    with pytest.raises(InputError, match="minutes hold no text"):
        align(built.transcript, [], PARAMS)
    with pytest.raises(InputError, match="minutes hold no text"):
        align(built.transcript, paragraphs(" ", ""), PARAMS)
    with pytest.raises(InputError, match="no usable words"):
        align(replace(built.transcript, words=[], utterances=[]), built.paragraphs, PARAMS)


@pytest.mark.parametrize("genre", ["mix", "minutes"])
def test_the_acta_of_another_session_is_noticed(genre):
    make = minutes_session if genre == "minutes" else session
    speech, acta = make(7, 1.0), make(8, 1.0)
    alignment = align(speech.transcript, acta.paragraphs, PARAMS)
    assert alignment.metrics["mismatch"]
    assert alignment.metrics["confident"] <= 0.05 * len(acta.paragraphs)
    assert not align(speech.transcript, speech.paragraphs, PARAMS).metrics["mismatch"]


def test_decoys_of_other_sessions_are_used():
    speech, other = session(9, 1.0), session(10, 1.0)
    alignment = align(speech.transcript, speech.paragraphs, PARAMS, decoys=other.paragraphs)
    assert alignment.metrics["decoys"] >= 20 and alignment.metrics["decoy_rate"] < 0.15
    assert len(alignment.pairs) == len(speech.paragraphs)


def test_a_transcript_in_another_language_is_noticed():
    english = (
        "the council of the town is in session and the roll will be called for all of "
        "the members that are here with us this "
        "is the first point of the day and it was read by the secretary to you as it is "
        "on the paper that you have "
    ) * 12
    built = minutes_session(11, 0.4)
    acta = paragraphs(
        *[
            "Manifestó que la administración de la ciudad no ha dado respuesta a los "
            f"vecinos del barrio en el punto {n} de la lista, "
            "por lo cual pidió que se cite al secretario para que explique el estado de las obras"
            for n in range(12)
        ]
    )
    alignment = align(transcript(spoken(english)), acta, PARAMS)
    assert alignment.metrics["mismatch"] and alignment.metrics["language"] == {
        "minutes": "es",
        "speech": "en",
    }
    assert built


def test_eleven_hours_and_three_lines():
    built = session(12, 11.0)
    rows = [
        p
        for p, g in zip(built.paragraphs, built.gold, strict=True)
        if g["kind"] == "verbatim" and not g["moved"]
    ][100:103]
    gold = {g["paragraph"]: g for g in built.gold}
    alignment = align(built.transcript, rows, PARAMS)
    assert not alignment.metrics["mismatch"] and alignment.metrics["coverage"] < 0.01
    for pair in alignment.pairs:
        assert (
            overlap((pair.start, pair.end), (gold[pair.paragraph]["start"], gold[pair.paragraph]["end"]))
            > 0.5
        )


def test_unsorted_overlapping_words_give_the_same_answer():
    built = session(13, 0.5)
    sorted_one = align(replace(built.transcript, utterances=[]), built.paragraphs, PARAMS)
    shuffled = list(built.transcript.words)
    random.Random(1).shuffle(shuffled)
    again = align(replace(built.transcript, words=shuffled, utterances=[]), built.paragraphs, PARAMS)
    assert [(p.start, p.end, p.speech) for p in again.pairs] == [
        (p.start, p.end, p.speech) for p in sorted_one.pairs
    ]


def test_words_without_confidence_and_overlapping_speakers():
    """No confidence anywhere, and every turn begins half a second before the one before it has ended."""
    built = session(18, 0.5)
    words = [replace(w, confidence=None, end=w.end + 0.5) for w in built.transcript.words]
    alignment = align(replace(built.transcript, words=words), built.paragraphs, PARAMS)
    check_invariants(alignment, built.transcript, built.paragraphs)
    assert score(alignment.pairs, [g for g in built.gold if not g["moved"]])["f1"] >= 0.85


def test_paragraphs_of_one_word_are_not_scattered_over_the_session():
    """One-word lines between real paragraphs: these stay in place, hardly one of the others has one."""
    built = session(19, 0.5)
    rows, gold = [], []
    for p, g in zip(built.paragraphs, built.gold, strict=True):
        rows += [
            replace(p, index=len(rows)),
            replace(p, index=len(rows) + 1, text=["Gracias.", "Presidente", "Sí."][p.index % 3], xml=""),
        ]
        gold.append({**g, "paragraph": len(rows) - 2})
    pairs = align(built.transcript, rows, PARAMS).pairs
    assert score(pairs, [g for g in gold if not g["moved"]])["f1"] >= 0.85
    assert sum(p.start is not None for p in pairs[1::2]) <= 0.1 * len(pairs[1::2])


def test_the_same_input_gives_the_same_output():
    built = minutes_session(14, 0.4)
    one, two = (align(built.transcript, built.paragraphs, PARAMS) for _ in range(2))
    assert one.pairs == two.pairs and one.metrics == two.metrics


def test_a_session_recorded_twice_is_aligned_once():
    """A file loaded twice, so the day is heard twice over. Pairs still run forward and stay short."""
    built = session(15, 0.5)
    shift = built.transcript.duration + 60
    twice = replace(
        built.transcript,
        words=built.transcript.words
        + [replace(w, start=w.start + shift, end=w.end + shift) for w in built.transcript.words],
        utterances=[],
        duration=2 * shift,
    )
    alignment = align(twice, built.paragraphs, PARAMS)
    check_invariants(alignment, twice, built.paragraphs)


def test_report_holds_what_a_reviewer_needs(tmp_path):
    built = minutes_session(16, 0.4)
    alignment = align(built.transcript, built.paragraphs, PARAMS)
    page = alignment.report(tmp_path / "alignment.html").read_text(encoding="utf-8")
    for piece in (
        "Path",
        "Timeline",
        "doubt first",
        "coverage of speech",
        "estimated precision",
        "data:image/png",
    ):
        assert piece in page
    assert "http" not in page.replace("http://www.w3.org", "")
    assert alignment._repr_html_() in page


def test_report_of_hostile_text_is_escaped(tmp_path):
    words = spoken(
        "el concejal dijo que la vía a la vereda el porvenir está "
        "<script>alert(1)</script> cerrada hace tres meses por derrumbes"
    )
    rows = paragraphs(
        "La vía a la vereda El Porvenir está <script>alert(1)</script> cerrada hace 3 meses por derrumbes."
    )
    page = align(transcript(words), rows, PARAMS).report(tmp_path / "a.html").read_text(encoding="utf-8")
    assert "<script>" not in page


def test_score_counts_what_it_says():
    rows = align(
        transcript(spoken("uno dos tres cuatro cinco seis siete ocho nueve diez once doce")),
        paragraphs("uno dos tres cuatro cinco seis siete"),
        PARAMS,
    ).pairs
    pair = replace(rows[0], start=10.0, end=20.0)
    gold = {"paragraph": 0, "kind": "body"}
    assert score([pair], [{**gold, "start": 10.0, "end": 20.0}])["f1_75"] == 1
    assert score([pair], [{**gold, "start": 16.0, "end": 26.0}])["f1"] == 0
    assert score([pair], [{**gold, "start": None, "end": None}])["unspoken_accepted"] == 1
    assert (
        score([replace(pair, start=None, end=None)], [{**gold, "start": None, "end": None}])["null_f1"] == 1
    )


def test_parameters_do_what_their_sentence_says():
    assert explains(30, replace(PARAMS, length_penalty_factor=2.0)) == explains(30, PARAMS) / 2
    assert explains(10_000, PARAMS) <= 300
    built: Built = minutes_session(17, 0.5)
    short = align(built.transcript, built.paragraphs, replace(PARAMS, length_penalty_factor=3.0)).metrics[
        "longest_span_s"
    ]
    assert short <= align(built.transcript, built.paragraphs, PARAMS).metrics["longest_span_s"]


SAMPLES = Path(__file__).resolve().parents[1] / "samples" / "manantial" / "sessions"


def sample(name: str) -> Built:
    from astra_lib.core.records import read_json
    from astra_lib.minutes import read_minutes
    from astra_lib.transcript import read_transcript

    folder = SAMPLES / name
    return Built(
        read_transcript([folder / "transcript.json"], session_id=name, tenant="manantial"),
        read_minutes(folder / "acta.docx").paragraphs,
        read_json(folder / "gold.json"),
    )


def test_the_sample_municipality():
    """Real recognition, many errors, a clerk's paraphrase. The bound lies between our result and any peer."""
    built = sample("2026-03-24")
    alignment = align(built.transcript, built.paragraphs, PARAMS)
    check_invariants(alignment, built.transcript, built.paragraphs)
    found = score(alignment.pairs, built.gold)
    assert found["f1"] > 0.75 and found["time_f1"] > 0.85
    other = sample("2026-04-21")
    assert align(built.transcript, other.paragraphs, PARAMS).metrics["mismatch"]


@pytest.mark.slow
def test_an_encoder_adds_to_the_evidence_and_breaks_nothing():
    from astra_lib.core.encoder import default_encoder

    built = sample("2026-03-24")
    alignment = align(built.transcript, built.paragraphs, PARAMS, encoder=default_encoder())
    check_invariants(alignment, built.transcript, built.paragraphs)
    assert score(alignment.pairs, built.gold)["f1"] > 0.75


def test_the_semantic_layer_is_asked_where_the_setting_says(monkeypatch):
    from astra_lib import alignment

    class Counting:
        def __init__(self) -> None:
            self.inner, self.texts = alignment.default_encoder(), 0

        def encode(self, texts):
            self.texts += len(texts)
            return self.inner.encode(texts)

    timed = sample("2026-03-24")
    bare = as_segments(timed)
    counting = Counting()
    monkeypatch.setattr(alignment, "default_encoder", lambda: counting)
    asked = {}
    for semantic in Semantic:
        for name, built in (("timed", timed), ("bare", bare)):
            counting.texts = 0
            alignment = align(built.transcript, built.paragraphs, replace(PARAMS, semantic=semantic))
            check_invariants(alignment, built.transcript, built.paragraphs)
            asked[semantic, name] = counting.texts > 0
    assert asked == {
        ("never", "timed"): False,
        ("never", "bare"): False,
        ("segments", "timed"): False,
        ("segments", "bare"): True,
        ("always", "timed"): True,
        ("always", "bare"): True,
    }


def test_a_lonely_short_line_far_from_everything_is_left_out():
    words = spoken(
        "abrimos la sesión con el informe del presupuesto de rentas y gastos del "
        "municipio para el año que viene"
    )
    words += spoken("quórum", start=900)
    rows = paragraphs(
        "Se abrió la sesión con el informe del presupuesto de rentas y gastos del municipio.", "Quórum."
    )
    pairs = align(transcript(words), rows, PARAMS).pairs
    assert pairs[0].start is not None and pairs[1].start is None
