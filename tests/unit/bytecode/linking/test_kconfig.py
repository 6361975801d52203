"""Values of the kernel's configuration: where they are put, what they become, what is refused."""

import re

import pytest
from tests.builders.btf import BtfBuilder

from skep.bytecode.btf.table import read_btf
from skep.bytecode.btf.types import Kind
from skep.bytecode.linking.errors import CannotLink, SettingRequired
from skep.bytecode.linking.kconfig import ConfigurationMap, plan_configuration
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.objectfile.model import Extern

SIGNED, BOOLEAN = 1 << 24, 4 << 24
VERSION = 6 << 16 | 18 << 8 | 44


def integer(builder: BtfBuilder, size: int, encoding: int = 0) -> int:
    return builder.raw(Kind.INT, f"i{size}", value=size, tail=[encoding | size * 8])


def text(builder: BtfBuilder, size: int) -> int:
    return builder.array(integer(builder, 1, SIGNED), size)


def tristate(builder: BtfBuilder) -> int:
    return builder.enum("libbpf_tristate", [("TRI_NO", 0), ("TRI_YES", 1), ("TRI_MODULE", 2)])


def planned(
    *declared: tuple[str, str, int],
    weak: bool = False,
    version: int = VERSION,
    is_known: bool = True,
    **values: str,
) -> ConfigurationMap:
    """Plan (name, form, size) with ``values`` as the kernel's configuration."""
    builder = BtfBuilder()
    entries = []
    for name, form, size in declared:
        match form:
            case "text":
                made = text(builder, size)
            case "tristate":
                made = tristate(builder)
            case "boolean":
                made = integer(builder, size, BOOLEAN)
            case "signed":
                made = integer(builder, size, SIGNED)
            case "struct":
                made = builder.struct("s", size, [])
            case _:
                made = integer(builder, size)
        entries.append((builder.raw(Kind.VAR, name, value=made, tail=[2]), 0, 0))
    builder.datasec(".kconfig", entries)
    externs = [Extern(name, "kconfig", weak) for name, _, _ in declared]
    config = {f"CONFIG_{name}": value for name, value in values.items()} if is_known else None
    settings = LinkSettings(kernel_config=config, kernel_version=version)
    return plan_configuration(externs, read_btf(builder.build(), "little"), settings)


def value(form: str, size: int, written: str, *, weak: bool = False) -> bytes:
    plan = planned(("CONFIG_X", form, size), weak=weak, X=written).plan
    return dict(plan.contents).get(b"\0\0\0\0", bytes(plan.value_size))


def test_the_widest_come_first_and_all_are_aligned() -> None:
    found = planned(
        ("CONFIG_A", "boolean", 1),
        ("CONFIG_B", "number", 8),
        ("CONFIG_C", "text", 3),
        ("CONFIG_D", "number", 4),
        A="y",
        B="1",
        C='"x"',
        D="2",
    )
    assert dict(found.offsets) == {"CONFIG_B": 0, "CONFIG_D": 8, "CONFIG_A": 12, "CONFIG_C": 13}
    assert found.plan.value_size == 16
    assert (found.plan.name, found.plan.map_type, found.plan.flags) == (".kconfig", 2, 0x80)
    assert found.plan.frozen


@pytest.mark.parametrize(
    ("form", "size", "written", "expected"),
    [
        pytest.param("boolean", 1, "y", b"\1", id="boolean-yes"),
        pytest.param("boolean", 1, "n", b"\0", id="boolean-no"),
        pytest.param("tristate", 4, "m", b"\2\0\0\0", id="module"),
        pytest.param("number", 1, "m", b"m", id="character"),
        pytest.param("number", 1, "255", b"\xff", id="character-as-number"),
        pytest.param("number", 4, "0xff", b"\xff\0\0\0", id="hexadecimal"),
        pytest.param("signed", 4, "-2", b"\xfe\xff\xff\xff", id="negative"),
        pytest.param("number", 8, "0xffff888000000000", b"\0\0\0\0\x80\x88\xff\xff", id="wide"),
        pytest.param("signed", 8, "0xffff888000000000", b"\0\0\0\0\x80\x88\xff\xff", id="wrapped"),
        pytest.param("text", 5, '"abc"', b"abc\0\0", id="text"),
        pytest.param("text", 3, '"abc"', b"ab\0", id="text-is-cut-and-ends"),
        pytest.param("text", 3, '""', b"\0\0\0", id="empty-text"),
    ],
)
def test_values_become_bytes(form: str, size: int, written: str, expected: bytes) -> None:
    assert value(form, size, written) == expected


