"""Mutations that know what they change: headers, symbols, relocations, types, records, code, maps.

Everything is drawn from one generator, so a seed and a number name a case for ever.
"""

import struct
from collections.abc import Callable, Sequence
from random import Random

from tests.fuzz.drafts import (
    HEADER_FIELDS,
    NOBITS,
    REL,
    RELA,
    SECTION_FIELDS,
    STRING_TABLE,
    SYMBOL_TABLE,
    Draft,
    Part,
)

_NUMBERS = (
    0, 1, 2, 3, 4, 7, 8, 9, 15, 16, 23, 24, 31, 32, 63, 64, 127, 128, 255, 256, 511, 512, 0x7FFF,
    0x8000, 0xFFF1, 0xFFF2, 0xFFFF, 0x10000, 0xFFFFFF, 0x1000000, 0x7FFFFFFF, 0x80000000,
    0xFFFFFFF8, 0xFFFFFFFF, 1 << 32, 1 << 62, (1 << 63) - 1, 1 << 63, (1 << 64) - 8, (1 << 64) - 1,
)  # fmt: skip
_TITLES = (
    "", "xdp", "?xdp.frags", "tc", "2/7", "maps", "maps/x", ".maps", ".text", ".text.x", "license",
    "version", ".data", ".rodata", ".rodata.x", ".bss", ".kconfig", ".ksyms", ".BTF", ".BTF.ext",
    "kprobe/x", "kprobe.multi/*", "lsm/bpf", "lsm_cgroup/x", "struct_ops", ".struct_ops",
    ".struct_ops.link", "fentry/x", "freplace/x", "iter/task", "raw_tp/x", "tp_btf/x",
    "uprobe//a:b", "usdt//a:b:c", "syscall", "sockops", "netfilter", "perf_event", ".addr_space.1",
    "xdp\x1b[0m", "x" * 2000, "\u202e", "xdp/" * 40,
)  # fmt: skip
_OPCODES = (
    0x05, 0x06, 0x07, 0x0D, 0x0F, 0x15, 0x16, 0x18, 0x1D, 0x20, 0x30, 0x40, 0x50, 0x55, 0x61, 0x63,
    0x69, 0x71, 0x79, 0x7A, 0x7B, 0x81, 0x84, 0x85, 0x87, 0x8D, 0x95, 0x97, 0xB4, 0xB7, 0xBC, 0xBF,
    0xC3, 0xC7, 0xD4, 0xD7, 0xDB, 0xDC, 0xE5,
)  # fmt: skip

Mutation = Callable[[Draft, Random, Sequence[Draft]], None]


def number(random: Random) -> int:
    """Mostly a number somebody has stumbled over."""
    how = random.random()
    if how < 0.5:
        return random.choice(_NUMBERS)
    return random.randrange(64) if how < 0.85 else random.getrandbits(random.choice((16, 32, 64)))


def mutated(draft: Draft, random: Random, others: Sequence[Draft]) -> bytes:
    """A file made of ``draft`` with one to five things changed; ``others`` lend sections."""
    changed = draft.copy()
    for _ in range(random.choice((1, 1, 1, 2, 2, 3, 5))):
        random.choice(_WEIGHTED)(changed, random, others)
    data = changed.build()
    if random.random() < 0.03:
        data = data[: random.randrange(len(data))]
    if random.random() < 0.05:
        flipped = bytearray(data)
        for _ in range(random.randrange(1, 8)):
            if flipped:
                flipped[random.randrange(len(flipped))] = random.getrandbits(8)
        data = bytes(flipped)
    return data


def _header(draft: Draft, random: Random, _others: Sequence[Draft]) -> None:
    draft.patches.append((random.choice(HEADER_FIELDS), number(random)))


def _section_header(draft: Draft, random: Random, _others: Sequence[Draft]) -> None:
    part = random.choice(draft.parts)
    name = random.choice(SECTION_FIELDS)
    value = random.randrange(12) if name == "kind" else number(random)
    if name in ("link", "info") and random.random() < 0.7:
        value = random.randrange(len(draft.parts) + 1)
    part.lies[name] = value


def _rename(draft: Draft, random: Random, _others: Sequence[Draft]) -> None:
    part = random.choice(draft.parts[1:] or draft.parts)
    part.title = random.choice([*_TITLES, random.choice(draft.parts).title])


