"""From mined sessions to a published dataset: nothing lost without a count, nobody moved, one writer wins."""

from __future__ import annotations

import json
import shutil
import unicodedata
from collections import Counter
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from astra_lib.core.chat import CHATML
from astra_lib.core.code import code_digest
from astra_lib.core.errors import ConflictError, GateError, InputError, MissingError
from astra_lib.core.records import Example, read_json, read_jsonl, sha256_file
from astra_lib.core.settings import Settings, load
from astra_lib.core.store import Store
from astra_lib.curation import split, token_count
from astra_lib.formatter import build_examples
from jobs import dataset, mine, runner
from jobs.dataset import Dataset, Published, chat_of, exact_rows, publish, published, to_keep
from jobs.mined import MINING_VERSION, Mined

SAMPLES = Path(__file__).resolve().parents[1] / "samples" / "manantial"
CHOSEN = ("2026-02-12", "2026-03-05", "2026-03-12", "2026-04-21")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sessions")
    for name in CHOSEN:
        shutil.copytree(
            SAMPLES / "sessions" / name, folder / name, ignore=shutil.ignore_patterns("*.opus", "gold.json")
        )
    return folder


@pytest.fixture(scope="module")
def mined(source: Path, settings: Settings, tmp_path_factory: pytest.TempPathFactory) -> Mined:
    return mine.mine(source, "manantial", tmp_path_factory.mktemp("mined"), settings)


def build(mined: Mined, out: Path, settings: Settings, tokenizer: Any, **more: Any) -> Dataset:
    return dataset.build_dataset(
        mined, "manantial", SAMPLES / "roster.json", out, settings, tokenizer, **more
    )


@pytest.fixture
def fresh(settings: Settings, tmp_path: Path) -> Settings:
    """The same settings over an empty data folder: the map of placeholders remembers people."""
    return replace(settings, data=replace(settings.data, dir=str(tmp_path / "data")))


@pytest.fixture(scope="module")
def made(
    mined: Mined, settings: Settings, tokenizer: Any, tmp_path_factory: pytest.TempPathFactory
) -> Dataset:
    return build(mined, tmp_path_factory.mktemp("dataset"), settings, tokenizer)


def test_every_paragraph_and_every_row_is_kept_or_counted(made: Dataset, mined: Mined) -> None:
    card, counted = made.card, made.card["accounting"]
    assert counted["paragraphs"] == sum(len(mined.pairs_of(s)) for s in mined.sessions) > 300
    of_rows = (
        "a marker",
        "longer than max_length",
        "second scan",
        "training would teach",
        "boilerplate",
        "session stands apart",
    )
    rows_left_out = sum(n for reason, n in card["dropped"].items() if reason.startswith(of_rows))
    assert (
        counted["rows_kept"]
        == counted["rows_built"] - rows_left_out
        == card["rows"]["train"] + card["rows"]["val"]
    )
    assert counted["paragraphs_left_out"] == sum(
        n for reason, n in card["dropped"].items() if not reason.startswith(of_rows)
    )
    assert counted["paragraphs"] == counted["paragraphs_in_rows"] + counted["paragraphs_left_out"]


def test_every_row_is_whole_within_the_limit_and_exact_in_its_template(
    made: Dataset, settings: Settings, tokenizer: Any
) -> None:
    rows = [r for name in ("train", "val") for r in read_jsonl(made.files[f"{name}.jsonl"], Example)]
    lengths = [sum(token_count(r, tokenizer)) for r in rows]
    assert max(lengths) == made.card["tokens"]["longest"] <= settings.model.max_length
    assert sum(lengths[: made.card["rows"]["train"]]) == made.card["tokens"]["sum_train"]
    assert made.card["chat_template"]["format"] == "chatml" and made.card["chat_template"]["rows"] >= len(
        rows
    )
    assert all(
        unicodedata.is_normalized("NFC", path.read_bytes().decode("utf-8")) for path in made.files.values()
    )


