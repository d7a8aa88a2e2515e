"""The order in which rows are trained on: nothing lost, little padding, no batch of one kind."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from trainer.train_rows import mixed

LENGTHS = st.lists(st.integers(20, 448), max_size=300)


def rows_of(lengths: list[int]) -> list[dict]:
    return [{"id": n, "length": length} for n, length in enumerate(lengths)]


def padded(rows: list[dict], size: int) -> int:
    """Tokens of the batches once each row is padded to the longest of its batch."""
    batches = [rows[i : i + size] for i in range(0, len(rows), size)]
    return sum(max(row["length"] for row in batch) * len(batch) for batch in batches)


@given(LENGTHS, st.integers(1, 8), st.integers(0, 9))
def test_the_order_is_a_permutation_and_follows_from_the_seed(
    lengths: list[int], size: int, seed: int
) -> None:
    rows = rows_of(lengths)
    order = mixed(rows, size, seed)
    assert sorted(r["id"] for r in order) == [r["id"] for r in rows]
    assert order == mixed(rows, size, seed)


@given(st.integers(0, 20))
def test_batches_are_of_similar_length_and_short_rows_stay_among_others(seed: int) -> None:
    short = 30
    rows = rows_of([60 + 7 * (n % 50) for n in range(470)] + [30] * short)
    order = mixed(rows, 4, seed)
    assert padded(order, 4) < 1.15 * sum(r["length"] for r in rows)
    batches = [order[i : i + 4] for i in range(0, len(order), 4)]
    alone = [batch for batch in batches if all(row["length"] == 30 for row in batch)]
    assert len(alone) <= 3  # sorted as a whole, it would be seven
