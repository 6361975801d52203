"""A kernel in memory: what the node's port promises, and nothing else.

Maps and programs have identities, so that a test can tell a map that was kept from one that was
made anew with the same content. The contract suite holds it to what the real adapter does.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

from skep.bytecode.linking.plan import MapPlan, ProgramPlan
from skep.errors import Conflict, NotPermitted, Refused
from skep.hooks.identity import Identity, InterfaceIdentity, Place
from skep.hooks.target import HookTarget
from skep.kernel.names import shortened
from skep.node.occupants import Occupant
from skep.node.ports import (
    KernelFacts,
    MapPin,
    NoSuchPin,
    NoSuchTarget,
    PinInTheWay,
    PinnedLink,
    Program,
    TargetHidden,
)
from skep.versions import KernelVersion

EXIT = 0x95
ARRAYS = frozenset({2, 6})
PER_CPU = frozenset({5, 6, 10})
CPUS = 2
EXCLUSIVE = frozenset({"xdp"})


class FakeVerifierRefused(Refused):
    """The fake kernel's verifier said no."""


@dataclass(slots=True)
class FakeMap:
    """A map with its content; per-CPU values are kept as one value for each CPU, joined."""

    identity: int
    plan: MapPlan
    contents: dict[bytes, bytes]


@dataclass(slots=True)
class FakeProgram:
    """A loaded program; maps by identity, as a kernel's program holds maps, not pins."""

    identity: int
    name: str
    plan: ProgramPlan
    maps: tuple[int, ...]
    verified_instructions: int | None
    stack_bytes: int | None
    is_open: bool = True

    def close(self) -> None:
        self.is_open = False


@dataclass(slots=True, eq=False)
class FakeInterface:
    """A network interface, whatever it is called by now."""

    name: str
    index: int
    namespace: str = ""
    others: set[str] = field(default_factory=set)
    exists: bool = True
    is_generic: bool = False


@dataclass(frozen=True, slots=True)
class FakeStranger:
    """A program of somebody else on a hook."""

    number: int
    by: str


@dataclass(slots=True)
class FakeLink:
    """A pinned link, what it is on, and the program it runs."""

    hook: str
    number: int
    on: FakeInterface
    program: FakeProgram

    @property
    def pin(self) -> str:
        return f"{self.hook}_{self.number}"

    @property
    def is_attached(self) -> bool:
        return self.on.exists


