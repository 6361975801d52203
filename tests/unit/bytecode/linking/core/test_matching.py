"""Which types may stand for each other."""

from collections.abc import Callable

import pytest
from tests.builders.btf import BtfBuilder

from skep.bytecode.btf.table import read_btf
from skep.bytecode.btf.types import Kind
from skep.bytecode.linking.core.matching import Matcher

Make = Callable[[BtfBuilder], int]


def _compare(local: Make, target: Make) -> tuple[bool, bool]:
    """Whether they are compatible, and whether they match."""
    mine, theirs = BtfBuilder(), BtfBuilder()
    local_id, target_id = local(mine), target(theirs)
    matcher = Matcher(read_btf(mine.build(), "little"), read_btf(theirs.build(), "little"))
    return matcher.types_compatible(local_id, target_id), matcher.types_match(local_id, target_id)


def _int(name: str = "int", size: int = 4, *, encoding: int = 0, offset: int = 0) -> Make:
    packed = encoding << 24 | offset << 16 | size * 8
    return lambda types: types.raw(Kind.INT, name, value=size, tail=[packed])


def _named(kind: Kind, name: str, *, flag: bool = False, size: int = 0) -> Make:
    return lambda types: types.raw(kind, name, value=size, flag=flag)


def _to(inner: Make) -> Make:
    return lambda types: types.pointer(inner(types))


def _array(inner: Make, count: int) -> Make:
    return lambda types: types.array(inner(types), count)


def _const(inner: Make) -> Make:
    return lambda types: types.modifier(Kind.CONST, inner(types))


def _struct(*members: tuple[str, Make], name: str = "s") -> Make:
    def make(types: BtfBuilder) -> int:
        found = [(member, inner(types), 0) for member, inner in members]
        return types.struct(name, 8, found)

    return make


def _prototype(*parameters: Make, result: Make | None = None) -> Make:
    def make(types: BtfBuilder) -> int:
        given = result(types) if result is not None else 0
        tail = [word for inner in parameters for word in (0, inner(types))]
        return types.raw(Kind.FUNC_PROTO, count=len(parameters), value=given, tail=tail)

    return make


def _enum(*names: str, name: str = "e", wide: bool = False) -> Make:
    values = [(each, 0) for each in names]
    return lambda types: types.enum64(name, values) if wide else types.enum(name, values)


S, U, F = Kind.STRUCT, Kind.UNION, Kind.FWD


@pytest.mark.parametrize(
    ("local", "target", "expected"),
    [
        pytest.param(_int(), _int(), (True, True), id="int"),
        pytest.param(_int(), _int(size=8), (True, False), id="int-of-other-size"),
        pytest.param(_int(), _int(encoding=1), (True, False), id="int-of-other-sign"),
        pytest.param(_int(), _int(offset=3), (False, True), id="int-inside-its-storage"),
        pytest.param(_int(), _int("long"), (True, False), id="int-of-other-name"),
        pytest.param(_int(), _to(_int()), (False, False), id="int-and-pointer"),
        pytest.param(_named(S, "s"), _named(S, "s"), (True, True), id="struct"),
        pytest.param(_named(S, "s"), _named(U, "s"), (False, False), id="struct-and-union"),
        pytest.param(_named(S, "s"), _named(F, "s"), (False, False), id="struct-and-forward"),
        pytest.param(_to(_named(S, "s")), _to(_named(F, "s")), (False, True), id="pointer-forward"),
        pytest.param(
            _to(_named(S, "s")), _to(_named(F, "s", flag=True)), (False, False), id="pointer-union"
        ),
        pytest.param(_to(_named(F, "s")), _to(_named(S, "s")), (False, True), id="forward-pointer"),
        pytest.param(_named(F, "s"), _named(F, "s"), (True, True), id="forward"),
        pytest.param(_named(F, "s"), _named(F, "s", flag=True), (True, False), id="forward-union"),
        pytest.param(_to(_int()), _to(_const(_int())), (True, True), id="qualifiers"),
        pytest.param(_array(_int(), 2), _array(_int(), 3), (True, False), id="array-length"),
        pytest.param(_array(_int(), 2), _array(_to(_int()), 2), (False, False), id="array-element"),
        pytest.param(
            _struct(("a", _int())),
            _struct(("b", _int()), ("a___x", _int()), name="s___x"),
            (True, True),
            id="member-among-others",
        ),
        pytest.param(
            _struct(("a", _int())), _struct(("a", _int(size=8))), (True, False), id="member-type"
        ),
        pytest.param(
            _to(_struct(("a", _int()))), _to(_struct()), (True, True), id="members-behind-pointer"
        ),
        pytest.param(_enum("A"), _enum("B", "A___x"), (True, True), id="enumerators"),
        pytest.param(_enum("A"), _enum("B", "C"), (True, False), id="enumerator-missing"),
        pytest.param(_enum("A"), _enum("A", wide=True), (True, False), id="enum64-of-other-size"),
        pytest.param(
            _named(Kind.FLOAT, "double", size=8),
            _named(Kind.FLOAT, "double", size=8),
            (False, False),
            id="float-has-no-rule",
        ),
        pytest.param(_prototype(_int()), _prototype(_int()), (True, True), id="prototype"),
        pytest.param(_prototype(_int()), _prototype(), (False, False), id="parameters"),
        pytest.param(
            _prototype(_int()), _prototype(_to(_int())), (False, False), id="parameter-type"
        ),
        pytest.param(
            _prototype(result=_int()), _prototype(result=_int(size=8)), (True, False), id="result"
        ),
    ],
)
def test_compatible_and_matching(local: Make, target: Make, expected: tuple[bool, bool]) -> None:
    assert _compare(local, target) == expected
