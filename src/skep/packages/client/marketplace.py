"""A Skep marketplace: a registry that can also be searched and published to."""

from urllib.parse import urlencode

from skep.digests import Digest
from skep.errors import UsageError
from skep.json_documents import LARGEST_DOCUMENT
from skep.packages.client.answers import expect, raise_problems, table
from skep.packages.client.errors import MalformedAnswer
from skep.packages.client.registry import Registry
from skep.packages.names import is_package_name, is_publisher_name, one_line
from skep.packages.oci.media_types import JSON
from skep.packages.wire.package_listing import PackageListing, read_package_listing
from skep.packages.wire.publish_request import PublishRequest
from skep.packages.wire.publisher_listing import (
    LARGEST_PUBLISHER,
    PublisherListing,
    read_publisher_listing,
)
from skep.packages.wire.receipt import Receipt, read_receipt
from skep.packages.wire.search_answer import read_search_answer
from skep.packages.wire.search_query import parse_query
from skep.packages.wire.version_listing import VersionListing


class MarketplaceClient(Registry):
    """A marketplace, by its base URL; pushing and pulling are those of a registry."""

    def search(self, text: str, limit: int = 20) -> tuple[VersionListing, ...]:
        """Packages that fit the words, best first.

        Raises:
            UsageError: it is no search; nobody is asked.
            MarketplaceUnavailable, MalformedAnswer: and others of a request.
        """
        parse_query(text)
        answer = self.transport.request(
            "GET",
            "/api/v1/search?" + urlencode({"q": text, "limit": limit}),
            largest=LARGEST_DOCUMENT,
        )
        fields = table(expect(answer, {200}))
        found = read_search_answer(fields)
        raise_problems(fields, answer)
        return found.hits

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
        listing = read_package_listing(fields, package)
        raise_problems(fields, answer)
        return listing

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
            "GET", f"/api/v1/publishers/{name}", largest=LARGEST_PUBLISHER
        )
        fields = table(expect(answer, {200}))
        # (2) and (3)
        listing = read_publisher_listing(fields, name)
        raise_problems(fields, answer)
        return listing

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
            headers={"Content-Type": JSON},
            body=PublishRequest(digest).to_bytes(),
        )
        fields = table(expect(answer, {200, 201}))
        receipt = read_receipt(fields)
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
