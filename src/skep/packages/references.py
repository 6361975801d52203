"""References: how people and plans name a package.

``[place/]publisher/name[:version][@sha256:…]``. The version is what was wanted, the digest what it
must be; with both, both must hold.

The place is told apart as Docker does it: a first part with a dot or a colon, or ``localhost``, is
a host, which is asked directly; any other is the name of a configured marketplace. A host may have
a port and, if the marketplace is not at the root of its host, a path. Without a place, the default
marketplace is meant.
"""

import re
from dataclasses import dataclass, replace
from ipaddress import IPv6Address

from skep.digests import Digest
from skep.errors import Malformed
from skep.packages.errors import MalformedReference
from skep.packages.names import (
    PACKAGE_NAME_RULE,
    is_marketplace_name,
    is_package_name,
    one_line,
)
from skep.versions import Version

_HOST = re.compile(
    r"(?:(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]{0,251}[A-Za-z0-9])?)|\[(?P<v6>[0-9A-Fa-f:.]{2,45})\])"
    r"(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<path>(?:/[A-Za-z0-9](?:[A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)*)"
)
_LONGEST = 512  # characters
_HTTPS = "443"
_HINT = "for example skep/ratelimiting:1.2.0, or skep/ratelimiting@sha256:<64 digits>"


@dataclass(frozen=True, slots=True)
class Reference:
    """A package, perhaps at a version, perhaps with the digest it must have.

    >>> reference = parse_reference("localhost:8750/skep/ratelimiting:1.2.0")
    >>> reference.package, str(reference.version), reference.host
    ('skep/ratelimiting', '1.2.0', 'localhost:8750')
    >>> parse_reference("public/skep/ratelimiting").marketplace
    'public'

    Attributes:
        publisher: first part of the package name.
        name: second part.
        version: the version asked for, ``None`` if any.
        digest: of the OCI manifest, ``None`` if not pinned.
        host: ``host[:port][/path]`` of a marketplace, in the form of :func:`host_form`.
        marketplace: name of a configured marketplace. With neither, the default one is meant.
    """

    publisher: str
    name: str
    version: Version | None = None
    digest: Digest | None = None
    host: str | None = None
    marketplace: str | None = None

    @property
    def package(self) -> str:
        """``publisher/name``, which is also the OCI name."""
        return f"{self.publisher}/{self.name}"

    @property
    def local(self) -> "Reference":
        """The same without the place: what people call the package."""
        return replace(self, host=None, marketplace=None)

    def pinned(self, digest: Digest) -> "Reference":
        """The same reference, with the digest it was found to have."""
        return replace(self, digest=digest)

    def __str__(self) -> str:
        place = self.host or self.marketplace
        prefix = f"{place}/" if place is not None else ""
        version = f":{self.version}" if self.version is not None else ""
        digest = f"@{self.digest}" if self.digest is not None else ""
        return f"{prefix}{self.package}{version}{digest}"


def is_host(text: str) -> bool:
    """Whether the first part of a reference is a host, and no name of a marketplace.

    >>> is_host("market.example"), is_host("localhost"), is_host("public")
    (True, True, False)
    """
    return "." in text or ":" in text or text.lower() == "localhost"


def host_form(text: str) -> str | None:
    """The one form of ``host[:port][/path]``; ``None`` if the text is none.

    Lower case, an IPv6 address in its short form, and no port if it is the one of HTTPS, so that
    two texts are equal if they name the same place.

    >>> host_form("Market.Example:443"), host_form("[0:0::1]:8750"), host_form("no host")
    ('market.example', '[::1]:8750', None)
    """
    match = _HOST.fullmatch(text)
    if match is None or len(text) > _LONGEST:
        return None
    host, port, path = (match["name"] or "").lower(), match["port"], match["path"]
    if match["v6"] is not None:
        try:
            host = f"[{IPv6Address(match['v6'])}]"
        except ValueError:
            return None
    if port is not None and int(port) > 65535:
        return None
    # Without its port, a host of one word would be the name of a marketplace.
    is_usual = port == _HTTPS and is_host(host)
    return host + (f":{port}" if port is not None and not is_usual else "") + path


def parse_reference(text: str) -> Reference:
    """Read a reference.

    Raises:
        MalformedReference: with the part that is wrong.
    """
    if len(text) > _LONGEST:
        raise MalformedReference(
            f"expected a package reference, got {len(text)} characters", hint=_HINT
        )
    if "://" in text:  # may hold a password, which a message would print
        raise MalformedReference("expected a package reference, got a URL", hint=_HINT)
    rest, at, digest_text = text.partition("@")
    parts = rest.split("/")
    host, marketplace = _place(parts[:-2])
    package, colon, version_text = "/".join(parts[-2:]).partition(":")
    if not is_package_name(package):
        raise MalformedReference(
            f"expected {PACKAGE_NAME_RULE}; got {one_line(package)!r}", hint=_HINT
        )
    try:
        version = Version.parse(version_text) if colon else None
        digest = Digest.parse(digest_text) if at else None
    except Malformed as error:
        raise MalformedReference(
            f"in reference {one_line(text)!r}: {error.message}", hint=_HINT
        ) from error
    publisher, _, name = package.partition("/")
    return Reference(publisher, name, version, digest, host, marketplace)


def _place(parts: list[str]) -> tuple[str | None, str | None]:
    """Host and name of a marketplace, one of them or neither."""
    if not parts:
        return None, None
    text = "/".join(parts)
    if is_host(parts[0]):
        host = host_form(text)
        if host is not None:
            return host, None
    elif is_marketplace_name(text):
        return None, text
    raise MalformedReference(
        "expected a host (market.example, localhost:8750) or the name of a marketplace before the"
        f" package name, got {one_line(text)!r}",
        hint=_HINT,
    )
