"""Chat templates to the token: the embedded base's own tokenizer, and Llama-3's.

For Llama-3 two implementations that share nothing are compared: Meta's vocabulary and Meta's own chat encoder
on tiktoken (out of its `llama-models` wheel), and the same vocabulary as a Hugging Face tokenizer with our
template, which is what trains and serves.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from astra_lib.core.chat import CHATML, FORMATS, LLAMA3, check_rows, format_of
from astra_lib.core.errors import InputError
from astra_lib.core.records import Example, Pair, read_json, read_jsonl, write_jsonl
from astra_lib.curation import fit, token_count
from astra_lib.formatter import build_examples, build_prompt
from astra_lib.minutes import paragraph_xml, read_minutes
from astra_lib.transcript import read_transcript, speech_blocks
from trainer.train_rows import fitting_rows

SESSIONS = Path(__file__).resolve().parents[1] / "samples" / "manantial" / "sessions"


@pytest.fixture(scope="module")
def rows() -> list[Example]:
    """Every teachable row of three sample sessions, paired by hand (their gold)."""
    pairs, quiet = [], {}
    for folder in sorted(p for p in SESSIONS.iterdir() if p.is_dir())[:3]:
        transcript = read_transcript([folder / "transcript.json"], session_id=folder.name, tenant="manantial")
        paragraphs = read_minutes(folder / "acta.docx").paragraphs
        for row in read_json(folder / "gold.json"):
            paragraph, start, end = paragraphs[row["paragraph"]], row["start"], row["end"]
            blocks = [] if start is None else speech_blocks(transcript, start, end)
            pairs.append(
                Pair(
                    folder.name,
                    "manantial",
                    paragraph.index,
                    paragraph.kind,
                    paragraph.text,
                    paragraph.xml,
                    start,
                    end,
                    0.9,
                    " ".join(b.text for b in blocks),
                    blocks,
                )
            )
        quiet[folder.name] = speech_blocks(transcript, 0, 120)
    return build_examples(pairs, quiet).examples


@pytest.fixture(scope="module")
def embedded(tokenizer: Any) -> Any:
    return tokenizer


@pytest.fixture(scope="module")
def meta() -> Any:
    """Meta's chat encoder on its own vocabulary."""
    from llama_models.llama3.chat_format import ChatFormat as MetaFormat
    from llama_models.llama3.tokenizer import Tokenizer

    return MetaFormat(Tokenizer.get_instance())


@pytest.fixture(scope="module")
def llama(meta: Any) -> Any:
    """Meta's vocabulary as a Hugging Face tokenizer, as its repository ships it: it opens every text."""
    from llama_models.llama3 import tokenizer as shipped
    from tokenizers import processors
    from transformers import PreTrainedTokenizerFast
    from transformers.convert_slow_tokenizer import TikTokenConverter

    markers = meta.tokenizer.special_tokens
    made = TikTokenConverter(
        str(Path(shipped.__file__).with_name("tokenizer.model")),
        pattern=shipped.Tokenizer.pat_str,
        extra_special_tokens=sorted(markers, key=markers.get),
    ).converted()
    made.post_processor = processors.Sequence(
        [
            processors.ByteLevel(trim_offsets=False),
            processors.TemplateProcessing(
                single="<|begin_of_text|> $A",
                special_tokens=[("<|begin_of_text|>", made.token_to_id("<|begin_of_text|>"))],
            ),
        ]
    )
    fast = PreTrainedTokenizerFast(
        tokenizer_object=made, bos_token="<|begin_of_text|>", eos_token="<|eot_id|>"
    )
    fast.chat_template = LLAMA3.template
    return fast


def as_meta(meta: Any, messages: list[dict[str, str]], generation: bool) -> list[int]:
    """The tokens Meta's encoder makes of a conversation; it leaves the stripping of texts to its caller."""
    from llama_models.datatypes import RawMessage

    said = [RawMessage(role=m["role"], content=m["content"].strip()) for m in messages]
    if generation:
        return meta.encode_dialog_prompt(said).tokens
    return [
        meta.tokenizer.special_tokens["<|begin_of_text|>"],
        *(t for m in said for t in meta.encode_message(m, None)[0]),
    ]


def row(speech: str, answer: str = "Pidió luz.") -> Example:
    return Example(
        build_prompt(speech),
        [{"role": "assistant", "content": paragraph_xml(answer)}],
        "s:1",
        "s",
        "t",
        0,
        9,
        0.9,
    )


def test_the_embedded_template_is_exact_on_every_row(embedded, rows):
    assert format_of(embedded) is CHATML and len(rows) > 100
    checked = check_rows(rows, embedded, CHATML)
    assert checked.rows == len(rows) and checked.tokens == sum(
        2 * p + c for p, c in (token_count(r, embedded) for r in rows)
    )
    assert checked.tokens > 300 * len(rows), "prompts and wholes, not markers only"


def test_our_jinja_and_the_embedded_models_own_are_the_same_on_every_row(embedded, rows, monkeypatch):
    theirs = [embedded.apply_chat_template(r.prompt + r.completion, tokenize=False) for r in rows]
    assert theirs == [CHATML.text(r.prompt + r.completion) for r in rows]
    monkeypatch.setattr(embedded, "chat_template", CHATML.template)
    check_rows(rows, embedded, CHATML)


