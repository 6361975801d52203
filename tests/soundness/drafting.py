"""A program being written: which registers and stack slots hold what between two snippets.

Between snippets r6 is the context, r7 the packet (of :attr:`Draft.reach` bytes that were checked;
the number 0 where there are no packet pointers), r8 and r9 are numbers, and the slots from -8 to
-64 hold numbers.
"""

import random
from collections.abc import Callable
from dataclasses import dataclass, field

from skep.bytecode.btf.kernel_types import KernelTypes
from tests.soundness.assembling import Code, MapShape, Source, Variable
from tests.soundness.kernel_facts import declare_function, declare_variable
from tests.soundness.kinds import ProgramKind
from tests.soundness.worlds import CONF_BYTES, Template

STACK_TRACE = 7
HASH, ARRAY, PERCPU_ARRAY, LPM, QUEUE, STACK = 1, 2, 6, 11, 22, 23
PERF, DEVMAP, RINGBUF, BLOOM, CPUMAP, SOCKMAP, SOCKHASH, LRU = 4, 14, 27, 30, 16, 15, 18, 9
SHAPES = {
    "conf": MapShape(ARRAY, 4, CONF_BYTES, 1),
    "out": MapShape(ARRAY, 4, 64, 1),
    "table": MapShape(HASH, 4, 8, 8),
    "lru": MapShape(LRU, 4, 8, 8),
    "ring": MapShape(RINGBUF, 0, 0, 4096),
    "events": MapShape(PERF, 4, 4, 2),
    "percpu": MapShape(PERCPU_ARRAY, 4, 8, 1),
    "devices": MapShape(DEVMAP, 4, 4, 2),
    "cpus": MapShape(CPUMAP, 4, 4, 2),
    "queue": MapShape(QUEUE, 0, 8, 4),
    "stacked": MapShape(STACK, 0, 8, 4),
    "bloom": MapShape(BLOOM, 0, 8, 8),
    "prefixes": MapShape(LPM, 8, 8, 4, 1),
    "sockets": MapShape(SOCKMAP, 4, 8, 2),
    "traces": MapShape(STACK_TRACE, 4, 64, 8),
}

NOT_SLEEPABLE = frozenset({"queue", "stacked", "bloom", "prefixes", "percpu", "sockets", "events"})

_TAGS = {
    "noisy": frozenset({5, 7, 46, 47, 118, 125, 160, 208, 22, 55, 122}),
    "resizes": frozenset({38, 43, 44, 65, 50, 31, 18, 19, 73, 74, 75}),
    "rooms": frozenset({50, 31, 18, 19, 73, 74, 75}),
    "checksums": frozenset({10, 11, 97}),
}
"""What helpers do that a judge has to know: give another answer each time, move the packet, write
what depends on what was there."""

SLOTS = tuple(range(-64, 0, 8))
DYNPTR, OTHER_DYNPTR = -80, -96
BUFFER, OTHER_BUFFER = -160, -224  # 64 bytes each
KEY, VALUE = -240, -232


