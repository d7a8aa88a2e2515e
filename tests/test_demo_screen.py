"""What the demo shows while it runs: on a terminal one line written over, in a log a line now and then."""

from __future__ import annotations

import io
from types import SimpleNamespace

import pytest

from jobs import demo_screen
from jobs.demo_screen import Progress, Screen, TrainingProgress, bar, curve, seconds_text


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_stage_says_what_it_is_how_long_it_should_take_and_how_long_it_took() -> None:
    out = io.StringIO()
    screen = Screen({"mine": 12, "judge": 110}, out)
    screen.plan()
    with screen.stage("judge", "The Judge"):
        screen.say("    a line of the stage")
    shown = out.getvalue()
    assert "About 2 minutes on two quiet cores: mine 12 s · judge 1.8 min" in shown
    assert "[2/2] The Judge (about 1.8 min)" in shown
    assert "done in 0 s" in shown and screen.took_s["judge"] >= 0
    assert "\r" not in shown, "a log is not a terminal"


def test_a_stage_that_fails_does_not_say_done() -> None:
    out = io.StringIO()
    with pytest.raises(ZeroDivisionError), Screen({"mine": 12}, out).stage("mine", "Pairs"):
        raise ZeroDivisionError
    assert "done" not in out.getvalue()


def test_a_terminal_shows_a_bar_of_at_most_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(demo_screen, "TERMINAL_EVERY_S", 0.001)
    out, asked = Terminal(), []

    def note() -> Progress:
        asked.append(1)
        return Progress(0.5, "step 12 of 24 " + "x" * 300)

    with Screen({"train": 300}, out).stage("train", "Training", note):
        while len(asked) < 3:
            pass
    drawn = [part for part in out.getvalue().split("\r\033[K") if "step 12" in part]
    assert drawn and all(len(part) <= 110 and "\n" not in part for part in drawn)
    assert "[############............]" in drawn[0]


def test_the_training_is_described_from_its_heartbeat() -> None:
    watched = TrainingProgress(SimpleNamespace(), "manantial")  # type: ignore[arg-type]
    assert watched.describe({"phase": "loading", "total_steps": 0}).text == "loading"
    watched.describe({"step": 1, "total_steps": 40, "loss": 3.0})
    progress = watched.describe({"step": 10, "total_steps": 40, "loss": 1.5})
    assert progress.share == 0.25
    assert progress.text == "step 10 of 40, loss 1.50 █▁"


def test_bars_curves_and_times() -> None:
    assert bar(0) == f"[{'.' * 24}]" and bar(1) == f"[{'#' * 24}]"
    assert curve([1.0]) == "▁" and curve([2, 2, 2]) == "▁▁▁"
    assert len(curve(list(range(1000)))) <= 24
    assert (seconds_text(99), seconds_text(150)) == ("99 s", "2.5 min")
