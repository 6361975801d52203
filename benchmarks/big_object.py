"""Objects of any size, as a compiler would write them: the same bytes for the same numbers.

Programs with packet reads, branches, a loop, map look-ups, stack use and tail calls; symbols,
labels of basic blocks among them; types of a kernel's headers; a source line for every second
instruction; CO-RE records; and sections of debugging information, which readers step over.
"""

import struct
from dataclasses import dataclass, field
from random import Random

from tests.builders.btf import BtfBuilder
from tests.builders.elf import LOCAL, NOTYPE, OBJECT, ElfBuilder, licensed

from skep.bytecode.btf.types import Kind
from skep.bytecode.isa.instructions import Instruction

_LOOKUP, _UPDATE, _KTIME, _TAIL_CALL, _PRANDOM, _REDIRECT = 1, 2, 5, 12, 7, 23
_EXIT = Instruction(0x95)
_MAPS = ("flows", "counters", "jumps", "limits")
_MAP_BYTES = 32


@dataclass
class _Code:
    """One program under construction."""

    random: Random
    slots: list[Instruction] = field(default_factory=list)
    maps: list[tuple[int, int]] = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    accesses: list[int] = field(default_factory=list)

    def add(self, *instructions: Instruction) -> None:
        self.slots += instructions

    def map_address(self, register: int, number: int) -> None:
        self.maps.append((len(self.slots), number))
        self.add(Instruction(0x18, register), Instruction(0))

    def packet(self) -> None:
        """Bounds, then bytes of a header."""
        self.accesses.append(len(self.slots))
        self.add(Instruction(0x61, 1, 6, 0), Instruction(0x61, 2, 6, 4), Instruction(0xBF, 3, 1))
        self.add(Instruction(0x07, 3, 0, 0, self.random.randrange(14, 60)))
        self.add(Instruction(0x2D, 3, 2, 3), Instruction(0x71, 4, 1, 12))
        self.add(Instruction(0x67, 4, 0, 0, 8), Instruction(0x4F, 7, 4))

    def lookup(self) -> None:
        number = self.random.randrange(2)
        self.add(Instruction(0x63, 10, 7, -8 * self.random.randrange(1, 6)))
        self.add(Instruction(0xB7, 1, 0, 0, self.random.getrandbits(16)))
        self.add(Instruction(0x7B, 10, 1, -48), Instruction(0xBF, 2, 10))
        self.add(Instruction(0x07, 2, 0, 0, -8))
        self.map_address(1, number)
        self.add(Instruction(0x85, 0, 0, 0, _LOOKUP), Instruction(0x15, 0, 0, 3, 0))
        self.add(Instruction(0x79, 1, 0, 0), Instruction(0x07, 1, 0, 0, 1))
        self.add(Instruction(0x7B, 0, 1, 0))
        self.labels.append(len(self.slots))

    def choice(self) -> None:
        """A decision between constants, joined again."""
        self.add(Instruction(0xB7, 8, 0, 0, 1))
        self.add(Instruction(0x15, 7, 0, 2, self.random.randrange(256)))
        self.add(Instruction(0xB7, 8, 0, 0, 2), Instruction(0x05, 0, 0, 1))
        self.add(Instruction(0x0F, 9, 8))
        self.labels.append(len(self.slots))

    def helper(self) -> None:
        self.add(Instruction(0x85, 0, 0, 0, self.random.choice((_KTIME, _PRANDOM))))
        self.add(Instruction(0xBF, 7, 0), Instruction(0x77, 7, 0, 0, self.random.randrange(1, 60)))

    def tail_call(self) -> None:
        self.add(Instruction(0xBF, 1, 6))
        self.map_address(2, 2)
        self.add(Instruction(0xB7, 3, 0, 0, self.random.randrange(8)))
        self.add(Instruction(0x85, 0, 0, 0, _TAIL_CALL))


def _program(random: Random, length: int) -> _Code:
    code = _Code(random)
    code.add(Instruction(0xBF, 6, 1), Instruction(0xB7, 7), Instruction(0xB7, 8))
    code.add(Instruction(0xB7, 9))
    steps = [code.packet] * 3 + [code.lookup] * 4 + [code.choice] * 3 + [code.helper]
    while len(code.slots) < length - 24:
        random.choice(steps)()
    top = len(code.slots)
    code.add(Instruction(0x07, 9, 0, 0, 1), Instruction(0xA5, 9, 0, top - len(code.slots) - 2, 64))
    code.tail_call()
    while len(code.slots) < length - 2:
        code.add(Instruction(0x57, 7, 0, 0, 0xFF))
    code.add(Instruction(0xB7, 0, 0, 0, 2), _EXIT)
    return code


