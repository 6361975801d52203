"""Netlink answers, well-formed and hostile."""

import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skep.errors import SkepError
from skep.kernel.attaching.xdp import program_ids
from skep.kernel.errors import InterfaceMissing, KernelRefused
from skep.kernel.interfaces import Interface, nested_attributes, parse_interface


def _attribute(kind: int, payload: bytes) -> bytes:
    size = 4 + len(payload)
    return struct.pack("=HH", size, kind) + payload + bytes(-size % 4)


def _ids(attributes: bytes) -> tuple[int, ...]:
    return program_ids(Interface(4, "eth0", 1500, dict(nested_attributes(attributes))))


_MODE = _attribute(2, b"\1")
_NAME = _attribute(3, b"eth0\0")


@pytest.mark.parametrize(
    ("attributes", "ids"),
    [
        pytest.param(_NAME + _attribute(43, _attribute(2, b"\0")), (), id="nothing-attached"),
        pytest.param(
            _NAME + _attribute(43, _MODE + _attribute(4, struct.pack("=I", 97))), (97,), id="one"
        ),
        pytest.param(
            _attribute(43 | 0x8000, _MODE + _attribute(4, struct.pack("=I", 97))),
            (97,),
            id="nested",
        ),
        pytest.param(
            _attribute(
                43,
                _attribute(2, b"\4")
                + _attribute(6, struct.pack("=I", 5))
                + _attribute(7, struct.pack("=I", 6)),
            ),
            (5, 6),
            id="several-modes",
        ),
        pytest.param(_attribute(43, _attribute(4, bytes(4))), (), id="zero"),
        pytest.param(_attribute(43, _attribute(4, b"\1")), (), id="too-short-for-a-number"),
        pytest.param(_NAME, (), id="no-xdp"),
        pytest.param(b"", (), id="empty"),
    ],
)
def test_the_program_id_is_found(attributes: bytes, ids: tuple[int, ...]) -> None:
    assert _ids(attributes) == ids


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
        _ids(attributes)


@given(st.binary(max_size=64))
@settings(deadline=None, max_examples=200)
def test_any_bytes_give_an_id_or_one_of_our_errors(attributes: bytes) -> None:
    try:
        found = _ids(attributes)
    except SkepError:
        return
    assert all(number > 0 for number in found)


_HEADER_BYTES = 16


def _message(kind: int, body: bytes) -> bytes:
    return struct.pack("=IHHII", _HEADER_BYTES + len(body), kind, 0, 1, 0) + body


def test_an_answer_gives_name_number_and_mtu() -> None:
    body = struct.pack("=BxHiII", 0, 1, 4, 0, 0) + _NAME + _attribute(4, struct.pack("=I", 9000))
    found = parse_interface(_message(16, body), "missing")
    assert (found.index, found.name, found.mtu) == (4, "eth0", 9000)


@pytest.mark.parametrize("number", [19, 22])
def test_the_kernel_says_that_there_is_none(number: int) -> None:
    with pytest.raises(InterfaceMissing, match="no such"):
        parse_interface(_message(2, struct.pack("=i", -number)), "no such")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(b"", id="empty"),
        pytest.param(_message(16, b""), id="nothing-in-it"),
        pytest.param(_message(2, struct.pack("=i", -13)), id="another-error"),
        pytest.param(_message(3, bytes(64)), id="another-message"),
    ],
)
def test_another_answer_is_refused(answer: bytes) -> None:
    with pytest.raises(KernelRefused):
        parse_interface(answer, "missing")


@given(st.binary(max_size=96))
@settings(deadline=None, max_examples=200)
def test_any_answer_gives_an_interface_or_one_of_our_errors(answer: bytes) -> None:
    for data in (answer, _message(16, answer)):
        try:
            parse_interface(data, "missing")
        except SkepError:
            continue
