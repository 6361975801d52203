"""Pictures of control flow: places without overlap, XML that is XML, attacks that stay text."""

import time
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skep.bytecode.analysis.errors import GraphTooLarge
from skep.bytecode.analysis.graph.content import MOST_BLOCKS, graph_of
from skep.bytecode.analysis.graph.layout import Arrow, BlockSize, lay_out
from skep.bytecode.analysis.graph.svg import draw
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.objectfile.model import Function, ObjectFile


def _object(*instructions: Instruction, name: str = "main") -> ObjectFile:
    function = Function(name, "xdp", 0, instructions, ())
    return ObjectFile("little", (function,), (), (), (), (), None)


def _text(function: Function, slot: int) -> str:
    return f"{function.instructions[slot].opcode:02x}"


@given(st.data())
@settings(deadline=None, max_examples=60)
def test_every_box_has_a_place_and_no_two_overlap_nor_does_an_arrow_cross_one(
    data: st.DataObject,
) -> None:
    count = data.draw(st.integers(1, 14))
    numbers = st.integers(0, count - 1)
    arrows = data.draw(
        st.lists(st.builds(Arrow, numbers, numbers, st.sampled_from(["yes", "no"])), max_size=25)
    )
    sizes = [BlockSize(120.0 + 20 * (n % 5), 40.0 + 16 * (n % 7)) for n in range(count)]
    layout = lay_out(sizes, arrows)
    assert layout == lay_out(sizes, list(reversed(arrows)))
    assert len(layout.boxes) == count
    for index, one in enumerate(layout.boxes):
        assert one.x >= 0
        assert one.x + one.width <= layout.width + 1
        for two in layout.boxes[index + 1 :]:
            apart = one.x + one.width <= two.x or two.x + two.width <= one.x
            assert apart or one.y + one.height <= two.y or two.y + two.height <= one.y
        for route in layout.routes:
            for a, b, c, d in route.strokes:
                left, right, top, bottom = min(a, c), max(a, c), min(b, d), max(b, d)
                beside = right <= one.x or left >= one.x + one.width
                assert beside or bottom <= one.y or top >= one.y + one.height


def test_names_cannot_leave_their_text() -> None:
    attack = '</text><script>alert(1)</script>&\x00\x1b\x0b\ud800\ufffe\u202e"'
    svg = draw(graph_of(_object(Instruction(0x95), name=attack), attack, lambda *_: attack))
    svg.encode()
    tags = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(svg).iter()}  # noqa: S314  our own bytes
    assert tags <= {"svg", "style", "rect", "path", "text", "g"}
    assert "\u202e" not in svg


def test_unreachable_code_is_grey_and_long_blocks_are_cut() -> None:
    moves = [Instruction(0xB7)] * 30
    svg = draw(graph_of(_object(*moves, Instruction(0x95), Instruction(0x95)), "main", _text))
    assert 'class="dead"' in svg
    assert "… 20 more" in svg


def test_as_many_blocks_as_allowed_are_drawn_at_once_and_more_are_refused() -> None:
    jumps = [Instruction(0x15, offset=MOST_BLOCKS - 2 - n) for n in range(MOST_BLOCKS - 1)]
    before = time.perf_counter()
    draw(graph_of(_object(*jumps, Instruction(0x95)), "main", _text))
    assert time.perf_counter() - before < 5  # about 0.2 s; a hang is what this is about
    with pytest.raises(GraphTooLarge, match=str(MOST_BLOCKS)):
        graph_of(_object(*[Instruction(0x15)] * MOST_BLOCKS, Instruction(0x95)), "main", _text)
