"""Rows are what the server will send, whole, on one side of the split, and nothing is cut in silence."""

from __future__ import annotations

import json
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astra_lib.core.errors import InputError
from astra_lib.core.records import Block, Example, Pair, read_jsonl
from astra_lib.formatter import (
    NOTHING,
    Context,
    bills,
    build_examples,
    build_prompt,
    completion_of,
    fit,
    recurring,
    rejection,
    sharegpt,
    split,
    thin_boilerplate,
    token_count,
    units,
    validate_row,
    write_dataset,
)
from astra_lib.minutes import check, paragraph_xml
from trainer.base_model import load_tokenizer


def pair(i: int, text: str, start: float | None, end: float | None, kind: str = "list", session: str = "2026-01-01", confidence: float = .9) -> Pair:
    blocks = [] if start is None else [Block(start, end, "spk_01", f"dijo la parte {i} de su intervención")]
    return Pair(session, "pm", i, kind, text, paragraph_xml(text, kind), start, end, confidence, " ".join(b.text for b in blocks), blocks)


spans = st.lists(st.tuples(st.floats(0, 20), st.floats(.5, 90)), min_size=1, max_size=30)


@given(spans)
def test_units_keep_every_pair_once_in_order_and_within_a_block(rows):
    at, pairs = 0.0, []
    for i, (gap, length) in enumerate(rows):
        pairs.append(pair(i, f"Manifestó la idea {i}.", at, at + length))
        at += gap
    made = units(pairs)
    seen = [p.paragraph for u in made for p in u.pairs]
    assert seen == sorted(set(seen))
    assert all(u.end - u.start <= 60 and len(u.pairs) <= 4 for u in made)
    assert {p.paragraph for p in pairs if p.end - p.start > 60} & set(seen) == set()
    short = [p.paragraph for p in pairs if p.end - p.start <= 60]
    assert set(seen) == set(short)


@pytest.mark.parametrize(("change", "reason"), [
    ({"start": None, "end": None}, "never spoken"), ({"kind": "signature"}, "kind signature"), ({"confidence": .2}, "low confidence"),
    ({"text": "Sí"}, "too short"), ({"text": "palabra " * 200}, "too long"), ({"xml": "<w:p><w:r>"}, "XML does not validate"),
])
def test_every_reason_to_leave_a_pair_out_is_named(change, reason):
    good = pair(0, "Pidió un informe por escrito.", 1.0, 9.0)
    assert rejection(good) is None
    for name, value in change.items():
        setattr(good, name, value)
    assert rejection(good) == reason


def test_a_row_carries_what_the_server_will_have_and_nothing_else():
    session = [pair(0, "2. Alumbrado público en la ladera", None, None, "heading"), pair(1, "Intervino el concejal [CONCEJAL_03].", 0, 8, "handover"),
               pair(2, "Reclamó por la demora.", 30, 45), pair(3, "Firma", None, None, "signature")]
    rows = build_examples(session).examples
    assert [r.id for r in rows] == ["2026-01-01:0001-0001", "2026-01-01:0002-0002"]
    user = rows[1].prompt[1]["content"]
    assert "Punto: 2. Alumbrado" in user and "Anterior: Intervino el concejal [CONCEJAL_03]." in user
    assert "Reclamó" not in user and rows[1].completion[0]["content"] == completion_of(session[2:3])
    assert build_examples(session).examples == rows, "the same pairs give the same rows"


def test_unwritten_speech_teaches_silence_in_a_bounded_share():
    pairs = [pair(i, f"Expuso el asunto número {i} con detalle.", i * 70, i * 70 + 40) for i in range(50)]
    quiet = {"2026-01-01": [Block(i * 70 + 45, i * 70 + 60, None, "un momentico que se está oyendo un pito en el micrófono sigamos") for i in range(40)]}
    rows = build_examples(pairs, quiet).examples
    silent = [r for r in rows if r.completion[0]["content"] == NOTHING]
    assert 1 <= len(silent) <= .06 * 50 + 1 and all(validate_row(r) is None for r in rows)


names = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=8)


@given(st.sets(names, min_size=1, max_size=40), st.floats(0, 1), st.integers(0, 99))
def test_a_session_never_moves_when_later_ones_are_added(sessions, share, seed):
    ordered = sorted(sessions)
    whole = split({s: set() for s in ordered}, share, seed)
    for n in range(1, len(ordered)):
        part = split({s: set() for s in ordered[:n]}, share, seed)
        assert part == {s: whole[s] for s in ordered[:n]}


def test_sessions_on_the_same_bill_stay_together():
    for seed in range(40):
        sides = split({"a": {"14/2026"}, "b": set(), "c": {"14/2026", "9/2025"}, "d": {"9/2025"}}, .5, seed)
        assert sides["a"] == sides["c"] == sides["d"]
    assert bills([pair(0, "Proyecto de Acuerdo No. 014 de 2026, y el proyecto de acuerdo número 9.", 0, 1)]) == {"14/2026", "9/"}


def test_boilerplate_is_thinned_and_recurring_rows_are_named():
    def row(i, text, session="s1"):
        return Example(build_prompt("algo que se dijo"), [{"role": "assistant", "content": paragraph_xml(text)}], f"{session}:{i}", session, "pm", 0, 1000, .9)
    rows = [row(i, "El orden del día fue aprobado por unanimidad.") for i in range(5)] + [row(9, "Otra cosa muy distinta.")]
    kept, gone = thin_boilerplate(rows)
    assert len(kept) == 3 and gone == 3
    val = [row(0, "El orden del día fue aprobado por unanimidad", "s2"), row(1, "Un asunto enteramente nuevo sobre el río.", "s2")]
    assert recurring(val, kept) == ["s2:0"]


def test_tokens_are_counted_as_the_trainer_sees_them(settings):
    tokenizer = load_tokenizer(settings)
    row = Example(build_prompt("la luz del barrio", Context("Alumbrado", "Intervino.")), [{"role": "assistant", "content": paragraph_xml("Pidió luz.")}], "s:1", "s", "pm", 0, 9, .9)
    prompt, completion = token_count(row, tokenizer)
    whole = tokenizer.apply_chat_template(row.prompt + row.completion, return_dict=True)["input_ids"]
    assert prompt + completion == len(whole)
    decoded = tokenizer.decode(whole[prompt:])
    assert decoded.startswith("<w:p>") and tokenizer.eos_token in decoded, "the answer and its end token are what is learnt"
    assert fit([row], tokenizer, prompt + completion)[0] == [row] and fit([row], tokenizer, prompt + completion - 1)[0] == []


def test_a_dataset_is_written_whole_or_not_at_all(tmp_path):
    good = build_examples([pair(0, "Pidió un informe por escrito.", 1.0, 9.0)]).examples[0]
    bad = Example(good.prompt, [{"role": "assistant", "content": "<w:p><w:r>"}], "x:1", "x", "pm", 0, 9, .9)
    with pytest.raises(InputError, match="answer XML"):
        write_dataset([good], [bad], tmp_path / "d", {})
    assert not (tmp_path / "d").exists()
    with pytest.raises(InputError, match="train and val"):
        write_dataset([good], [good], tmp_path / "d", {})
    files = write_dataset([good], [], tmp_path / "d", {"tenant": "pm"})
    assert read_jsonl(files["train.jsonl"], Example) == [good]
    assert json.loads(files["train.sharegpt.jsonl"].read_text())["conversations"][-1] == {"from": "assistant", "value": good.completion[0]["content"]}
    assert {t["from"] for t in sharegpt(good)["conversations"]} == {"system", "user", "assistant"}
    assert not check(good.completion[0]["content"])
