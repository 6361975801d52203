"""A kernel in memory: what the node's port promises, and nothing else.

Maps and programs have identities, so that a test can tell a map that was kept from one that was
made anew with the same content. The contract suite holds it to what the real adapter does.
"""

import itertools
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from skep.bytecode.linking.plan import MapPlan, ProgramPlan
from skep.errors import Conflict, Refused
from skep.node.ports import (
    KernelFacts,
    MapPin,
    NoSuchInterface,
    NoSuchPin,
    PinInTheWay,
    PinnedLink,
    Program,
)
from skep.versions import KernelVersion

EXIT = 0x95
ARRAYS = frozenset({2, 6})
PER_CPU = frozenset({5, 6, 10})
CPUS = 2


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


@dataclass(slots=True)
class FakeLink:
    """A pinned link and the program it runs."""

    program: FakeProgram
    is_attached: bool = True


class FakeKernel:
    """Implements the ``Kernel`` port."""

    def __init__(self, interfaces: Mapping[str, int] | None = None) -> None:
        self.interfaces = dict(interfaces or {"eth0": 2, "eth1": 3})
        self.link_table: dict[tuple[str, int], FakeLink] = {}
        self.strangers: dict[tuple[str, int], str] = {}
        self.maps: dict[tuple[str, str], FakeMap] = {}
        self.retired: dict[tuple[str, str], FakeMap] = {}
        self.handles: list[FakeProgram] = []
        self.exchanges: list[str] = []
        self._identities = itertools.count(1)

    # What tests ask and do -------------------------------------------------------------------

    def snapshot(self) -> tuple[object, ...]:
        """Everything that lasts, as values; equal if and only if nothing changed."""
        return (
            {
                key: (link.program.identity, link.is_attached)
                for key, link in self.link_table.items()
            },
            {key: (one.identity, dict(one.contents)) for key, one in self.maps.items()},
            {key: (one.identity, dict(one.contents)) for key, one in self.retired.items()},
        )

    def open_programs(self) -> list[str]:
        """Names of programs somebody still holds."""
        return [program.name for program in self.handles if program.is_open]

    def remove_interface(self, name: str) -> None:
        """What happens when an interface goes: its links stay pinned, attached to nothing."""
        ifindex = self.interfaces.pop(name)
        for (_, index), link in self.link_table.items():
            if index == ifindex:
                link.is_attached = False

    def reboot(self) -> None:
        """Nothing in a kernel outlives it."""
        self.link_table.clear()
        self.maps.clear()
        self.retired.clear()

    # Reading ---------------------------------------------------------------------------------

    def facts(self) -> KernelFacts:
        return KernelFacts(KernelVersion(6, 18), "6.18.0-fake")

    def interface_index(self, name: str) -> int:
        try:
            return self.interfaces[name]
        except KeyError:
            raise NoSuchInterface(f"expected an interface, got {name!r}") from None

    def links(self) -> tuple[PinnedLink, ...]:
        return tuple(
            PinnedLink(hook, ifindex, link.is_attached, link.program.name)
            for (hook, ifindex), link in sorted(self.link_table.items())
        )

    def pinned_maps(self) -> dict[str, frozenset[str]]:
        return _by_deployment(self.maps)

    def retired_maps(self) -> dict[str, frozenset[str]]:
        return _by_deployment(self.retired)

    def foreign_program(self, hook: str, ifindex: int) -> str | None:
        return self.strangers.get((hook, ifindex))

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

    def create_map(self, deployment: str, pin: str, plan: MapPlan) -> None:
        if (deployment, pin) in self.maps:
            raise PinInTheWay(f"there is a map {deployment}/{pin} already")
        size = _rounded(plan.value_size) * CPUS if plan.map_type in PER_CPU else plan.value_size
        contents: dict[bytes, bytes] = {}
        if plan.map_type in ARRAYS:
            contents = {
                i.to_bytes(plan.key_size, "little"): bytes(size) for i in range(plan.max_entries)
            }
        contents.update(plan.contents)
        self.maps[deployment, pin] = FakeMap(next(self._identities), plan, contents)

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

    def write_entries(
        self, deployment: str, pin: str, changed: Mapping[bytes, bytes], gone: Collection[bytes]
    ) -> None:
        contents = self._map(deployment, pin).contents
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
            next(self._identities), name, program, tuple(identities), len(program.instructions), 0
        )
        self.handles.append(loaded)
        return loaded

    def running(self, hook: str, ifindex: int) -> FakeProgram:
        program = self._link(hook, ifindex).program
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

    def attach(self, hook: str, ifindex: int, program: Program) -> None:
        link = self.link_table.get((hook, ifindex))
        if (hook, ifindex) in self.strangers or (link is not None and link.is_attached):
            raise Conflict(f"something is on {hook} of {ifindex} already")
        self.link_table[hook, ifindex] = FakeLink(_usable(program))
        self.exchanges.append(program.name)

    def replace(self, hook: str, ifindex: int, program: Program, expected: Program) -> None:
        link = self._link(hook, ifindex)
        if link.program.identity != _usable(expected).identity:
            raise Conflict(f"expected {expected.name} to run, got {link.program.name}")
        link.program = _usable(program)
        self.exchanges.append(program.name)

    def detach(self, hook: str, ifindex: int) -> None:
        self._link(hook, ifindex)
        del self.link_table[hook, ifindex]
        self.exchanges.append("")

    def _link(self, hook: str, ifindex: int) -> FakeLink:
        try:
            return self.link_table[hook, ifindex]
        except KeyError:
            raise NoSuchPin(f"no link of ours on {hook} of {ifindex}") from None

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
