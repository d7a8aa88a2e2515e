"""What mining leaves in a folder, and how the jobs after it read it back."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from astra_lib.core.errors import MissingError
from astra_lib.core.records import Block, Pair, read_json, read_jsonl

MINING_VERSION = 1  # of the layout of a mined folder; what code made it, its fingerprint knows


@dataclass
class Mined:
    """What mining left under `out`: one folder per session, and those that were refused."""

    out: Path
    sessions: list[str] = field(default_factory=list)
    reused: list[str] = field(default_factory=list)
    quarantined: dict[str, str] = field(default_factory=dict)
    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    wall_s: float = 0.0

    def pairs_of(self, session_id: str) -> list[Pair]:
        return read_jsonl(self.out / session_id / "pairs.jsonl", Pair)

    def unwritten_of(self, session_id: str) -> list[Block]:
        return read_jsonl(self.out / session_id / "unwritten.jsonl", Block)


def load_mined(out: Path | str) -> Mined:
    """Read back what `mine` wrote; `MissingError` when it never finished."""
    out = Path(out)
    if not (out / "mined.json").is_file():
        raise MissingError("no finished mining here", where=str(out), remedy="Run `astra mine` first")
    row = read_json(out / "mined.json")
    return Mined(out, row["sessions"], row["reused"], row["quarantined"], row["metrics"], row["wall_s"])
