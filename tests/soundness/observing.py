"""One run of a program, and everything that can be seen of it afterwards."""

import ctypes
import errno
import mmap
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.plan import LoadPlan
from skep.errors import SkepError
from skep.kernel.attributes import BpfCommand, MapElement, ProgramTestRun
from skep.kernel.loading import LoadedProgram, load_program
from skep.kernel.maps import LoadedMap
from skep.kernel.syscall import BpfError, address, bpf
from tests.builders.loaded_objects import LoadedObject
from tests.soundness.drafting import BLOOM, DEVMAP, QUEUE, RINGBUF, SOCKMAP, STACK
from tests.soundness.events import Events
from tests.soundness.kinds import ProgramKind
from tests.soundness.places import Place
from tests.soundness.triggers import TRIGGERS, attached
from tests.soundness.worlds import (
    CONF_BYTES,
    KERNEL_ADDRESS,
    LEADER_ID,
    TASK,
    TEXT,
    USER_ADDRESS,
    A,
)

_ROOM = 1 << 12
_HASHES = frozenset({1, 5, 9, 10, 11})
_ARRAYS = frozenset({2, 6})
_DISCARDED, _BUSY = 1 << 30, 1 << 31
_PAGE = 4096


@dataclass(frozen=True)
class Input:
    """What one run is given.

    Attributes:
        packet, context: of ``BPF_PROG_TEST_RUN``.
        numbers, text: parts of the map ``conf``.
        thread: which thread runs it.
        leader: which name the leader has.
        user: which text is in user memory.
        is_quiet: nobody listens, and the loopback interface takes only short packets.
    """

    packet: bytes
    context: bytes
    numbers: tuple[int, int]
    text: bytes
    thread: str = "usual"
    leader: int = 0
    user: int = 0
    is_quiet: bool = False


@dataclass(frozen=True)
class Observation:
    """What was seen.

    Attributes:
        verdict: exit value.
        packet: as it came out; empty if the type gives none.
        context: as it came out.
        maps: contents by name, of those that hold something.
        records: of the ring buffer, discarded ones left out.
        copies: packets that came in on the loopback interface.
        events: of the perf event array.
    """

    verdict: int
    packet: bytes
    context: bytes
    maps: Mapping[str, tuple[tuple[bytes, bytes], ...]]
    records: tuple[bytes, ...] = ()
    copies: int = 0
    events: tuple[bytes, ...] = ()


@dataclass
class _Ring:
    consumer: mmap.mmap
    producer: mmap.mmap

    def drain(self) -> tuple[bytes, ...]:
        position = int.from_bytes(self.consumer[:8], "little")
        end = int.from_bytes(self.producer[:8], "little")
        records = []
        while position < end:
            start = _PAGE + position % _PAGE
            (head,) = struct.unpack_from("<I", self.producer, start)
            length = head & ~(_DISCARDED | _BUSY)
            if not head & _DISCARDED:
                records.append(bytes(self.producer[start + 8 : start + 8 + length]))
            position += (length + 8 + 7) // 8 * 8
        self.consumer[:8] = end.to_bytes(8, "little")
        return tuple(records)

    def close(self) -> None:
        self.consumer.close()
        self.producer.close()


