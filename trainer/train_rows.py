"""Which rows of a dataset are trained on, and in what order."""

from __future__ import annotations

import math
import random
from pathlib import Path
from typing import Any

from astra_lib.core.errors import InputError
from astra_lib.core.records import read_jsonl

Row = dict[str, Any]
WINDOW = 8  # batches within which rows are sorted by length, see `mixed`


def fitting_rows(
    path: Path, tokenizer: Any, max_length: int, at_most: int | None = None
) -> tuple[list[Row], int]:
    """The rows that fit `max_length` tokens, and how many do not: a cut answer would teach to stop half-way.

    `at_most` rows are spread evenly over the file, so that no session is left out. Raises `InputError` for
    a row without prompt and completion, and when no row fits; for validation (`at_most` given) no rows at
    all are fine.
    """
    rows, dropped = [], 0
    for number, row in enumerate(read_jsonl(path), 1):
        try:
            messages = [*row["prompt"], *row["completion"]]
            encoded = tokenizer.apply_chat_template(messages, tokenize=True, return_dict=True)
        except (KeyError, TypeError, ValueError) as error:
            raise InputError(f"not a prompt/completion row: {error}", where=f"{path.name}:{number}") from None
        length = len(encoded["input_ids"])
        if length > max_length:
            dropped += 1
        else:
            rows.append({"prompt": row["prompt"], "completion": row["completion"], "length": length})
    if not rows and (dropped or at_most is None):
        raise InputError(
            f"no row fits {max_length} tokens ({dropped} too long)",
            where=path.name,
            remedy="Raise model.max_length",
        )
    if at_most == 0:
        return [], dropped
    if at_most is not None and len(rows) > at_most:
        rows = rows[:: math.ceil(len(rows) / at_most)]
    return rows, dropped


def mixed(rows: list[Row], batch_size: int, seed: int, window: int = WINDOW) -> list[Row]:
    """`rows` in an order in which a batch holds similar lengths, so that little is padded.

    Lengths are sorted inside windows of `window` batches only. Sorted over more, whole batches hold nothing
    but the short `<nada/>` answers, and a step whose mean is taken over a dozen tokens undoes what ten
    others learned.
    """
    rng = random.Random(seed)
    order = rng.sample(rows, len(rows))
    whole = len(order) - len(order) % batch_size
    batches: list[list[Row]] = []
    size = window * batch_size
    for start in range(0, whole, size):
        part = sorted(order[start : min(start + size, whole)], key=lambda row: -row["length"])
        batches += [part[i : i + batch_size] for i in range(0, len(part), batch_size)]
    rng.shuffle(batches)
    return [row for batch in batches for row in batch] + order[whole:]
