"""A marketplace in a thread: the protocol in memory, and the ways in which others break it.

Pushed content is invisible until it is published, as in a real marketplace. Publishing demands a
referrer with a bundle and verifies nothing. :attr:`FakeRegistry.faults` maps a part of a path to
a misbehaviour.
"""

import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from enum import Enum, auto
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

from skep.digests import Digest
from skep.packages.oci.manifests import ImageIndex, parse_manifest
from skep.packages.oci.media_types import INDEX, MANIFEST, TITLE, VERSION
from skep.sigstore import BUNDLE
from skep.trust.keys import PublicKey

_PATH = re.compile(r"/v2/([^/]+/[^/]+)/(manifests|blobs|referrers|tags|uploads)/(.+)")


class Fault(Enum):
    WRONG_BYTES = auto()  # other content of the same length, under the right headers
    TRUNCATED = auto()  # less than Content-Length says
    HANGING = auto()  # headers, then silence
    DRIPPING = auto()  # a byte now and then, for ever
    DRIPPING_HEADERS = auto()  # the same, before there is an answer
    HUGE = auto()  # no end in sight
    REDIRECT_ELSEWHERE = auto()
    REDIRECT_HERE = auto()  # to the same host, once
    REDIRECT_LOOP = auto()
    SERVER_ERROR = auto()
    TERMINAL_ESCAPE = auto()  # an error message with control characters
    COMPRESSED = auto()
    NOT_JSON = auto()
    CLOSED = auto()  # the connection ends without an answer
    DENIED = auto()
    NO_SUCH_PAGE = auto()  # a server that knows nothing of this path


