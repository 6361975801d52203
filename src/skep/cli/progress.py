"""Progress of long work, on standard error: nothing for a second, then what is done and how far.

On a terminal it is one line that moves and goes when the work ends. Elsewhere, and where
``SKEP_PROGRESS=static`` asks for it (screen readers, recordings), it is a line now and then.
``SKEP_PROGRESS=off`` and ``--quiet`` show nothing.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Literal

from skep.cli.output import Output, human_bytes
from skep.packages.client.progress import Progress

if TYPE_CHECKING:
    from rich.progress import Progress as Bar

_PATIENCE_SECONDS = 1.0
_EVERY_SECONDS = 10.0  # a static line

Later = Callable[[float, Callable[[], None]], Callable[[], None]]
"""Calls something after some seconds, beside what goes on; gives what calls it off."""

Mode = Literal["off", "static", "live"]


def later(seconds: float, action: Callable[[], None]) -> Callable[[], None]:
    """Call ``action`` on a thread of its own."""
    timer = threading.Timer(seconds, action)
    timer.daemon = True
    timer.start()
    return timer.cancel


def progress_mode(variables: Mapping[str, str], *, is_terminal: bool, is_quiet: bool) -> Mode:
    """How progress is shown.

    >>> progress_mode({"SKEP_PROGRESS": "static"}, is_terminal=True, is_quiet=False)
    'static'
    """
    chosen = variables.get("SKEP_PROGRESS")
    if is_quiet or chosen == "off":
        return "off"
    if not is_terminal or chosen == "static" or variables.get("TERM") == "dumb":
        return "static"
    return "live"


@contextmanager
def working(text: str, output: Output, *, later: Later = later) -> Iterator[Progress]:
    """Show that something is being done, if it takes long.

    Args:
        text: what, for example ``pulling skep/a 1.2.0 from public``.
        later: the clock.

    Yields:
        what is told how many bytes are done, and of how many; may never be called.
    """
    mode = progress_mode(output.variables, is_terminal=output.err.isatty(), is_quiet=output.quiet)
    if mode == "off":
        yield lambda _, __: None
        return
    work = _Work(text, output, later, mode)
    try:
        yield work.advance
    finally:
        work.clear()


class _Work:
    """Something that goes on; drawn by a timer's thread, cleared by the one that works."""

    def __init__(self, text: str, output: Output, later: Later, mode: Mode) -> None:
        self._text = text
        self._output = output
        self._later = later
        self._mode = mode
        self._lock = threading.RLock()
        self._done = self._total = 0
        self._is_over = False
        self._bar: Bar | None = None
        self._call_off = later(_PATIENCE_SECONDS, self._appear)

    @property
    def _size(self) -> str:
        if not self._total:
            return ""
        return f"{human_bytes(self._done)} of {human_bytes(self._total)}"

    def advance(self, done: int, total: int) -> None:
        """Note how far it is."""
        with self._lock:
            self._done, self._total = done, total
            if self._bar is not None:
                self._bar.update(
                    self._bar.task_ids[0], completed=done, total=total or None, size=self._size
                )

    def clear(self) -> None:
        """Take it off the terminal, for good."""
        with self._lock:
            self._is_over = True
            self._call_off()
            if self._bar is not None:
                self._output.live = None
                self._bar.stop()
                self._bar = None

    def _appear(self) -> None:
        with self._lock:
            if self._is_over:
                return
            if self._mode == "static":
                self._output.say(f"{self._text}  {self._size}".rstrip())
                self._call_off = self._later(_EVERY_SECONDS, self._appear)
                return
            self._bar = _bar(self._output)
            self._bar.add_task(
                self._text, completed=self._done, total=self._total or None, size=self._size
            )
            self._bar.start()
            self._output.live = self


def _bar(output: Output) -> "Bar":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn

    surface = output.surface(output.err)
    console = Console(
        file=output.err,
        width=surface.width,
        force_terminal=True,
        color_system="standard" if surface.has_colour else None,
        _environ={},
    )
    return Progress(
        SpinnerColumn("line"),
        TextColumn("{task.description}", markup=False),
        BarColumn(18),
        TextColumn("{task.fields[size]}"),
        console=console,
        transient=True,
    )
