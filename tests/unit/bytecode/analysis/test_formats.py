"""Format strings: which of their conversions follow an address."""

import pytest

from skep.bytecode.analysis.formats import FOLLOWS, parse_format


@pytest.mark.parametrize(
    ("text", "reads"),
    [
        pytest.param(b"nothing", (), id="no-conversion"),
        pytest.param(b"100 %%", (), id="percent-sign"),
        pytest.param(b"%d %u %x %i %X", ("",) * 5, id="numbers"),
        pytest.param(b"%ld %lld %llx %hd", ("",) * 4, id="sizes"),
        pytest.param(b"%c", ("",), id="character"),
        pytest.param(b"%p %px %pK", ("",) * 3, id="addresses-as-numbers"),
        pytest.param(b"%pS %ps %pB", ("",) * 3, id="names-of-addresses"),
        pytest.param(b"%s", ("both",), id="text-of-anybody"),
        pytest.param(b"%pks", ("kernel",), id="text-of-the-kernel"),
        pytest.param(b"%pus", ("user",), id="text-of-a-process"),
        pytest.param(b"%pi4 %pI4 %pi6 %pI6", ("kernel",) * 4, id="addresses-of-the-network"),
        pytest.param(b"%-20s|%08x|% 5d", ("both", "", ""), id="width"),
        pytest.param(b"%.3s", ("both",), id="precision"),
        pytest.param(b"%d%s", ("", "both"), id="second"),
    ],
)
def test_conversions(text: bytes, reads: tuple[str, ...]) -> None:
    known = parse_format(text)
    assert known is not None
    assert known.reads == reads


@pytest.mark.parametrize("text", [b"%", b"%q", b"%5%", b"a %\xff", b"%n", b"%l"])
def test_a_conversion_we_do_not_know_makes_the_format_unknown(text: bytes) -> None:
    assert parse_format(text) is None


@pytest.mark.parametrize("text", [b"x%s", b"%pks", b"%pus", b"%pI6", b"%-20s", b"%0+ 3s"])
def test_a_conversion_that_follows_is_found_anywhere(text: bytes) -> None:
    assert FOLLOWS.search(b"\0other text\0" + text + b"\0")


@pytest.mark.parametrize("text", [b"%d", b"%px", b"%c", b"s", b"%pK"])
def test_a_conversion_that_does_not_follow_is_left_alone(text: bytes) -> None:
    assert not FOLLOWS.search(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [(b"%pS", True), (b"%d %ps", True), (b"%-30pB", True), (b"%p %px %s pS", False)],
)
def test_addresses_that_are_printed_as_symbols(text: bytes, *, expected: bool) -> None:
    # The attack: a program that looks up names by address finds out where the kernel is.
    known = parse_format(text)
    assert known is not None
    assert known.names_symbols == expected