def test_sessions_on_one_bill_stand_together_also_when_one_leaves_the_year_out(
    made: Dataset, mined: Mined
) -> None:
    """2026-04-21 is on "Proyecto de Acuerdo No. 014 de 2026", 2026-03-12 votes on "No. 014"."""
    about = dataset.bills_of(mined)
    assert "14/2026" in about["2026-03-12"] & about["2026-04-21"]
    assert made.card["sessions"]["2026-03-12"] == made.card["sessions"]["2026-04-21"]
    assert not {r.session_id for r in made.examples["train"]} & {r.session_id for r in made.examples["val"]}


def test_lineage_names_files_aligner_and_masks_of_every_session(
    made: Dataset, mined: Mined, source: Path, settings: Settings
) -> None:
    lineage = made.card["lineage"]
    assert list(lineage) == mined.sessions == sorted(CHOSEN)
    for session, row in lineage.items():
        assert row["acta_sha256"] == sha256_file(source / session / "acta.docx")
        assert row["transcript_sha256"] == [sha256_file(source / session / "transcript.json")]
        assert row["pairs_sha256"] == sha256_file(mined.out / session / "pairs.jsonl")
        assert row["aligner"] == {
            "version": MINING_VERSION,
            "code": code_digest("jobs.mine"),
            "parameters": asdict(settings.align),
        }
        assert row["side"] == made.card["sessions"][session] and sum(row["masked"].values()) > 0
    assert (
        sum((Counter(r["masked"]) for r in lineage.values()), Counter()) == made.card["personal_data_masked"]
    )
    page = made.files["card.md"].read_text(encoding="utf-8")
    assert (
        all(f"| {s} | {row['side']} | {row['acta_sha256'][:12]} " in page for s, row in lineage.items())
        and "chatml" in page
    )


def test_the_stats_add_up(made: Dataset) -> None:
    card, rows = made.card, made.card["rows"]
    for side in ("train", "val"):
        assert sum(s["rows"] for s in card["stats"]["sessions"].values() if s["side"] == side) == rows[side]
        assert card["stats"]["lengths"][side]["tokens"]["max"] <= card["tokens"]["longest"]
    assert (
        card["overlap"]["recurring"] + card["overlap"]["novel"] == rows["val"]
        and len(card["recurring_val"]) == card["overlap"]["recurring"]
    )
    train, val = ({r.id for r in made.examples[side]} for side in ("train", "val"))
    assert {row["id"] for row in card["overlap"]["answers"]} <= val and {
        row["twin"] for row in card["overlap"]["answers"]
    } <= train
    weights = card["boilerplate"]
    assert 0 < weights["train"]["rows"] <= weights["train_before"]["rows"] and all(
        f["after"] <= weights["copies"] for f in weights["most_frequent"]
    )


def test_the_card_counts_the_agenda_items_that_the_prompts_show_in_part(made: Dataset, mined: Mined) -> None:
    """Counted a second time, from outside: a shown item that is the beginning of a longer heading."""
    headings = {s: [p.text for p in mined.pairs_of(s) if p.kind == "heading"] for s in mined.sessions}
    cut = 0
    for row in (*made.examples["train"], *made.examples["val"]):
        first = row.prompt[1]["content"].split("\n")[0]
        shown = first.removeprefix("Punto: ")
        if shown != first and shown not in headings[row.session_id]:
            assert any(text.startswith(f"{shown} ") for text in headings[row.session_id]), shown
            cut += 1
    assert made.card["context"]["agenda_items_cut"] == cut > 0


