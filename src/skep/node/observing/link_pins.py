"""Names of pinned links: the hook, the link's id, and what it was attached to.

``hook_17_interface_4026531840_2``. The id makes the name unique in a boot, whatever is renamed,
moved or made anew; the identity is where to look first. Earlier versions of Skep named a link by
hook and interface index alone (``hook-2``); such pins are read as long as their boot lasts.
"""

import re
from dataclasses import dataclass

from skep.hooks.identity import Identity, identity_fields, parse_identity
from skep.kernel.pins import pin_name

LINKS = "links"
_SEPARATOR = "_"
_ESCAPED = re.compile(rb"%([0-9a-f]{2})")
_EARLIER = re.compile(r"([a-z0-9]+)-([1-9][0-9]{0,9})")


@dataclass(frozen=True, slots=True)
class LinkName:
    """What a pin's name says.

    Attributes:
        hook: name of the hook.
        link: the kernel's id of the link; 0 in a name of an earlier version.
        identity: what the link was attached to; ``None`` in a name of an earlier version.
    """

    hook: str
    link: int = 0
    identity: Identity | None = None


def link_name(hook: str, link: int, identity: Identity) -> str:
    """Name of the pin of a link."""
    return _SEPARATOR.join(_part(text) for text in (hook, str(link), *identity_fields(identity)))


def parse_link_name(name: str) -> LinkName | None:
    """What a pin's name says; ``None`` if it is no name of a link.

    >>> parse_link_name("hook_17_interface_4026531840_2")
    LinkName(hook='hook', link=17, identity=InterfaceIdentity(namespace=4026531840, index=2))
    >>> parse_link_name("hook-2")
    LinkName(hook='hook', link=0, identity=None)
    """
    earlier = _EARLIER.fullmatch(name)
    if earlier:
        return LinkName(earlier[1])
    hook, *rest = (_text(part) for part in name.split(_SEPARATOR))
    try:
        link, *fields = rest
        return LinkName(hook, int(link), parse_identity(*fields))
    except (ValueError, TypeError):
        return None


def _part(text: str) -> str:
    return pin_name(text).replace(_SEPARATOR, "%5f")


def _text(part: str) -> str:
    return _ESCAPED.sub(lambda match: bytes([int(match[1], 16)]), part.encode()).decode(
        "utf-8", "surrogateescape"
    )
