"""Records that no loader changes: known layout, same claim, same instruction."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import pytest
from tests.builders.assembled import EXIT, mov, one_program
from tests.builders.btf import BtfBuilder

from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.btf.known_layouts import KNOWN_LAYOUTS
from skep.bytecode.btf.table import TypeTable, read_btf
from skep.bytecode.btf.types import Kind
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.core.fixed import KnownAnswers
from skep.bytecode.linking.core.kinds import CoreKind
from skep.bytecode.linking.errors import CannotLink, CorruptRelocation
from skep.bytecode.linking.linking import link
from skep.bytecode.linking.needs import needs_kernel_types
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.objectfile.model import CoreRelocation, ObjectFile

KERNEL_BTF = Path("/sys/kernel/btf/vmlinux")


def _built(types: BtfBuilder, root: int) -> tuple[TypeTable, int]:
    return read_btf(types.build(), "little"), root


def _claim(
    name: str = "ethhdr", *, protocol_at: int = 12, protocol_bytes: int = 2
) -> tuple[TypeTable, int]:
    types = BtfBuilder()
    byte = types.integer("unsigned char", 1)
    number = types.integer("unsigned", protocol_bytes)
    members = [("h_dest", types.array(byte, 6), 0), ("h_proto", number, protocol_at * 8)]
    return _built(types, types.struct(name, 32, members))


def _object(
    records: Sequence[tuple[int, str, CoreKind]],
    code: Sequence[Instruction],
    claim: tuple[TypeTable, int],
) -> ObjectFile:
    types, root = claim
    name = types.type(root).name
    return replace(
        one_program(*code, EXIT),
        types=types,
        core_relocations=tuple(
            CoreRelocation("main", slot, root, name, access, kind) for slot, access, kind in records
        ),
    )


OFFSET = CoreKind.FIELD_BYTE_OFFSET


def _settles(
    kind: CoreKind, value: int, access: str = "0:1", claim: tuple[TypeTable, int] | None = None
) -> bool:
    types, root = claim or _claim()
    record = CoreRelocation("main", 0, root, types.type(root).name, access, kind)
    return KnownAnswers(types, "little").settles(record, [mov(0, value)])


def test_a_claim_that_is_true_is_settled() -> None:
    assert _settles(OFFSET, 12)
    assert _settles(CoreKind.FIELD_BYTE_SIZE, 2)
    assert _settles(CoreKind.FIELD_SIGNED, 0)
    assert _settles(CoreKind.FIELD_LSHIFT_U64, 48)
    assert _settles(CoreKind.FIELD_RSHIFT_U64, 48)
    assert _settles(OFFSET, 3, "0:0:3")
    assert _settles(OFFSET, 12, claim=_claim("ethhdr___mine"))


@pytest.mark.parametrize(
    ("value", "access", "claim"),
    [
        pytest.param(8, "0:1", _claim(protocol_at=8), id="a-field-elsewhere"),
        pytest.param(12, "0:1", _claim(protocol_bytes=4), id="a-wider-field"),
        pytest.param(12, "0:1", _claim("ethhdr_"), id="a-structure-nobody-knows"),
        pytest.param(12, "0:1", _claim("ethhdr___a___b"), id="a-flavour-in-the-name"),
        pytest.param(13, "0:1", _claim(), id="another-value-in-the-instruction"),
        pytest.param(44, "1:1", _claim(), id="an-element-of-an-array-of-them"),
        pytest.param(6, "0:0:6", _claim(), id="an-element-behind-the-last"),
        pytest.param(0, "0", _claim(), id="the-structure-itself"),
        pytest.param(12, "0:9", _claim(), id="no-field-of-it"),
    ],
)
def test_anything_else_is_not(value: int, access: str, claim: tuple[TypeTable, int]) -> None:
    assert not _settles(OFFSET, value, access, claim)


@pytest.mark.parametrize("kind", [k for k in CoreKind if k > CoreKind.FIELD_RSHIFT_U64])
def test_questions_about_types_are_never_settled(kind: CoreKind) -> None:
    for value in (0, 1, 32):
        assert not _settles(kind, value, "0")


def test_whether_a_field_exists_is_never_settled() -> None:
    assert not _settles(CoreKind.FIELD_EXISTS, 1)


def test_an_object_without_types_has_nothing_settled() -> None:
    record = CoreRelocation("main", 0, 1, "ethhdr", "0:1", OFFSET)
    assert not KnownAnswers(None, "little").settles(record, [mov(0, 12)])


def test_loads_and_wide_constants_are_settled_too_and_other_instructions_are_not() -> None:
    types, root = _claim()
    record = CoreRelocation("main", 0, root, "ethhdr", "0:1", OFFSET)
    known = KnownAnswers(types, "little")
    assert known.settles(record, [Instruction(0x69, 0, 1, 12)])
    assert known.settles(record, [Instruction(0x18, 0, 0, 0, 12), Instruction(0)])
    assert not known.settles(record, [Instruction(0x18, 0, 0, 0, 12), Instruction(0, immediate=1)])
    assert not known.settles(record, [Instruction(0xBF, 0, 1, 0, 12)])
    assert not known.settles(record, [])


def test_bitfields_are_settled_on_little_endian_machines_only() -> None:
    types = BtfBuilder()
    byte = types.integer("unsigned char", 1)
    members = [("ihl", byte, 4 << 24), ("version", byte, 4 << 24 | 4)]
    table, root = _built(types, types.struct("iphdr", 20, members, flag=True))
    for kind, value in ((OFFSET, 0), (CoreKind.FIELD_LSHIFT_U64, 56)):
        record = CoreRelocation("main", 0, root, "iphdr", "0:1", kind)
        assert KnownAnswers(table, "little").settles(record, [mov(0, value)])
        assert not KnownAnswers(table, "big").settles(record, [mov(0, value)])


# What the linker makes of it


def _moved_ethernet() -> KernelTypes:
    types = BtfBuilder()
    byte, number = types.integer("unsigned char", 1), types.integer("short", 2)
    types.struct("ethhdr", 20, [("h_dest", types.array(byte, 6), 0), ("h_proto", number, 144)])
    types.struct("task_struct", 8, [("pid", number, 0)])
    return KernelTypes.build(types.build())


def _without_ethernet() -> KernelTypes:
    types = BtfBuilder()
    types.integer()
    return KernelTypes.build(types.build())


@pytest.mark.parametrize("kernel", [None, _moved_ethernet(), _without_ethernet()])
def test_a_settled_record_stays_as_compiled_whatever_the_kernel_says(
    kernel: KernelTypes | None,
) -> None:
    made = _object([(0, "0:1", OFFSET)], [mov(0, 12)], _claim())
    assert not needs_kernel_types(made, "main")
    assert link(made, kernel, LinkSettings()).program("main").instructions[0] == mov(0, 12)


def test_a_claim_that_is_not_true_asks_for_the_kernel() -> None:
    made = _object([(0, "0:1", OFFSET)], [mov(0, 8)], _claim(protocol_at=8))
    assert needs_kernel_types(made, "main")
    with pytest.raises(CannotLink, match=r"program main: function main needs a CO-RE relocation"):
        link(made, None, LinkSettings())
    plan = link(made, _moved_ethernet(), LinkSettings()).program("main")
    assert plan.instructions[0] == mov(0, 18)
    lacking = link(made, _without_ethernet(), LinkSettings()).program("main")
    assert [each.path for each in lacking.poisons] == ["ethhdr.h_proto"]


def test_a_record_that_its_instruction_contradicts_is_damage() -> None:
    made = _object([(0, "0:1", OFFSET)], [mov(0, 13)], _claim())
    with pytest.raises(CorruptRelocation):
        link(made, _moved_ethernet(), LinkSettings())


def test_an_unrelated_record_changes_nothing_about_another() -> None:
    claim = _claim()
    alone = _object([(0, "0:1", OFFSET)], [mov(0, 12), mov(0, 1)], claim)
    both = _object(
        [(0, "0:1", OFFSET), (1, "0", CoreKind.TYPE_EXISTS)], [mov(0, 12), mov(0, 1)], claim
    )
    kernel = _moved_ethernet()
    first = link(alone, kernel, LinkSettings()).program("main").instructions[0]
    assert first == link(both, kernel, LinkSettings()).program("main").instructions[0]
    assert first == link(alone, None, LinkSettings()).program("main").instructions[0]


def test_the_id_of_a_type_of_the_object_is_put_in_without_a_kernel() -> None:
    claim = _claim()
    made = _object([(0, "0", CoreKind.TYPE_ID_LOCAL)], [mov(0, 99)], claim)
    assert not needs_kernel_types(made, "main")
    for kernel in (None, _moved_ethernet()):
        plan = link(made, kernel, LinkSettings()).program("main")
        assert plan.instructions[0] == mov(0, claim[1])


@pytest.mark.kernel
@pytest.mark.parametrize("name", KNOWN_LAYOUTS)
def test_this_kernel_agrees_about_every_field(name: str) -> None:
    kernel = KernelTypes.build(KERNEL_BTF.read_bytes())
    (type_id,) = kernel.find(name, Kind.STRUCT)
    types = kernel.table
    known = KnownAnswers(types, "little")
    settled = set()
    for index, member in enumerate(types.type(type_id).members):
        record = CoreRelocation("main", 0, type_id, name, f"0:{index}", OFFSET)
        offset = member.bit_offset // 8
        if member.bitfield_bits:
            unit = KNOWN_LAYOUTS[name].get(member.name)
            offset = 0 if unit is None else offset // unit.size * unit.size
        if member.name and known.settles(record, [mov(0, offset)]):
            settled.add(member.name)
    named = {path for path in KNOWN_LAYOUTS[name] if "." not in path}
    of_members = {member.name for member in types.type(type_id).members}
    assert settled == named & of_members
