"""Types of an object as a kernel takes them.

Compilers leave open what only a loader knows (where variables are in their sections), and describe
what a kernel refuses: externs, and sections that are no data. Every type keeps its id, because
code and other types refer to it; what cannot stay is replaced by a small type that says nothing.

Sources: ``btf_datasec_check_meta``, ``btf_var_check_meta``, ``btf_func_check_meta`` and
``btf_decl_tag_resolve`` in kernel/bpf/btf.c of Linux 6.18.
"""

import struct
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from skep.bytecode.btf.layout import size_of
from skep.bytecode.btf.table import MAGIC, TypeTable
from skep.bytecode.btf.types import Kind

_EXTERN = 2


@dataclass(frozen=True, slots=True)
class DataSection:
    """A section of variables as it is loaded.

    Attributes:
        size: bytes.
        offsets: of its variables, by name.
    """

    size: int
    offsets: Mapping[str, int]


def prepare_btf(
    types: TypeTable, sections: Mapping[str, DataSection], hidden: Collection[int] = ()
) -> bytes:
    """A ``.BTF`` section for ``BPF_BTF_LOAD``, with the ids and strings of ``types``.

    Args:
        sections: those that are loaded as maps, by name; others are left out.
        hidden: types of functions that become static, so that the kernel's verifier follows
            their callers into them (``bpf_object_fixup_btf`` in tools/lib/bpf/libbpf.c).

    Raises:
        MalformedBtf: for types that make no sense.
    """
    word = "<" if types.byteorder == "little" else ">"
    nothing = struct.pack(f"{word}III", 0, Kind.PTR << 24, 0)
    replaced: set[int] = set()
    stored: list[bytes] = []
    for type_id in range(1, len(types)):
        data = types.stored(type_id)
        match types.kind(type_id):
            case Kind.DATASEC:
                found = types.type(type_id)
                section = sections.get(found.name)
                rebuilt = None if section is None else _section(types, type_id, section)
                data = rebuilt or nothing
            case Kind.VAR | Kind.FUNC if types.type(type_id).linkage == _EXTERN:
                # Tags may refer to it, so it becomes something that has a name too.
                (name,) = struct.unpack_from(f"{word}I", data)
                data = struct.pack(f"{word}III", name, Kind.TYPEDEF << 24, 0)
                replaced.add(type_id)
            case Kind.FUNC if type_id in hidden:
                name, _info, prototype = struct.unpack_from(f"{word}III", data)
                data = struct.pack(f"{word}III", name, Kind.FUNC << 24, prototype)
            case _:
                pass
        stored.append(data)
    for type_id in range(1, len(types)):
        if types.kind(type_id) is Kind.DECL_TAG:
            tag = types.type(type_id)
            if tag.refers_to in replaced and tag.component >= 0:
                stored[type_id - 1] = nothing
    body = b"".join(stored)
    strings = types.stored_strings
    header = struct.pack(f"{word}HBBIIIII", MAGIC, 1, 0, 24, 0, len(body), len(body), len(strings))
    return header + body + strings


def _section(types: TypeTable, type_id: int, section: DataSection) -> bytes | None:
    """The DATASEC with places and sizes filled in, ``None`` if nothing would be left of it."""
    word = "<" if types.byteorder == "little" else ">"
    placed = []
    for entry in types.type(type_id).variables:
        variable = types.type(entry.type_id)
        offset = section.offsets.get(variable.name)
        if offset is not None and variable.linkage != _EXTERN:
            size = entry.size or size_of(types, variable.refers_to)
            placed.append((offset, entry.type_id, size))
    placed.sort()
    kept = []
    end = 0
    for offset, variable_id, size in placed:
        if offset >= end and size and offset + size <= section.size:
            kept.append(struct.pack(f"{word}III", variable_id, offset, size))
            end = offset + size
    if not kept or len(kept) > 0xFFFF:
        return None
    (name,) = struct.unpack_from(f"{word}I", types.stored(type_id))
    info = Kind.DATASEC << 24 | len(kept)
    return struct.pack(f"{word}III", name, info, section.size) + b"".join(kept)
