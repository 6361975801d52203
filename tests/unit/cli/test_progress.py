"""What long work shows on a terminal, in a pipe, and if nothing is to be said."""

import io
from collections.abc import Callable
from contextlib import suppress

import pytest

from skep.cli.output import Output
from skep.cli.progress import progress_mode, working


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


class Clock:
    """Time that passes when a test says so."""

    def __init__(self) -> None:
        self.waiting: list[tuple[float, Callable[[], None]]] = []

    def later(self, seconds: float, action: Callable[[], None]) -> Callable[[], None]:
        self.waiting.append((seconds, action))
        return lambda: None  # called off too late, as may happen

    def passes(self) -> float:
        seconds, action = self.waiting.pop()
        action()
        return seconds


def test_work_that_is_done_within_a_second_shows_nothing() -> None:
    for screen in (io.StringIO(), Terminal()):
        clock = Clock()
        with working("pulling skep/a", Output(err=screen), later=clock.later) as progress:
            progress(2, 2)
        assert clock.passes() == 1.0
        assert screen.getvalue() == ""


def test_a_line_moves_on_a_terminal_and_goes() -> None:
    screen, clock = Terminal(), Clock()
    output = Output(err=screen, variables={"COLUMNS": "80"})
    with working("pulling skep/a", output, later=clock.later) as progress:
        progress(1024, 4096)
        clock.passes()
        progress(2048, 4096)
    drawn = screen.getvalue()
    assert "pulling skep/a" in drawn
    assert "━" in drawn
    assert "1 KB" in drawn
    assert drawn.endswith("\x1b[2K"), "the line is cleared"
    assert output.live is None


def test_what_is_said_meanwhile_takes_the_line_away_first() -> None:
    screen, clock = Terminal(), Clock()
    output = Output(err=screen, variables={"NO_COLOR": "1"})
    with working("building", output, later=clock.later):
        clock.passes()
        output.warn("look out")
    assert screen.getvalue().endswith("\x1b[2Kwarning: look out\n")


def test_a_line_goes_also_if_the_work_breaks_off() -> None:
    screen, clock = Terminal(), Clock()
    with suppress(KeyboardInterrupt), working("pulling", Output(err=screen), later=clock.later):
        clock.passes()
        raise KeyboardInterrupt
    assert screen.getvalue().endswith("\x1b[2K")


def test_a_pipe_gets_a_line_now_and_then() -> None:
    pipe, clock = io.StringIO(), Clock()
    with working("pulling skep/a", Output(err=pipe), later=clock.later) as progress:
        progress(0, 0)
        assert clock.passes() == 1.0
        progress(1024, 4096)
        assert clock.passes() == 10.0
    assert pipe.getvalue() == "pulling skep/a\npulling skep/a  1 KB of 4 KB\n"


def test_quiet_shows_nothing() -> None:
    clock = Clock()
    for screen in (io.StringIO(), Terminal()):
        with working("pulling", Output(err=screen, quiet=True), later=clock.later) as progress:
            progress(1, 2)
        assert screen.getvalue() == ""
    assert not clock.waiting


@pytest.mark.parametrize(
    ("chosen", "mode"),
    [
        pytest.param({}, "live", id="terminal"),
        pytest.param({"TERM": "dumb"}, "static", id="dumb"),
        pytest.param({"SKEP_PROGRESS": "static"}, "static", id="screen-reader"),
        pytest.param({"SKEP_PROGRESS": "off"}, "off", id="off"),
    ],
)
def test_how_progress_is_shown_on_a_terminal(chosen: dict[str, str], mode: str) -> None:
    assert progress_mode(chosen, is_terminal=True, is_quiet=False) == mode
    in_a_pipe = "off" if mode == "off" else "static"
    assert progress_mode(chosen, is_terminal=False, is_quiet=False) == in_a_pipe
    assert progress_mode(chosen, is_terminal=True, is_quiet=True) == "off"
