"""Rows are what the server will send, whole, on one side of the split, and nothing is cut in silence."""

from __future__ import annotations

import json
import string
import unicodedata
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astra_lib.core.errors import InputError
from astra_lib.core.records import Block, Example, Pair, read_jsonl
from astra_lib.curation import (
    bills,
    fit,
    sharegpt,
    split,
    thin_boilerplate,
    token_count,
    validate_row,
    write_dataset,
)
from astra_lib.dataset_stats import five_numbers, twins
from astra_lib.formatter import (
    CONTEXT_WORDS,
    Context,
    build_examples,
    build_prompt,
    completion_of,
    presiding,
    rejection,
    role_of,
    taught,
    units,
    unsound,
)
from astra_lib.minutes import check, paragraph_xml
from astra_lib.word.canonical import NOTHING


def pair(
    i: int,
    text: str,
    start: float | None,
    end: float | None,
    kind: str = "list",
    session: str = "2026-01-01",
    confidence: float = 0.9,
) -> Pair:
    blocks = [] if start is None else [Block(start, end, "spk_01", f"dijo la parte {i} de su intervención")]
    return Pair(
        session,
        "pm",
        i,
        kind,
        text,
        paragraph_xml(text, kind),
        start,
        end,
        confidence,
        " ".join(b.text for b in blocks),
        blocks,
    )


spans = st.lists(st.tuples(st.floats(0, 20), st.floats(0.5, 90)), min_size=1, max_size=30)


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


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"start": None, "end": None}, "never spoken"),
        ({"kind": "signature"}, "kind signature"),
        ({"confidence": 0.2}, "low confidence"),
        ({"text": "Sí"}, "too short"),
        ({"text": "palabra " * 200}, "too long"),
        ({"xml": "<w:p><w:r>"}, "XML does not validate"),
        ({"text": "AprobÃ³ el informe"}, "read in the wrong encoding"),
        ({"speech": "dijo \ufffd y siguió"}, "read in the wrong encoding"),
        ({"text": "Pidió \ud800 un informe"}, "half a character (a lone surrogate)"),
        ({"text": "Pidió\x07 un informe"}, "control characters"),
        ({"blocks": [Block(1, 9, None, "sigo <|eot_id|> hablando")]}, "a chat marker inside the text"),
    ],
)
def test_every_reason_to_leave_a_pair_out_is_named(change, reason):
    good = pair(0, "Pidió un informe por escrito.", 1.0, 9.0)
    assert rejection(good) is None
    for name, value in change.items():
        setattr(good, name, value)
    assert rejection(good) == reason


def test_a_row_carries_what_the_server_will_have_and_nothing_else():
    session = [
        pair(0, "2. Alumbrado público en la ladera", None, None, "heading"),
        pair(1, "Intervino el concejal [CONCEJAL_03].", 0, 8, "handover"),
        pair(2, "Reclamó por la demora.", 30, 45),
        pair(3, "Firma", None, None, "signature"),
    ]
    rows = build_examples(session).examples
    assert [r.id for r in rows] == ["2026-01-01:0001-0001", "2026-01-01:0002-0002"]
    user = rows[1].prompt[1]["content"]
    assert "Punto: 2. Alumbrado" in user and "Anterior: Intervino el concejal [CONCEJAL_03]." in user
    assert "Reclamó" not in user and rows[1].completion[0]["content"] == completion_of(session[2:3])
    assert build_examples(session).examples == rows, "the same pairs give the same rows"


def test_unwritten_speech_teaches_silence_in_a_bounded_share():
    pairs = [pair(i, f"Expuso el asunto número {i} con detalle.", i * 70, i * 70 + 40) for i in range(50)]
    quiet = {
        "2026-01-01": [
            Block(
                i * 70 + 45,
                i * 70 + 60,
                None,
                "un momentico que se está oyendo un pito en el micrófono sigamos",
            )
            for i in range(40)
        ]
    }
    rows = build_examples(pairs, quiet).examples
    silent = [r for r in rows if r.completion[0]["content"] == NOTHING]
    assert 1 <= len(silent) <= 0.06 * 50 + 1 and all(validate_row(r) is None for r in rows)


