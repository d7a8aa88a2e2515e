"""What the engine never writes: a name its prompt does not hold."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app_gradio.engine import NameGuard

SAID = "Anterior: [CONCEJAL_1].\nIntervención: habla [CONCEJAL_11] por [PARTIDO_2]"
BITS = [
    "[",
    "[CON",
    "CE",
    "JAL",
    "_",
    "1",
    "11",
    "2",
    "]",
    "]:",
    "[CONCEJAL_11]",
    "[PARTIDO_2",
    " [",
    "hola",
    "<w:t>",
    ".[",
    "][",
]


@pytest.fixture(scope="module")
def pieces(tokenizer) -> list[str]:
    return tokenizer.convert_ids_to_tokens(list(range(len(tokenizer))))


def written(names: NameGuard, pieces: list[str], wanted: list[int]) -> str:
    """What is left of `wanted` when every token that may not follow is refused."""
    out = ""
    for token in wanted:
        if names.allows(token):
            names.note(token)
            out += pieces[token]
    return out


@given(st.lists(st.integers(0, len(BITS) - 1), max_size=40))
def test_whatever_is_wanted_only_what_was_said_is_named(wanted):
    names = NameGuard(BITS, SAID)
    out = written(names, BITS, wanted)
    assert out.endswith(names.open)
    closed = out[: len(out) - len(names.open)]
    assert set(re.findall(r"\[[^\]]*\]?", closed)) <= {"[CONCEJAL_1]", "[CONCEJAL_11]", "[PARTIDO_2]"}


def test_with_the_tokens_of_the_real_vocabulary_every_said_name_can_be_written(pieces):
    for name in ("[CONCEJAL_1]", "[CONCEJAL_11]", "[PARTIDO_2]"):
        names, out = NameGuard(pieces, SAID), ""
        while out != name:
            fitting = [t for t, piece in enumerate(pieces) if piece and name.startswith(out + piece)]
            token = max(fitting, key=lambda t: len(pieces[t]))
            assert names.allows(token), (name, out)
            names.note(token)
            out += pieces[token]
        assert not names.open
    names = NameGuard(pieces, "nadie")
    assert not any(names.allows(t) for t, piece in enumerate(pieces) if "[" in piece)
