"""References: how people and plans name a package.

``[host[:port]/]publisher/name[:version][@sha256:…]``. The version is what was wanted, the digest
what it must be; with both, both must hold.
"""

import re
from dataclasses import dataclass, replace

from skep.digests import Digest
from skep.errors import Malformed
from skep.packages.errors import MalformedReference
from skep.packages.names import PACKAGE_NAME_RULE, is_package_name, one_line
from skep.versions import Version

_HOST = re.compile(
    r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?|\[[0-9A-Fa-f:.]{2,45}\])(?::[0-9]{1,5})?"
)
_LONGEST = 512  # characters
_HINT = "for example skep/ratelimiting:1.2.0, or skep/ratelimiting@sha256:<64 digits>"


@dataclass(frozen=True, slots=True)
class Reference:
    """A package, perhaps at a version, perhaps with the digest it must have.

    >>> reference = parse_reference("localhost:8080/skep/ratelimiting:1.2.0")
    >>> reference.package, str(reference.version), reference.host
    ('skep/ratelimiting', '1.2.0', 'localhost:8080')

    Attributes:
        publisher: first part of the package name.
        name: second part.
        version: the version asked for, ``None`` if any.
        digest: of the OCI manifest, ``None`` if not pinned.
        host: ``host`` or ``host:port`` of a marketplace, ``None`` for the configured one.
    """

    publisher: str
    name: str
    version: Version | None = None
    digest: Digest | None = None
    host: str | None = None

    @property
    def package(self) -> str:
        """``publisher/name``, which is also the OCI name."""
        return f"{self.publisher}/{self.name}"

    def pinned(self, digest: Digest) -> "Reference":
        """The same reference, with the digest it was found to have."""
        return replace(self, digest=digest)

    def __str__(self) -> str:
        host = f"{self.host}/" if self.host is not None else ""
        version = f":{self.version}" if self.version is not None else ""
        digest = f"@{self.digest}" if self.digest is not None else ""
        return f"{host}{self.package}{version}{digest}"


def parse_reference(text: str) -> Reference:
    """Read a reference.

    Raises:
        MalformedReference: with the part that is wrong.
    """
    if len(text) > _LONGEST:
        raise MalformedReference(
            f"expected a package reference, got {len(text)} characters", hint=_HINT
        )
    rest, at, digest_text = text.partition("@")
    parts = rest.split("/")
    host = None
    if len(parts) == 3:
        host = parts.pop(0)
        if not _HOST.fullmatch(host):
            raise MalformedReference(
                f"expected a host name before the package name, got {one_line(host)!r}", hint=_HINT
            )
    package, colon, version_text = "/".join(parts).partition(":")
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
    return Reference(publisher, name, version, digest, host)
