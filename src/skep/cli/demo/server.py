"""The demo's marketplace: ``skep serve`` as a child that cannot outlive its parent."""

import os
import select
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from skep.cli.environment import Environment
from skep.errors import Unavailable
from skep.json_documents import JsonValue, parse_table

_START_SECONDS = 20.0
_STOP_SECONDS = 10.0


@contextmanager
def marketplace(
    environment: Environment,
    publisher: str,
    public_key: Path,
    started: Callable[[int], None],
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a marketplace on a free port of loopback; :func:`url_of` waits until it serves.

    Its standard input is a pipe that this process holds: when this process ends, in whatever way,
    the pipe does too, and so does the server.

    Entering takes milliseconds and must not be interrupted, or a server could run that nobody
    knows of; waiting may be.

    Args:
        started: told the process id.
    """
    command = [sys.executable, "-m", "skep", "serve", "--json", "--port", "0"]
    command += ["--until-stdin-ends", "--publisher", f"{publisher}={public_key}"]
    variables = {**environment.variables, "SKEP_ROOT": str(environment.root)}
    process = subprocess.Popen(
        command,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=variables,
        start_new_session=True,  # Ctrl-C is ours to handle: the server stops when we are done
    )
    try:
        started(process.pid)
        yield process
    finally:
        if process.stdin is not None:
            process.stdin.close()
        try:
            process.wait(_STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for stream in (process.stdout, process.stderr):
            if stream is not None:
                stream.close()


def url_of(process: subprocess.Popen[bytes]) -> str:
    """Wait for the document the server prints once it accepts connections.

    Raises:
        Unavailable: it did not start.
    """
    assert process.stdout is not None  # noqa: S101 - it was asked for above
    text = b""
    while not text.rstrip().endswith(b"\n}"):
        ready, _, _ = select.select([process.stdout], [], [], _START_SECONDS)
        chunk = os.read(process.stdout.fileno(), 65536) if ready else b""
        if not chunk:
            errors = os.read(process.stderr.fileno(), 65536) if process.stderr else b""
            raise Unavailable(
                "the marketplace did not start", detail=errors.decode("utf-8", "replace")
            )
        text += chunk
    document = parse_table(text, "document of skep serve")
    if "url" not in document:
        told = JsonValue(document, "document of skep serve")["error"]["message"].text()
        raise Unavailable("the marketplace did not start", detail=told)
    return str(document["url"])
