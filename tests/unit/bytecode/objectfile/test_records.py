"""BTF.ext: lines of source, types of functions and CO-RE records by function and slot."""

import pytest
from tests.builders.btf import BtfBuilder, ByteOrder
from tests.builders.elf import RETURN_2, licensed
from tests.builders.objects import fixture, function

from skep.bytecode.objectfile.errors import MalformedObject
from skep.bytecode.objectfile.model import CoreRelocation, SourceLine
from skep.bytecode.objectfile.reading import read_object
from skep.bytecode.objectfile.records import line_at


def _object(types: BtfBuilder, extension: bytes) -> bytes:
    builder = licensed(types.byteorder)
    code = builder.code("xdp", [*RETURN_2, *RETURN_2])
    builder.symbol("one", code, 0)
    builder.symbol("two", code, 16)
    builder.section(".BTF", types.build())
    builder.section(".BTF.ext", extension)
    return builder.build()


@pytest.mark.parametrize("order", ["little", "big"])
def test_bytes_of_sections_become_slots_of_functions(order: ByteOrder) -> None:
    types = BtfBuilder(order)
    root = types.struct("task___old", 4, [])
    kind = types.function("two")
    file, text, access = (types.string(each) for each in ("a.c", "\treturn 2;\x1b", "0:1"))
    extension = types.extension(
        functions=[("xdp", [(16, kind), (24, 9999)])],
        lines=[("xdp", [(24, file, text, 7 << 10 | 3), (4000, file, text, 1)]), ("gone", [])],
        core=[("xdp", [(8, root, access, 0)])],
    )
    result = read_object(_object(types, extension))
    assert result.core_relocations == (CoreRelocation("one", 1, root, "task___old", "0:1", 0),)
    assert function(result, "two").type_id == kind
    assert function(result, "one").type_id == 0
    lines = result.source_lines
    assert lines[0] == SourceLine("two", 1, "a.c", 7, 3, " return 2;\ufffd")
    assert len(lines) == 1, "byte 4000 is behind the code"
    assert result.has_btf


@pytest.mark.parametrize(
    ("section", "record"),
    [
        pytest.param("xdp", (4, 0, 0, 0), id="between-slots"),
        pytest.param("xdp", (32, 0, 0, 0), id="behind-the-code"),
        pytest.param("xdp", (0, 0, 0, 13), id="unknown-kind"),
        pytest.param("xdp", (0, 99, 0, 0), id="unknown-type"),
        pytest.param("xdp", (0, 0, 9999, 0), id="unknown-string"),
        pytest.param(".data", (0, 0, 0, 0), id="not-code"),
    ],
)
def test_core_records_that_would_be_lost_are_refused(
    section: str, record: tuple[int, int, int, int]
) -> None:
    types = BtfBuilder()
    extension = types.extension(core=[(section, [record])])
    with pytest.raises(MalformedObject):
        read_object(_object(types, extension))


def test_records_without_types_are_remarked() -> None:
    builder = licensed()
    builder.section(".BTF.ext", b"anything")
    assert "without .BTF" in read_object(builder.build()).remarks[0]


@pytest.mark.parametrize("order", ["little", "big"])
def test_the_line_of_an_instruction_is_the_last_that_begins_before_it(order: ByteOrder) -> None:
    types = BtfBuilder(order)
    text = types.string("x")
    places = [(24, 4), (8, 1), (16, 2), (16, 3), (4000, 9)]
    lines = [("xdp", [(place, text, text, line << 10) for place, line in places])]
    result = read_object(_object(types, types.extension(lines=lines)))
    for known in (result.source_lines, tuple(result.source_lines)):
        found = {
            (name, slot): line_at(known, name, slot) for name in ("one", "two") for slot in (0, 1)
        }
        assert {place: line and line.line for place, line in found.items()} == {
            ("one", 0): None,
            ("one", 1): 1,
            ("two", 0): 3,
            ("two", 1): 4,
        }
        assert line_at(known, "nobody", 0) is None
    assert line_at(result.source_lines, "one", 1) == result.source_lines[1]


def test_a_compiled_object_knows_its_lines() -> None:
    result = fixture("pass")
    (line,) = result.source_lines
    assert (line.function, line.slot) == ("pass", 0)
    assert line.file.endswith("pass.bpf.c")
    assert "return XDP_PASS;" in line.text


def test_objects_read_twice_are_equal() -> None:
    assert fixture("maps") == fixture("maps")
    assert hash(fixture("maps")) == hash(fixture("maps"))
    assert fixture("maps") != fixture("data")
