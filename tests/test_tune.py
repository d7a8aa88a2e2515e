"""The search for the weights: deterministic, resumable, and measuring what the aligner does."""

from pathlib import Path

import pytest

from astra_lib.alignment import align, score
from astra_lib.core.errors import InputError
from astra_lib.core.settings import load
from astra_lib.weights import Weights
from benchmarks.align import bench, tune, tune_page
from benchmarks.align.bench import Bench, Coordinate, coordinates
from benchmarks.align.segments import as_segments
from benchmarks.align.sessions import session

TWO = [Coordinate("unspoken"), Coordinate("kept", 1)]


@pytest.fixture(scope="module")
def sets() -> bench.Sets:
    """One tiny session with word times."""
    return {"plain": [session(850, 0.15)]}


@pytest.fixture
def aligned(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Grows by one with every session that is aligned."""
    calls: list[int] = []
    scores = bench.Aligner.scores

    def counted(self: bench.Aligner, number: int, weights: Weights) -> bench.Scores | None:
        calls.append(number)
        return scores(self, number, weights)

    monkeypatch.setattr(bench.Aligner, "scores", counted)
    return calls


def swept(sets: bench.Sets, path: Path) -> list[tune.Curve]:
    return tune.sweep(Bench(sets, path, Weights()), Weights(), TWO)


def test_the_same_sweep_twice_is_the_same(sets, tmp_path):
    first, second = swept(sets, tmp_path / "a.jsonl"), swept(sets, tmp_path / "b.jsonl")
    assert first == second
    assert [c.name for c in first] == ["unspoken", "kept[1]"]
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()


def test_a_sweep_that_was_killed_goes_on_where_it_stopped(sets, tmp_path, aligned):
    path = tmp_path / "evaluations.jsonl"
    whole = swept(sets, path)
    everything = len(aligned)
    lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
    half = len(lines) // 2
    path.write_text("".join(lines[:half]) + lines[half][:20], encoding="utf-8")  # killed while writing
    aligned.clear()
    assert swept(sets, path) == whole
    known = half - 1  # without the header
    assert len(aligned) == everything - known + 1, "what was known is not aligned again, but for one check"


def test_the_present_objective_is_that_of_the_aligner(tmp_path):
    built = as_segments(session(851, 0.15))  # over segments the default encoder is asked
    pairs = align(built.transcript, built.paragraphs, load({}).align).pairs
    scores = score(pairs, built.gold)
    with_one = Bench({"segments": [built]}, tmp_path / "evaluations.jsonl", Weights())
    expected = scores["f1"] - 0.1 * scores["unspoken_accepted"]
    assert with_one.objective(Weights()) == pytest.approx(expected, abs=1e-6)


def test_measurements_of_other_data_are_refused(sets, tmp_path):
    path = tmp_path / "evaluations.jsonl"
    Bench(sets, path, Weights())
    with pytest.raises(InputError, match="other data"):
        Bench({"plain": sets["plain"] * 2}, path, Weights())


def test_measurements_of_another_aligner_are_refused(sets, tmp_path):
    path = tmp_path / "evaluations.jsonl"
    Bench(sets, path, Weights()).measured([Weights()])
    path.write_text(path.read_text(encoding="utf-8").replace('"f1":', '"f1":0.5,"was":'), encoding="utf-8")
    with pytest.raises(InputError, match="no longer"):
        Bench(sets, path, Weights())


def test_every_number_is_a_coordinate():
    weights = Weights()
    for coordinate in coordinates(weights):
        value = coordinate.of(weights)
        assert coordinate.at(weights, value) == weights
        assert value in coordinate.trials(weights)
        assert coordinate.at(weights, 7).__class__ is Weights
    assert len({c.name for c in coordinates(weights)}) == len(coordinates(weights))


def test_the_page_shows_every_weight_that_was_tried(sets, tmp_path):
    curves = swept(sets, tmp_path / "evaluations.jsonl")
    data = bench.description(sets)
    result = tune.Result("2026-01-01", "tune", 850, data, 0.9, curves, ["gap"], {}, (0.0, 0.0), {})
    for curve in curves:
        result.fresh[curve.name] = (0.001, 0.002)
    tune_page.table(result)
    text = tune_page.page(result, tmp_path / "weights.md").read_text(encoding="utf-8")
    assert "`unspoken`" in text and "`kept[1]`" in text and "did not suffice for `gap`" in text
    assert tune_page.picture(result, tmp_path / "weights.png").read_bytes().startswith(b"\x89PNG")


def test_flat_is_the_range_around_the_best():
    objectives = {1.0: 0.9, 2.0: 0.95, 3.0: 0.951, 4.0: 0.94, 5.0: 0.951}
    assert tune.flat_range(objectives, 3.0) == (2.0, 3.0)
