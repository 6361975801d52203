"""Maps of sections ``maps`` and ``maps/<name>``: a record of u32 words per symbol.

Nothing says how long a record is but the distance to the next symbol. Everything behind the
first 16 bytes is optional; what a longer record means depends on who invented it.

Sources: struct bpf_map_def of samples/bpf (20 and 28 bytes), struct bpf_elf_map of
iproute2 v6.10 (36 bytes).
"""

import struct
from dataclasses import replace

from skep.bytecode.objectfile.elf import LOCAL, NOTYPE, SECTION, ElfFile, Section, Symbol
from skep.bytecode.objectfile.errors import MalformedObject
from skep.bytecode.objectfile.model import MapSpec

_MAPS_OF_MAPS = (12, 13)
_NUMA_NODE = 4  # BPF_F_NUMA_NODE
_SHORTEST = 16
_LONGEST = 256
_SAMPLES_BYTES = 28
_IPROUTE2_BYTES = 36


def is_legacy_map_section(name: str) -> bool:
    """Whether a section of that name holds such records."""
    return name == "maps" or name.startswith("maps/")


def read_legacy_maps(elf: ElfFile, section: Section, remarks: list[str]) -> dict[int, MapSpec]:
    """Maps by byte offset in ``section``; what is not understood is added to ``remarks``.

    Raises:
        MalformedObject: for records outside the section or shorter than 16 bytes.
    """
    data = elf.content(section)
    symbols = _symbols(elf, section)
    if not symbols:
        return {}
    word = "<" if elf.byteorder == "little" else ">"
    ends = [symbol.value for symbol in symbols[1:]] + [len(data)]
    records: dict[int, tuple[str, tuple[int, ...]]] = {}
    for symbol, end in zip(symbols, ends, strict=True):
        name = elf.symbol_name(symbol)
        stride = end - symbol.value
        if not _SHORTEST <= stride <= _LONGEST or end > len(data):
            raise MalformedObject(
                f"expected a map definition of {_SHORTEST} to {_LONGEST} bytes for {name!r} "
                f"inside its section, got bytes {symbol.value} to {end} of {len(data)}",
                offset=section.offset + symbol.value,
            )
        records[symbol.value] = (
            name,
            struct.unpack_from(f"{word}{stride // 4}I", data, symbol.value),
        )
    plain = {offset: _spec(name, words, remarks) for offset, (name, words) in records.items()}
    order = list(plain.values())
    ids = {
        words[5]: plain[offset]
        for offset, (_name, words) in records.items()
        if len(words) * 4 == _IPROUTE2_BYTES and words[5]
    }
    return {
        offset: _with_inner(plain[offset], words, order, ids)
        for offset, (_name, words) in records.items()
    }


def _symbols(elf: ElfFile, section: Section) -> list[Symbol]:
    found: dict[int, Symbol] = {}
    for symbol in elf.symbols:
        if symbol.section != section.number or symbol.kind == SECTION:
            continue
        if symbol.kind == NOTYPE and symbol.binding == LOCAL:
            name = elf.symbol_name(symbol)
            if not name or name.startswith(("L", ".L")):
                continue
        if symbol.value in found:
            raise MalformedObject(
                f"expected one symbol per map definition, got two at byte {symbol.value} "
                f"of {section.name!r}",
                offset=section.offset + symbol.value,
            )
        found[symbol.value] = symbol
    return [found[value] for value in sorted(found)]


def _spec(name: str, words: tuple[int, ...], remarks: list[str]) -> MapSpec:
    map_type, key_size, value_size, max_entries = words[:4]
    pinning = 0
    numa_node = None
    known = 5
    length = len(words) * 4
    if length == _SAMPLES_BYTES:
        known = 7
        numa_node = words[6] if words[4] & _NUMA_NODE else None
    elif length == _IPROUTE2_BYTES:
        known = 9
        pinning = min(words[6], 1)
        if words[6] > 1:
            remarks.append(
                f"map {name}: pinning {words[6]} of iproute2 (global or own name space) is taken "
                "as pinning by name"
            )
    for index, value in enumerate(words[known:], known):
        if value:
            remarks.append(
                f"map {name}: word {index} of its definition, {value}, is not understood"
            )
    return MapSpec(
        name=name,
        map_type=map_type,
        key_size=key_size,
        value_size=value_size,
        max_entries=max_entries,
        flags=words[4] if len(words) > 4 else 0,
        pinning=pinning,
        origin="legacy",
        numa_node=numa_node,
    )


def _with_inner(
    spec: MapSpec, words: tuple[int, ...], order: list[MapSpec], ids: dict[int, MapSpec]
) -> MapSpec:
    if spec.map_type not in _MAPS_OF_MAPS:
        return spec
    inner: MapSpec | None = None
    if len(words) * 4 == _SAMPLES_BYTES and words[5] < len(order):
        inner = order[words[5]]
    elif len(words) * 4 == _IPROUTE2_BYTES:
        inner = ids.get(words[7])
    if inner is None or inner.map_type in _MAPS_OF_MAPS:
        return spec
    return replace(spec, inner=inner)
