"""The demo's traffic: frames sent at a steady pace into the far end of its network."""

import time
from collections.abc import Callable, Iterable
from ipaddress import IPv4Address
from threading import Event, Thread

from skep.cli.demo.frames import Path
from skep.node.playground import Playground

Send = Callable[[bytes], object]

_BURST = 50  # frames between two looks at the clock


def path_into(playground: Playground) -> Path:
    """Addresses of frames that the far end sends to the near one."""
    return Path(
        source_mac=bytes.fromhex(playground.peer_hardware_address.replace(":", "")),
        destination_mac=bytes.fromhex(playground.hardware_address.replace(":", "")),
        source=IPv4Address(playground.peer_address),
        destination=IPv4Address(playground.address),
    )


def send_paced(send: Send, frames: Iterable[bytes], per_second: int = 20_000) -> int:
    """Send frames, no faster than ``per_second`` so that no queue overflows; gives their number."""
    started = time.perf_counter()
    count = 0
    for frame in frames:
        send(frame)
        count += 1
        if count % _BURST == 0:
            ahead = count / per_second - (time.perf_counter() - started)
            if ahead > 0:
                time.sleep(ahead)
    return count


class SteadyTraffic:
    """Traffic that flows while something else happens; a context manager.

    Attributes:
        sent: frames sent, final once the block has ended.
    """

    def __init__(self, send: Send, frame: bytes, per_second: int = 10_000) -> None:
        self._send = send
        self._frame = frame
        self._per_second = per_second
        self._stop = Event()
        self._thread = Thread(target=self._run, name="traffic", daemon=True)
        self.sent = 0

    def _run(self) -> None:
        while not self._stop.is_set():
            self.sent += send_paced(self._send, [self._frame] * _BURST, self._per_second)

    def __enter__(self) -> "SteadyTraffic":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
