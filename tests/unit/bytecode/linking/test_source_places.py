"""Lines of the source, by the slot of a plan."""

import pytest
from tests.builders.btf import BtfBuilder

from skep.bytecode.linking.plan import LinePlace
from skep.bytecode.linking.source_places import source_place

BUILDER = BtfBuilder()
FILE = BUILDER.string("/home/somebody/prog.bpf.c")
TEXT = BUILDER.string("\trate = *config;")
ANSI = BUILDER.string("a\x1b[2Jb")
BTF = BUILDER.build()
LINES = (LinePlace(0, FILE, TEXT, 82 << 10 | 5), LinePlace(4, FILE, ANSI, 83 << 10))


@pytest.mark.parametrize("slot", [0, 3])
def test_a_slot_is_from_the_last_line_before_it(slot: int) -> None:
    assert str(source_place(LINES, BTF, slot)) == "prog.bpf.c:82  rate = *config;"


def test_what_a_terminal_obeys_is_not_in_it() -> None:
    assert str(source_place(LINES, BTF, 9)) == "prog.bpf.c:83  a [2Jb"


def test_nothing_is_known_without_lines_or_types() -> None:
    assert source_place((), BTF, 0) is None
    assert source_place(LINES, None, 0) is None
    assert source_place(LINES[1:], BTF, 0) is None


@pytest.mark.parametrize("offset", [1 << 31, len(BTF), 2**32 - 1])
def test_strings_that_are_not_there_are_empty(offset: int) -> None:
    assert str(source_place((LinePlace(0, offset, offset, 1 << 10),), BTF, 0)) == ":1"
    assert str(source_place((LinePlace(0, FILE, TEXT, 1 << 10),), b"", 0)) == ":1"
