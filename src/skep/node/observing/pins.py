"""Reading pinned maps and links through ``skep.kernel``: the part of the port that changes nothing.

Layout below the node's pin root: ``links/<name>`` (:mod:`skep.node.observing.link_pins`),
``maps/<deployment>/<pin>``, ``retired/<deployment>/<pin>``.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

from skep.errors import SkepError
from skep.hooks.identity import Identity, Place
from skep.hooks.table import HOOKS, HookTarget, find_hook
from skep.kernel.attaching.driver import Detached
from skep.kernel.attaching.table import driver_of
from skep.kernel.boot import boot_id
from skep.kernel.errors import (
    KernelBusy,
    KernelFilesMissing,
    KernelObjectMissing,
    LacksPrivilege,
    PinExists,
    PinMissing,
    TargetMissing,
    TargetNotVisible,
)
from skep.kernel.links import Link
from skep.kernel.maps import LoadedMap
from skep.kernel.namespaces import current_namespace
from skep.kernel.pins import PinRoot
from skep.kernel.programs import describe_program
from skep.kernel.syscall import why_not_readable
from skep.node.observing.link_pins import LINKS, LinkName, parse_link_name
from skep.node.occupants import Occupant
from skep.node.ports import NoSuchPin, NoSuchTarget, PinInTheWay, PinnedLink, TargetHidden

_WIDEST_KEY = 8  # bytes a number can have
MAPS, RETIRED = "maps", "retired"


@contextmanager
def translating() -> Iterator[None]:
    """Say the kernel room's errors in the port's words; others pass.

    Raises:
        NoSuchPin, PinInTheWay, NoSuchTarget, TargetHidden: for their twins.
    """
    try:
        yield
    except PinMissing as error:
        raise NoSuchPin(error.message, hint=error.hint) from error
    except PinExists as error:
        raise PinInTheWay(error.message, hint=error.hint) from error
    except TargetMissing as error:
        raise NoSuchTarget(error.message, hint=error.hint) from error
    except TargetNotVisible as error:
        raise TargetHidden(error.message, hint=error.hint) from error


class PinReader:
    """Implements the ports ``Links`` and ``MapReader``.

    Args:
        pins: the node's pin root; ``None`` if there is none yet, which reads as empty.
    """

    def __init__(self, pins: PinRoot | None) -> None:
        self._root = pins

    def boot(self) -> str:
        """Id of this boot."""
        return boot_id()

    def here(self) -> str:
        """Network namespace of this command; empty on the host."""
        return current_namespace()

    def locate(self, on: HookTarget) -> Place:
        """What a declared target is now."""
        with translating():
            return driver_of(find_hook(on.hook)).locate(on)

    def find(self, hook: str, identity: Identity) -> Place:
        """What a thing is called now."""
        entry = find_hook(hook)
        with translating():
            return driver_of(entry).find(entry, identity)

    def links(self) -> tuple[PinnedLink, ...]:
        """All links of ours, ascending by hook and id."""
        found = []
        for pin in self._names(LINKS):
            name = parse_link_name(pin)
            if name is not None and name.hook in HOOKS and self._root is not None:
                link = _found(self._root, pin, name)
                if link is not None:
                    found.append(link)
        return tuple(sorted(found, key=lambda link: (link.hook, link.link, link.pin)))

    def occupants(
        self, hook: str, identity: Identity, ours: Collection[PinnedLink]
    ) -> tuple[Occupant, ...]:
        """All programs on a hook, first to run first."""
        entry = find_hook(hook)
        with translating():
            programs = driver_of(entry).occupants(entry, identity)
        names = {link.program: link.program_name for link in ours if link.program}
        return tuple(
            Occupant(each, names.get(each) or _name_of(each), is_ours=each in names)
            for each in programs
        )

    def remark(self, link: PinnedLink) -> str:
        """What a person should know about how a link is attached now."""
        if link.place is None or not link.program:
            return ""
        hook = find_hook(link.hook)
        with translating():
            return driver_of(hook).remark(hook, link.place.identity, link.program)

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
            raise NoSuchPin("nothing is pinned on this node", hint="skep doctor")
        return self._root

    def _names(self, *parts: str) -> Sequence[str]:
        return self._root.names(*parts) if self._root is not None else ()

    def _by_deployment(self, directory: str) -> dict[str, frozenset[str]]:
        names = {name: frozenset(self._names(directory, name)) for name in self._names(directory)}
        return {name: pins for name, pins in names.items() if pins}


def _found(root: PinRoot, pin: str, name: LinkName) -> PinnedLink | None:
    try:
        with root.open_link(LINKS, pin) as link:
            return _described(pin, name, link)
    except PinMissing:
        return None
    except (KernelFilesMissing, KernelBusy):  # which say nothing of the link
        raise
    except LacksPrivilege:
        return _unreadable(pin, name)
    except SkepError:  # no link at all, but something is in its place
        return PinnedLink(pin, name.hook, 0, None, is_attached=False, program_name="")


def _unreadable(pin: str, name: LinkName) -> PinnedLink:
    """A link that this command may not look at: its name says what was pinned, and no more."""
    return PinnedLink(
        pin,
        name.hook,
        name.link,
        None,
        is_attached=True,
        program_name="",
        unreadable=why_not_readable(),
    )


def _described(pin: str, name: LinkName, link: Link) -> PinnedLink:
    hook = find_hook(name.hook)
    where = driver_of(hook).whereabouts(hook, link, name.identity)
    program = link.program_id()
    unreadable = program_name = ""
    try:
        program_name = describe_program(program).name
    except KernelObjectMissing:
        program = 0
    except LacksPrivilege:
        unreadable = why_not_readable()
    return PinnedLink(
        pin,
        name.hook,
        link.id,
        where if isinstance(where, Place) else None,
        is_attached=not isinstance(where, Detached),
        program_name=program_name,
        program=program,
        unreadable=unreadable,
    )


def _name_of(program: int) -> str:
    try:
        return describe_program(program).name
    except (KernelObjectMissing, LacksPrivilege):
        return ""
