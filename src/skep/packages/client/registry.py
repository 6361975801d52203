"""The OCI distribution protocol, as far as packages need it.

Content is believed for its digest, which is computed here from the bytes; what headers say about
it is not even read.

Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import quote, urlencode

from skep.digests import Digest, DigestMismatch
from skep.errors import UsageError
from skep.json_documents import LARGEST_DOCUMENT, MalformedDocument
from skep.packages.client.answers import expect, failure, raise_problems, table
from skep.packages.client.errors import MalformedAnswer
from skep.packages.client.transport import Advance, HttpAnswer, Transport
from skep.packages.content import LARGEST_PACKAGE
from skep.packages.names import is_package_name, one_line
from skep.packages.oci.descriptors import Descriptor
from skep.packages.oci.manifests import parse_index
from skep.packages.oci.media_types import INDEX, JSON, MANIFEST, OCTETS
from skep.packages.oci.tag_list import TAG, read_tag_list

_NEXT = re.compile(r'<([^<>]{1,2000})>;\s*rel="?next"?')
_MOST_PAGES = 20
_MOST_TAGS = 10_000
_MOST_REFERRERS = 1000


@dataclass(frozen=True, slots=True)
class FetchedManifest:
    """A manifest as it came.

    Attributes:
        data: its bytes.
        digest: of these bytes.
        media_type: as the registry says.
    """

    data: bytes
    digest: Digest
    media_type: str


class Registry:
    """A registry, by its base URL.

    Args:
        url: ``http://`` or ``https://``.
        transport: if limits other than the usual are wanted.
        called: what people call it; its URL if not said.
    """

    def __init__(self, url: str, transport: Transport | None = None, called: str = "") -> None:
        self.transport = transport or Transport(url)
        self.url = self.transport.url
        self.called = called or self.url

    def close(self) -> None:
        """Close all connections."""
        self.transport.close()

    def _path(self, name: str, *parts: str) -> str:
        if not is_package_name(name):
            raise UsageError(f"expected publisher/name, got {one_line(name)!r}")
        return "/".join(["/v2", name, *parts])

    def _reference(self, reference: str | Digest) -> str:
        if isinstance(reference, str) and not TAG.fullmatch(reference):
            raise UsageError(f"expected a tag, got {one_line(reference)!r}")
        return str(reference)

    # Reading

    def manifest(self, name: str, reference: str | Digest) -> FetchedManifest:
        """A manifest by tag or digest; nothing of it is parsed.

        Raises:
            MarketplaceNotFound: there is none.
            DigestMismatch: what came is not what the digest names.
        """
        answer = self.transport.request(
            "GET",
            self._path(name, "manifests", self._reference(reference)),
            largest=LARGEST_DOCUMENT,
            headers={"Accept": f"{MANIFEST}, {INDEX}"},
        )
        data = expect(answer, {200}).body
        if isinstance(reference, Digest):
            _check(reference, data, answer)
            digest = reference
        else:
            digest = Digest.of(data)
        media_type = answer.headers.get("content-type", "").partition(";")[0].strip()
        return FetchedManifest(data, digest, media_type)

    def has_blob(self, name: str, digest: Digest) -> bool:
        """Whether the registry says it has this blob."""
        return self._has(self._path(name, "blobs", str(digest)))

    def has_manifest(self, name: str, digest: Digest) -> bool:
        """Whether the registry says it has this manifest."""
        return self._has(self._path(name, "manifests", str(digest)))

    def _has(self, path: str) -> bool:
        answer = self.transport.request(
            "HEAD", path, largest=0, headers={"Accept": f"{MANIFEST}, {INDEX}, */*"}
        )
        if answer.status == 404:
            return False
        expect(answer, {200})
        return True

    def blob(
        self, name: str, digest: Digest, size: int | None = None, advance: Advance | None = None
    ) -> bytes:
        """A blob; not a byte more than ``size`` is received if it is given.

        Raises:
            MarketplaceNotFound: there is none.
            MalformedAnswer: it is too large.
            DigestMismatch: what came is not what the digest names.
        """
        answer = self.transport.request(
            "GET",
            self._path(name, "blobs", str(digest)),
            largest=LARGEST_PACKAGE if size is None else min(size, LARGEST_PACKAGE),
            advance=advance,
        )
        return _check(digest, expect(answer, {200}).body, answer)

    def _pages(self, path: str, accept: str) -> Iterator[HttpAnswer]:
        for _ in range(_MOST_PAGES):
            answer = self.transport.request(
                "GET", path, largest=LARGEST_DOCUMENT, headers={"Accept": accept}
            )
            yield answer
            following = _NEXT.search(answer.headers.get("link", ""))
            if following is None:
                return
            path = self.transport.locate(answer.url, following[1])
        raise MalformedAnswer(f"{self.url}: more than {_MOST_PAGES} pages")

    def tags(self, name: str) -> tuple[str, ...]:
        """All tags of a repository.

        Raises:
            MarketplaceNotFound: there is no such repository.
        """
        found: list[str] = []
        for answer in self._pages(self._path(name, "tags", "list"), JSON):
            fields = table(expect(answer, {200}))
            found += read_tag_list(fields, name).tags
            raise_problems(fields, answer)
            if len(found) > _MOST_TAGS:
                raise MalformedAnswer(f"{answer.url}: more than {_MOST_TAGS} tags")
        return tuple(found)

    def referrers(
        self, name: str, digest: Digest, artifact_type: str | None = None
    ) -> tuple[Descriptor, ...]:
        """What the registry says refers to a manifest; the caller checks each.

        A registry without this part of the protocol has none.
        """
        query = "" if artifact_type is None else "?" + urlencode({"artifactType": artifact_type})
        found: list[Descriptor] = []
        for answer in self._pages(self._path(name, "referrers", str(digest)) + query, INDEX):
            if answer.status == 404:
                return ()
            try:
                index = parse_index(expect(answer, {200}).body, answer.url)
            except MalformedDocument as error:
                raise MalformedAnswer(error.message, detail=error.detail) from error
            found += index.manifests
            if len(found) > _MOST_REFERRERS:
                raise MalformedAnswer(f"{answer.url}: more than {_MOST_REFERRERS} referrers")
        # A registry may ignore the filter, and says so by leaving out a header.
        return tuple(entry for entry in found if artifact_type in (None, entry.artifact_type))

    # Writing

    def push_blob(self, name: str, data: bytes) -> Digest:
        """Upload a blob unless it is there: POST, then one PUT."""
        digest = Digest.of(data)
        if self.has_blob(name, digest):
            return digest
        started = self.transport.request(
            "POST", self._path(name, "blobs", "uploads", ""), largest=LARGEST_DOCUMENT, body=b""
        )
        location = expect(started, {202}).headers.get("location", "")
        if not location:
            raise MalformedAnswer(f"{started.url}: expected a Location to upload to")
        url = self.transport.locate(started.url, location)
        url += ("&" if "?" in url else "?") + urlencode({"digest": str(digest)}, quote_via=quote)
        finished = self.transport.request(
            "PUT",
            url,
            largest=LARGEST_DOCUMENT,
            headers={"Content-Type": OCTETS},
            body=data,
        )
        expect(finished, {201})
        return digest

    def push_manifest(
        self, name: str, data: bytes, media_type: str = MANIFEST, tag: str | None = None
    ) -> Digest:
        """Upload a manifest by digest, or under ``tag``; what it names must be there."""
        digest = Digest.of(data)
        answer = self.transport.request(
            "PUT",
            self._path(name, "manifests", self._reference(digest if tag is None else tag)),
            largest=LARGEST_DOCUMENT,
            headers={"Content-Type": media_type},
            body=data,
        )
        if answer.status not in {200, 201}:
            raise failure(answer)
        return digest


def _check(digest: Digest, data: bytes, answer: HttpAnswer) -> bytes:
    try:
        return digest.check(data)
    except DigestMismatch as error:
        raise DigestMismatch(
            f"{answer.url} gave other content: {error.message}",
            hint="the marketplace, or something on the way, is damaged or dishonest",
        ) from error
