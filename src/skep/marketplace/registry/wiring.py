"""A marketplace put together: settings become stores, use cases, an application and a server."""

import asyncio
import fcntl
import os
import secrets
import signal
import socket
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from granian.constants import Interfaces
from granian.server.embed import Server
from starlette.applications import Starlette

from skep.clock import Clock
from skep.errors import Unavailable
from skep.file_modes import make_directory, open_file
from skep.marketplace.registry.errors import DirectoryInUse
from skep.marketplace.registry.http.application import application
from skep.marketplace.registry.http.context import UseCases
from skep.marketplace.registry.manifests import Manifests
from skep.marketplace.registry.names import check_publisher_name
from skep.marketplace.registry.ports import Catalogue
from skep.marketplace.registry.publishing import Publishing
from skep.marketplace.registry.reading import Reading
from skep.marketplace.registry.searching import Searching
from skep.marketplace.registry.settings import Limits, ServeSettings
from skep.marketplace.registry.store.catalogue import SqliteCatalogue
from skep.marketplace.registry.uploads import Uploads
from skep.marketplace.vetting.rules import STANDARD_RULES
from skep.packages.blobs import UploadedBlobs
from skep.packages.local.blob_directory import BlobDirectory
from skep.trust.keys import PublicKey

_START_SECONDS = 20.0


class CannotServe(Unavailable):
    """The server could not be started: the address is taken, or not of this machine."""


def build_application(settings: ServeSettings, clock: Clock) -> Starlette:
    """An ASGI application for any server; opens its stores now, closes them at its shutdown.

    Raises:
        NameInvalid: a publisher in the settings cannot be one.
        MalformedKey, UnsupportedKey: a publisher's key is none.
        DirectoryInUse: another server works in the same directory.
        DatabaseTooNew: a later version of Skep has written it.
    """
    publishers = {}
    for publisher, keys in settings.publishers.items():
        check_publisher_name(publisher)
        publishers[publisher] = tuple(PublicKey.from_pem(pem) for pem in keys)
    make_directory(settings.directory)
    lock = _lock(settings.directory)
    try:
        catalogue = SqliteCatalogue(settings.directory / "catalogue.sqlite")
    except BaseException:
        os.close(lock)
        raise
    blobs = BlobDirectory(settings.directory)
    known = MappingProxyType(publishers)
    cases = replace(
        build_use_cases(catalogue, blobs, known, settings.limits, clock), file_of=blobs.path
    )
    cases.uploads.forget_strays()
    cases.uploads.expire()

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        try:
            yield
        finally:
            catalogue.close()
            os.close(lock)

    return application(cases, lifespan)


def build_use_cases(
    catalogue: Catalogue,
    blobs: UploadedBlobs,
    publishers: Mapping[str, tuple[PublicKey, ...]],
    limits: Limits,
    clock: Clock,
) -> UseCases:
    """The use cases over any catalogue and any form of blobs."""
    return UseCases(
        uploads=Uploads(
            catalogue,
            blobs,
            publishers.keys(),
            limits,
            clock,
            lambda: secrets.token_urlsafe(24),
        ),
        manifests=Manifests(catalogue, publishers.keys(), limits, clock),
        reading=Reading(catalogue, blobs, publishers),
        publishing=Publishing(catalogue, blobs, publishers, STANDARD_RULES, clock),
        searching=Searching(catalogue),
        limits=limits,
    )


def _lock(directory: Path) -> int:
    """Take the directory for this process; the kernel gives it back whatever happens."""
    descriptor = open_file(directory / "lock", os.O_RDWR)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        os.close(descriptor)
        raise DirectoryInUse(
            f"another marketplace works in {directory}", hint="stop it, or take another directory"
        ) from error
    return descriptor


@dataclass(slots=True)
class _Running:
    """A server in some thread's event loop."""

    loop: asyncio.AbstractEventLoop
    server: Server
    url: str
    _is_stopped: bool = False

    def stop(self) -> None:
        """Ask it to end, from any thread, as often as one likes."""
        with suppress(RuntimeError):  # the loop has ended already
            self.loop.call_soon_threadsafe(self._stop_now)

    def _stop_now(self) -> None:
        if not self._is_stopped:
            self._is_stopped = True
            self.server.stop()  # type: ignore[no-untyped-call]  # the library has no types here


