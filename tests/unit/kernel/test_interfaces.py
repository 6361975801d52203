"""Netlink answers, well-formed and hostile."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skep.errors import SkepError
from skep.kernel.errors import KernelRefused
from skep.kernel.interfaces import parse_xdp_program_id


def _attribute(kind: int, payload: bytes) -> bytes:
    size = 4 + len(payload)
    return struct.pack("=HH", size, kind) + payload + bytes(-size % 4)


_MODE = _attribute(2, b"\1")
_NAME = _attribute(3, b"eth0\0")


@pytest.mark.parametrize(
    ("attributes", "program_id"),
    [
        pytest.param(_NAME + _attribute(43, _attribute(2, b"\0")), None, id="nothing-attached"),
        pytest.param(
            _NAME + _attribute(43, _MODE + _attribute(4, struct.pack("=I", 97))), 97, id="one"
        ),
        pytest.param(
            _attribute(43 | 0x8000, _MODE + _attribute(4, struct.pack("=I", 97))), 97, id="nested"
        ),
        pytest.param(
            _attribute(
                43,
                _attribute(2, b"\4")
                + _attribute(6, struct.pack("=I", 5))
                + _attribute(7, struct.pack("=I", 6)),
            ),
            5,
            id="several-modes",
        ),
        pytest.param(_attribute(43, _attribute(4, bytes(4))), None, id="zero"),
        pytest.param(_attribute(43, _attribute(4, b"\1")), None, id="too-short-for-a-number"),
        pytest.param(_NAME, None, id="no-xdp"),
        pytest.param(b"", None, id="empty"),
    ],
)
def test_the_program_id_is_found(attributes: bytes, program_id: int | None) -> None:
    assert parse_xdp_program_id(attributes) == program_id


@pytest.mark.parametrize(
    "attributes",
    [
        pytest.param(struct.pack("=HH", 0, 43), id="length-zero"),
        pytest.param(struct.pack("=HH", 3, 43), id="length-below-header"),
        pytest.param(struct.pack("=HH", 400, 43), id="length-beyond-the-end"),
    ],
)
def test_attributes_that_do_not_hold_together_are_refused(attributes: bytes) -> None:
    with pytest.raises(KernelRefused):
        parse_xdp_program_id(attributes)


@given(st.binary(max_size=64))
@settings(deadline=None, max_examples=200)
def test_any_bytes_give_an_id_or_one_of_our_errors(attributes: bytes) -> None:
    try:
        found = parse_xdp_program_id(attributes)
    except SkepError:
        return
    assert found is None or found > 0
