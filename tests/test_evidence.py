"""Hearing, anchors, evidence: what must hold whatever was said."""

from dataclasses import FrozenInstanceError, fields
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from astra_lib.anchors import Anchor, chain, densest, find_anchors
from astra_lib.core.records import Transcript, Word
from astra_lib.evidence import Evidence, Heard, chair_phrases, floor_of, ranges
from astra_lib.hearing import Vocabulary, cut_units, listen
from astra_lib.spanish.genre import is_name_alone, is_person_line
from astra_lib.text import tokens
from astra_lib.weights import Weights


def spoken(*texts: str, speakers: str = "") -> Transcript:
    words, now = [], 0.0
    for k, text in enumerate(texts):
        for word in text.split():
            words.append(Word(word, now, now + 0.3, 0.9, speakers[k] if speakers else None))
            now += 0.4
        now += 1.0
    return Transcript("s", "puerto-manantial", now, words)


def test_every_weight_is_a_number_and_none_can_be_changed():
    for f in fields(Weights):
        value = getattr(Weights(), f.name)
        values = value if isinstance(value, tuple) else (value,)
        assert all(isinstance(v, (int, float)) for v in values), f.name
    with pytest.raises(FrozenInstanceError):
        Weights().unspoken = 1.0


def test_silence_is_heard_as_nothing():
    speech = listen(Transcript("s", "t", 10.0), Vocabulary())
    assert speech.units == 0 and not len(speech.ids)
    assert not floor_of(speech, np.zeros(0)).known
    evidence = Evidence(speech, [np.empty(0, np.int32)], Vocabulary(), Weights())
    assert [len(s) for s in evidence.stems] == [0]


def test_signs_make_no_unit_and_overlapping_words_end_it_last():
    speech = listen(
        Transcript("s", "t", 9.0, [Word("…", 0, 1), Word("alumbrado", 2, 7), Word("vial", 3, 4)]),
        Vocabulary(),
    )
    assert speech.units == 1 and speech.unit_start[0] == 2 and speech.unit_end[0] == 7


@given(st.lists(st.integers(0, 400), max_size=40, unique=True).map(sorted))
def test_densest_is_a_range_of_matches(places):
    lo, hi = densest(places)
    assert 0 <= lo <= hi <= len(places) and (hi > lo) == bool(places)


anchors = st.builds(
    lambda first, length, matched: (first, first + length, matched),
    st.integers(0, 60),
    st.integers(0, 12),
    st.integers(1, 9),
)


@given(st.lists(anchors, max_size=8))
def test_chain_is_the_heaviest_that_runs_forward(drawn):
    given_anchors = [Anchor(k, first, last, matched, 1.0) for k, (first, last, matched) in enumerate(drawn)]

    def weight(chosen):
        forward = all(a.last < b.first for a, b in zip(chosen, chosen[1:], strict=False))
        return sum(a.matched for a in chosen) if forward else -1

    best = max(weight(chosen) for n in range(len(drawn) + 1) for chosen in combinations(given_anchors, n))
    assert weight(chain(given_anchors)) == best


def test_barred_paragraphs_are_no_anchors():
    vocabulary = Vocabulary()
    title = vocabulary(tokens("informe sobre el alumbrado público en los barrios"))
    speech = listen(
        spoken("señores concejales informe sobre el alumbrado público en los barrios"), vocabulary
    )
    assert [a.paragraph for a in find_anchors([title], speech)] == [0]
    assert find_anchors([title], speech, barred={0}) == []


def test_new_borders_keep_every_token_and_second():
    speech = listen(spoken("uno dos tres cuatro cinco seis", "siete ocho nueve"), Vocabulary())
    cut = cut_units(speech, [2, 7])
    assert cut.units == speech.units + 2
    assert cut.first[-1] == len(speech.ids) and (np.diff(cut.first) > 0).all()
    assert (cut.unit == np.searchsorted(cut.first, np.arange(len(cut.ids)), side="right") - 1).all()
    assert cut.unit_start[0] == speech.unit_start[0] and cut.unit_end[-1] == speech.unit_end[-1]


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 6)), max_size=9))
def test_ranges_are_those_of_python(drawn):
    begins = np.array([a for a, _ in drawn], int)
    row, at = ranges(begins, begins + np.array([n for _, n in drawn], int))
    assert list(zip(row.tolist(), at.tolist(), strict=True)) == [
        (k, i) for k, (a, n) in enumerate(drawn) for i in range(a, a + n)
    ]


def test_the_order_in_which_names_stand_in_does_not_matter():
    """Stems 0, 1, 2 sound alike, each was heard in one unit: none may pass on what was lent to it."""
    vocabulary = Vocabulary()
    speech = listen(spoken("Echavarría.", "Echaberría.", "Echevarría."), vocabulary)
    found = []
    for order in ((0, 1), (1, 0)):
        heard = Heard(speech, len(vocabulary.stems), Weights())
        alike = {0: [1], 1: [2]}
        heard.let_stand_in({k: alike[k] for k in order})
        found.append([places.tolist() for places in heard.places])
    assert found[0] == found[1] == [[0, 1], [1, 2], [2]]


def test_evidence_is_highest_where_it_was_said_and_closed_past_the_end():
    vocabulary = Vocabulary()
    text = vocabulary(tokens("Hay 240 luminarias apagadas en la vereda"))
    speech = listen(
        spoken("se abre la sesión.", "doscientas cuarenta luminarias apagadas en la vereda.", "se levanta."),
        vocabulary,
    )
    table = Evidence(speech, [text], vocabulary, Weights()).table(0, 0, speech.units, speech.units, 2)
    assert np.unravel_index(table.argmax(), table.shape) == (1, 0)
    assert table[-1, 1] == -np.inf and np.isfinite(table[:, 0]).all()


def test_the_table_is_who_says_the_chairs_phrases():
    vocabulary = Vocabulary()
    speech = listen(
        spoken(
            "tiene el uso de la palabra.",
            "llevamos meses sin luz.",
            "siguiente punto del orden del día.",
            speakers="aba",
        ),
        vocabulary,
    )
    floor = floor_of(speech, chair_phrases(speech, vocabulary))
    assert floor.known and floor.table.tolist() == [True, False, True]


@pytest.mark.parametrize(
    ("text", "line", "alone"),
    [
        ("H.C. Marcela Ospina Latorre (Movimiento Ladera Viva).", True, False),
        ("Hernán Quiceno Mora", True, True),
        ("CIERRE DE LA SESIÓN", True, False),
        ("Cierre De La Sesión", True, True),
        ("La vía está cerrada", False, False),
        ("Marcela", False, False),
    ],
)
def test_the_two_name_tests_differ_only_where_they_say_so(text, line, alone):
    assert (is_person_line(text), is_name_alone(text)) == (line, alone)
