"""The node's ``Kernel`` port over ``skep.kernel``."""

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack

from skep.bytecode.linking.plan import MapPlan, ProgramPlan
from skep.errors import SkepError, Unavailable
from skep.hooks.identity import Identity
from skep.hooks.table import find_hook
from skep.kernel.attaching.table import driver_of
from skep.kernel.attributes import BpfCommand
from skep.kernel.btf import load_types_for, open_types
from skep.kernel.descriptors import FileDescriptor
from skep.kernel.errors import KernelObjectMissing, KernelRefused, LacksPrivilege, VerifierRefused
from skep.kernel.held_maps import held_maps, open_map
from skep.kernel.information import open_by_id
from skep.kernel.loading import LoadedProgram, load_program
from skep.kernel.maps import LoadedMap, create_map
from skep.kernel.pins import PinRoot
from skep.kernel.probes import kernel_facts
from skep.kernel.programs import describe_program
from skep.kernel.syscall import privilege_hint
from skep.node.observing.link_pins import LINKS, link_name
from skep.node.observing.pins import MAPS, RETIRED, PinReader, translating
from skep.node.ports import (
    KernelFacts,
    MapPin,
    NoSuchPin,
    PinInTheWay,
    PinnedLink,
    Program,
    ProgramRefused,
)

_INCOMING = "incoming"  # directory of pins; something is in it for a moment only


class PinsNotFound(Unavailable):
    """A later command would not find what was just pinned, so it was taken away again."""


class KernelWatcher(PinReader):
    """Everything a node is asked about the kernel, answered."""

    def facts(self) -> KernelFacts:
        """What kernel this is."""
        facts = kernel_facts()
        return KernelFacts(facts.version, facts.release)

    def held_maps(self, link: PinnedLink) -> dict[int, str]:
        """Names of the maps that the program of our link holds, by id."""
        with translating(), self._existing().open_link(LINKS, link.pin) as opened:
            return held_maps(opened.program_id())

    def pinned_map_id(self, deployment: str, pin: str) -> int:
        """The kernel's id of a pinned map."""
        with translating(), self._existing().open_map(MAPS, deployment, pin) as loaded:
            return loaded.id

    def foreign_program(self, hook: str, identity: Identity) -> str | None:
        """Describe a program of others on a hook that has room for one alone."""
        entry = find_hook(hook)
        driver = driver_of(entry)
        if not driver.is_exclusive:
            return None
        with translating():
            occupants = driver.occupants(entry, identity)
        if not occupants or any(
            link.hook == hook and link.place is not None and link.place.identity == identity
            for link in self.links()
        ):
            return None
        try:
            name = describe_program(occupants[0]).name or "without a name"
        except KernelObjectMissing:
            return None
        return f"program {occupants[0]} ({name}), which Skep did not attach"


