"""Tags in a content store: which package, at which version, from which marketplace.

``[origin/]publisher/name:version``; the origin is the host of the marketplace it was pulled from,
in the form of :func:`~skep.packages.references.host_form`. A tag without one was written before
origins were kept, or by hand: its origin is unknown, and it counts as the default marketplace's.

Which tag a reference means:

1. A reference with a host means what came from that host. What another marketplace serves under the
   same name and version is something else until its digest says otherwise.
2. A reference without one means what came from the default marketplace, or whose origin is unknown.
3. If no default was chosen, it means what is there, as long as that is one content.
4. A digest names content: without a place, it means the content with that digest, wherever it came
   from. With a host, rule 1 holds as for a version: that the host has this content under this name
   is the host's to say, not another's. The name in the reference is not compared here: see
   :func:`~skep.packages.identity.check_identity`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from ipaddress import IPv6Address

from skep.digests import Digest
from skep.errors import Conflict, UsageError
from skep.packages.names import is_package_name
from skep.packages.oci.descriptors import Descriptor
from skep.packages.references import Reference, host_form
from skep.versions import MalformedVersion, Version, newest

# The grammar of org.opencontainers.image.ref.name has no brackets: all eight groups are written.
_V6 = re.compile(r"((?:[0-9a-f]{1,4}:){7}[0-9a-f]{1,4})(?::([0-9]{1,5}))?(/.*)?")
_V6_HOST = re.compile(r"\[([0-9a-f:.]+)\](.*)")


class AmbiguousReference(Conflict):
    """Several marketplaces gave this machine different content under one name and version."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A tag, read.

    >>> tag = parse_tag("market.example/skep/a:1.2.0")
    >>> tag.origin, tag.package, str(tag.version)
    ('market.example', 'skep/a', '1.2.0')

    Attributes:
        package: ``publisher/name``.
        version: of the package.
        origin: ``host[:port][/path]``; empty if it is unknown.
    """

    package: str
    version: Version
    origin: str = ""

    @property
    def reference(self) -> Reference:
        """How a person names what the tag names."""
        publisher, _, name = self.package.partition("/")
        return Reference(publisher, name, self.version, host=self.origin or None)

    def __str__(self) -> str:
        match = _V6_HOST.fullmatch(self.origin)
        origin = self.origin
        if match is not None:
            groups = [f"{int(group, 16):x}" for group in IPv6Address(match[1]).exploded.split(":")]
            origin = ":".join(groups) + match[2]
        prefix = f"{origin}/" if origin else ""
        return f"{prefix}{self.package}:{self.version}"


def parse_tag(text: str) -> Tag | None:
    """Read a tag; ``None`` if it is one of another kind, which other tools may have written."""
    rest, _, version_text = text.rpartition(":")
    parts = rest.split("/")
    package, origin = "/".join(parts[-2:]), "/".join(parts[:-2])
    try:
        version = Version.parse(version_text)
    except MalformedVersion:
        return None
    if origin and (match := _V6.fullmatch(origin)):
        port = f":{match[2]}" if match[2] else ""
        origin = f"[{match[1]}]{port}{match[3] or ''}"
    form = host_form(origin) if origin else ""
    if form is None or not is_package_name(package):
        return None
    return Tag(package, version, form)


@dataclass(frozen=True, slots=True)
class Stored:
    """A package that is listed in a content store.

    Attributes:
        tag: that it was found by, read.
        descriptor: of its manifest.
    """

    tag: Tag
    descriptor: Descriptor

    @property
    def digest(self) -> Digest:
        """Of the manifest."""
        return self.descriptor.digest


def find_tag(
    tags: Mapping[str, Descriptor], reference: Reference, default: str | None = None
) -> Stored | None:
    """What a reference means among the tags of a store; the newest version if it states none.

    Args:
        tags: by text.
        reference: a name of a marketplace in it must have become a host before.
        default: origin of the default marketplace, ``None`` if none was chosen.

    Raises:
        AmbiguousReference: rule 3, with the origins.
        UsageError: the reference still has a name of a marketplace.
    """
    if reference.marketplace is not None:
        raise UsageError(f"{reference}: {reference.marketplace!r} names no marketplace here")
    stored = [
        Stored(tag, descriptor)
        for text, descriptor in tags.items()
        if (tag := parse_tag(text)) is not None
    ]
    # (4) The tag that fits best is preferred, for what people are told about it.
    if reference.digest is not None:
        fitting = [
            one
            for one in stored
            if one.digest == reference.digest and reference.host in (None, one.tag.origin)
        ]
        return max(fitting, key=lambda one: _likeness(one.tag, reference, default), default=None)
    found = [
        one
        for one in stored
        if one.tag.package == reference.package and _is_meant(one.tag.origin, reference, default)
    ]
    version = reference.version or newest(one.tag.version for one in found)
    found = [one for one in found if one.tag.version == version]
    # (2) What is known to come from the default marketplace wins over what may.
    found.sort(key=lambda one: (one.tag.origin != default, not one.tag.origin, one.tag.origin))
    if default is None and reference.host is None and len({one.digest for one in found}) > 1:
        origins = [one.tag.origin or "an unknown place" for one in found]
        raise AmbiguousReference(
            f"{reference.package} {version} is here with different content from "
            + " and ".join(origins),
            hint=f"name one: {next(one.tag.reference for one in found if one.tag.origin)}",
        )
    return found[0] if found else None


def _is_meant(origin: str, reference: Reference, default: str | None) -> bool:
    # (1)
    if reference.host is not None:
        return origin == reference.host
    # (2) and (3)
    return default is None or origin in (default, "")


def _likeness(tag: Tag, reference: Reference, default: str | None) -> tuple[bool, bool, bool]:
    return (
        tag.package == reference.package,
        reference.version in (None, tag.version),
        _is_meant(tag.origin, reference, default),
    )
