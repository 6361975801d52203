"""HTTP towards one marketplace, with limits on everything that comes back.

1. Time: connecting, each read, each answer and all answers together have limits, headers included,
   so nobody can keep us waiting, neither silently nor with a byte now and then. Large answers may
   take longer, by what has come of them.
2. Size: an answer is read up to a limit its caller states; the rest is never received.
3. Place: redirects and upload locations are followed on the same origin only; elsewhere our
   content, or a request made from inside this network, would reach somebody who was not asked.
4. Encoding: answers come as they are; compressed ones, which may unpack to gigabytes, are refused.
5. Words of the server reach terminals without control characters.

Proxy settings in the environment are not used; nothing here reads the environment.
"""

import contextlib
import http.client
import io
import socket
import ssl
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urljoin, urlsplit

import urllib3
from urllib3.exceptions import HTTPError

from skep.packages.client.errors import MalformedAnswer, MarketplaceUnavailable, RedirectRefused
from skep.packages.local.urls import marketplace_url, web_origin
from skep.packages.names import one_line

_CHUNK = 64 * 1024  # bytes
_MOST_REDIRECTS = 3
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_LARGEST_ERROR = 64 * 1024  # bytes of an error document

Advance = Callable[[int], None]
"""Called with the number of bytes received since the last call."""


@dataclass(frozen=True, slots=True)
class Timeouts:
    """How long to wait, in seconds.

    Attributes:
        connect: for a connection.
        read: for the next bytes.
        total: for an answer, and one more for each ``slowest`` bytes of it that have come.
        together: for all answers of one client, and as many more.
        slowest: bytes a second.
    """

    connect: float = 5.0
    read: float = 30.0
    total: float = 30.0
    together: float = 120.0
    slowest: int = 8 * 1024


class _Pace:
    """How long one exchange may take: a fixed time, and more with every byte that passed.

    Args:
        seconds: the fixed time.
        timeouts: see :class:`Timeouts`.
        monotonic: a clock.
    """

    def __init__(self, seconds: float, timeouts: Timeouts, monotonic: Callable[[], float]) -> None:
        self._seconds = seconds
        self._timeouts = timeouts
        self._monotonic = monotonic
        self._started = monotonic()
        self.bytes = 0

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return self._monotonic() - self._started

    @property
    def waited(self) -> float:
        """Seconds it took beyond what its bytes may take."""
        return max(self.elapsed - self.bytes / self._timeouts.slowest, 0.0)

    @property
    def is_over(self) -> bool:
        """It took too long."""
        return self.waited >= self._seconds

    def next_seconds(self) -> float:
        """How long to wait for the next bytes.

        Raises:
            TimeoutError: it took too long already.
        """
        if self.is_over:
            raise TimeoutError("too slow")
        return min(self._timeouts.read, self._seconds - self.waited)


class _PacedReader(io.RawIOBase):
    """What a socket receives, as long as the pace is kept: a byte now and then is not enough."""

    def __init__(self, raw: io.RawIOBase, stream: socket.socket, pace: _Pace) -> None:
        self._raw = raw
        self._stream = stream
        self._pace = pace

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        self._stream.settimeout(self._pace.next_seconds())
        count = self._raw.readinto(buffer)
        self._pace.bytes += count or 0
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """A complete answer.

    Attributes:
        url: that was asked, after redirects.
        status: HTTP status.
        headers: by lower-case name.
        body: empty for HEAD.
    """

    url: str
    status: int
    headers: Mapping[str, str]
    body: bytes


