"""A Skep marketplace: a registry that can also be searched and published to."""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import urlencode

from skep.digests import Digest, MalformedDigest
from skep.errors import UsageError
from skep.json_documents import LARGEST_DOCUMENT, canonical_json
from skep.packages.client.answers import expect, raise_problems, table
from skep.packages.client.errors import MalformedAnswer
from skep.packages.client.registry import Registry
from skep.packages.fields import Fields
from skep.packages.names import is_package_name, is_publisher_name, one_line
from skep.versions import MalformedVersion, Version, newness

_MOST_HITS = 100
_MOST_VERSIONS = 10_000
_LARGEST_PUBLISHER = 256 * 1024  # bytes of an answer
_MOST_KEYS = 64
_LONGEST_PEM = 4096  # characters; a public key has 178
_LONGEST_WORDS = 2000  # characters of one text


@dataclass(frozen=True, slots=True)
class VersionListing:
    """A published version, as a marketplace presents it: claims, until the package is verified.

    Attributes:
        package: ``publisher/name``.
        version: of the package.
        digest: of its manifest.
        published_at: RFC 3339, as the marketplace writes it; may be empty.
        summary: one printable line.
        licence: SPDX expression.
        signed_by: fingerprint of the key, empty if not said.
        label: permissions, requirements, cost as the marketplace derived them.
        verdict: of the marketplace's review.
    """

    package: str
    version: Version
    digest: Digest
    published_at: str
    summary: str
    licence: str
    signed_by: str
    label: Mapping[str, object]
    verdict: Mapping[str, object]


SearchHit = VersionListing
"""A search finds the newest version of a package."""


@dataclass(frozen=True, slots=True)
class PackageListing:
    """A package with its published versions, newest first.

    Attributes:
        package: ``publisher/name``.
        versions: as the marketplace orders them; at least one.
    """

    package: str
    versions: tuple[VersionListing, ...]

    def meant(self, version: Version | None, digest: Digest | None) -> VersionListing | None:
        """The version a reference means, the newest if it states none; ``None`` if it is not here.

        Decided here, whatever the order of the answer.
        """
        fitting = [
            one
            for one in self.versions
            if version in (None, one.version) and digest in (None, one.digest)
        ]
        return max(fitting, key=lambda one: newness(one.version), default=None)


@dataclass(frozen=True, slots=True)
class OfferedKey:
    """A key as a marketplace gives it.

    Attributes:
        fingerprint: as the marketplace says.
        pem: text.
    """

    fingerprint: str
    pem: str