class KernelAdapter(KernelWatcher):
    """Everything a plan needs done, done.

    Args:
        pins: the node's pin root; the adapter does not close it.
        is_lasting: whether a command started later finds a pin, by the parts of its name.
    """

    def __init__(self, pins: PinRoot, is_lasting: Callable[..., bool] = lambda *_: True) -> None:
        super().__init__(pins)
        self._pins = pins
        self._is_lasting = is_lasting

    def links(self) -> tuple[PinnedLink, ...]:
        """All links of ours; what cannot be read must not be taken for something else.

        Raises:
            LacksPrivilege: this command may not look at one of them.
        """
        found = super().links()
        for link in found:
            if link.unreadable:
                raise LacksPrivilege(
                    f"expected to read what the link {link.pin} runs: {link.unreadable}",
                    hint=privilege_hint(),
                )
        return found

    def create_map(
        self, deployment: str, pin: str, plan: MapPlan, types: bytes | None = None
    ) -> None:
        """Create a map with its contents and pin it."""
        with translating(), ExitStack() as opened:
            there = self._pinned(deployment)
            given = self._types(types, there, opened, needed=plan.needs_types)
            loaded = opened.enter_context(create_map(plan, types=given))
            self._pins.pin(loaded, MAPS, deployment, pin)

    def delete_map(self, deployment: str, pin: str) -> None:
        """Remove the pin of a map."""
        self._remove(MAPS, deployment, pin)

    def retire_map(self, deployment: str, pin: str) -> None:
        """Move a pin to the retired ones."""
        self._move(MAPS, RETIRED, deployment, pin)

    def restore_map(self, deployment: str, pin: str) -> None:
        """Move a pin back from the retired ones."""
        self._move(RETIRED, MAPS, deployment, pin)

    def purge_map(self, deployment: str, pin: str) -> None:
        """Remove the pin of a retired map for good."""
        self._remove(RETIRED, deployment, pin)

    def pin_again(self, deployment: str, pin: str, identity: int) -> None:
        """Pin a map by its id: elsewhere first, then in place of what has its name."""
        try:
            found = open_map(identity)
        except KernelObjectMissing as error:
            raise NoSuchPin(error.message, hint=error.hint) from error
        with translating(), found:
            self._pins.remove(_INCOMING, deployment)  # of a crash
            self._pins.pin(found, _INCOMING, deployment, pin)
            self._pins.rename((_INCOMING, deployment, pin), (MAPS, deployment, pin))
        self._tidy(_INCOMING, deployment)

    def write_entries(
        self, deployment: str, pin: str, changed: Mapping[bytes, bytes], gone: Collection[bytes]
    ) -> None:
        """Write entries, then delete keys, so that no member of a set is missing in between.

        A map that is too full for old and new together is made room in first.
        """
        with translating(), self._pins.open_map(MAPS, deployment, pin) as loaded:
            # Whoever put another map there must not make us fail between two entries.
            if not _fits(loaded, changed, gone):
                raise PinInTheWay(
                    f"the map {pin} of {deployment} has keys of {loaded.key_size} and values of "
                    f"{loaded.value_size} bytes, which the settings do not have",
                    hint="remove the deployment and install it again; its maps start empty",
                )
            try:
                _update(loaded, changed)
            except KernelRefused:
                for key in gone:
                    loaded.delete(key)
                _update(loaded, changed)
            for key in gone:
                loaded.delete(key)

    def load(
        self, program: ProgramPlan, maps: Sequence[MapPin], name: str, types: bytes | None = None
    ) -> LoadedProgram:
        """Load a program with pinned maps, in the order of its map indexes."""
        with ExitStack() as opened:
            loaded = [opened.enter_context(self._open(pin)) for pin in maps]
            given = self._types(types, loaded, opened, needed=program.needs_types)
            try:
                return load_program(program, loaded, kernel_name=name, types=given)
            except VerifierRefused as error:
                raise ProgramRefused(
                    error.message,
                    reason=error.reason,
                    slot=error.slot,
                    hint=error.hint,
                    detail=error.detail,
                ) from error

    def running(self, link: PinnedLink) -> LoadedProgram:
        """The program our link runs."""
        with translating(), self._pins.open_link(LINKS, link.pin) as opened:
            identity = opened.program_id()
            what = f"program {identity}"
            return LoadedProgram(open_by_id(BpfCommand.PROG_GET_FD_BY_ID, identity, what))

    def attach(self, hook: str, identity: Identity, program: Program) -> PinnedLink:
        """Create a link and pin it; a crash in between detaches, as nothing holds the link."""
        entry = find_hook(hook)
        driver = driver_of(entry)
        with translating():
            place = driver.find(entry, identity)
            with driver.attach(entry, identity, _ours(program)) as link:
                pin = link_name(hook, link.id, identity)
                self._pins.pin(link, LINKS, pin)
                if not self._is_lasting(LINKS, pin):
                    self._pins.remove(LINKS, pin)
                    raise PinsNotFound(
                        f"what was pinned in {self._pins.path} cannot be found there: something "
                        "else is mounted over it by now",
                        hint="look at what is mounted there, then try again",
                    )
                return PinnedLink(
                    pin,
                    hook,
                    link.id,
                    place,
                    is_attached=True,
                    program_name=program.name,
                    program=_ours(program).id,
                    remark=link.remark,
                )

    def replace(self, link: PinnedLink, program: Program, expected: Program) -> None:
        """Exchange the program of our link in one step."""
        with translating(), self._pins.open_link(LINKS, link.pin) as opened:
            driver_of(find_hook(link.hook)).replace(opened, _ours(program), _ours(expected))

    def detach(self, link: PinnedLink) -> None:
        """Detach our link and remove its pin.

        Removing the pin is what detaches: one step, so no crash leaves a detached link pinned.
        Somebody else may hold the link, so it is detached by hand as well.
        """
        if not link.link:  # something else is in its place
            if not self._pins.remove(LINKS, link.pin):
                raise NoSuchPin(f"nothing is pinned as {link.pin}")
            return
        with translating(), self._pins.open_link(LINKS, link.pin) as opened:
            self._pins.remove(LINKS, link.pin)
            driver_of(find_hook(link.hook)).detach(opened)

    @staticmethod
    def _types(
        types: bytes | None, maps: Iterable[LoadedMap], opened: ExitStack, *, needed: bool
    ) -> FileDescriptor | None:
        """An object's types: those that a map of its deployment was made with, or given anew."""
        if types is None:
            return None
        for each in maps:
            if each.types_id:
                found = open_types(each.types_id, types)
                if found is not None:
                    return opened.enter_context(found)
        made = load_types_for(types, needed=needed)
        return None if made is None else opened.enter_context(made)

    def _pinned(self, deployment: str) -> Iterator[LoadedMap]:
        for pin in self._names(MAPS, deployment):
            try:
                loaded = self._pins.open_map(MAPS, deployment, pin)
            except SkepError:
                continue  # whatever it is, it has no types for us; whoever needs it will say so
            with loaded:
                yield loaded

    def _open(self, pin: MapPin) -> LoadedMap:
        with translating():
            loaded = self._pins.open_map(MAPS, pin.deployment, pin.pin)
        # (1) A name is not the thing: whoever could pin here could have pinned another map.
        problem = ""
        if _shape(loaded) != _shape(pin.plan):
            problem = f"to be {_shape(pin.plan)} (type, key, value, entries), got {_shape(loaded)}"
        elif pin.plan.needs_types and not loaded.types_id:
            problem = "to have the types of its object, it has none"
        if problem:
            loaded.close()
            raise PinInTheWay(
                f"expected the map {pin.pin} of {pin.deployment} {problem}",
                hint="remove the deployment and install it again; its maps start empty",
            )
        return loaded

    def _remove(self, directory: str, deployment: str, pin: str) -> None:
        if not self._pins.remove(directory, deployment, pin):
            raise NoSuchPin(f"there is no map {pin} of {deployment} in {directory}")
        self._tidy(directory, deployment)

    def _move(self, source: str, target: str, deployment: str, pin: str) -> None:
        # rename(2) replaces what is there; the node's lock keeps others out in between.
        if pin in self._pins.names(target, deployment):
            raise PinInTheWay(f"there is a map {pin} of {deployment} in {target} already")
        with translating():
            self._pins.rename((source, deployment, pin), (target, deployment, pin))
        self._tidy(source, deployment)

    def _tidy(self, directory: str, deployment: str) -> None:
        if not self._pins.names(directory, deployment):
            self._pins.remove(directory, deployment)


def _fits(loaded: LoadedMap, changed: Mapping[bytes, bytes], gone: Collection[bytes]) -> bool:
    keys = {len(key) for key in (*changed, *gone)}
    values = {len(value) for value in changed.values()}
    return keys <= {loaded.key_size} and values <= {loaded.value_size, loaded.value_bytes}


def _update(loaded: LoadedMap, changed: Mapping[bytes, bytes]) -> None:
    for key, value in changed.items():
        loaded.update(key, value)


def _ours(program: Program) -> LoadedProgram:
    if not isinstance(program, LoadedProgram):
        raise TypeError(f"expected a program of this kernel, got {program!r}")
    return program


def _shape(one: LoadedMap | MapPlan) -> tuple[int, int, int, int]:
    return (one.map_type, one.key_size, one.value_size, one.max_entries)