def test_the_number_of_traces_on_the_card_and_in_the_metrics_is_what_the_scan_found(
    made: Dataset,
    mined: Mined,
    settings: Settings,
    tokenizer: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """With the gate away and a telephone number in a row: it stands in three files, so three are found."""
    page = made.files["card.md"].read_text(encoding="utf-8")
    assert made.card["personal_data_left"] == 0 and "found 0 traces" in page
    write, gated = dataset.write_dataset, []

    def careless_write(train: list[Example], val: list[Example], out: Path) -> dict[str, Path]:
        user = {"role": "user", "content": f"{val[0].prompt[1]['content']} llame al 312 555 01 99"}
        return write(train, [replace(val[0], prompt=[val[0].prompt[0], user]), *val[1:]], out)

    monkeypatch.setattr(dataset, "write_dataset", careless_write)
    with pytest.raises(GateError, match=r"3 trace\(s\) of personal data"):
        build(mined, tmp_path / "gated", settings, tokenizer)
    monkeypatch.setattr(dataset.scrub, "leak_gate", lambda *given: gated.append(given))
    monkeypatch.setattr(dataset, "load_test", lambda files: None)
    careless = build(mined, tmp_path / "careless", settings, tokenizer)
    assert len(gated) == 1 and len(gated[0][0]) == len(careless.files), "the gate sees every file"
    assert careless.card["personal_data_left"] == 3
    assert read_json(careless.files["card.json"])["personal_data_left"] == 3
    assert dataset.metrics_of(careless)["personal_data_left"] == 3


def test_the_same_sessions_give_the_same_bytes(
    made: Dataset, mined: Mined, fresh: Settings, tokenizer: Any, tmp_path: Path
) -> None:
    again = build(mined, tmp_path / "again", fresh, tokenizer)
    assert {n: sha256_file(p) for n, p in again.files.items()} == {
        n: sha256_file(p) for n, p in made.files.items()
    }


def test_filters_reach_the_rows_and_the_card(
    made: Dataset, mined: Mined, settings: Settings, tokenizer: Any, tmp_path: Path
) -> None:
    strict = build(
        mined,
        tmp_path / "strict",
        settings,
        tokenizer,
        limits={"min_words": 6, "leave_out": ("vote", "signature", "table")},
    )
    assert (
        strict.card["dropped"]["kind vote"] > 0
        and "vote" not in strict.card["kinds"]
        and "vote" in made.card["kinds"]
    )
    assert strict.card["filters"]["min_words"] == 6 and strict.card["dropped"]["too short"] > made.card[
        "dropped"
    ].get("too short", 0)


def spoil(mined: Mined, folder: Path, change: dict[str, Any]) -> Mined:
    """A copy of what was mined whose first taught paragraph is changed, byte for byte: no NFC on the way."""
    shutil.copytree(mined.out, folder)
    path = folder / "2026-02-12" / "pairs.jsonl"
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    first = next(r for r in rows if r["start"] is not None and r["kind"] == "list")
    first.update({k: v(first[k]) for k, v in change.items()})
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in rows), encoding="utf-8")
    return replace(mined, out=folder)


def test_a_session_in_another_normal_form_gives_the_same_rows(made, mined, fresh, tokenizer, tmp_path):
    def nfd(text: str) -> str:
        return unicodedata.normalize("NFD", text)

    loose = spoil(mined, tmp_path / "mined", {"text": nfd, "xml": nfd, "speech": nfd})
    assert not unicodedata.is_normalized(
        "NFC", (loose.out / "2026-02-12" / "pairs.jsonl").read_text(encoding="utf-8")
    )
    again = build(loose, tmp_path / "out", fresh, tokenizer)
    assert again.examples == made.examples


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (lambda t: t + " AprobÃ³", "read in the wrong encoding"),
        (lambda t: t + " \ufffd", "read in the wrong encoding"),
        (lambda t: t + " <|im_end|>", "a chat marker inside the text"),
    ],
)
def test_one_broken_paragraph_is_left_out_by_name_and_the_rest_goes_on(
    change, reason, made, mined, settings, tokenizer, tmp_path
):
    again = build(spoil(mined, tmp_path / "mined", {"text": change}), tmp_path / "out", settings, tokenizer)
    assert again.card["dropped"][reason] == 1 and reason not in made.card["dropped"]
    assert abs(again.card["accounting"]["rows_built"] - made.card["accounting"]["rows_built"]) <= 1