@dataclass
class Draft:
    """State of a program under construction.

    Attributes:
        kind: its type.
        rng: all choices come from here.
        template: what the packet, the context and the maps hold when it is run first.
        kernel: types of the kernel.
        tags: what is in it: ``helper:26``, ``kfunc:bpf_strlen``, ``noisy`` ...
    """

    kind: ProgramKind
    rng: random.Random
    template: Template
    kernel: KernelTypes
    has_helper: Callable[[ProgramKind, int], bool]
    has_kfunc: Callable[[ProgramKind, str], bool]
    source: Source = field(default_factory=Source)
    tags: set[str] = field(default_factory=set)
    reach: int = 0
    depth: int = 0
    code: Code = field(init=False)
    settings: dict[str, bytes] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.code = Code("main", self.kind.section)
        self.source.functions.append(self.code)

    def begin(self) -> None:
        code = self.code
        code.copy(6, 1)
        for slot in SLOTS:
            code.put(8, 10, slot, self.rng.choice((0, 0, 1, 7)))
        code.mov(8, self.number())
        code.mov(9, self.number())
        code.mov(7, 0)
        if self.kind.packet is not None:
            self.reach = self.rng.choice((16, 40, 64))
            self.load_packet()

    def load_packet(self) -> None:
        """Checked pointer in r7; again after what may have moved the packet."""
        if self.kind.packet is None:
            return
        data, data_end = self.kind.packet
        self.code.load(4, 7, 6, data)
        self.code.load(4, 2, 6, data_end)
        self.code.copy(3, 7)
        self.code.add(3, self.reach)
        self.code.if_register(">", 3, 2, "short")

    def finish(self) -> None:
        """The exit that is taken when the packet is too short or something is missing."""
        if all(line.jump_to != "short" for line in self.code.lines):
            return
        self.code.label("short")
        self.code.mov(0, self.kind.passing)
        self.code.exit()

    def number(self) -> int:
        return self.rng.choice((0, 1, 2, 3, 4, 7, 64, 255, self.rng.randrange(1 << 16)))

    def pick(self, *numbers: int) -> int:
        """One of these helpers that the type has."""
        return self.rng.choice([n for n in numbers if self.has_helper(self.kind, n)])

    def pick_kfunc(self, *names: str) -> str:
        """One of these kernel functions that the type may call."""
        return self.rng.choice([n for n in names if self.has_kfunc(self.kind, n)])

    def pick_map(self, *names: str) -> str:
        """One of these maps that the type may use."""
        return self.rng.choice(
            [n for n in names if not self.kind.is_sleepable or n not in NOT_SLEEPABLE]
        )

    def helper(self, number: int) -> None:
        self.tags.add(f"helper:{number}")
        self.tags.update(tag for tag, numbers in _TAGS.items() if number in numbers)
        self.code.helper(number)

    def kfunc(self, name: str) -> None:
        self.tags.add(f"kfunc:{name}")
        if name not in self.source.kernel_functions:
            declared = declare_function(self.source.types, self.kernel, name)
            self.source.kernel_functions[name] = declared
        self.code.call(name)

    def kernel_variable(self, register: int, name: str) -> None:
        self.tags.add(f"ksym:{name}")
        if name not in self.source.kernel_variables:
            declared = declare_variable(self.source.types, self.kernel, name)
            self.source.kernel_variables[name] = declared
        self.code.map(register, name)

    def map(self, register: int, name: str) -> None:
        self.source.maps.setdefault(name, SHAPES[name])
        self.tags.add(f"map:{name}")
        self.code.map(register, name)

    def variable(self, section: str, data: bytes, prefix: str = "v") -> str:
        name = f"{prefix}{len(self.source.variables)}"
        self.source.variables[name] = Variable(section, data)
        return name

    def text(self, text: bytes) -> str:
        """A constant string in ``.rodata``."""
        return self.variable(".rodata", text + b"\0", "text")

    def map_value(self, register: int, name: str, *, index: int = 0) -> None:
        """Look up; where there is no value the program ends."""
        code = self.code
        code.put(4, 10, KEY, index)
        code.stack_address(2, KEY)
        self.map(1, name)
        self.helper(1)
        code.if_number("==", 0, 0, "short")
        if register:
            code.copy(register, 0)

    def clear_buffer(self, offset: int = BUFFER, size: int = 64) -> None:
        for place in range(offset, offset + size, 8):
            self.code.put(8, 10, place, 0)

    def record(self, register: int = 8, size: int = 8) -> None:
        """Let it be seen: into the map ``out``."""
        code = self.code
        saved = SLOTS[0]
        code.store(8, 10, saved, register)
        self.map_value(0, "out")
        code.load(8, 1, 10, saved)
        code.store(size, 0, 8 * self.rng.randrange(4), 1)

    def conf(self, register: int, offset: int, size: int = 8) -> None:
        """A number user space wrote into the map ``conf``."""
        self.map_value(0, "conf")
        self.code.load(size, register, 0, offset)

    def invalidated(self) -> None:
        """The packet may have moved."""
        self.load_packet()
