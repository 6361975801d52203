"""The whole header of this kernel has the layout of its types; the one that is shipped compiles."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.builders.compiled import INCLUDE, cache_directory, compiler

from skep.bytecode.btf.c_declaring import c_name
from skep.bytecode.btf.c_header import c_header
from skep.bytecode.btf.c_layout import CLayouts
from skep.bytecode.btf.layout import resolved
from skep.bytecode.btf.table import TypeTable, read_btf
from skep.bytecode.btf.types import BtfType, Kind
from skep.bytecode.objectfile.reading import read_object
from skep.compiling.compiler import CSource, compile_object
from skep.kernel.kernel_types import VMLINUX

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.slow,
    pytest.mark.skipif(not VMLINUX.exists(), reason="needs the types of the running kernel"),
]

CHUNK = 4000  # structs in one compilation
COMPOSITES = (Kind.STRUCT, Kind.UNION)


@pytest.fixture(scope="module")
def types() -> TypeTable:
    return read_btf(VMLINUX.read_bytes(), "little")


@pytest.fixture(scope="module")
def header(types: TypeTable, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("whole") / "vmlinux.h"
    path.write_text(c_header(types))
    return path


def unique(types: TypeTable) -> list[BtfType]:
    """Structs and unions whose name is theirs alone, so that the header has it unchanged."""
    taken: dict[str, int] = {}
    for found in types:
        if found.kind in (*COMPOSITES, Kind.ENUM, Kind.ENUM64) and found.name:
            taken[found.name] = taken.get(found.name, 0) + 1
    return [each for each in types if each.kind in COMPOSITES and taken.get(each.name) == 1]


def word(struct: BtfType) -> str:
    return f"{'union' if struct.kind is Kind.UNION else 'struct'} {c_name(struct.name)}"


def members(
    types: TypeTable, layouts: CLayouts, struct: BtfType, start: int = 0, path: str = ""
) -> Iterator[tuple[str, int, int]]:
    """Path, bit offset and width of members, and of those in structs without a name."""
    for member in struct.members:
        offset, bits = layouts.bits_of(struct, member)
        inside = resolved(types, member.type_id)
        is_open = inside.kind in COMPOSITES and not inside.name
        name = f"{path}{c_name(member.name)}" if member.name else path
        if member.name:
            yield name, start + offset, bits
        if is_open or (inside.kind in COMPOSITES and not member.name):
            prefix = f"{name}." if member.name else path
            yield from members(types, layouts, inside, start + offset, prefix)


def compiled(directory: Path, text: str) -> bytes:
    source = directory / "asserts.bpf.c"
    source.write_text(text)
    return compile_object(
        CSource(source, [INCLUDE]), compiler(), cache=cache_directory(), environment=os.environ
    )


def test_every_struct_has_its_size_and_every_member_its_place(
    types: TypeTable, header: Path
) -> None:
    layouts = CLayouts(types)
    structs = unique(types)
    assert len(structs) > 5000
    for start in range(0, len(structs), CHUNK):
        lines = ['#include "vmlinux.h"']
        for struct in structs[start : start + CHUNK]:
            lines.append(f'_Static_assert(sizeof({word(struct)}) == {struct.size}, "size");')
            lines += [
                f"_Static_assert(__builtin_offsetof({word(struct)}, {path}) == {place // 8}, "
                f'"{struct.name}");'
                for path, place, bits in members(types, layouts, struct)
                if not bits
            ]
        compiled(header.parent, "\n".join([*lines, "int nothing;"]))


def test_every_bit_field_has_its_bits(types: TypeTable, header: Path) -> None:
    layouts = CLayouts(types)
    every = {struct.name: [*members(types, layouts, struct)] for struct in unique(types)}
    expected = {name: found for name, found in every.items() if any(bits for _, _, bits in found)}
    assert len(expected) > 100
    words = {struct.name: word(struct) for struct in unique(types)}
    variables = [f"{words[name]} variable_{n};" for n, name in enumerate(expected)]
    made = read_object(
        compiled(header.parent, "\n".join(['#include "vmlinux.h"', *variables]))
    ).types
    assert made is not None
    for name, places in expected.items():
        [found] = [made.type(each) for kind in COMPOSITES for each in made.find(c_name(name), kind)]
        got = members(made, CLayouts(made), found)
        assert [each for each in got if each[0] != "__size"] == places, name


def test_the_header_that_is_shipped_is_there_for_a_source_that_asks(tmp_path: Path) -> None:
    data = compiled(
        tmp_path,
        '#include "vmlinux.h"\n#include <bpf/bpf_helpers.h>\n#include <bpf/bpf_core_read.h>\n'
        'SEC("raw_tp/sched_switch") int reads(void *ctx)\n{\n'
        "\tstruct task_struct *task = (void *)bpf_get_current_task();\n"
        "\treturn BPF_CORE_READ(task, real_parent, tgid);\n}\n"
        'char licence[] SEC("license") = "GPL";\n',
    )
    read = read_object(data)
    assert {each.root for each in read.core_relocations} == {"task_struct"}
    assert str(tmp_path).encode() not in data