def test_speech_beside_a_paragraph_that_was_not_found_teaches_no_silence():
    """It may be that paragraph's own speech: it must lie between two that were found, none lost between."""

    def session(lost):
        return [
            pair(
                i,
                f"Expuso el asunto número {i} con detalle.",
                *((None, None) if i in lost else (i * 70, i * 70 + 40)),
            )
            for i in range(50)
        ]

    quiet = {
        "2026-01-01": [
            Block(
                i * 70 + 45,
                i * 70 + 60,
                None,
                "un momentico que se está oyendo un pito en el micrófono sigamos",
            )
            for i in range(49)
        ]
    }

    def taught(pairs):
        return {
            r.start_ms // 70_000
            for r in build_examples(pairs, quiet, negative_share=1).examples
            if r.completion[0]["content"] == NOTHING
        }

    assert taught(session(set())) == set(range(49))
    assert taught(session({7, 20})) == set(range(49)) - {6, 7, 19, 20}
    own = [replace(p, blocks=[replace(b, speaker="spk_1") for b in p.blocks]) for p in session(set())]
    assert taught(own) == set(range(49)), "nobody knows who says the unwritten part"
    quiet["2026-01-01"] = [replace(b, speaker=f"spk_{i % 2}") for i, b in enumerate(quiet["2026-01-01"])]
    assert taught(own) == set(range(0, 49, 2)), "who goes on speaking is still at what was written"
    assert not taught([replace(p, confidence=0.3) for p in session(set())]), (
        "what was hardly found was not found"
    )


names = st.text(string.ascii_lowercase + string.digits, min_size=1, max_size=8)


@given(st.sets(names, min_size=1, max_size=40), st.floats(0, 1), st.integers(0, 99))
def test_a_session_never_moves_when_later_ones_are_added(sessions, share, seed):
    ordered = sorted(sessions)
    whole = split({s: set() for s in ordered}, share, seed)
    for n in range(1, len(ordered)):
        part = split({s: set() for s in ordered[:n]}, share, seed)
        assert part == {s: whole[s] for s in ordered[:n]}


some_bills = st.sets(st.sampled_from([f"{n}/2026" for n in range(6)]), max_size=3)
batches = st.lists(st.dictionaries(names, some_bills, max_size=6), min_size=1, max_size=6)


def sides_of_bills(sides: dict[str, str], about: dict[str, set[str]]) -> dict[str, set[str]]:
    return {
        bill: {sides[s] for s in about if bill in about[s]} - {"apart"}
        for bill in set().union(*about.values())
    }


@given(batches, st.floats(0, 1), st.integers(0, 99))
def test_whatever_is_added_in_whatever_order_no_session_moves_and_no_bill_stands_on_both_sides(
    batches, share, seed
):
    """Sessions come in batches, with ids before, between and after: older ones may be mined later."""
    about: dict[str, set[str]] = {}
    placed: dict[str, str] = {}
    for batch in batches:
        about = {**batch, **about}  # a session's bills are fixed once it is there
        sides = split(about, share, seed, placed)
        assert set(sides) == set(about) and set(sides.values()) <= {"train", "val", "apart"}
        assert placed.items() <= sides.items(), "an earlier session never moves"
        assert all(len(at) <= 1 for at in sides_of_bills(sides, about).values()), (
            "sessions on one bill stay together"
        )
        assert split(dict(reversed(about.items())), share, seed, placed) == sides
        placed = sides


@given(st.dictionaries(names, some_bills, min_size=1, max_size=20), st.floats(0, 1), st.integers(0, 99))
def test_later_ids_move_no_session_even_without_a_memory_and_only_bridges_stand_apart(about, share, seed):
    ordered = sorted(about)
    whole = split(about, share, seed)
    for n in range(1, len(ordered)):
        assert split({s: about[s] for s in ordered[:n]}, share, seed).items() <= whole.items()
    for session, side in whole.items():
        earlier = {whole[s] for s in ordered[: ordered.index(session)] if about[s] & about[session]} - {
            "apart"
        }
        assert (side == "apart") == (len(earlier) == 2)


def test_an_older_session_found_later_follows_those_that_are_placed():
    about = {"2026-03-05": {"14/2026"}, "2026-03-12": {"14/2026"}}
    moved = 0
    for seed in range(60):
        before = split(about, 0.5, seed)
        more = {"2026-01-20": {"14/2026"}, **about}
        moved += split(more, 0.5, seed)["2026-03-05"] != before["2026-03-05"]
        after = split(more, 0.5, seed, placed=before)
        assert before.items() <= after.items() and len(set(after.values())) == 1
    assert moved > 10, "without the memory it would have moved: the test can fail"


def test_a_placed_session_that_is_gone_places_nothing():
    assert split({"b": {"1/"}}, 0, 1, placed={"a": "val"}) == {"b": "train"}
    with_a = split({"a": {"1/"}, "b": {"1/"}}, 0, 1, placed={"a": "val"})
    assert with_a == {"a": "val", "b": "val"}


