"""Repositories and tags, as the paths of a registry name them.

Source: https://github.com/opencontainers/distribution-spec/blob/v1.1.1/spec.md#pulling-manifests
"""

from skep.marketplace.registry.errors import NameInvalid
from skep.packages.names import (
    PACKAGE_NAME_RULE,
    is_package_name,
    is_publisher_name,
    one_line,
)
from skep.packages.oci.tag_list import TAG


def check_repository(name: str) -> str:
    """Return ``name`` if it is ``publisher/name``.

    Raises:
        NameInvalid: it is not; this is the gate every path from outside goes through.
    """
    if not is_package_name(name):
        raise NameInvalid(f"expected {PACKAGE_NAME_RULE}; got {one_line(name, 130)!r}")
    return name


def check_publisher_name(name: str) -> str:
    """Return ``name`` if it can be the first part of a package name.

    Raises:
        NameInvalid: it cannot.
    """
    if not is_publisher_name(name):
        raise NameInvalid(f"expected the name of a publisher, got {one_line(name, 130)!r}")
    return name


def check_tag(tag: str) -> str:
    """Return ``tag`` if it is one.

    Raises:
        NameInvalid: it is not.
    """
    if not TAG.fullmatch(tag):
        raise NameInvalid(f"expected a tag or a digest, got {one_line(tag, 130)!r}")
    return tag