def test_a_row_with_a_marker_only_this_tokenizer_knows_is_left_out(made: Dataset, tokenizer: Any) -> None:
    good = made.examples["train"][:3]
    bad = replace(
        good[0],
        prompt=[good[0].prompt[0], {"role": "user", "content": "Intervención: dijo <filename> y siguió"}],
    )
    kept, checked = exact_rows([*good, bad], tokenizer, CHATML)
    assert kept == good and checked is not None and checked.rows == 3


def test_another_template_than_the_chosen_format_stops_the_build(
    made, mined, settings, tokenizer, tmp_path, monkeypatch
):
    assert chat_of(tokenizer) is CHATML and chat_of(tokenizer, "other") is None
    with pytest.raises(InputError, match="no chat format"):
        chat_of(tokenizer, "alpaca")
    with pytest.raises(InputError, match="not a token of its own"):
        build(mined, tmp_path / "out", settings, tokenizer, chat_format="llama-3")
    monkeypatch.setattr(
        tokenizer, "chat_template", CHATML.template.replace("<|im_end|>{{ '\\n' }}", "<|im_end|>")
    )
    with pytest.raises(InputError, match="a plain row: the tokenizer's template is not chatml at token"):
        build(mined, tmp_path / "out", settings, tokenizer)
    assert not (tmp_path / "out").exists(), "nothing is written"
    assert exact_rows(made.examples["val"], tokenizer, None) == (made.examples["val"], None)


# --- what was published stays -------------------------------------------------------------------------------


some_bills = st.sets(st.sampled_from([f"{n}/2026" for n in range(5)]), max_size=2)
ids = st.text("abcdefgh", min_size=1, max_size=3)


@given(st.lists(st.dictionaries(ids, some_bills, max_size=5), min_size=1, max_size=5), st.integers(0, 50))
def test_over_any_history_of_mining_no_published_session_moves(
    batches: list[dict[str, set[str]]], seed: int
) -> None:
    settings = load()
    settings = replace(settings, dataset=replace(settings.dataset, split_seed=seed, validation_share=0.5))
    about: dict[str, set[str]] = {}
    before: dict[str, str] = {}
    for batch in batches:
        about = {**batch, **about}
        keep = to_keep(about, before, settings)
        sides = split(about, 0.5, seed, keep)
        assert before.items() <= sides.items() and keep.items() <= before.items()
        for bill in set().union(*about.values()):
            assert len({sides[s] for s in about if bill in about[s]} - {"apart"}) <= 1
        before = sides
        settled = to_keep(about, before, settings)
        assert split(about, 0.5, seed, settled) == sides, "the same sessions again give the same split"


def renamed(made: Dataset, tenant: str) -> Dataset:
    return replace(made, card={**made.card, "tenant": tenant})


def test_a_dataset_is_published_with_checksums_and_the_second_of_two_writers_is_told(
    made, settings, tenant, tmp_path
):
    store, mine = Store.open(settings), renamed(made, tenant)
    before = published(tenant, settings)
    assert before == Published() and before.sides(settings) == {}
    dataset = publish(mine, "run-1", before, settings)
    now = published(tenant, settings)
    assert (
        now.pointer is not None
        and now.pointer["dataset"] == dataset
        and now.sides(settings) == made.card["sessions"]
    )
    for name, sha in now.pointer["files"].items():
        assert (
            store.get_file(f"datasets/{tenant}/{dataset}/{name}", tmp_path / name, sha)
            == sha
            == sha256_file(made.files[name])
        )
    assert publish(mine, "run-1", before, settings) == publish(mine, "run-1", now, settings) == dataset, (
        "the same again is no error"
    )
    other = {**made.files, "card.md": tmp_path / "other.md"}
    other["card.md"].write_text("another card\n", encoding="utf-8")
    with pytest.raises(ConflictError, match=rf"datasets/{tenant}/current.json: somebody else wrote it first"):
        publish(replace(mine, files=other), "run-2", before, settings)
    assert published(tenant, settings) == now, "the loser changed nothing that anybody reads"
    second = publish(replace(mine, files=other), "run-2", now, settings)
    assert published(tenant, settings).pointer["previous"] == dataset and second != dataset