def serve(
    settings: ServeSettings,
    clock: Clock,
    on_ready: Callable[[str], None],
    lifeline: int | None = None,
) -> None:
    """Serve in the foreground until SIGTERM or SIGINT; one process, nothing left behind.

    Args:
        settings: see there.
        clock: for receipts and expiry.
        on_ready: called with the URL once connections are accepted.
        lifeline: a file descriptor, for example of a pipe whose other end a parent holds; when
            it reaches its end, because the parent is gone, the server stops.

    Raises:
        CannotServe: the address is taken, or not of this machine.
        See :func:`build_application` for the others.
    """

    def ready(running: _Running) -> None:
        if threading.current_thread() is threading.main_thread():
            for number in (signal.SIGTERM, signal.SIGINT):
                running.loop.add_signal_handler(number, running.stop)
        if lifeline is not None:
            threading.Thread(target=_watch, args=(lifeline, running.stop), daemon=True).start()
        on_ready(running.url)

    asyncio.run(_serve(settings, clock, ready))


def _watch(lifeline: int, stop: Callable[[], None]) -> None:
    with suppress(OSError):
        while os.read(lifeline, 64):
            pass
    stop()


@contextmanager
def running_server(settings: ServeSettings, clock: Clock) -> Iterator[str]:
    """A server in a thread of this process, for tests and trials; gives its URL.

    Raises:
        See :func:`serve`.
    """
    started = threading.Event()
    running: list[_Running] = []
    failures: list[BaseException] = []

    def ready(now_running: _Running) -> None:
        running.append(now_running)
        started.set()

    def run() -> None:
        try:
            asyncio.run(_serve(settings, clock, ready))
        except BaseException as error:  # noqa: BLE001 (raised again in the thread that waits)
            failures.append(error)
        finally:
            started.set()

    thread = threading.Thread(target=run, name="marketplace")
    thread.start()
    try:
        started.wait(_START_SECONDS)
        if failures:
            raise failures[0]
        yield running[0].url
    finally:
        for one in running:
            one.stop()
        thread.join(_START_SECONDS)


async def _serve(
    settings: ServeSettings, clock: Clock, on_ready: Callable[[_Running], None]
) -> None:
    with _reserved(settings.host, settings.port) as (address, port):
        server = Server(
            build_application(settings, clock),
            address=address,
            port=port,
            interface=Interfaces.ASGI,
            websockets=False,
            log_enabled=False,
        )
        host = f"[{settings.host}]" if ":" in settings.host else settings.host
        running = _Running(asyncio.get_running_loop(), server, f"http://{host}:{port}")
        serving = asyncio.create_task(server.serve())
        try:
            await _accepting(address, port, serving)
            on_ready(running)
            await serving
        finally:
            running.stop()
            await asyncio.wait([serving])


@contextmanager
def _reserved(host: str, port: int) -> Iterator[tuple[str, int]]:
    """Hold an address and port, so that nobody else takes it before the server does.

    A name becomes an address here, and port 0 a number.

    The server binds with SO_REUSEPORT, which allows a second socket of the same user; one that
    is bound and does not listen gets no connections.
    """
    # (1) getaddrinfo takes 65536 more for the same port.
    if not 0 <= port <= 65535:
        raise CannotServe(f"expected a port from 0 to 65535, got {port}")
    try:
        family, kind, _, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        # (2) Without SO_REUSEPORT first: it must not join a port that another server holds.
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
        holder = socket.socket(family, kind)
    except (OSError, UnicodeError) as error:  # no address of ours, no name at all
        raise CannotServe(
            f"cannot listen on {host[:80]!r}, port {port}: {error}",
            hint="choose another address or port; port 0 picks a free one",
        ) from error
    with holder:
        holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            holder.bind(address)
        except OSError as error:
            raise CannotServe(
                f"cannot listen on {host}, port {port}: {error.strerror or error}"
            ) from error
        name = holder.getsockname()
        yield name[0], name[1]


async def _accepting(address: str, port: int, serving: "asyncio.Task[None]") -> None:
    """Wait until a connection is accepted."""
    anywhere = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 (where to knock, not to listen)
    loop = asyncio.get_running_loop()
    deadline = loop.time() + _START_SECONDS
    while not serving.done():
        try:
            _, writer = await asyncio.open_connection(anywhere.get(address, address), port)
        except OSError as error:
            if loop.time() > deadline:
                raise CannotServe(
                    f"the server does not answer on {address}, port {port}"
                ) from error
            await asyncio.sleep(0.01)
        else:
            writer.close()
            await writer.wait_closed()
            return
    await serving  # raises what stopped it
    raise CannotServe(f"the server ended before it listened on {address}, port {port}")
