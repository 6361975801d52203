"""Ctrl-C at a moment when nothing is half done.

Python raises ``KeyboardInterrupt`` between any two of its instructions, also between opening a
descriptor and noting that it is open. A change of a node takes less than a second, so Ctrl-C waits
for its end; what waits for people or for the network stays interruptible.

A change that has been made by then is told: "interrupted" alone would say that there is none.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

from skep.errors import NeedsConsent

SIGNALS = (signal.SIGINT, signal.SIGTERM)
_came_after = False


@contextmanager
def deferred_interrupts() -> Iterator[None]:
    """Let the block end first, then raise ``KeyboardInterrupt`` if one was asked for meanwhile."""
    asked: list[int] = []

    def note(number: int, frame: FrameType | None) -> None:
        del frame
        asked.append(number)

    before = {number: signal.signal(number, note) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    if asked:
        raise KeyboardInterrupt


@contextmanager
def change_first() -> Iterator[None]:
    """Let a change end first, and what it came to be told; then the command exits as interrupted.

    If the block changed nothing because it needs consent, the interrupt comes before the question.
    If it fails otherwise, the error says what became of the change.

    Raises:
        KeyboardInterrupt: it needs consent, and an interrupt was asked for.
    """
    global _came_after  # noqa: PLW0603 - one command per process, as its signals
    is_done = False
    needs_consent: NeedsConsent | None = None
    try:
        # An interrupt may come while this is entered: then nothing has been done.
        with deferred_interrupts():
            try:
                yield
                is_done = True
            except NeedsConsent as error:
                needs_consent = error
    except KeyboardInterrupt:
        if not is_done:
            raise
        _came_after = True
        return
    if needs_consent is not None:
        raise needs_consent


def came_after_change() -> bool:
    """Whether an interrupt was asked for during a change, which then was made."""
    return _came_after


@contextmanager
def restored_handlers() -> Iterator[None]:
    """Put the handlers back as they were, whatever the block does to them."""
    before = {number: signal.getsignal(number) for number in SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def ignore_interrupts() -> None:
    """From here on nothing interrupts: for cleaning up."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