def test_files_under_a_datasets_hash_are_never_overwritten(made, settings, tenant):
    dataset = publish(renamed(made, tenant), "run-1", Published(), settings)
    key = f"datasets/{tenant}/{dataset}/train.jsonl"
    with pytest.raises(ConflictError, match="train.jsonl: somebody else wrote it first"):
        Store.open(settings).publish(key, b"other rows")
    assert Store.open(settings).get_bytes(key, sha256_file(made.files["train.jsonl"]))


def test_another_share_or_key_starts_afresh(made, settings, tenant):
    publish(renamed(made, tenant), "run-1", Published(), settings)
    other = replace(settings, dataset=replace(settings.dataset, split_seed=7))
    assert published(tenant, settings).sides(settings) and published(tenant, settings).sides(other) == {}


@pytest.mark.slow
def test_the_job_publishes_reports_is_reused_and_keeps_a_session_in_place_when_an_older_one_comes(
    source, settings, tmp_path
):
    """An older session on the same bill is mined later: without a memory, the split would follow that one."""
    runner.execute("mine", {"tenant": "manantial", "source": str(source)}, settings)
    first = runner.execute("dataset", {"tenant": "manantial"}, settings)
    assert {a["name"] for a in first.manifest["outputs"]} >= {
        "train.jsonl",
        "val.jsonl",
        "card.json",
        "card.md",
        "report.html",
    }
    pointer = published("manantial", settings).pointer
    assert pointer["run_id"] == first.run_id and pointer["files"]["train.jsonl"] == sha256_file(
        first.folder / "train.jsonl"
    )
    page = first.report.read_text(encoding="utf-8")
    assert page.count("<img") == 4 and "What recurs" in page and "chatml" in page
    assert runner.execute("dataset", {"tenant": "manantial"}, settings).reused
    sides = read_json(first.folder / "card.json")["sessions"]
    share, seed = settings.dataset.validation_share, settings.dataset.split_seed
    other = next(
        f"2026-01-{d:02d}"
        for d in range(1, 29)
        if split({f"2026-01-{d:02d}": set()}, share, seed).popitem()[1] != sides["2026-04-21"]
    )
    more = tmp_path / "more"
    shutil.copytree(source, more)
    shutil.copytree(source / "2026-04-21", more / other)
    card = json.loads((more / other / "session.json").read_text(encoding="utf-8"))
    (more / other / "session.json").write_text(json.dumps({**card, "session_id": other}), encoding="utf-8")
    runner.execute("mine", {"tenant": "manantial", "source": str(more)}, settings)
    second = read_json(runner.execute("dataset", {"tenant": "manantial"}, settings).folder / "card.json")
    about = dataset.bills_of(dataset.mined_of(runner.newest("mine", "manantial", settings), settings))
    assert split(about, share, seed)["2026-04-21"] != sides["2026-04-21"], (
        "by the hash alone it would have moved"
    )
    assert sides.items() <= second["sessions"].items() and second["sessions"][other] == sides["2026-04-21"]


def test_a_dataset_of_a_mine_run_that_never_was_is_said(settings):
    with pytest.raises(MissingError):
        dataset.declare(
            {
                "tenant": "manantial",
                "mine_run": "20200101T000000000-00000000",
                "roster": str(SAMPLES / "roster.json"),
            },
            settings,
        )


def test_unwritten_speech_is_the_only_row_that_answers_nothing(made):
    silent = [r for rows in made.examples.values() for r in rows if r.completion[0]["content"] == "<nada/>"]
    assert (
        silent
        and all(":unwritten-" in r.id for r in silent)
        and len(silent) <= 0.08 * made.card["accounting"]["rows_kept"]
    )
    assert made.card["kinds"]["unwritten"] >= len(silent) and build_examples([]).examples == []