@dataclass
class Bench:
    """A loaded object, ready to be run again and again from the same state."""

    kind: ProgramKind
    plan: LoadPlan
    loaded: LoadedObject
    where: Place
    watches_copies: bool = False
    _maps: dict[str, LoadedMap] = field(default_factory=dict)
    _ring: _Ring | None = None
    _events: Events | None = None
    begun: dict[str, tuple[tuple[bytes, bytes], ...]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._maps = {each.name: each for each in self.loaded.maps}
        ring = self._maps.get("ring")
        if ring is not None:
            number = ring.descriptor.number
            self._ring = _Ring(
                mmap.mmap(number, _PAGE, mmap.MAP_SHARED, mmap.PROT_READ | mmap.PROT_WRITE),
                mmap.mmap(number, 3 * _PAGE, mmap.MAP_SHARED, mmap.PROT_READ, offset=_PAGE),
            )

        events = self._maps.get("events")
        if events is not None:
            self._events = Events.opened()
            if self._events is not None:
                key = self._events.cpu.to_bytes(4, "little")
                events.update(key, self._events.descriptor.to_bytes(4, "little"))

    def close(self) -> None:
        if self._ring is not None:
            self._ring.close()
        if self._events is not None:
            self._events.close()

    def run(self, given: Input) -> Observation:
        """Reset, run, look."""
        self.where.name_leader(given.leader)
        self.where.write_user_text(given.user)
        self.where.quieten(given.is_quiet)
        self._reset(given)
        self.begun = self._contents()
        self._refill()
        before = _received() if self.watches_copies else 0
        verdict, packet, context = self.where.on_thread(given.thread, lambda: self._test_run(given))
        copies = _received() - before if self.watches_copies else 0
        records = self._ring.drain() if self._ring is not None else ()
        events = self._events.drain() if self._events is not None else ()
        return Observation(verdict, packet, context, self._contents(), records, copies, events)

    def untouched(self, given: Input) -> bytes:
        """What a program of this type that does nothing leaves of the packet."""
        plan = self.plan.programs[0]
        nothing = replace(
            plan, instructions=(Instruction(0xB7), Instruction(0x95)), functions=(), lines=(),
            subprograms=(0,), needs_types=False, poisons=(),
        )  # fmt: skip
        with load_program(nothing, []) as program:
            return self._test_run(given, program)[1]

    def _test_run(
        self, given: Input, program: LoadedProgram | None = None
    ) -> tuple[int, bytes, bytes]:
        program = program or self.loaded.programs[0]
        if self.kind.trigger:
            return self._triggered(program)
        attribute = ProgramTestRun(prog_fd=program.descriptor.number)
        kept: list[object] = []
        packet_out = context_out = None
        context_in = None
        if given.packet:
            packet_in = ctypes.create_string_buffer(given.packet, len(given.packet))
            packet_out = ctypes.create_string_buffer(_ROOM)
            attribute.data_in, attribute.data_size_in = address(packet_in), len(given.packet)
            attribute.data_out, attribute.data_size_out = address(packet_out), _ROOM
            attribute.repeat = 1
            kept.append(packet_in)
        if given.context:
            context_in = ctypes.create_string_buffer(given.context, len(given.context))
            attribute.ctx_in, attribute.ctx_size_in = address(context_in), len(given.context)
            if self.kind.context in {"sk_buff", "xdp_md", "sk_lookup"}:
                context_out = ctypes.create_string_buffer(len(given.context))
                attribute.ctx_out = address(context_out)
                attribute.ctx_size_out = len(given.context)
        bpf(BpfCommand.PROG_TEST_RUN, attribute)
        packet = packet_out.raw[: attribute.data_size_out] if packet_out is not None else b""
        context = b""
        if context_out is not None:
            context = context_out.raw
        elif self.kind.context == "memory" and context_in is not None:
            context = context_in.raw
        del kept
        return int(attribute.retval), packet, context

    def _triggered(self, program: LoadedProgram) -> tuple[int, bytes, bytes]:
        trigger = TRIGGERS[self.kind.trigger]
        if self.where.group is None:
            raise BpfError(errno.EOPNOTSUPP)
        with attached(program, self.plan.programs[0].attach_type, self.where.group):
            number, result = trigger()
        return number, result, b""

    def plain(self) -> bytes:
        """What the trigger gives without any program."""
        return TRIGGERS[self.kind.trigger]()[1]

    def _conf(self, given: Input) -> bytes:
        data = bytearray(CONF_BYTES)
        struct.pack_into("<QQ", data, A, *given.numbers)
        struct.pack_into("<Q", data, KERNEL_ADDRESS, self.where.name)
        struct.pack_into("<Q", data, USER_ADDRESS, self.where.user_text)
        struct.pack_into("<Q", data, TASK, self.where.task)
        struct.pack_into("<Q", data, LEADER_ID, self.where.leader_id)
        data[TEXT : TEXT + len(given.text)] = given.text
        return bytes(data)

    def _reset(self, given: Input) -> None:
        for plan in self.plan.maps:
            loaded = self._maps[plan.name]
            if plan.frozen:
                continue
            if plan.name == "conf":
                loaded.update(bytes(4), self._conf(given))
            elif plan.map_type in _ARRAYS:
                start = dict(plan.contents).get(bytes(4), bytes(loaded.value_size))
                loaded.update(bytes(4), start)
            elif plan.name in {"table", "lru"}:
                loaded.clear()
                for number in (1, 2):
                    loaded.update(number.to_bytes(4, "little"), (11 * number).to_bytes(8, "little"))
            elif plan.map_type in {QUEUE, STACK}:
                _drain(loaded)
            elif plan.map_type == DEVMAP:
                loaded.update(bytes(4), (1).to_bytes(4, "little"))
            elif plan.map_type == SOCKMAP:
                if given.is_quiet:
                    continue
                descriptor = self.where.sockets[1].fileno()
                loaded.update(bytes(4), descriptor.to_bytes(8, "little"))
            elif plan.map_type == BLOOM:
                continue

    def _refill(self) -> None:
        for plan in self.plan.maps:
            if plan.map_type in {QUEUE, STACK}:
                for number in (5, 6):
                    self._maps[plan.name].update(b"", number.to_bytes(8, "little"))
                self.begun[plan.name] = tuple(
                    (b"", number.to_bytes(8, "little"))
                    for number in ((5, 6) if plan.map_type == QUEUE else (6, 5))
                )

    def _contents(self) -> dict[str, tuple[tuple[bytes, bytes], ...]]:
        found: dict[str, tuple[tuple[bytes, bytes], ...]] = {}
        for plan in self.plan.maps:
            loaded = self._maps[plan.name]
            if plan.frozen:
                continue
            if plan.map_type in _ARRAYS:
                value = loaded.lookup(bytes(4))
                found[plan.name] = ((bytes(4), value or b""),)
            elif plan.map_type in _HASHES:
                found[plan.name] = tuple(sorted(loaded.items()))
            elif plan.map_type in {QUEUE, STACK}:
                found[plan.name] = _drain(loaded)
        return found


def _drain(loaded: LoadedMap) -> tuple[tuple[bytes, bytes], ...]:
    taken: list[tuple[bytes, bytes]] = []
    while True:
        value = ctypes.create_string_buffer(8)
        try:
            bpf(
                BpfCommand.MAP_LOOKUP_AND_DELETE_ELEM,
                MapElement(map_fd=loaded.descriptor.number, value=address(value)),
            )
        except BpfError:
            return tuple(taken)
        taken.append((b"", value.raw))


def _received() -> int:
    for line in Path("/proc/thread-self/net/dev").read_text().splitlines():
        name, _, numbers = line.partition(":")
        if name.strip() == "lo":
            return int(numbers.split()[1])
    return 0


__all__ = ["RINGBUF", "Bench", "Input", "Observation", "SkepError"]