def _arrange(draft: Draft, random: Random, others: Sequence[Draft]) -> None:
    """Sections dropped (emptied), doubled, swapped, or lent by another object."""
    part = random.choice(draft.parts)
    how = random.randrange(4)
    if how == 0:
        part.data.clear()
    elif how == 1 and len(draft.parts) < 200:
        twin = part.copy()
        twin.title = random.choice((part.title, random.choice(_TITLES)))
        draft.parts.append(twin)
    elif how == 2:
        other = random.choice(draft.parts)
        part.data, other.data = other.data, part.data
    else:
        lender = random.choice(others)
        same = lender.named(part.title) or lender.parts
        part.data = bytearray(random.choice(same).data)


def _resize(draft: Draft, random: Random, _others: Sequence[Draft]) -> None:
    data = random.choice(draft.parts).data
    how = random.randrange(4)
    if how == 0 and data:
        del data[random.randrange(len(data)) :]
    elif how == 1:
        data += bytes(random.choice((1, 4, 8, 24, 4096)))
    elif how == 2 and data and len(data) < 1 << 14:
        data *= random.choice((2, 3, 20))
    elif data:
        start = random.randrange(len(data))
        del data[start : start + random.choice((1, 4, 8, 16, 24))]


def _symbol(draft: Draft, random: Random, _others: Sequence[Draft]) -> None:
    table = _any_of(draft.of_kind(SYMBOL_TABLE), random, 24)
    if table is None:
        return
    place = 24 * random.randrange(len(table.data) // 24)
    if random.random() < 0.15:
        table.data += table.data[place : place + 24]
        return
    code, offset = random.choice((("I", 0), ("B", 4), ("B", 5), ("H", 6), ("Q", 8), ("Q", 16)))
    value = number(random)
    if offset == 6 and random.random() < 0.8:
        value = random.randrange(len(draft.parts))
    elif offset == 8 and random.random() < 0.6:
        value = 8 * random.randrange(64)
    elif offset == 0 and random.random() < 0.6:
        (value,) = struct.unpack_from(
            f"{draft.word}I", table.data, 24 * random.randrange(len(table.data) // 24)
        )
    _put(table.data, draft, code, place + offset, value)


def _relocation(draft: Draft, random: Random, _others: Sequence[Draft]) -> None:
    table = _any_of(draft.of_kind(REL, RELA), random, 16)
    if table is None:
        return
    entry = 16 if table.fields["kind"] == REL else 24
    count = len(table.data) // entry
    if not count:
        return
    place = entry * random.randrange(count)
    how = random.randrange(6)
    if how == 0:
        table.data += table.data[place : place + entry]
    elif how == 1:
        del table.data[place : place + entry]
    elif how == 2:
        _put(
            table.data, draft, "Q", place, random.choice((8 * random.randrange(64), number(random)))
        )
    elif how in (3, 4):
        symbol = random.choice((random.randrange(32), number(random) & 0xFFFFFFFF))
        kind = random.choice((0, 1, 2, 3, 4, 10, 255))
        _put(table.data, draft, "Q", place + 8, symbol << 32 | kind)
    elif entry == 24:
        _put(table.data, draft, "Q", place + 16, number(random))


def _btf(draft: Draft, random: Random, _others: Sequence[Draft]) -> None:
    """A word of a type, most often one that is a type id, a name, a size or a kind."""
    part = _any_of(draft.named(".BTF"), random, 40)
    if part is None:
        return
    if random.random() < 0.1:
        _put(part.data, draft, "I", 4 * random.randrange(6), number(random))
        return
    _header, type_off, type_len, str_off, str_len = struct.unpack_from(
        f"{draft.word}IIIII", part.data, 4
    )
    if random.random() < 0.15 and str_len and 24 + str_off + str_len <= len(part.data):
        place = 24 + str_off + random.randrange(str_len)
        part.data[place] = random.choice((0, 0x1B, 0x2F, 0x3A, 0x80, 0xFF, random.getrandbits(8)))
        return
    words = min(type_len, len(part.data) - 24 - type_off) // 4
    if words < 3:
        return
    place = 24 + type_off + 4 * random.randrange(words)
    how = random.randrange(5)
    if how == 0:
        kind, count = random.randrange(22), random.choice((0, 1, 2, 8, 0xFFFF))
        value = random.getrandbits(1) << 31 | kind << 24 | count
    elif how == 1:
        value = random.randrange(80)
    elif how == 2:
        other = 24 + type_off + 4 * random.randrange(words)
        (value,) = struct.unpack_from(f"{draft.word}I", part.data, other)
    else:
        value = number(random)
    _put(part.data, draft, "I", place, value)


def _extension(draft: Draft, random: Random, _others: Sequence[Draft]) -> None:
    part = _any_of(draft.named(".BTF.ext"), random, 8)
    if part is not None:
        words = len(part.data) // 4
        near = random.randrange(min(words, 8) if random.random() < 0.3 else words)
        value = random.choice((number(random), random.randrange(40), 8 * random.randrange(64)))
        _put(part.data, draft, "I", 4 * near, value)


def _instruction(draft: Draft, random: Random, others: Sequence[Draft]) -> None:
    part = _any_of([part for part in draft.parts if part.is_code], random, 8)
    if part is None:
        return
    data = part.data
    slots = len(data) // 8
    place = 8 * random.randrange(slots)
    how = random.randrange(9)
    if how == 0:
        data[place] = random.choice(_OPCODES)
    elif how == 1:
        data[place + 1] = random.randrange(11) << 4 | random.randrange(11)
    elif how == 2:
        distance = random.choice((random.randrange(-slots, slots + 1), number(random)))
        _put(data, draft, "H", place + 2, distance)
    elif how == 3:
        value = random.choice((random.randrange(230), number(random), -number(random)))
        _put(data, draft, "I", place + 4, value)
    elif how == 4:
        data[place:place] = _random_code(draft, random, random.choice((1, 2, 5)))
    elif how == 5:
        del data[place : place + 8 * random.choice((1, 1, 2, 4))]
    elif how == 6 and len(data) < 1 << 14:
        data[place:place] = data[: 8 * random.randrange(1, slots + 1)]
    elif how == 7:
        lender = random.choice(others)
        lent = [other for other in lender.parts if other.is_code]
        if lent and lender.byteorder == draft.byteorder:
            data[place:place] = random.choice(lent).data[:1024]
    else:
        data[:] = _random_code(draft, random, random.choice((4, 16, 64, 256)))


def _random_code(draft: Draft, random: Random, count: int) -> bytes:
    """Instructions that mostly exist, with jumps that mostly stay near."""
    found = bytearray()
    for _ in range(count):
        opcode = random.choice(_OPCODES) if random.random() < 0.9 else random.getrandbits(8)
        registers = random.randrange(11) << 4 | random.randrange(11)
        near = random.randrange(-count, count) if random.random() < 0.8 else number(random)
        immediate = random.choice((random.randrange(230), number(random), near))
        found += struct.pack(
            f"{draft.word}BBHI", opcode, registers, near & 0xFFFF, immediate & 0xFFFFFFFF
        )
        if opcode == 0x18 and random.random() < 0.95:
            found += struct.pack(f"{draft.word}II", 0, number(random) & 0xFFFFFFFF)
    return bytes(found)


def _map_words(draft: Draft, random: Random, _others: Sequence[Draft]) -> None:
    part = _any_of([p for p in draft.parts if p.title.startswith(("maps", ".maps"))], random, 4)
    if part is not None:
        place = 4 * random.randrange(len(part.data) // 4)
        _put(part.data, draft, "I", place, number(random))


def _strings(draft: Draft, random: Random, _others: Sequence[Draft]) -> None:
    part = _any_of(draft.of_kind(STRING_TABLE), random, 1)
    if part is not None:
        part.data[random.randrange(len(part.data))] = random.choice((0, 0x1B, 0x80, 0x41, 0xFF))


def _words(draft: Draft, random: Random, _others: Sequence[Draft]) -> None:
    part = _any_of(draft.parts, random, 4)
    if part is not None:
        place = 4 * random.randrange(len(part.data) // 4)
        _put(part.data, draft, "I", place, number(random))


def _emptiness(draft: Draft, random: Random, _others: Sequence[Draft]) -> None:
    """Sections that take no bytes of the file and many of memory."""
    part = random.choice(draft.parts)
    part.fields.update(kind=NOBITS, size=number(random), flags=random.choice((2, 3, 6)))
    part.data.clear()


def _any_of(parts: Sequence[Part], random: Random, least: int) -> Part | None:
    fit = [part for part in parts if len(part.data) >= least]
    return random.choice(fit) if fit else None


def _put(data: bytearray, draft: Draft, code: str, place: int, value: int) -> None:
    size = struct.calcsize(f"<{code}")
    if 0 <= place <= len(data) - size:
        struct.pack_into(f"{draft.word}{code}", data, place, value & (1 << 8 * size) - 1)


_WEIGHTED: tuple[Mutation, ...] = (
    _header, _strings, _words, _emptiness, _arrange, _rename, _rename, _resize,
    *[_section_header] * 3, *[_symbol] * 4, *[_relocation] * 4, *[_btf] * 7, *[_extension] * 4,
    *[_instruction] * 7, *[_map_words] * 2,
)  # fmt: skip
