"""Commands in processes of their own that need not load Skep first.

Loading Python and Skep takes longer than most commands work, and journeys run a thousand of them.
One process per worker of the suite loads Skep once and forks for each command: what runs is a
process with its own descriptors, environment and directory, as if it had just loaded everything.
What a test says about loading itself, or about signals while it lasts, runs the real command line.
"""

import atexit
import json
import os
import pkgutil
import selectors
import signal
import socket
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from importlib import import_module
from pathlib import Path

_LONGEST_REQUEST = 1 << 17
_STREAMS = 3
_PATIENCE_SECONDS = 60.0


class Started:
    """A command that was started.

    Attributes:
        pid: of its process, whose parent is the one that started it.
    """

    def __init__(self, ends: socket.socket) -> None:
        self._ends = ends
        self.pid = self._number()

    def wait(self, seconds: float) -> int:
        """Its exit code, negative for a signal, once it has ended.

        Raises:
            TimeoutError: it has not after so many seconds; it is killed.
        """
        self._ends.settimeout(seconds)
        try:
            return self._number()
        except TimeoutError:
            os.kill(self.pid, signal.SIGKILL)
            raise
        finally:
            self._ends.close()

    def _number(self) -> int:
        said = self._ends.recv(16)
        assert said, "the process that starts commands has ended"
        return int(said)


def start(
    arguments: Sequence[str],
    streams: Sequence[int],
    variables: Mapping[str, str],
    cwd: Path | None = None,
) -> Started:
    """Start ``skep ARGUMENTS``.

    Args:
        streams: descriptors for its standard input, output and error.
        variables: its whole environment.
        cwd: its working directory; that of the caller if ``None``.
    """
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        request = json.dumps([list(arguments), dict(variables), str(cwd or Path.cwd())])
        assert len(streams) == _STREAMS
        socket.send_fds(_starter(), [request.encode()], [*streams, theirs.fileno()])
    return Started(ours)


@cache
def _starter() -> socket.socket:
    """The process that starts commands; it ends with this one, whose socket it reads."""
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with theirs:
        process = subprocess.Popen(
            [sys.executable, "-m", __name__, str(theirs.fileno())],
            cwd=Path(__file__).parents[2],
            pass_fds=[theirs.fileno()],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            env={key: each for key, each in os.environ.items() if not key.startswith("SKEP_")},
        )

    def stop() -> None:
        ours.close()
        process.wait(_PATIENCE_SECONDS)

    atexit.register(stop)
    return ours


def _load() -> None:
    """Load all of Skep, with the streams and signals a command has."""
    import_module("skep.__main__")
    skep = import_module("skep")
    for module in pkgutil.walk_packages(skep.__path__, "skep."):
        import_module(module.name)


def _serve(requests: socket.socket) -> None:
    """Fork for every request, and say how it ended, until nobody can ask any more."""
    with selectors.DefaultSelector() as selector:
        selector.register(requests, selectors.EVENT_READ)
        while True:
            for key, _ in selector.select():
                if key.fileobj is requests:
                    text, descriptors, *_ = socket.recv_fds(requests, _LONGEST_REQUEST, 4)
                    if not text:
                        return
                    pid = os.fork()
                    if pid == 0:
                        _become(*json.loads(text), streams=descriptors[:_STREAMS])
                    ends = socket.socket(fileno=descriptors.pop())
                    for descriptor in descriptors:
                        os.close(descriptor)
                    ends.send(str(pid).encode())
                    selector.register(os.pidfd_open(pid), selectors.EVENT_READ, (pid, ends))
                else:
                    pid, ends = key.data
                    selector.unregister(key.fd)
                    os.close(key.fd)
                    with ends:
                        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
                        with suppress(BrokenPipeError):  # nobody waits for it any more
                            ends.send(str(code).encode())


def _become(
    arguments: list[str], variables: dict[str, str], cwd: str, *, streams: list[int]
) -> None:
    """Become the command; never returns."""
    code = 1
    try:
        for number, descriptor in enumerate(streams):
            os.dup2(descriptor, number)
        os.closerange(_STREAMS, 4096)
        os.chdir(cwd)
        os.environ.clear()
        os.environ.update(variables)
        sys.argv[1:] = arguments
        try:
            import_module("skep.cli.main").run()
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 1
        finally:
            for stream in (sys.stdout, sys.stderr):
                stream.flush()
    finally:
        os._exit(code)


if __name__ == "__main__":
    _load()
    _serve(socket.socket(fileno=int(sys.argv[1])))
