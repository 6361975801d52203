"""What a transfer shows on a terminal, in a pipe, and if nothing is to be said."""

import io
from contextlib import suppress

from skep.cli.output import Output
from skep.cli.progress import transfer


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_a_line_grows_on_a_terminal_and_ends() -> None:
    screen = Terminal()
    with transfer("pulling skep/a from public", Output(err=screen)) as progress:
        for done in range(0, 2048 + 1, 32):
            progress(done, 2048)
    *drawn, last = screen.getvalue().split("\r")
    assert last == "pulling skep/a from public " + "━" * 18 + " 2 KB\n"
    assert len(drawn) < 25, "drawn once per cell, not once per chunk"


def test_a_line_that_broke_off_ends_all_the_same() -> None:
    screen = Terminal()
    with suppress(KeyboardInterrupt), transfer("pulling", Output(err=screen)) as progress:
        progress(0, 0)
        raise KeyboardInterrupt
    assert screen.getvalue().endswith("\n")


def test_a_pipe_gets_one_sentence() -> None:
    pipe = io.StringIO()
    with transfer("pulling skep/a from public", Output(err=pipe)) as progress:
        progress(1, 2)
    assert pipe.getvalue() == "pulling skep/a from public\n"


def test_quiet_says_nothing() -> None:
    for screen in (io.StringIO(), Terminal()):
        with transfer("pulling", Output(err=screen, quiet=True)) as progress:
            progress(1, 2)
        assert screen.getvalue() == ""
