"""What CO-RE records ask for, kind by kind: the object's type, the kernel's type, the answer."""

from collections.abc import Callable

import pytest
from tests.builders.btf import BtfBuilder

from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.btf.table import read_btf
from skep.bytecode.btf.types import Kind
from skep.bytecode.linking.core.kinds import CoreKind
from skep.bytecode.linking.core.values import Resolution, resolve_record
from skep.bytecode.linking.errors import CannotLink, CorruptRelocation
from skep.bytecode.objectfile.model import CoreRelocation
from skep.errors import Malformed

SIGNED = 1 << 24
Make = Callable[[BtfBuilder], int]


def _ask(local: Make, target: Make, kind: CoreKind, access: str = "0") -> Resolution:
    mine, theirs = BtfBuilder(), BtfBuilder()
    root = local(mine)
    target(theirs)
    types = read_btf(mine.build(), "little")
    record = CoreRelocation("entry", 0, root, types.type(root).name, access, kind)
    return resolve_record(record, types, KernelTypes.build(theirs.build()), "little")


def _signed(types: BtfBuilder) -> int:
    return types.raw(Kind.INT, "int", value=4, tail=[SIGNED | 32])


def _nothing(types: BtfBuilder) -> int:
    return types.integer("nothing")


def _plain(types: BtfBuilder) -> int:
    number = types.integer()
    array = types.array(number, 4)
    return types.struct("s", 24, [("a", number, 0), ("b", number, 32), ("c", array, 64)])


def _moved(types: BtfBuilder) -> int:
    wide, number = types.integer("long", 8), _signed(types)
    array = types.array(number, 8)
    inner = types.struct("", 40, [("c", array, 0), ("b", number, 256)])
    return types.struct("s___v2", 64, [("pad", wide, 0), ("", inner, 64), ("a", wide, 448)])


def _bits(types: BtfBuilder) -> int:
    number = types.integer()
    members = [("a", number, 3 << 24), ("b", number, 5 << 24 | 3)]
    return types.struct("s", 4, members, flag=True)


def _bits_across(types: BtfBuilder) -> int:
    """``b`` of 20 bits begins in the middle of the first word and ends in the second."""
    number = _signed(types)
    members = [("a", number, 20 << 24), ("b", number, 20 << 24 | 20)]
    return types.struct("s", 8, members, flag=True)


def _flexible(types: BtfBuilder) -> int:
    number = types.integer()
    return types.struct("s", 8, [("a", number, 0), ("c", types.array(number, 0), 64)])


def _short(types: BtfBuilder) -> int:
    number = types.integer()
    return types.struct("s", 8, [("a", number, 0), ("c", types.array(number, 2), 64)])


K = CoreKind


