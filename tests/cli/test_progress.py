"""Progress: time left is told from what has finished, and shadow models have a pace of their own."""

from __future__ import annotations

import pytest

from keepmum.cli._terminal import DEFAULTS, Pace, Terminal, _spoken


def test_nothing_is_foretold_before_anything_has_finished() -> None:
    pace = Pace()
    pace.note(0, 10, "blind baseline", 100.0)
    assert pace.left(103.0) is None


def test_shadow_models_have_a_pace_of_their_own() -> None:
    pace = Pace()
    pace.note(0, 30, "blind baseline", 100.0)
    pace.note(1, 30, "positive control", 100.5)
    assert pace.left(100.5) == pytest.approx(0.5 * 29)
    pace.note(6, 30, "shadow model 5 of 20", 101.0)  # four were there already
    assert pace.left(105.0) is None
    pace.note(10, 30, "shadow model 9 of 20", 141.0)
    assert pace.left(141.0) == pytest.approx(12 * 10.0)
    assert pace.left(151.0) == pytest.approx(12 * 10.0 - 10)
    assert pace.left(1e4) == 0.0


def test_at_the_end_nothing_is_left() -> None:
    pace = Pace()
    pace.note(0, 2, "one", 1.0)
    pace.note(2, 2, "done", 2.0)
    assert pace.left(2.0) is None


@pytest.mark.parametrize(("seconds", "text"), [(7.2, "7 s"), (600, "10 min"), (7200, "2.0 h")])
def test_spoken(seconds: float, text: str) -> None:
    assert _spoken(seconds) == text


def test_without_a_terminal_it_is_a_plain_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import time

    monkeypatch.setattr("keepmum.cli._terminal.PLAIN_SECONDS", 0.01)
    with Terminal(DEFAULTS).progress() as ticker:
        ticker(2, 30, "shadow model 1 of 20")
        time.sleep(0.05)
        ticker(4, 30, "shadow model 3 of 20")
        time.sleep(0.05)
    lines = capsys.readouterr().err.splitlines()
    assert lines[0].startswith("2 of 30 · shadow model 1 of 20 · 0 s")
    assert "left" not in lines[0]
    assert lines[-1].startswith("4 of 30 · shadow model 3 of 20 · 0 s, about ")
    assert lines[-1].endswith(" s left")
