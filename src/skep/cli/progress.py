"""Progress of a transfer, on standard error: a line that grows on a terminal, else one sentence."""

from collections.abc import Iterator
from contextlib import contextmanager

from skep.cli.output import Output, human_bytes
from skep.packages.client.progress import Progress

_CELLS = 18


@contextmanager
def transfer(text: str, output: Output) -> Iterator[Progress]:
    """Say that something is fetched, and show how far it is.

    Args:
        text: what, for example ``pulling skep/a 1.2.0 from public``.
    """
    is_live = output.err.isatty() and not output.quiet
    if not is_live:
        output.note(text)
        yield lambda _, __: None
        return
    shown = -1

    def advance(done: int, total: int) -> None:
        nonlocal shown
        cells = _CELLS * done // max(total, 1)
        if cells != shown:
            shown = cells
            bar = ("━" * cells).ljust(_CELLS)
            output.say(f"\r{text} {bar} {human_bytes(done)}", end="")

    output.say(text, end="")
    try:
        yield advance
    finally:
        output.say("")
