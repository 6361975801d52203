"""Ctrl-C at a moment when nothing is half done.

Python raises ``KeyboardInterrupt`` between any two of its instructions, also between opening a
descriptor and noting that it is open. A change of a node takes less than a second, so Ctrl-C waits
for its end; what waits for people or for the network stays interruptible.
"""

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

SIGNALS = (signal.SIGINT, signal.SIGTERM)


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