class FakeRegistry:
    def __init__(self) -> None:
        self.blobs: dict[tuple[str, str], bytes] = {}
        self.manifests: dict[tuple[str, str], bytes] = {}
        self.visible: set[tuple[str, str]] = set()  # (name, digest) of manifests
        self.tags: dict[tuple[str, str], str] = {}
        self.faults: dict[str, Fault] = {}
        self.requests: list[tuple[str, str]] = []
        self.upload_location = "/v2/{name}/uploads/1"
        self.page_size = 1000
        self.publishers: dict[str, list[dict[str, str]]] = {}  # keys as they are answered
        self.released = threading.Event()  # ends hanging and dripping
        self.url = ""

    # Content, as the owner of the marketplace could arrange it

    def register(self, name: str, *keys: PublicKey) -> None:
        """Let a publisher publish, as :class:`skep.marketplace…settings.ServeSettings` does."""
        self.publishers[name] = [
            {"fingerprint": key.fingerprint, "pem": key.pem.decode()} for key in keys
        ]

    def put(self, name: str, data: bytes, tag: str | None = None, *blobs: bytes) -> Digest:
        """Make a manifest visible, whatever it is."""
        digest = Digest.of(data)
        self.manifests[name, str(digest)] = data
        self.visible.add((name, str(digest)))
        for blob in blobs:
            self.blobs[name, str(Digest.of(blob))] = blob
        if tag is not None:
            self.tags[name, tag] = str(digest)
        return digest

    def is_visible_blob(self, name: str, digest: str) -> bool:
        named = (
            str(blob.digest)
            for owner, manifest in self.visible
            if owner == name
            for parsed in [parse_manifest(self.manifests[owner, manifest])]
            for blob in (parsed.config, *parsed.layers)
        )
        return (name, digest) in self.blobs and digest in named

    def about(self, name: str, subject: str) -> list[str]:
        """Digests of manifests about ``subject``, visible or not."""
        return [
            digest
            for (owner, digest), data in self.manifests.items()
            if owner == name
            and (found := parse_manifest(data).subject) is not None
            and str(found.digest) == subject
        ]


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # header and body are written apart; 40 ms per request
    registry: FakeRegistry

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002
        pass

    def _send(
        self, status: int, body: bytes = b"", kind: str = "application/json", **headers: str
    ) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _fail(self, status: int, code: str, message: str = "no", **more: str) -> None:
        error = {"code": code, "message": message, **more}
        self._send(status, json.dumps({"errors": [error]}).encode())

    def _body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", "0")))

    def _serve(self) -> None:
        registry = self.registry
        path = unquote(urlsplit(self.path).path)
        registry.requests.append((self.command, path))
        for part, fault in registry.faults.items():
            if part in path:
                self._body()
                if self._misbehave(fault, path):
                    return
        if path.startswith("/api/v1/"):
            self._serve_api(path)
            return
        match = _PATH.fullmatch(path)
        if match is None:
            self._fail(404, "NOT_FOUND")
        else:
            getattr(self, f"_{match[2]}")(match[1], match[3])

    do_GET = do_HEAD = do_POST = do_PUT = _serve  # noqa: N815

    def _misbehave(self, fault: Fault, path: str) -> bool:
        registry = self.registry
        match fault:
            case Fault.REDIRECT_HERE:
                if path.endswith("/again"):
                    return False
                registry.faults.clear()
                self._send(307, Location=self.path)
            case Fault.REDIRECT_LOOP:
                self._send(307, Location=self.path)
            case Fault.REDIRECT_ELSEWHERE:
                self._send(307, Location=f"http://localhost.example:1{self.path}")
            case Fault.SERVER_ERROR:
                self._send(500, b"<html>oops</html>", "text/html")
            case Fault.TERMINAL_ESCAPE:
                self._fail(404, "NAME_UNKNOWN", "\x1b[2Jgone", detail="\x1b]0;x\x07\nline")
            case Fault.DENIED:
                self._fail(403, "DENIED", "not you")
            case Fault.NO_SUCH_PAGE:
                self._send(404, b"404 page not found\n", "text/plain")
            case Fault.COMPRESSED:
                self._send(200, b"\x1f\x8b\x08", Content_Encoding="gzip")
            case Fault.NOT_JSON:
                self._send(200, b"<html>welcome to the hotel</html>", "text/html")
            case Fault.CLOSED:
                self.close_connection = True
            case Fault.HUGE:
                self.send_response(200)
                self.end_headers()
                self.close_connection = True
                try:
                    while not registry.released.is_set():
                        self.wfile.write(bytes(1 << 20))
                except OSError:
                    pass
            case Fault.DRIPPING_HEADERS:
                self.close_connection = True
                try:
                    self.wfile.write(b"HTTP/1.1 200 OK\r\nX: ")
                    while not registry.released.wait(0.05):
                        self.wfile.write(b"x")
                except OSError:
                    pass
            case Fault.HANGING | Fault.DRIPPING | Fault.TRUNCATED:
                self.send_response(200)
                self.send_header("Content-Length", "1000")
                self.end_headers()
                self.wfile.write(b"{")
                self.close_connection = True
                try:
                    while fault != Fault.TRUNCATED and not registry.released.wait(0.05):
                        if fault == Fault.DRIPPING:
                            self.wfile.write(b" ")
                except OSError:
                    pass
            case Fault.WRONG_BYTES:
                found = next(
                    data
                    for (_, digest), data in (registry.blobs | registry.manifests).items()
                    if path.endswith(digest) or "/manifests/" in path
                )
                if self.command == "HEAD":
                    return False
                self._send(200, found[:-1] + bytes([found[-1] ^ 1]), MANIFEST)
        return True

    # The OCI distribution protocol

    def _blobs(self, name: str, rest: str) -> None:
        if rest == "uploads/":
            self._body()
            self._send(202, Location=self.registry.upload_location.format(name=name))
        elif self.registry.is_visible_blob(name, rest):
            data = self.registry.blobs[name, rest]
            self._send(200, data, "application/octet-stream", Docker_Content_Digest=rest)
        else:
            self._fail(404, "BLOB_UNKNOWN")

    def _uploads(self, name: str, _: str) -> None:
        data = self._body()
        (digest,) = parse_qs(urlsplit(self.path).query)["digest"]
        if str(Digest.of(data)) != digest:
            self._fail(400, "DIGEST_INVALID")
            return
        self.registry.blobs[name, digest] = data
        self._send(201, Location=f"/v2/{name}/blobs/{digest}")

    def _manifests(self, name: str, reference: str) -> None:
        registry = self.registry
        if self.command == "PUT":
            data = self._body()
            manifest = parse_manifest(data)
            digest = str(Digest.of(data))
            if ":" in reference and reference != digest:
                self._fail(400, "DIGEST_INVALID")
            elif registry.tags.get((name, reference), digest) != digest:
                self._fail(409, "CONFLICT", "published with other content")
            elif any(
                (name, str(blob.digest)) not in registry.blobs
                for blob in (manifest.config, *manifest.layers)
            ):
                self._fail(404, "MANIFEST_BLOB_UNKNOWN")
            else:
                registry.manifests[name, digest] = data
                self._send(201, Docker_Content_Digest=digest)
            return
        digest = registry.tags.get((name, reference), reference)
        if (name, digest) not in registry.visible:
            self._fail(404, "MANIFEST_UNKNOWN", f"no {reference}")
            return
        self._send(200, registry.manifests[name, digest], MANIFEST, Docker_Content_Digest=digest)

    def _referrers(self, name: str, digest: str) -> None:
        registry = self.registry
        found = []
        for referrer in registry.about(name, digest):
            if (name, referrer) in registry.visible:
                data = registry.manifests[name, referrer]
                found.append(parse_manifest(data).descriptor(data))
        self._send(200, ImageIndex(tuple(found)).to_bytes(), INDEX)

    def _tags(self, name: str, _: str) -> None:
        query = parse_qs(urlsplit(self.path).query)
        tags = sorted(tag for owner, tag in self.registry.tags if owner == name)
        if not tags:
            self._fail(404, "NAME_UNKNOWN")
            return
        rest = [tag for tag in tags if tag > query.get("last", [""])[0]]
        shown = rest[: self.registry.page_size]
        more = {}
        if len(shown) < len(rest):
            more["Link"] = f'</v2/{name}/tags/list?last={shown[-1]}>; rel="next"'
        self._send(200, json.dumps({"name": name, "tags": shown}).encode(), **more)

    # Skep's own

    def _listing(self, name: str, digest: str) -> dict[str, object]:
        annotations = parse_manifest(self.registry.manifests[name, digest]).annotations
        return {
            "package": annotations[TITLE],
            "version": annotations[VERSION],
            "digest": digest,
            "published_at": "2026-11-23T08:00:00Z",
            "summary": "Limits new connections",
            "licence": "MIT",
            "signed_by": "SHA256:00",
            "label": {},
            "verdict": {"outcome": "accepted"},
        }

    def _serve_api(self, path: str) -> None:
        registry = self.registry
        body = self._body()
        parts = path.removeprefix("/api/v1/").split("/")
        if parts == ["search"]:
            words = parse_qs(urlsplit(self.path).query).get("q", [""])[0]
            hits = [
                self._listing(name, digest)
                for (name, _), digest in registry.tags.items()
                if words in name
            ]
            self._send(200, json.dumps({"schema": "skep.search/v1", "packages": hits}).encode())
            return
        if parts[0] == "publishers":
            if parts[1] not in registry.publishers:
                self._fail(404, "NOT_FOUND", f"there is no publisher {parts[1]}", hint="search")
                return
            answer = {"schema": "skep.publisher/v1", "name": parts[1]}
            self._send(200, json.dumps(answer | {"keys": registry.publishers[parts[1]]}).encode())
            return
        name = "/".join(parts[1:3])
        if self.command == "GET":
            versions = [
                self._listing(name, digest)
                for (owner, _), digest in registry.tags.items()
                if owner == name
            ]
            if not versions:
                self._fail(404, "NAME_UNKNOWN", f"there is no package {name}", hint="search")
                return
            self._send(200, json.dumps({"package": name, "versions": versions}).encode())
            return
        digest = json.loads(body)["digest"]
        if (name, digest) not in registry.manifests:
            self._fail(404, "MANIFEST_UNKNOWN")
            return
        about = [
            referrer
            for referrer in registry.about(name, digest)
            if parse_manifest(registry.manifests[name, referrer]).kind == BUNDLE
        ]
        listing = self._listing(name, digest)
        if not about:
            self._fail(403, "UNTRUSTED", "it is not signed", family="untrusted")
        elif registry.tags.setdefault((name, str(listing["version"])), digest) != digest:
            self._fail(409, "CONFLICT", "published with other content")
        else:
            registry.visible |= {(name, found) for found in (digest, *about)}
            self._send(201, json.dumps(listing).encode())


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: object, client_address: object) -> None:
        """Clients that give up are part of the tests."""


@contextmanager
def running_fake_registry() -> Iterator[FakeRegistry]:
    """A fake on a free port of the loopback interface."""
    registry = FakeRegistry()
    handler = type("_BoundHandler", (_Handler,), {"registry": registry})
    with _Server(("127.0.0.1", 0), handler) as server:
        registry.url = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield registry
        finally:
            registry.released.set()
            server.shutdown()
            thread.join()
