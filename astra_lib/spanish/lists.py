"""The word lists, read from `lists/`.

A list opens with a line `# what it is` and a line `# Source: …`; then come words between blanks, without
accents.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).with_name("lists")


def word_list(name: str) -> tuple[str, ...]:
    """The words of `lists/<name>.txt`, in the file's order."""
    lines = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return tuple(word for line in lines if not line.startswith("#") for word in line.split())


# ---- names
GIVEN = frozenset(word_list("given_names"))
SURNAMES = frozenset(word_list("surnames"))
FOREIGN_GIVEN = frozenset(word_list("given_names_foreign"))
FOREIGN_SURNAMES = frozenset(word_list("surnames_foreign"))
COMMON_NAMES = frozenset(word_list("common_names"))
DISCOURSE_WORDS = frozenset(word_list("discourse_words"))
PARTICLES = frozenset(word_list("particles"))
NOBLE_PARTICLES = frozenset(word_list("noble_particles"))
SURNAME_HEADS = frozenset(word_list("surname_heads"))
SURNAME_HEADS_SPOKEN = frozenset(word_list("surname_heads_spoken"))

# ---- roles and what stands around them
# word said right before a person -> what the person is to the council
ROLES = {
    word: role
    for role in ("CONCEJAL", "FUNCIONARIO", "CIUDADANO")
    for word in word_list(f"roles_{role.lower()}")
}
WEAK_ROLES = frozenset(word_list("weak_roles"))
COURTESIES = frozenset(word_list("courtesies"))
TITLE_ABBREVIATIONS = frozenset(word_list("title_abbreviations"))
OFFICE_WORDS = frozenset(word_list("office_words"))
COUNCIL_BODIES = frozenset(word_list("council_bodies"))
VOTE_ANSWERS = frozenset(word_list("vote_answers"))

# ---- places and institutions
PLACES = frozenset(word_list("places"))
GEOGRAPHIC = frozenset(word_list("geographic"))
SAINTS = frozenset(word_list("saints"))
INSTITUTION_HEADS = frozenset(word_list("institution_heads"))
INSTITUTION_TAILS = frozenset(word_list("institution_tails"))
OWNED_INSTITUTIONS = frozenset(word_list("owned_institutions"))

# ---- ordinary words
FUNCTION_WORDS = frozenset(word_list("function_words"))
COUNCIL_WORDS = frozenset(word_list("council_words"))
MONTHS = frozenset(word_list("months"))