@pytest.mark.parametrize(
    ("form", "size", "written"),
    [
        pytest.param("boolean", 1, "m", id="module-is-no-boolean"),
        pytest.param("boolean", 1, "1", id="number-is-no-boolean"),
        pytest.param("tristate", 4, "2", id="number-is-no-tristate"),
        pytest.param("number", 4, "y", id="yes-is-no-number"),
        pytest.param("number", 2, "65536", id="too-large"),
        pytest.param("number", 4, "-1", id="negative-unsigned"),
        pytest.param("signed", 1, "128", id="too-large-with-sign"),
        pytest.param("number", 8, "99999999999999999999", id="more-than-64-bits"),
        pytest.param("number", 4, "010", id="octal-to-some"),
        pytest.param("number", 4, "１２", id="digits-of-another-script"),  # noqa: RUF001
        pytest.param("number", 4, "1" * 5000, id="endless-number"),
        pytest.param("number", 4, "0x", id="no-digits"),
        pytest.param("number", 4, "", id="empty"),
        pytest.param("text", 8, "abc", id="text-without-quotes"),
        pytest.param("text", 8, '"', id="one-quote"),
    ],
)
def test_values_of_another_form_are_refused(form: str, size: int, written: str) -> None:
    with pytest.raises(CannotLink, match="CONFIG_X: expected"):
        value(form, size, written)


@pytest.mark.parametrize(("form", "size"), [("struct", 4), ("number", 16), ("boolean", 4)])
def test_types_that_no_value_has_are_refused(form: str, size: int) -> None:
    with pytest.raises(CannotLink, match="cannot be of its type"):
        value(form, size, "1", weak=True)


def test_the_version_of_the_kernel_is_a_value_too() -> None:
    plan = planned(("LINUX_KERNEL_VERSION", "number", 4)).plan
    assert plan.contents == ((b"\0\0\0\0", VERSION.to_bytes(4, "little")),)
    with pytest.raises(SettingRequired, match="version"):
        planned(("LINUX_KERNEL_VERSION", "number", 4), version=0)


@pytest.mark.parametrize(("form", "size"), [("number", 1), ("boolean", 1), ("text", 9)])
def test_a_version_that_cannot_hold_it_is_refused(form: str, size: int) -> None:
    with pytest.raises(CannotLink, match="LINUX_KERNEL_VERSION"):
        planned(("LINUX_KERNEL_VERSION", form, size))


def test_what_the_kernel_does_not_have_is_zero_if_it_may_be_missing() -> None:
    assert planned(("CONFIG_X", "number", 8), weak=True).plan.contents == ()
    assert planned(("other", "number", 8), weak=True, is_known=False).plan.value_size == 8
    with pytest.raises(CannotLink, match="has no CONFIG_X"):
        planned(("CONFIG_X", "number", 8))
    with pytest.raises(SettingRequired, match="asks for CONFIG_X"):
        planned(("CONFIG_X", "number", 8), is_known=False)


def test_whether_system_calls_get_registers_is_known_from_an_option() -> None:
    asked = ("LINUX_HAS_SYSCALL_WRAPPER", "boolean", 1)
    assert planned(asked, ARCH_HAS_SYSCALL_WRAPPER="y").plan.contents == ((bytes(4), b"\1"),)
    assert planned(asked).plan.contents == ()
    with pytest.raises(SettingRequired, match="ARCH_HAS_SYSCALL_WRAPPER"):
        planned(asked, is_known=False)


def test_a_hostile_object_cannot_make_us_allocate_what_it_declares() -> None:
    for weak in (True, False):
        with pytest.raises(CannotLink, match=re.escape("at most 1048576 bytes")):
            planned(("CONFIG_X", "text", 0xF0000000), weak=weak, X='"x"')


def test_many_values_are_bounded_together() -> None:
    names = [(f"CONFIG_{number}", "text", 1 << 19) for number in range(3)]
    with pytest.raises(CannotLink, match="configuration values"):
        planned(*names, weak=True)