def test_sessions_on_the_same_bill_stay_together():
    for seed in range(40):
        sides = split({"a": {"14/2026"}, "b": set(), "c": {"14/2026", "9/2025"}, "d": {"9/2025"}}, 0.5, seed)
        assert sides["a"] == sides["c"] == sides["d"]


@pytest.mark.parametrize(
    ("session", "texts", "found"),
    [
        (
            "2026-01-01",
            ["Proyecto de Acuerdo No. 014 de 2026, y el proyecto de acuerdo número 9."],
            {"14/2026", "9/2026"},
        ),
        (
            "2026-01-01",
            ["PROYECTO DE ACUERDO NO. 014 DE 2025", "El proyecto de acuerdo No. 014 fue aprobado"],
            {"14/2025"},
        ),
        ("sesion-7", ["el proyecto de acuerdo No. 014 fue aprobado"], {"14/"}),
        ("2026-01-01", ["El proyecto de acuerdo fue aprobado con 10 votos", "el Acuerdo 033 de 2024"], set()),
    ],
)
def test_a_bill_is_the_same_with_and_without_its_year(session, texts, found):
    assert bills([pair(i, text, 0, 1, session=session) for i, text in enumerate(texts)]) == found


def test_boilerplate_is_thinned_and_rows_that_recur_are_named():
    def row(i, text, session="s1"):
        return Example(
            build_prompt("algo que se dijo"),
            [{"role": "assistant", "content": paragraph_xml(text)}],
            f"{session}:{i}",
            session,
            "pm",
            0,
            1000,
            0.9,
        )

    rows = [row(i, "El orden del día fue aprobado por unanimidad.") for i in range(5)] + [
        row(9, "Otra cosa muy distinta.")
    ]
    kept, gone = thin_boilerplate(rows, copies=2)
    assert len(kept) == 3 and gone == 3
    val = [
        row(0, "El orden del día fue aprobado por unanimidad", "s2"),
        row(1, "Un asunto enteramente nuevo sobre el río.", "s2"),
    ]
    assert list(twins(val, kept)) == ["s2:0"]


def test_tokens_are_counted_as_the_trainer_sees_them(tokenizer):
    row = Example(
        build_prompt("la luz del barrio", Context("Alumbrado", "Intervino.")),
        [{"role": "assistant", "content": paragraph_xml("Pidió luz.")}],
        "s:1",
        "s",
        "pm",
        0,
        9,
        0.9,
    )
    prompt, completion = token_count(row, tokenizer)
    whole = tokenizer.apply_chat_template(row.prompt + row.completion, return_dict=True)["input_ids"]
    assert prompt + completion == len(whole)
    decoded = tokenizer.decode(whole[prompt:])
    assert decoded.startswith("<w:p>") and tokenizer.eos_token in decoded, (
        "the answer and its end token are what is learnt"
    )
    assert (
        fit([row], tokenizer, prompt + completion)[0] == [row]
        and fit([row], tokenizer, prompt + completion - 1)[0] == []
    )


def test_a_dataset_is_written_whole_or_not_at_all(tmp_path):
    good = build_examples([pair(0, "Pidió un informe por escrito.", 1.0, 9.0)]).examples[0]
    bad = Example(good.prompt, [{"role": "assistant", "content": "<w:p><w:r>"}], "x:1", "x", "pm", 0, 9, 0.9)
    with pytest.raises(InputError, match="answer XML"):
        write_dataset([good], [bad], tmp_path / "d")
    assert not (tmp_path / "d").exists()
    with pytest.raises(InputError, match="train and val"):
        write_dataset([good], [good], tmp_path / "d")
    files = write_dataset([good], [], tmp_path / "d")
    assert read_jsonl(files["train.jsonl"], Example) == [good]
    assert json.loads(files["train.sharegpt.jsonl"].read_text())["conversations"][-1] == {
        "from": "assistant",
        "value": good.completion[0]["content"],
    }
    assert {t["from"] for t in sharegpt(good)["conversations"]} == {"system", "user", "assistant"}
    assert not check(good.completion[0]["content"])