class FakeKernel:
    """Implements the ``Kernel`` port.

    Attributes:
        boot_id: of this boot.
        namespace: of the command.
        hidden: namespaces that are not visible from here.
        lacking: why a command that looks may not read links and programs; empty if it may.
    """

    def __init__(self, interfaces: Mapping[str, int] | None = None) -> None:
        self.boot_id = "boot-1"
        self.namespace = ""
        self.hidden: set[str] = set()
        self.lacking = ""
        self.link_table: dict[str, FakeLink] = {}
        self.strangers: dict[tuple[str, Identity], list[FakeStranger]] = {}
        self.maps: dict[tuple[str, str], FakeMap] = {}
        self.retired: dict[tuple[str, str], FakeMap] = {}
        self.handles: list[FakeProgram] = []
        self.exchanges: list[str] = []
        self._last_identity = 0
        self._made: dict[int, FakeMap] = {}
        self._cookies: dict[str, int] = {"": 1}
        named = interfaces or {"eth0": 2, "eth1": 3}
        self.interfaces = [FakeInterface(name, index) for name, index in named.items()]

    # What tests ask and do -------------------------------------------------------------------

    def snapshot(self) -> tuple[object, ...]:
        """Everything that lasts, as values; equal if and only if nothing changed."""
        return (
            {
                (link.hook, id(link.on)): (link.program.identity, link.is_attached)
                for link in self.link_table.values()
            },
            {key: (one.identity, dict(one.contents)) for key, one in self.maps.items()},
            {key: (one.identity, dict(one.contents)) for key, one in self.retired.items()},
        )

    def open_programs(self) -> list[str]:
        """Names of programs somebody still holds."""
        return [program.name for program in self.handles if program.is_open]

    def interface(self, name: str, namespace: str = "") -> FakeInterface:
        """The interface of this name.

        Raises:
            NoSuchTarget: there is none.
        """
        for one in self.interfaces:
            if one.namespace == namespace and name in {one.name, *one.others}:
                return one
        raise NoSuchTarget(f"there is no interface {name!r}")

    def identity(self, name: str = "eth0", namespace: str = "") -> Identity:
        """What the interface of this name is."""
        return self._identity(self.interface(name, namespace))

    def runs(
        self, name: str = "eth0", hook: str = "xdp", namespace: str = ""
    ) -> FakeProgram | None:
        """What our link on an interface runs; ``None`` if we have none there."""
        found = [
            link.program
            for link in self.link_table.values()
            if link.hook == hook and link.on is self.interface(name, namespace)
        ]
        assert len(found) <= 1, "two links of ours on one hook"
        return found[0] if found else None

    def occupy(self, name: str = "eth0", hook: str = "xdp", by: str = "somebody's") -> None:
        """Put a program of somebody else on an interface."""
        there = self.strangers.setdefault((hook, self.identity(name)), [])
        there.append(FakeStranger(self._new_identity(), by))

    def add_interface(self, name: str, index: int, namespace: str = "") -> None:
        """Make an interface."""
        self.interfaces.append(FakeInterface(name, index, namespace))

    def remove_interface(self, name: str, namespace: str = "") -> None:
        """What happens when an interface goes: its links stay pinned, attached to nothing."""
        one = self.interface(name, namespace)
        one.exists = False
        self.interfaces.remove(one)

    def reboot(self) -> None:
        """Nothing in a kernel outlives it."""
        self.link_table.clear()
        self.maps.clear()
        self.retired.clear()
        self.boot_id += "x"
        for one in self.interfaces:
            one.index += 10

    def _new_identity(self) -> int:
        self._last_identity += 1
        return self._last_identity

    # Reading ---------------------------------------------------------------------------------

    def facts(self) -> KernelFacts:
        return KernelFacts(KernelVersion(6, 18), "6.18.0-fake")

    def boot(self) -> str:
        return self.boot_id

    def here(self) -> str:
        return self.namespace

    def locate(self, on: HookTarget) -> Place:
        namespace = self._named(on.namespace)
        self._see(namespace)
        return self._place(on.hook, self.interface(on.target, namespace))

    def find(self, hook: str, identity: Identity) -> Place:
        return self._place(hook, self._by_identity(identity))

    def links(self) -> tuple[PinnedLink, ...]:
        links = sorted(self.link_table.values(), key=lambda link: (link.hook, link.number))
        return tuple(self._found(link) for link in links)

    def _found(self, link: FakeLink) -> PinnedLink:
        if self.lacking:
            pin, hook, number = link.pin, link.hook, link.number
            return PinnedLink(
                pin, hook, number, None, is_attached=True, program_name="", unreadable=self.lacking
            )
        is_seen = link.is_attached and link.on.namespace not in self.hidden
        place = self._place(link.hook, link.on) if is_seen else None
        name, program = link.program.name, link.program.identity
        return PinnedLink(link.pin, link.hook, link.number, place, link.is_attached, name, program)

    def _named(self, namespace: str) -> str:
        """The name of a namespace that is written by its cookie."""
        cookie = namespace.removeprefix("netns:")
        if cookie == namespace:
            return namespace
        names = {str(number): name for name, number in self._cookies.items()}
        return names.get(cookie, namespace)

    def _place(self, hook: str, one: FakeInterface) -> Place:
        return Place(self._identity(one), HookTarget(hook, one.name, one.namespace))

    def _identity(self, one: FakeInterface) -> InterfaceIdentity:
        cookie = self._cookies.setdefault(one.namespace, len(self._cookies) + 1)
        return InterfaceIdentity(cookie, one.index)

    def _by_identity(self, identity: Identity) -> FakeInterface:
        names = {cookie: name for name, cookie in self._cookies.items()}
        assert isinstance(identity, InterfaceIdentity)
        self._see(names[identity.namespace])
        for one in self.interfaces:
            if self._identity(one) == identity:
                return one
        raise NoSuchTarget(f"there is no interface number {identity.index}")

    def _see(self, namespace: str) -> None:
        if namespace and all(one.namespace != namespace for one in self.interfaces):
            raise NoSuchTarget(f"there is no network namespace {namespace!r}")
        if namespace in self.hidden:
            raise TargetHidden(f"the namespace {namespace!r} is not visible from here")

    def pinned_maps(self) -> dict[str, frozenset[str]]:
        return _by_deployment(self.maps)

    def retired_maps(self) -> dict[str, frozenset[str]]:
        return _by_deployment(self.retired)

    def held_maps(self, link: PinnedLink) -> dict[int, str]:
        return {
            identity: shortened(self._made[identity].plan.name).decode()
            for identity in self._link(link).program.maps
        }

    def pinned_map_id(self, deployment: str, pin: str) -> int:
        return self._map(deployment, pin).identity

    def foreign_program(self, hook: str, identity: Identity) -> str | None:
        self._by_identity(identity)
        there = self.strangers.get((hook, identity), [])
        return there[0].by if there and hook in EXCLUSIVE else None

    def occupants(
        self, hook: str, identity: Identity, ours: Collection[PinnedLink]
    ) -> tuple[Occupant, ...]:
        on = self._by_identity(identity)
        if self.lacking:
            raise NotPermitted(self.lacking)
        marked = {link.program for link in ours}
        found = {
            each.number: Occupant(each.number, each.by, is_ours=False)
            for each in self.strangers.get((hook, identity), [])
        }
        for link in self.link_table.values():
            if link.hook == hook and link.on is on:
                program = link.program
                is_ours = program.identity in marked
                found[link.number] = Occupant(program.identity, program.name, is_ours=is_ours)
        return tuple(found[number] for number in sorted(found))

    def remark(self, link: PinnedLink) -> str:
        if link.place is None:
            return ""
        on = self._by_identity(link.place.identity)
        return "generic mode" if on.is_generic and link.hook in EXCLUSIVE else ""

    def read_entries(
        self, deployment: str, pin: str, keys: Collection[bytes] | None = None
    ) -> dict[bytes, bytes]:
        one = self.maps.get((deployment, pin)) or self._retired(deployment, pin)
        contents = one.contents
        if keys is None:
            return dict(contents)
        return {key: contents[key] for key in keys if key in contents}

    def read_per_cpu(self, deployment: str, pin: str, number: int) -> list[bytes]:
        one = self._map(deployment, pin)
        size = _rounded(one.plan.value_size)
        if number >> 8 * one.plan.key_size:
            return []
        value = one.contents.get(number.to_bytes(one.plan.key_size, "little"))
        if value is None:
            return []
        if one.plan.map_type not in PER_CPU:
            return [value]
        return [value[i * size : i * size + one.plan.value_size] for i in range(CPUS)]

    # Maps ------------------------------------------------------------------------------------

    def create_map(
        self, deployment: str, pin: str, plan: MapPlan, types: bytes | None = None
    ) -> None:
        if plan.needs_types and types is None:
            raise FakeVerifierRefused(f"map {pin} needs types")
        if (deployment, pin) in self.maps:
            raise PinInTheWay(f"there is a map {deployment}/{pin} already")
        size = _rounded(plan.value_size) * CPUS if plan.map_type in PER_CPU else plan.value_size
        contents: dict[bytes, bytes] = {}
        if plan.map_type in ARRAYS:
            contents = {
                i.to_bytes(plan.key_size, "little"): bytes(size) for i in range(plan.max_entries)
            }
        contents.update(plan.contents)
        made = FakeMap(self._new_identity(), plan, contents)
        self.maps[deployment, pin] = self._made[made.identity] = made

    def delete_map(self, deployment: str, pin: str) -> None:
        self._map(deployment, pin)
        del self.maps[deployment, pin]

    def retire_map(self, deployment: str, pin: str) -> None:
        one = self._map(deployment, pin)
        if (deployment, pin) in self.retired:
            raise PinInTheWay(f"there is a retired map {deployment}/{pin} already")
        self.retired[deployment, pin] = one
        del self.maps[deployment, pin]

    def restore_map(self, deployment: str, pin: str) -> None:
        one = self._retired(deployment, pin)
        if (deployment, pin) in self.maps:
            raise PinInTheWay(f"there is a map {deployment}/{pin} already")
        self.maps[deployment, pin] = one
        del self.retired[deployment, pin]

    def purge_map(self, deployment: str, pin: str) -> None:
        self._retired(deployment, pin)
        del self.retired[deployment, pin]

    def pin_again(self, deployment: str, pin: str, identity: int) -> None:
        held = any(identity in link.program.maps for link in self.link_table.values())
        if not held and all(one.identity != identity for one in self.maps.values()):
            raise NoSuchPin(f"there is no map {identity}")
        self.maps[deployment, pin] = self._made[identity]

    def write_entries(
        self, deployment: str, pin: str, changed: Mapping[bytes, bytes], gone: Collection[bytes]
    ) -> None:
        one = self._map(deployment, pin)
        keys = {len(key) for key in (*changed, *gone)}
        values = {len(value) for value in changed.values()}
        if not (keys <= {one.plan.key_size} and values <= {one.plan.value_size}):
            raise PinInTheWay(f"{deployment}/{pin} is another kind of map")
        contents = one.contents
        contents.update(changed)
        for key in gone:
            contents.pop(key, None)

    # Programs and links ----------------------------------------------------------------------

    def load(
        self, program: ProgramPlan, maps: Sequence[MapPin], name: str, types: bytes | None = None
    ) -> FakeProgram:
        identities = []
        for pin in maps:
            one = self._map(pin.deployment, pin.pin)
            if _shape(one.plan) != _shape(pin.plan):
                raise PinInTheWay(f"{pin.deployment}/{pin.pin} is another kind of map")
            identities.append(one.identity)
        if not program.instructions or program.instructions[-1].opcode != EXIT:
            raise FakeVerifierRefused("the kernel's verifier refused", detail="last insn: not exit")
        if program.needs_types and types is None:
            raise FakeVerifierRefused(
                "the kernel's verifier refused", detail="missing btf func_info"
            )
        loaded = FakeProgram(
            self._new_identity(), name, program, tuple(identities), len(program.instructions), 0
        )
        self.handles.append(loaded)
        return loaded

    def running(self, link: PinnedLink) -> FakeProgram:
        program = self._link(link).program
        handle = FakeProgram(
            program.identity,
            program.name,
            program.plan,
            program.maps,
            program.verified_instructions,
            program.stack_bytes,
        )
        self.handles.append(handle)
        return handle

    def attach(self, hook: str, identity: Identity, program: Program) -> PinnedLink:
        on = self._by_identity(identity)
        taken = any(link.hook == hook and link.on is on for link in self.link_table.values())
        if taken or (hook in EXCLUSIVE and self.strangers.get((hook, identity))):
            raise Conflict(f"something is on {hook} of {identity} already")
        link = FakeLink(hook, self._new_identity(), on, _usable(program))
        self.link_table[link.pin] = link
        self.exchanges.append(program.name)
        return self._found(link)

    def replace(self, link: PinnedLink, program: Program, expected: Program) -> None:
        found = self._link(link)
        if found.program.identity != _usable(expected).identity:
            raise Conflict(f"expected {expected.name} to run, got {found.program.name}")
        found.program = _usable(program)
        self.exchanges.append(program.name)

    def detach(self, link: PinnedLink) -> None:
        del self.link_table[self._link(link).pin]
        self.exchanges.append("")

    def _link(self, link: PinnedLink) -> FakeLink:
        try:
            return self.link_table[link.pin]
        except KeyError:
            raise NoSuchPin(f"no link of ours is pinned as {link.pin}") from None

    def _map(self, deployment: str, pin: str) -> FakeMap:
        try:
            return self.maps[deployment, pin]
        except KeyError:
            raise NoSuchPin(f"no map {deployment}/{pin}") from None

    def _retired(self, deployment: str, pin: str) -> FakeMap:
        try:
            return self.retired[deployment, pin]
        except KeyError:
            raise NoSuchPin(f"no retired map {deployment}/{pin}") from None


def _usable(program: Program) -> FakeProgram:
    assert isinstance(program, FakeProgram)
    assert program.is_open, "a closed program was used"
    return program


def _by_deployment(table: Mapping[tuple[str, str], FakeMap]) -> dict[str, frozenset[str]]:
    names = sorted({deployment for deployment, _ in table})
    return {name: frozenset(pin for owner, pin in table if owner == name) for name in names}


def _rounded(size: int) -> int:
    return (size + 7) // 8 * 8


def _shape(plan: MapPlan) -> tuple[int, ...]:
    return (plan.map_type, plan.key_size, plan.value_size, plan.max_entries)
