"""Removing debug sections: what stays is what was, and nothing but an object is taken."""

import contextlib
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.builders.compiled import bundled_object

from skep.bytecode.objectfile.reading import read_object
from skep.compiling.errors import CompilerUnsuitable
from skep.compiling.stripping import strip_debug


def test_stripping_twice_changes_nothing() -> None:
    data = bundled_object("port-filter")
    assert strip_debug(data) == data


def test_names_of_removed_sections_do_not_stay() -> None:
    assert b"debug" not in bundled_object("port-filter")


def test_an_object_reads_the_same_afterwards() -> None:
    # The bundled object is stripped already; this is about the layout being valid to a reader.
    read = read_object(bundled_object("ratelimiting"))
    assert {each.name for each in read.maps} == {
        "rl_config",
        "rl_ports",
        "rl_windows",
        "rl_received",
        "rl_dropped",
    }
    assert read.source_lines


@pytest.mark.parametrize(
    ("offset", "change"),
    [
        pytest.param(0, b"\x7fELG", id="magic"),
        pytest.param(4, b"\1", id="32-bit"),
        pytest.param(5, b"\2", id="big-endian"),
        pytest.param(16, b"\2\0", id="executable"),
        pytest.param(18, b"\x3e\0", id="x86-64"),
        pytest.param(40, b"\xff" * 8, id="section-table-outside"),
        pytest.param(58, b"\x20\0", id="section-header-size"),
        pytest.param(62, b"\xff\xff", id="names-outside"),
    ],
)
def test_what_is_no_bpf_object_is_refused(offset: int, change: bytes) -> None:
    data = bytearray(bundled_object("port-filter"))
    data[offset : offset + len(change)] = change
    with pytest.raises(CompilerUnsuitable):
        strip_debug(bytes(data))


@pytest.mark.parametrize("length", [0, 1, 63, 64, 1000])
def test_a_cut_object_is_refused(length: int) -> None:
    with pytest.raises(CompilerUnsuitable):
        strip_debug(bundled_object("port-filter")[:length])


def test_a_reference_to_a_debug_section_is_refused() -> None:
    data = bytearray(bundled_object("port-filter"))
    # Rename a section that code refers to: ".maps" becomes a debug section by its name only.
    at = data.index(b"\0.maps\0") + 1
    (section_table,) = struct.unpack_from("<Q", data, 40)
    (count,) = struct.unpack_from("<H", data, 60)
    (strings,) = (
        offset
        for n in range(count)
        for kind, offset in [struct.unpack_from("<4xI16xQ", data, section_table + n * 64)]
        if kind == 3
    )
    for n in range(count):
        (name,) = struct.unpack_from("<I", data, section_table + n * 64)
        if name == at - strings:
            longer = data.index(b"\0port_filter\0") + 1
            struct.pack_into("<I", data, section_table + n * 64, longer - strings)
            data[longer : longer + 11] = b".debug_maps"
    with pytest.raises(CompilerUnsuitable, match="debug section"):
        strip_debug(bytes(data))


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damage_is_refused_or_survived_but_never_a_stray_error(data: st.DataObject) -> None:
    damaged = bytearray(bundled_object("port-filter"))
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(0, len(damaged) - 1))
        damaged[at] = data.draw(st.integers(0, 255))
    with contextlib.suppress(CompilerUnsuitable):
        strip_debug(bytes(damaged))