def _types(builder: BtfBuilder, count: int) -> tuple[int, int]:
    """Structs that refer to each other; the last one, and the first id of the maps' variables."""
    integer = builder.integer("unsigned int")
    last = integer
    for number in range(count):
        pointer = builder.pointer(last)
        alias = builder.modifier(Kind.TYPEDEF, integer, f"kernel_number_{number}_t")
        last = builder.struct(
            f"kernel_structure_{number}",
            24,
            [(f"member_{number}", integer, 0), ("next", pointer, 64), ("state", alias, 128)],
        )
    variables = []
    for name, map_type in zip(_MAPS, (1, 6, 3, 2), strict=True):
        members = [("type", builder.number(map_type), 0)]
        members.append(("max_entries", builder.number(1024), 64))
        wanted = ("key", "value") if map_type != 3 else ("key_size", "value_size")
        kinds = [builder.pointer(integer) if map_type != 3 else builder.number(4)] * 2
        members += [
            (key, kind, 128 + 64 * n)
            for n, (key, kind) in enumerate(zip(wanted, kinds, strict=True))
        ]
        variables.append(builder.variable(name, builder.struct("", _MAP_BYTES, members)))
    builder.datasec(".maps", [(v, 0, _MAP_BYTES) for v in variables], _MAP_BYTES * len(_MAPS))
    return last, integer


def make_object(programs: int, length: int, *, types: int, debug_bytes: int) -> bytes:
    """An object with that many programs of ``length`` slots, structs, and bytes to step over."""
    random = Random(programs * 1_000_003 + length)  # noqa: S311 - the same bytes every time
    builder = licensed()
    btf = BtfBuilder()
    root, _integer = _types(btf, types)
    access = btf.string("0:1")
    file = btf.string("/source/big.bpf.c")
    texts = [btf.string(f"\tif (packet[{n}] == expected_{n})") for n in range(max(programs, 200))]
    maps = builder.data(".maps", bytes(_MAP_BYTES * len(_MAPS)))
    symbols = [
        builder.symbol(name, maps, _MAP_BYTES * number, size=_MAP_BYTES, kind=OBJECT)
        for number, name in enumerate(_MAPS)
    ]
    functions, lines, core = [], [], []
    for number in range(programs):
        made = _program(random, length)
        section = f"tc/{number}" if number % 2 else f"xdp/{number}"
        code = builder.code(section, made.slots)
        builder.symbol(f"program_{number}", code, size=8 * length)
        for label in made.labels:
            name = f"LBB{number}_{label}"
            builder.symbol(name, code, 8 * label, kind=NOTYPE, binding=LOCAL)
        for slot, which in made.maps:
            builder.relocate(code, 8 * slot, symbols[which])
        functions.append((section, [(0, btf.function(f"program_{number}"))]))
        lines.append(
            (
                section,
                [
                    (8 * slot, file, random.choice(texts), (slot + 1) << 10 | 3)
                    for slot in range(0, length, 2)
                ],
            )
        )
        core.append((section, [(8 * slot, root, access, 0) for slot in made.accesses[::4]]))
    builder.section(".BTF.ext", btf.extension(functions=functions, lines=lines, core=core))
    builder.section(".BTF", btf.build())
    return _with_debug(builder, random, debug_bytes)


def _with_debug(builder: ElfBuilder, random: Random, debug_bytes: int) -> bytes:
    """Debugging information with relocations of its own, as compilers leave it with ``-g``."""
    if debug_bytes:
        debug = builder.section(".debug_info", random.randbytes(debug_bytes // 2))
        entries = (debug_bytes // 2) // 16
        packed = b"".join(struct.pack("<QQ", 16 * n, 1 << 32 | 3) for n in range(entries))
        symbols_number = len(builder.sections) + 2
        builder.section(
            ".rel.debug_info", packed, kind=9, link=symbols_number, info=debug, entry_bytes=16
        )
    return builder.build()
