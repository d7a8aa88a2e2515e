"""Text: numbers, tokens, stems; what must hold for every input."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from num2words import num2words

from astra_lib import text


@given(st.integers(0, 999_999_999_999))
@settings(max_examples=400, deadline=None)
def test_every_spoken_number_is_read_back(value):
    said = num2words(value, lang="es")
    if said in ("uno",):
        return
    assert text.numbers_to_digits(said) == str(value)


@pytest.mark.parametrize(
    ("said", "figure"),
    [
        ("$243 millones", "$243000000"),
        ("2,5 millones", "2500000"),
        ("10.000 pesos", "10000 pesos"),
        ("1.234.567,50", "1234567,50"),
        ("mil millones", "1000000000"),
        ("veinte y tres votos", "23 votos"),
        ("uno de ellos y una de ellas", "uno de ellos y una de ellas"),
        ("cuarenta, tres", "40, 3"),
        ("seis, siete y ocho votos", "6, 7 y 8 votos"),
        ("VEINTISÉIS", "26"),
        ("novecientas", "900"),
        ("a las 9:00", "a las 9:00"),
        ("$1'500.000", "$1500000"),
        ("veinte por ciento", "20 por ciento"),
        ("dosificar y milagro", "dosificar y milagro"),
    ],
)
def test_numbers_people_write(said, figure):
    assert text.numbers_to_digits(said) == figure


def test_speech_and_minutes_meet():
    assert text.normalize("El H.C. Peña pidió $243 millones.") == text.normalize(
        "el honorable concejal pena pidio doscientos cuarenta y tres millones"
    )
    assert text.content_stems("votaciones") == text.content_stems("votación")


@given(st.text(max_size=200))
@settings(max_examples=300, deadline=None)
def test_normalize_is_idempotent_and_plain(raw):
    once = text.normalize(raw)
    assert once.isascii() and once == once.lower()
    assert text.normalize(once) == once or any(c.isdigit() for c in once)


@given(
    st.lists(st.text(alphabet=st.characters(categories=["L", "N", "P"]), min_size=1, max_size=9), max_size=30)
)
@settings(max_examples=200, deadline=None)
def test_tokens_name_the_word_they_came_from(words):
    found, owners = text.word_tokens(words)
    assert len(found) == len(owners) and owners == sorted(owners)
    assert all(0 <= o < len(words) for o in owners)


def test_a_number_of_many_words_keeps_the_places_of_the_words_after_it():
    words = "son doscientos cuarenta y tres millones presidente".split()
    found, owners = text.word_tokens(words)
    assert found == ["son", "243000000", "presidente"] and owners == [0, 1, 6]


def test_wer_words_keep_what_a_clerk_would_correct():
    assert text.wer_words("[CONCEJAL_07] pidió $10.000 a las 9:00.") == [
        "[CONCEJAL_07]",
        "pidió",
        "10000",
        "a",
        "las",
        "9:00",
    ]
    assert text.wer_words("esta") != text.wer_words("está")
    assert text.wer_words("") == []


def test_what_sounds_alike_has_one_key():
    for one, other in [
        ("echeverri", "echeberry"),
        ("quiceno", "kiseno"),
        ("giraldo", "jiraldo"),
        ("castrillon", "castriyon"),
        ("henao", "enao"),
        ("zuluaga", "suluaga"),
    ]:
        assert text.sound(one) == text.sound(other)
    assert text.sound("guerra") != text.sound("gerra")
