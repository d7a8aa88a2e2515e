"""The sentences from which the name recogniser learns, read from `templates/`, one a line.

A file opens with a line `# what it is` and a line `# Source: …`. Slots: {P} a person in any form, {F} full
name, {S} surname, {G} given name, {I} surname first, {L} place, {O} organisation, {T} a place or
institution named after somebody, {N} a figure, {W} an ordinary word, {C} one that also is a name.
"""

from __future__ import annotations

from pathlib import Path

FOLDER = Path(__file__).with_name("templates")


def template_lines(name: str) -> tuple[str, ...]:
    """The lines of `templates/<name>.txt`, in the file's order: training draws from them by number."""
    lines = (FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()
    return tuple(line for line in lines if not line.startswith("#"))


NEWS = template_lines("news")
COUNCIL = template_lines("council")
SPOKEN = template_lines("spoken")
NEGATIVE = template_lines("negative")
THINGS = template_lines("things")
ORGANISATIONS = template_lines("organisations")
INITIALS = template_lines("initials")
FILLERS = template_lines("fillers")