def test_filters_by_confidence_kind_and_length_are_counted_apart():
    pairs = [
        pair(0, "Aprobado por unanimidad.", 0, 9, "vote"),
        pair(1, "Pidió un informe por escrito al alcalde.", 70, 79, confidence=0.6),
        pair(2, "Pidió luz.", 140, 149),
        pair(3, "Reclamó por la demora de la obra.", 210, 219),
    ]
    assert [r.id[-4:] for r in build_examples(pairs).examples] == ["0000", "0001", "0002", "0003"]
    built = build_examples(pairs, min_confidence=0.8, min_words=3, max_words=6, leave_out=("vote",))
    assert (
        dict(built.dropped) == {"kind vote": 1, "low confidence": 1, "too short": 1, "too long": 1}
        and not built.examples
    )


@given(
    st.lists(
        st.tuples(
            st.floats(0, 400), st.floats(0.5, 90), st.sampled_from(["list", "vote", "table"]), st.floats(0, 1)
        ),
        max_size=30,
    )
)
def test_every_paragraph_is_in_a_row_or_counted_as_left_out(spoken):
    pairs = [
        pair(i, f"Manifestó la idea número {i}.", at, at + length, kind, confidence=sure)
        for i, (at, length, kind, sure) in enumerate(spoken)
    ]
    built = build_examples(pairs)
    assert (
        built.paragraphs
        == len(pairs)
        == sum(len(k) for k in built.kinds.values()) + sum(built.dropped.values())
    )
    assert sum(r.completion[0]["content"].count("<w:p>") for r in built.examples) == sum(
        len(k) for k in built.kinds.values()
    )


def decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def test_a_row_that_is_not_nfc_is_composed_on_the_way_in_and_refused_on_the_way_out(tmp_path):
    text, said = "Pidió un informe sobre la caña.", "señor presidente pidió la canción"
    loose = replace(
        pair(0, decomposed(text), 1, 9), speech=decomposed(said), blocks=[Block(1, 9, None, decomposed(said))]
    )
    assert unsound(loose.text) == "not NFC"
    rows = build_examples([loose]).examples
    assert (
        rows
        == build_examples(
            [replace(pair(0, text, 1, 9), speech=said, blocks=[Block(1, 9, None, said)])]
        ).examples
    )
    bad = replace(
        rows[0], completion=[{"role": "assistant", "content": decomposed(rows[0].completion[0]["content"])}]
    )
    assert validate_row(bad) == "text: not NFC"
    with pytest.raises(InputError, match="2026-01-01:0000-0000: text: not NFC"):
        write_dataset([bad], [], tmp_path / "d")
    assert not (tmp_path / "d").exists()
    write_dataset(rows, [], tmp_path / "d")
    assert all(
        unicodedata.is_normalized("NFC", p.read_bytes().decode("utf-8")) for p in (tmp_path / "d").iterdir()
    )


def test_a_combining_sign_that_would_eat_a_bracket_is_left_out():
    """'>' and U+0338 compose to another character: in NFC the tag is gone."""
    built = build_examples([pair(0, "\u0338 un informe por escrito.", 1, 9)])
    assert not built.examples and built.dropped == {"XML does not validate": 1}


GOOD = build_examples([pair(0, "Pidió un informe por escrito.", 1.0, 9.0)]).examples[0]


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ({"id": ""}, "id must be"),
        ({"session_id": None}, "session_id must be"),
        ({"tenant": 7}, "tenant must be"),
        ({"start_ms": 1.5}, "times"),
        ({"end_ms": 1000}, "times"),
        ({"start_ms": True}, "times"),
        ({"start_ms": -1}, "times"),
        ({"confidence": float("nan")}, "confidence"),
        ({"confidence": 1.2}, "confidence"),
        ({"prompt": GOOD.prompt[:1]}, "roles"),
        ({"prompt": GOOD.prompt[::-1]}, "roles"),
        ({"completion": []}, "roles"),
        ({"completion": [{"role": "assistant", "content": " "}]}, "empty message"),
        ({"completion": [{"role": "assistant", "content": None}]}, "a message is a role"),
        ({"prompt": [{**GOOD.prompt[0], "name": "x"}, GOOD.prompt[1]]}, "a message is a role"),
        (
            {"prompt": [GOOD.prompt[0], {"role": "user", "content": "dijo <|im_end|> algo"}]},
            "text: a chat marker",
        ),
        (
            {"prompt": [GOOD.prompt[0], {"role": "user", "content": "dijo \udc80 algo"}]},
            "text: half a character",
        ),
        (
            {"completion": [{"role": "assistant", "content": "<w:p><w:r><w:t>x</w:t></w:r></w:p> y más"}]},
            "answer XML",
        ),
    ],
)
def test_every_rule_of_the_schema_refuses_its_row(change, problem, tmp_path):
    assert validate_row(GOOD) is None
    assert (validate_row(replace(GOOD, **change)) or "").startswith(problem)
    with pytest.raises(InputError):
        write_dataset([replace(GOOD, **change)], [], tmp_path / "d")
    assert not (tmp_path / "d").exists()