@pytest.mark.parametrize(
    ("local", "target", "kind", "access", "expected"),
    [
        pytest.param(_plain, _moved, K.FIELD_BYTE_OFFSET, "0:1", (4, 40), id="through-anonymous"),
        pytest.param(_plain, _moved, K.FIELD_BYTE_OFFSET, "0:2", (8, 8), id="offset-of-array"),
        pytest.param(_plain, _moved, K.FIELD_BYTE_OFFSET, "0:2:3", (20, 20), id="element"),
        pytest.param(_plain, _moved, K.FIELD_BYTE_OFFSET, "2:0", (48, 184), id="root-as-array"),
        pytest.param(_plain, _short, K.FIELD_BYTE_OFFSET, "0:2:3", (20, None), id="beyond-array"),
        pytest.param(_plain, _flexible, K.FIELD_BYTE_OFFSET, "0:2:3", (20, 20), id="flexible"),
        pytest.param(_plain, _nothing, K.FIELD_BYTE_OFFSET, "0:1", (4, None), id="no-type"),
        pytest.param(_plain, _short, K.FIELD_BYTE_OFFSET, "0:1", (4, None), id="no-field"),
        pytest.param(_bits, _bits_across, K.FIELD_BYTE_OFFSET, "0:1", (0, 0), id="bitfield-offset"),
        pytest.param(_plain, _moved, K.FIELD_BYTE_SIZE, "0:0", (4, 8), id="size"),
        pytest.param(_plain, _moved, K.FIELD_BYTE_SIZE, "0:2", (16, 32), id="size-of-array"),
        pytest.param(_plain, _moved, K.FIELD_BYTE_SIZE, "0:2:1", (4, 4), id="size-of-element"),
        pytest.param(_bits, _bits_across, K.FIELD_BYTE_SIZE, "0:1", (4, 8), id="widened-unit"),
        pytest.param(_plain, _short, K.FIELD_BYTE_SIZE, "0:1", (4, None), id="size-of-nothing"),
        pytest.param(_plain, _moved, K.FIELD_EXISTS, "0:1", (1, 1), id="exists"),
        pytest.param(_plain, _short, K.FIELD_EXISTS, "0:1", (1, 0), id="exists-not"),
        pytest.param(_plain, _nothing, K.FIELD_EXISTS, "0:1", (1, 0), id="exists-nowhere"),
        pytest.param(_plain, _moved, K.FIELD_SIGNED, "0:1", (0, 1), id="sign"),
        pytest.param(_bits, _bits_across, K.FIELD_SIGNED, "0:1", (0, 1), id="sign-of-bitfield"),
        pytest.param(_plain, _short, K.FIELD_SIGNED, "0:1", (0, None), id="sign-of-nothing"),
        pytest.param(_bits, _bits_across, K.FIELD_LSHIFT_U64, "0:1", (56, 24), id="left"),
        pytest.param(_bits, _bits_across, K.FIELD_RSHIFT_U64, "0:1", (59, 44), id="right"),
        pytest.param(_bits, _short, K.FIELD_LSHIFT_U64, "0:1", (56, None), id="left-of-nothing"),
        pytest.param(_bits, _short, K.FIELD_RSHIFT_U64, "0:1", (59, None), id="right-of-nothing"),
        pytest.param(_plain, _nothing, K.TYPE_ID_LOCAL, "0", (3, 3), id="local-id"),
        pytest.param(_plain, _moved, K.TYPE_ID_TARGET, "0", (3, 5), id="kernel-id"),
        pytest.param(_plain, _nothing, K.TYPE_ID_TARGET, "0", (3, 0), id="kernel-id-of-nothing"),
        pytest.param(_plain, _moved, K.TYPE_EXISTS, "0", (1, 1), id="type-exists"),
        pytest.param(_plain, _nothing, K.TYPE_EXISTS, "0", (1, 0), id="type-exists-not"),
        pytest.param(_plain, _moved, K.TYPE_SIZE, "0", (24, 64), id="type-size"),
        pytest.param(_plain, _nothing, K.TYPE_SIZE, "0", (24, 0), id="type-size-of-nothing"),
        pytest.param(_short, _short, K.TYPE_MATCHES, "0", (1, 1), id="matches"),
        pytest.param(_plain, _short, K.TYPE_MATCHES, "0", (1, 0), id="more-members"),
        pytest.param(_short, _flexible, K.TYPE_MATCHES, "0", (1, 0), id="array-of-other-length"),
    ],
)
def test_the_answer_for_a_type_or_field(
    local: Make, target: Make, kind: CoreKind, access: str, expected: tuple[int, int | None]
) -> None:
    found = _ask(local, target, kind, access)
    assert (found.local.value, found.target and found.target.value) == expected


def _enum(*values: tuple[str, int], name: str = "e", wide: bool = False) -> Make:
    def make(types: BtfBuilder) -> int:
        return types.enum64(name, values) if wide else types.enum(name, values)

    return make


@pytest.mark.parametrize(
    ("target", "kind", "expected"),
    [
        pytest.param(_enum(("A", 7)), K.ENUMVAL_VALUE, 7, id="value"),
        pytest.param(_enum(("B", 1), ("A___new", 9)), K.ENUMVAL_VALUE, 9, id="flavour"),
        pytest.param(_enum(("A", 1 << 40), wide=True), K.ENUMVAL_VALUE, 1 << 40, id="enum64"),
        pytest.param(_enum(("B", 7)), K.ENUMVAL_VALUE, None, id="no-enumerator"),
        pytest.param(_enum(("A", 7), name="f"), K.ENUMVAL_VALUE, None, id="no-enum"),
        pytest.param(_enum(("A", 7)), K.ENUMVAL_EXISTS, 1, id="exists"),
        pytest.param(_enum(("B", 7)), K.ENUMVAL_EXISTS, 0, id="exists-not"),
    ],
)
def test_the_answer_for_an_enumerator(target: Make, kind: CoreKind, expected: int | None) -> None:
    found = _ask(_enum(("Z", 0), ("A___mine", 3), name="e___mine"), target, kind, "1")
    assert found.local.value == (3 if kind is K.ENUMVAL_VALUE else 1)
    assert (found.target and found.target.value) == expected
    assert found.path == "e.A"