class Transport:
    """Requests to one marketplace.

    Args:
        url: its base URL.
        timeouts: see :class:`Timeouts`.
        monotonic: a clock in seconds that never goes back.
    """

    def __init__(
        self,
        url: str,
        timeouts: Timeouts | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self.url = marketplace_url(url)
        self._timeouts = timeouts or Timeouts()
        self._monotonic = monotonic
        self._waited = 0.0
        self._pace = self._new_pace()
        self._pool = urllib3.PoolManager(
            num_pools=1,
            retries=False,
            timeout=urllib3.Timeout(connect=self._timeouts.connect, read=self._timeouts.read),
        )
        self._pool.pool_classes_by_scheme = _paced_pools(lambda: self._pace)

    def _new_pace(self) -> _Pace:
        left = max(self._timeouts.together - self._waited, 0.0)
        return _Pace(min(self._timeouts.total, left), self._timeouts, self._monotonic)

    def close(self) -> None:
        """Close all connections."""
        self._pool.clear()

    def locate(self, base: str, location: str) -> str:
        """Absolute URL of a ``Location`` header of the answer to ``base``.

        Raises:
            RedirectRefused: it is on another host, port or scheme.
        """
        try:
            url = urljoin(base, location)
            same = web_origin(url) == web_origin(self.url) and "@" not in urlsplit(url).netloc
        except ValueError:
            same = False
        # (3)
        if not same or not location.isprintable():
            raise RedirectRefused(
                f"{base} redirects to {one_line(location)!r}, which is another server",
                hint="if that is where the marketplace is now, use its new URL",
            )
        return url

    def request(
        self,
        method: str,
        path: str,
        *,
        largest: int,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        advance: Advance | None = None,
    ) -> HttpAnswer:
        """Ask, and read the whole answer.

        Args:
            method: HTTP method.
            path: below the base URL, with a leading slash, or a URL from :meth:`locate`.
            largest: bytes of the answer; error answers are cut at 64 kB instead.
            headers: besides those every request has.
            body: sent as it is.
            advance: told about received bytes of a successful answer.

        Raises:
            MarketplaceUnavailable: no connection, no answer in time, or only the first part of one.
            MalformedAnswer: larger than ``largest``, compressed, or not HTTP.
            RedirectRefused: sent to another host.
        """
        url = self.url + path if path.startswith("/") else path
        for _ in range(_MOST_REDIRECTS + 1):
            answer = self._ask(method, url, largest, headers or {}, body, advance)
            if answer.status not in _REDIRECTS or method not in {"GET", "HEAD"}:
                return answer
            url = self.locate(answer.url, answer.headers.get("location", ""))
        raise MalformedAnswer(f"{self.url}{path}: more than {_MOST_REDIRECTS} redirects")

    def _ask(
        self,
        method: str,
        url: str,
        largest: int,
        headers: Mapping[str, str],
        body: bytes | None,
        advance: Advance | None,
    ) -> HttpAnswer:
        # (1)
        self._pace = self._new_pace()
        if self._pace.is_over:
            raise MarketplaceUnavailable(
                f"the marketplace at {self.url} is too slow: its answers took"
                f" {self._timeouts.together:g} seconds too long together",
                hint="try again later",
            )
        sent = {"Accept-Encoding": "identity", **headers}
        if body:
            sent["Content-Length"] = str(len(body))
        with self._failures(url):
            response = self._pool.request(
                method,
                url,
                headers=sent,
                body=_paced(body, self._pace) if body else body,
                redirect=False,
                preload_content=False,
                decode_content=False,
            )
            try:
                content = self._read(response, url, largest, advance)
            except BaseException:
                response.close()  # what is left of the answer must not reach the next request
                raise
            response.release_conn()
        found = {name.lower(): value for name, value in response.headers.items()}
        return HttpAnswer(url, response.status, found, content)

    def _read(
        self,
        response: urllib3.BaseHTTPResponse,
        url: str,
        largest: int,
        advance: Advance | None,
    ) -> bytes:
        # (4)
        if response.headers.get("Content-Encoding", "identity") != "identity":
            raise MalformedAnswer(f"{url} answered with compressed content")
        good = response.status < 300
        limit = largest if good else _LARGEST_ERROR
        received = bytearray()
        while chunk := response.read1(_CHUNK, decode_content=False):
            received += chunk
            # (2)
            if len(received) > limit:
                if not good:
                    response.close()
                    return bytes(received[:limit])
                raise MalformedAnswer(f"{url}: expected at most {limit} bytes, got more")
            if advance is not None and good:
                advance(len(chunk))
        return bytes(received)

    @contextlib.contextmanager
    def _failures(self, url: str) -> Iterator[None]:
        try:
            yield
        except urllib3.exceptions.NewConnectionError as error:
            raise self._unavailable("cannot be reached", error) from error
        except (urllib3.exceptions.TimeoutError, TimeoutError) as error:
            raise self._too_slow(error) from error
        except urllib3.exceptions.SSLError as error:
            raise self._unavailable("has no certificate that this machine trusts", error) from error
        except (urllib3.exceptions.ProtocolError, OSError) as error:
            raise self._unavailable("closed the connection too early", error) from error
        except (HTTPError, ValueError) as error:
            raise MalformedAnswer(f"{url}: {one_line(str(error))}") from error
        finally:
            self._waited += self._pace.waited

    def _too_slow(self, error: Exception) -> MarketplaceUnavailable:
        if not self._pace.is_over or not self._pace.bytes:
            return self._unavailable("did not answer in time", error)
        return MarketplaceUnavailable(
            f"the marketplace at {self.url} is too slow: {self._pace.bytes} bytes in"
            f" {self._pace.elapsed:.0f} seconds",
            hint="try again later",
        )

    def _unavailable(self, problem: str, error: Exception) -> MarketplaceUnavailable:
        reason = _reason(error)
        return MarketplaceUnavailable(
            f"the marketplace at {self.url} {problem}" + (f": {reason}" if reason else ""),
            hint=f"check the URL and that the marketplace runs: {self.url}/healthz",
        )


def _reason(error: BaseException) -> str:
    """What the operating system or TLS said, in its words; empty if neither said anything."""
    seen: list[BaseException] = [error]
    for one in seen:  # grows while it is read
        if isinstance(one, ssl.SSLCertVerificationError):
            return one_line(one.verify_message)
        if isinstance(one, OSError) and one.strerror:
            said = one_line(one.strerror)
            return said[0].lower() + said[1:]
        inner = [one.__cause__, one.__context__, *one.args]
        seen += [each for each in inner if isinstance(each, BaseException) and each not in seen]
    return ""


def _paced(body: bytes, pace: _Pace) -> Iterator[bytes]:
    """A body in chunks; who takes them too slowly is left."""
    for start in range(0, len(body), _CHUNK):
        pace.next_seconds()
        chunk = body[start : start + _CHUNK]
        yield chunk
        pace.bytes += len(chunk)


def _paced_pools(pace: Callable[[], _Pace]) -> dict[str, type[urllib3.HTTPConnectionPool]]:
    """Connection pools whose answers must keep the pace of the exchange that is going on."""

    class Response(http.client.HTTPResponse):
        def __init__(self, sock: socket.socket, *arguments: Any, **named: Any) -> None:
            super().__init__(sock, *arguments, **named)
            raw = self.fp.detach()  # a BufferedReader
            self.fp = io.BufferedReader(_PacedReader(raw, sock, pace()))

    class Connection(urllib3.connection.HTTPConnection):
        response_class = Response

    class SecureConnection(urllib3.connection.HTTPSConnection):
        response_class = Response

    class Pool(urllib3.HTTPConnectionPool):
        ConnectionCls = Connection

    class SecurePool(urllib3.HTTPSConnectionPool):
        ConnectionCls = SecureConnection

    return {"http": Pool, "https": SecurePool}
