"""Reading pinned maps and links through ``skep.kernel``: the part of the port that changes nothing.

Layout below the node's pin root: ``links/<hook>-<ifindex>``, ``maps/<deployment>/<pin>``,
``retired/<deployment>/<pin>``.
"""

import re
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from skep.errors import SkepError
from skep.kernel.errors import InterfaceMissing, KernelObjectMissing, PinExists, PinMissing
from skep.kernel.interfaces import ifindex as index_of
from skep.kernel.links import Link
from skep.kernel.maps import LoadedMap
from skep.kernel.pins import PinRoot
from skep.kernel.programs import describe_program
from skep.node.ports import NoSuchInterface, NoSuchPin, PinInTheWay, PinnedLink

_WIDEST_KEY = 8  # bytes a number can have
LINKS, MAPS, RETIRED = "links", "maps", "retired"

_LINK = re.compile(r"([a-z0-9]+)-([1-9][0-9]{0,9})")


@contextmanager
def translating() -> Iterator[None]:
    """Say the kernel room's errors in the port's words; others pass.

    Raises:
        NoSuchPin, PinInTheWay, NoSuchInterface: for their twins.
    """
    try:
        yield
    except PinMissing as error:
        raise NoSuchPin(error.message, hint=error.hint) from error
    except PinExists as error:
        raise PinInTheWay(error.message, hint=error.hint) from error
    except InterfaceMissing as error:
        raise NoSuchInterface(error.message, hint=error.hint) from error


def link_parts(hook: str, ifindex: int) -> tuple[str, str]:
    """Where a link is pinned."""
    return (LINKS, f"{hook}-{ifindex}")


class PinReader:
    """Implements the ports ``Links`` and ``MapReader``.

    Args:
        pins: the node's pin root; ``None`` if there is none yet, which reads as empty.
    """

    def __init__(self, pins: PinRoot | None) -> None:
        self._root = pins

    def interface_index(self, name: str) -> int:
        """Index of an interface."""
        with translating():
            return index_of(name)

    def links(self) -> tuple[PinnedLink, ...]:
        """All links of ours, ascending by hook and index."""
        found = []
        for name in self._names(LINKS):
            match = _LINK.fullmatch(name)
            if match is None or self._root is None:
                continue
            hook, ifindex = match[1], int(match[2])
            try:
                with self._root.open_link(LINKS, name) as link:
                    attached = link.ifindex() == ifindex
                    found.append(PinnedLink(hook, ifindex, attached, _program_name(link)))
            except PinMissing:
                continue
            except SkepError:  # no link at all, but something is in its place
                found.append(PinnedLink(hook, ifindex, is_attached=False, program_name=""))
        return tuple(sorted(found, key=lambda link: (link.hook, link.ifindex)))

    def pinned_maps(self) -> dict[str, frozenset[str]]:
        """Pin names by deployment."""
        return self._by_deployment(MAPS)

    def retired_maps(self) -> dict[str, frozenset[str]]:
        """Pin names of retired maps by deployment."""
        return self._by_deployment(RETIRED)

    def read_entries(
        self, deployment: str, pin: str, keys: Collection[bytes] | None = None
    ) -> dict[bytes, bytes]:
        """Entries under ``keys`` that exist, or all; of a retired map if no other has the name."""
        with self._map(deployment, pin) as loaded:
            if keys is None:
                return dict(loaded.items())
            pairs = ((key, loaded.lookup(key)) for key in keys)
            return {key: value for key, value in pairs if value is not None}

    def read_per_cpu(self, deployment: str, pin: str, number: int) -> list[bytes]:
        """Values under a key: one for each possible CPU, or one alone."""
        with self._map(deployment, pin) as loaded:
            if not 0 < loaded.key_size <= _WIDEST_KEY or number >> 8 * loaded.key_size:
                return []
            return loaded.lookup_per_cpu(number.to_bytes(loaded.key_size, "little"))

    @contextmanager
    def _map(self, deployment: str, pin: str) -> Iterator[LoadedMap]:
        root = self._existing()
        with translating():
            try:
                opened = root.open_map(MAPS, deployment, pin)
            except PinMissing:
                opened = root.open_map(RETIRED, deployment, pin)
        with opened:
            yield opened

    def _existing(self) -> PinRoot:
        if self._root is None:
            raise NoSuchPin("nothing is pinned on this node", hint="skep doctor looks for damage")
        return self._root

    def _names(self, *parts: str) -> Sequence[str]:
        return self._root.names(*parts) if self._root is not None else ()

    def _by_deployment(self, directory: str) -> dict[str, frozenset[str]]:
        names = {name: frozenset(self._names(directory, name)) for name in self._names(directory)}
        return {name: pins for name, pins in names.items() if pins}


def _program_name(link: Link) -> str:
    try:
        return describe_program(link.program_id()).name
    except KernelObjectMissing:
        return ""
