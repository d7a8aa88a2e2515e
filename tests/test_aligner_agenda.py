"""An agenda is read out before it is debated: its headings must not be taken for the debate."""

from __future__ import annotations

from pathlib import Path

from astra_lib.alignment import align
from astra_lib.core.settings import load
from astra_lib.minutes import read_minutes
from astra_lib.transcript import read_transcript

SESSION = Path(__file__).resolve().parents[1] / "samples/manantial/sessions/2026-05-14"


def test_headings_stay_with_their_debates_although_the_agenda_says_them_better():
    """On 14 May the secretary reads the headings word for word, and the debates open in other words.

    Five headings went to the agenda, and the 70 paragraphs between them had no room left.
    """
    transcript = read_transcript([SESSION / "transcript.json"], session_id=SESSION.name, tenant="manantial")
    made = align(transcript, read_minutes(SESSION / "acta.docx").paragraphs, load().align)
    placed = [p for p in made.pairs if p.start is not None]
    assert len(placed) > 70
    assert sum(p.end - p.start for p in placed) > 0.5 * transcript.duration
    assert not made.metrics["mismatch"]