@dataclass(frozen=True, slots=True)
class PublisherListing:
    """A publisher as a marketplace presents it: claims.

    Attributes:
        name: the part of a package name before the slash.
        keys: at least one.
    """

    name: str
    keys: tuple[OfferedKey, ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """What a publisher gets: what was published when, and what the review said.

    Attributes:
        package: ``publisher/name``.
        version: that is visible now.
        digest: of its manifest.
        published_at: RFC 3339.
        verdict: of the review, naming each rule.
    """

    package: str
    version: Version
    digest: Digest
    published_at: str
    verdict: Mapping[str, object]


def _printable(value: object) -> object:
    """A foreign document with all texts safe to print; depth is bounded by the JSON parser."""
    if isinstance(value, str):
        return "\n".join(one_line(line, _LONGEST_WORDS) for line in value.splitlines())
    if isinstance(value, dict):
        return {one_line(str(key)): _printable(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_printable(inner) for inner in value]
    return value


def _document(fields: Fields, key: str) -> Mapping[str, object]:
    document = _printable(dict(fields.table(key).items()))
    return MappingProxyType(document if isinstance(document, dict) else {})


def _line(fields: Fields, key: str) -> str:
    return one_line(fields.text(key, "a text", lambda _: True, required=False))


def _is_version(text: str) -> bool:
    try:
        Version.parse(text)
    except MalformedVersion:
        return False
    return True


def _is_digest(text: str) -> bool:
    try:
        Digest.parse(text)
    except MalformedDigest:
        return False
    return True


def _version(fields: Fields) -> Version:
    text = fields.text("version", "a version such as 1.2.0", _is_version)
    return Version.parse(text) if text else Version(0, 0, 0)


def _digest(fields: Fields) -> Digest:
    text = fields.text("digest", "sha256:<64 hexadecimal digits>", _is_digest)
    return Digest.parse(text) if text else Digest("sha256", "0" * 64)


def _package(fields: Fields) -> str:
    return fields.text("package", "publisher/name", is_package_name)


def _listing(fields: Fields, package: str) -> VersionListing:
    return VersionListing(
        package=package,
        version=_version(fields),
        digest=_digest(fields),
        published_at=_line(fields, "published_at"),
        summary=_line(fields, "summary"),
        licence=_line(fields, "licence"),
        signed_by=_line(fields, "signed_by"),
        label=_document(fields, "label"),
        verdict=_document(fields, "verdict"),
    )


class MarketplaceClient(Registry):
    """A marketplace, by its base URL; pushing and pulling are those of a registry."""

    def search(self, text: str, limit: int = 20) -> list[SearchHit]:
        """Packages that fit the words, best first.

        Raises:
            MarketplaceUnavailable, MalformedAnswer: and others of a request.
        """
        answer = self.transport.request(
            "GET",
            "/api/v1/search?" + urlencode({"q": text, "limit": limit}),
            largest=LARGEST_DOCUMENT,
        )
        fields = table(expect(answer, {200}))
        hits = [_listing(hit, _package(hit)) for hit in fields.tables("packages", _MOST_HITS)]
        if "packages" not in fields:
            fields.problem("packages", "expected a list of tables, but it is missing")
        raise_problems(fields, answer)
        return hits

    def show(self, publisher: str, name: str) -> PackageListing:
        """All published versions of a package.

        Raises:
            MarketplaceNotFound: there is no such package.
            MalformedAnswer: the answer is about another one, or lists none.
        """
        package = _checked_name(publisher, name)
        answer = self.transport.request(
            "GET", f"/api/v1/packages/{package}", largest=LARGEST_DOCUMENT
        )
        fields = table(expect(answer, {200}))
        versions = tuple(
            _listing(version, package) for version in fields.tables("versions", _MOST_VERSIONS)
        )
        if _package(fields) != package or not versions:
            fields.problem("package", f"expected {package} with at least one version")
        raise_problems(fields, answer)
        return PackageListing(package, versions)

    def publisher(self, name: str) -> PublisherListing:
        """A publisher's keys, as this marketplace says; nothing here is trusted for it.

        1. The answer has at most 256 KiB.
        2. It is about this publisher.
        3. It has at least one key and at most 64, each a bounded text.

        What the keys are worth is for the caller to find out: see
        :func:`skep.node.verified.key_offers.read_offer`.

        Raises:
            MarketplaceNotFound: it has no such publisher.
            MalformedAnswer: 1 to 3.
        """
        if not is_publisher_name(name):
            raise UsageError(f"expected the name of a publisher, got {one_line(name)!r}")
        # (1)
        answer = self.transport.request(
            "GET", f"/api/v1/publishers/{name}", largest=_LARGEST_PUBLISHER
        )
        fields = table(expect(answer, {200}))
        # (2)
        if fields.text("name", "the publisher's name", is_publisher_name) != name:
            fields.problem("name", f"expected {name}")
        # (3)
        keys = tuple(
            OfferedKey(
                key.text("fingerprint", "a fingerprint", lambda text: len(text) <= 100),
                key.text("pem", "a PEM", lambda text: len(text) <= _LONGEST_PEM),
            )
            for key in fields.tables("keys", _MOST_KEYS)
        )
        if not keys:
            fields.problem("keys", "expected at least one")
        raise_problems(fields, answer)
        return PublisherListing(name, keys)

    def publish(self, publisher: str, name: str, digest: Digest) -> Receipt:
        """Make a pushed package visible.

        Raises:
            MarketplaceDistrusts: it is not signed by a key of the publisher.
            MarketplaceRefused: the review said no; ``detail`` names the rules.
            MarketplaceConflict: the version is published with other content.
            MarketplaceDenied: nobody of this name may publish there.
            MalformedAnswer: the receipt is about something else.
        """
        package = _checked_name(publisher, name)
        answer = self.transport.request(
            "POST",
            f"/api/v1/packages/{package}/versions",
            largest=LARGEST_DOCUMENT,
            headers={"Content-Type": "application/json"},
            body=canonical_json({"digest": str(digest)}),
        )
        fields = table(expect(answer, {200, 201}))
        receipt = Receipt(
            package=_package(fields),
            version=_version(fields),
            digest=_digest(fields),
            published_at=_line(fields, "published_at"),
            verdict=_document(fields, "verdict"),
        )
        raise_problems(fields, answer)
        if receipt.package != package or receipt.digest != digest:
            raise MalformedAnswer(
                f"{answer.url}: asked for a receipt of {package} {digest},"
                f" got one of {receipt.package} {receipt.digest}"
            )
        return receipt


def _checked_name(publisher: str, name: str) -> str:
    package = f"{publisher}/{name}"
    if not is_package_name(package):
        raise UsageError(f"expected publisher/name, got {one_line(package)!r}")
    return package