def _pair(*others: tuple[str, int]) -> Make:
    def make(types: BtfBuilder) -> int:
        number = types.integer()
        for name, offset in others:
            types.struct(name, 64, [("a", number, 0), ("b", number, offset * 8)])
        return 1

    return make


def test_several_candidates_with_one_answer_are_one() -> None:
    found = _ask(_plain, _pair(("s", 12), ("s___old", 12)), K.FIELD_BYTE_OFFSET, "0:1")
    assert found.target is not None
    assert found.target.value == 12


def test_several_candidates_with_several_answers_are_refused_with_both() -> None:
    with pytest.raises(CannotLink, match=r"s\.b.*12 by type 2.*16 by type 3"):
        _ask(_plain, _pair(("s", 12), ("s", 16)), K.FIELD_BYTE_OFFSET, "0:1")


def test_a_type_without_name_has_no_counterpart() -> None:
    def anonymous(types: BtfBuilder) -> int:
        return types.struct("", 4, [("a", types.integer(), 0)])

    with pytest.raises(CannotLink, match="without name"):
        _ask(anonymous, _plain, K.FIELD_BYTE_OFFSET, "0:0")
    assert _ask(anonymous, _plain, K.TYPE_ID_LOCAL).local.value == 2


@pytest.mark.parametrize(
    ("kind", "access"),
    [
        pytest.param(K.FIELD_BYTE_OFFSET, "0:9", id="no-such-member"),
        pytest.param(K.FIELD_BYTE_OFFSET, "0:2:4", id="beyond-the-array"),
        pytest.param(K.FIELD_BYTE_OFFSET, "0:0:0", id="into-a-number"),
        pytest.param(K.FIELD_BYTE_OFFSET, "", id="empty"),
        pytest.param(K.FIELD_BYTE_OFFSET, "0:", id="half"),
        pytest.param(K.FIELD_BYTE_OFFSET, "-1:0", id="negative"),
        pytest.param(K.FIELD_BYTE_OFFSET, "0" + ":0" * 64, id="too-long"),
        pytest.param(K.FIELD_SIGNED, "0:2:1", id="sign-of-an-element"),
        pytest.param(K.TYPE_EXISTS, "0:1", id="field-of-a-type"),
        pytest.param(K.ENUMVAL_VALUE, "0", id="enumerator-of-a-struct"),
    ],
)
def test_accesses_that_the_objects_own_types_do_not_have_are_refused(
    kind: CoreKind, access: str
) -> None:
    with pytest.raises(CorruptRelocation) as caught:
        _ask(_plain, _moved, kind, access)
    assert isinstance(caught.value, Malformed)


def test_a_bitfield_wider_than_a_load_is_refused() -> None:
    def wide(types: BtfBuilder) -> int:
        number = types.integer("long", 8)
        return types.struct("s", 16, [("a", number, 8), ("b", number, 60 << 24 | 30)], flag=True)

    with pytest.raises(CannotLink, match=r"s\.b"):
        _ask(_bits, wide, K.FIELD_LSHIFT_U64, "0:1")


def test_the_left_shift_depends_on_the_byte_order() -> None:
    types = BtfBuilder("big")
    root = _bits(types)
    kernel = BtfBuilder()
    _bits(kernel)
    table = read_btf(types.build(), "big")
    record = CoreRelocation("entry", 0, root, "s", "0:1", K.FIELD_LSHIFT_U64)
    found = resolve_record(record, table, KernelTypes.build(kernel.build()), "big")
    assert found.local.value == 32 + 3


def test_structs_that_contain_themselves_are_refused_in_time() -> None:
    def endless(types: BtfBuilder) -> int:
        own = len(types.types) + 1
        return types.struct("s", 8, [("a", own, 0), ("b", own, 0), ("c", own, 0)])

    with pytest.raises(CannotLink, match="deep"):
        _ask(endless, endless, K.TYPE_MATCHES)


def test_anonymous_members_that_contain_themselves_are_refused_in_time() -> None:
    def endless(types: BtfBuilder) -> int:
        own = len(types.types) + 1
        return types.struct("s", 8, [("", own, 0), ("", own, 0)])

    with pytest.raises(CannotLink, match="deep"):
        _ask(_plain, endless, K.FIELD_BYTE_OFFSET, "0:1")
