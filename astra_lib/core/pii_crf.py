"""A statistical recogniser of person names (CRF)."""

from __future__ import annotations

from pathlib import Path

MODEL = Path(__file__).with_name("names.crfsuite")


class NameModel:
    """The shipped tagger."""

    @classmethod
    def shipped(cls) -> NameModel | None:
        return None
