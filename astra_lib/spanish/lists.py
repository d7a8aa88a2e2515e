"""The word lists, read from `lists/`: a line of `# what`, a line of `# Source:`, then words between blanks, without accents."""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).with_name("lists")


def word_list(name: str) -> tuple[str, ...]:
    """The words of `lists/<name>.txt`, in the file's order."""
    lines = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return tuple(word for line in lines if not line.startswith("#") for word in line.split())


GIVEN = frozenset(word_list("given_names"))
SURNAMES = frozenset(word_list("surnames"))
FOREIGN_GIVEN = frozenset(word_list("given_names_foreign"))
FOREIGN_SURNAMES = frozenset(word_list("surnames_foreign"))
PLACES = frozenset(word_list("places"))
INSTITUTION_HEADS = frozenset(word_list("institution_heads"))
GEOGRAPHIC = frozenset(word_list("geographic"))
PARTICLES = frozenset(word_list("particles"))
FUNCTION_WORDS = frozenset(word_list("function_words"))
COUNCIL_WORDS = frozenset(word_list("council_words"))
SAINTS = frozenset({"san", "santa", "santo", "sta", "sto"})
# word said right before a person -> what the person is to the council
ROLES = {
    word: role
    for role in ("CONCEJAL", "FUNCIONARIO", "CIUDADANO")
    for word in word_list(f"roles_{role.lower()}")
}
