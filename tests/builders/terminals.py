"""A person at a terminal: a real pseudo-terminal, and keys pressed when the question is there."""

import os
import pty
import select
import subprocess
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CONTROL_C, CONTROL_D = "\x03", "\x04"
QUESTIONS = (b"[y/N] ", b" to install: ", b" to continue: ")
_PATIENCE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Seen:
    """A command that ended.

    Attributes:
        code: its exit code.
        screen: what the terminal showed.
        out: standard output, if it went elsewhere.
    """

    code: int
    screen: str
    out: str


def _answering(terminal: int, keys: str) -> str:
    """Read the screen until nobody writes on it any more; press ``keys`` at a question."""
    screen = b""
    is_answered = False
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < deadline:
        if not select.select([terminal], [], [], 1)[0]:
            continue
        try:
            data = os.read(terminal, 65536)
        except OSError:  # EIO: nobody has the other end open any more, and all was read
            break
        screen += data
        if not is_answered and any(each in screen for each in QUESTIONS):
            os.write(terminal, keys.encode())
            is_answered = True
    return screen.decode().replace("\r\n", "\n")


def at_terminal(
    command: Sequence[str],
    keys: str,
    *,
    environment: Mapping[str, str],
    out_elsewhere: bool = False,
    errors_elsewhere: bool = False,
) -> Seen:
    """Run a command at a terminal of its own, which also sends it signals.

    Args:
        out_elsewhere: standard output is a pipe.
        errors_elsewhere: standard error is nothing anybody sees.
    """
    terminal, inside = pty.openpty()
    process = subprocess.Popen(
        list(command),
        env=dict(environment),
        stdin=inside,
        stdout=subprocess.PIPE if out_elsewhere else inside,
        stderr=subprocess.DEVNULL if errors_elsewhere else inside,
        start_new_session=True,
        preexec_fn=_take_terminal,  # noqa: PLW1509 - no threads before the child starts
    )
    os.close(inside)
    collected: list[bytes] = []
    reader = None
    if process.stdout is not None:
        reader = threading.Thread(target=lambda: collected.append(process.stdout.read()))  # type: ignore[union-attr]  # checked above
        reader.start()
    try:
        screen = _answering(terminal, keys)
        code = process.wait(_PATIENCE_SECONDS)
    finally:
        process.kill()
        process.wait()
        if reader is not None:
            reader.join()
        if process.stdout is not None:
            process.stdout.close()
        os.close(terminal)
    return Seen(code, screen, b"".join(collected).decode())


def _take_terminal() -> None:
    import fcntl

    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