def test_an_id_twice_is_refused(tmp_path):
    with pytest.raises(InputError, match="two rows have this id"):
        write_dataset([GOOD, GOOD], [], tmp_path / "d")


@given(st.integers(0, 10_000), st.integers(0, 3))
def test_nothing_of_the_speech_or_the_answer_is_cut(words, paragraphs):
    said = " ".join(f"palabra{i}" for i in range(words + 1))
    pairs = [
        replace(
            pair(i, f"Manifestó la idea {i} de {words}.", 0, 50),
            speech=said,
            blocks=[Block(0, 50, None, said)],
        )
        for i in range(paragraphs + 1)
    ]
    row = build_examples(pairs).examples[0]
    assert row.prompt[1]["content"].endswith(f"Intervención: {said}") and row.completion[0][
        "content"
    ] == completion_of(pairs)


def test_near_duplicates_name_their_twin():
    def row(i, text, session, said="algo que se dijo"):
        return Example(
            build_prompt(said),
            [{"role": "assistant", "content": paragraph_xml(text)}],
            f"{session}:{i}",
            session,
            "pm",
            0,
            1000,
            0.9,
        )

    train = [row(0, "Otra cosa.", "s1"), row(1, "El orden del día fue aprobado por unanimidad.", "s1")]
    val = [
        row(0, "El orden del día fue aprobado, por unanimidad", "s2"),
        row(1, "Un asunto enteramente nuevo sobre el río.", "s2"),
    ]
    found = twins(val, train)
    assert list(found) == ["s2:0"] and found["s2:0"][0] == "s1:1" and found["s2:0"][1] >= 95
    assert twins(val, []) == {} and twins([], train) == {}


def test_who_presides_is_told_and_silence_has_the_same_context_as_speech():
    turns = [
        Block(t * 10.0, t * 10 + 9.0, "chair" if t % 2 == 0 else f"speaker {t}", "dice algo en la sesión")
        for t in range(9)
    ]
    assert presiding(turns) == "chair"
    assert role_of(turns[:1], "chair") == "presidencia" and role_of(turns[1:2], "chair") == "interviniente"
    unlabelled = [Block(b.start, b.end, None, b.text) for b in turns]
    assert presiding(unlabelled) is None and role_of(unlabelled, "chair") == "" and role_of(turns, None) == ""


@given(st.integers(0, 2**32))
def test_one_row_in_eight_has_no_context(variant):
    seen = taught(Context("punto", "antes", "presidencia"), variant)
    assert seen == (Context() if variant % 8 == 0 else Context("punto", "antes", "presidencia"))


@given(st.lists(names, max_size=3 * CONTEXT_WORDS))
def test_an_agenda_item_counts_as_cut_when_the_prompt_shows_less_than_all_of_it(words):
    item = "  ".join(words)
    user = build_prompt("se abre el debate", Context(agenda=item))[1]["content"]
    shown = user.split("\n")[0].removeprefix("Punto: ").split() if words else []
    assert words[: len(shown)] == shown
    assert Context(agenda=item).agenda_is_cut == (len(shown) < len(words))


def test_the_context_of_a_row_is_kept_as_the_prompt_was_built_with_it():
    item = "4. Primer debate del proyecto de acuerdo sobre el alumbrado público de la ladera"
    session = [pair(0, item, None, None, "heading")]
    session += [pair(i, f"Expuso el asunto número {i}.", i * 70, i * 70 + 40) for i in range(1, 30)]
    built = build_examples(session)
    for row in built.examples:
        context, user = built.contexts[row.id], row.prompt[1]["content"]
        assert ("Punto: " in user) == bool(context.agenda) == context.agenda_is_cut
    assert 0 < sum(not built.contexts[row.id].agenda for row in built.examples) < len(built.examples) / 2


def test_a_paragraph_without_times_cannot_be_put_into_a_unit():
    with pytest.raises(InputError, match="2026-01-01, paragraph 3.*without times.*rejection"):
        units([pair(3, "Pidió luz.", None, None)])


@given(st.lists(st.integers(0, 10**6), min_size=1))
def test_five_numbers_are_values_that_occur_in_order(values):
    numbers = list(five_numbers(values).values())
    assert set(numbers) <= set(values) and numbers == sorted(numbers)
    assert numbers[0] == min(values) and numbers[-1] == max(values) and five_numbers([]) == {}