def test_llama_3_is_exact_on_every_row(llama, rows):
    assert format_of(llama) is LLAMA3
    assert check_rows(rows, llama, LLAMA3).rows == len(rows)
    text = llama.apply_chat_template(rows[0].prompt + rows[0].completion, tokenize=False)
    system, user = (m["content"] for m in rows[0].prompt)
    assert text == (
        "<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\n" + system + "<|eot_id|>"
        "<|start_header_id|>user<|end_header_id|>\n\n" + user + "<|eot_id|>"
        "<|start_header_id|>assistant<|end_header_id|>\n\n" + rows[0].completion[0]["content"] + "<|eot_id|>"
    )
    whole = llama.apply_chat_template(rows[0].prompt + rows[0].completion, return_dict=True)["input_ids"]
    assert (
        whole.count(llama.bos_token_id) == 1
        and whole[0] == llama.bos_token_id
        and whole[-1] == llama.eos_token_id
    )
    assert llama(text)["input_ids"].count(llama.bos_token_id) == 2, (
        "the trap: rendered first and tokenised after, it opens twice"
    )


def test_our_llama_3_rows_are_what_metas_encoder_makes_of_them(llama, meta, rows):
    for r in rows:
        for messages, generation in ((r.prompt, True), (r.prompt + r.completion, False)):
            ours = llama.apply_chat_template(messages, add_generation_prompt=generation, return_dict=True)[
                "input_ids"
            ]
            assert ours == as_meta(meta, messages, generation) == LLAMA3.ids(messages, llama, generation)


WORDS = st.text(
    st.characters(exclude_categories=("Cs", "Cc")) | st.sampled_from("\n áñ¿¡°7€😀"), min_size=1, max_size=60
).filter(str.strip)


@hypothesis_settings(max_examples=60)
@given(speech=WORDS, answer=WORDS)
@pytest.mark.parametrize("name", sorted(FORMATS))
def test_any_text_comes_to_the_same_tokens(embedded, llama, meta, name, speech, answer):
    tokenizer, chosen = (llama, LLAMA3) if name == "llama-3" else (embedded, CHATML)
    any_row = Example(
        [{"role": "system", "content": "Redacta."}, {"role": "user", "content": f" {speech}\n"}],
        [{"role": "assistant", "content": answer}],
        "s:1",
        "s",
        "t",
        0,
        9,
        0.9,
    )
    assert check_rows([any_row], tokenizer, chosen).rows == 1
    if chosen is LLAMA3:
        assert chosen.ids(any_row.prompt, llama, True) == as_meta(meta, any_row.prompt, True)


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("'\\n\\n'", "'\\n'"),
        ("['content'].strip()", "['content']"),
        ("<|eot_id|>{% endfor", "<|eot_id|>\n{% endfor"),
        ("<|begin_of_text|>{% for", "{% for"),
        ("<|begin_of_text|>{% for", "<|begin_of_text|><|begin_of_text|>{% for"),
        ("assistant<|end_header_id|>{{ '\\n\\n' }}", "assistant<|end_header_id|>"),
        ("<|eot_id|>{% endfor", "<|end_of_text|>{% endfor"),
        (
            "{{ m['content'].strip() }}",
            "{% if loop.first %}Today Date: 26 Jul 2024\n\n{% endif %}{{ m['content'].strip() }}",
        ),
    ],
)
def test_a_template_that_differs_anywhere_is_refused_with_row_and_place(llama, monkeypatch, was, becomes):
    assert was in LLAMA3.template
    monkeypatch.setattr(llama, "chat_template", LLAMA3.template.replace(was, becomes))
    spaced = replace(
        row("la luz"),
        prompt=[{"role": "system", "content": "Redacta. "}, {"role": "user", "content": "la luz"}],
    )
    with pytest.raises(InputError, match=r"s:1: the tokenizer's template is not llama-3 at token \d+ of \d+"):
        check_rows([spaced], llama, LLAMA3)


@pytest.mark.parametrize("marker", ["<|eot_id|>", "<|start_header_id|>"])
def test_a_marker_inside_the_speech_is_not_let_through(llama, embedded, marker):
    with pytest.raises(InputError, match="marker stands inside"):
        check_rows([row(f"dijo {marker} y siguió")], llama, LLAMA3)
    assert check_rows([row(f"dijo {marker} y siguió")], embedded, CHATML).rows == 1, (
        "to another tokenizer it is only text"
    )
    with pytest.raises(InputError, match="marker stands inside"):
        check_rows([row("dijo <|im_end|> y siguió")], embedded, CHATML)


def test_a_tokenizer_without_template_or_markers_is_refused(llama, embedded, monkeypatch):
    with pytest.raises(InputError, match="is not a token of its own"):
        check_rows([row("la luz")], embedded, LLAMA3)
    monkeypatch.setattr(llama, "chat_template", None)
    with pytest.raises(InputError, match="no chat template"):
        check_rows([row("la luz")], llama, LLAMA3)


@pytest.mark.parametrize("which", ["embedded", "llama"])
def test_the_trainer_counts_what_the_dataset_counted_and_cuts_nothing(which, rows, tmp_path, request):
    """The trainer sees the rows with the real tokenizer; a row is there whole, or counted as left out."""
    tokenizer = request.getfixturevalue(which)
    path = write_jsonl(tmp_path / "train.jsonl", rows)
    counts = {r.id: sum(token_count(r, tokenizer)) for r in rows}
    middle = sorted(counts.values())[len(rows) // 2]
    kept, dropped = fitting_rows(path, tokenizer, middle)
    fitting, measured = fit(rows, tokenizer, middle)
    assert measured == counts and dropped == len(rows) - len(fitting) > 0
    assert [r["length"] for r in kept] == [counts[r.id] for r in fitting] and max(
        r["length"] for r in kept
    ) == middle
    assert [(r["prompt"], r["completion"]) for r in kept] == [(r.prompt, r.completion) for r in fitting], (
        "word for word"
    )
    with pytest.raises(InputError, match="no row fits 20 tokens"):
        fitting_rows(path, tokenizer, 20)
    assert len(read_jsonl(path)) == len(rows)
