from dataclasses import replace

import pytest

from skep.bytecode.linking.plan import MapPlan
from skep.packages.errors import UnusableSetting, WrongSetting
from skep.packages.settings import SettingSpec, map_entries, parse_setting, variable_bytes

HASH, ARRAY, LRU_HASH, PERCPU_ARRAY = 1, 2, 9, 6


def spec(kind: str, **changes: object) -> SettingSpec:
    return replace(SettingSpec("s", kind, map="m"), **changes)  # type: ignore[arg-type]


def plan(map_type: int = ARRAY, key: int = 4, value: int = 8, entries: int = 4) -> MapPlan:
    return MapPlan("m", map_type, key, value, entries)


@pytest.mark.parametrize(
    ("kind", "text", "expected"),
    [
        pytest.param("rate", "100/s", 100, id="rate"),
        pytest.param("rate", "10k/s", 10_000, id="rate-kilo"),
        pytest.param("rate", "600/m", 10, id="rate-per-minute"),
        pytest.param("rate", "7200/h", 2, id="rate-per-hour"),
        pytest.param("rate", "0/s", 0, id="rate-none"),
        pytest.param("u8", "255", 255, id="u8"),
        pytest.param("u32", "0xff", 255, id="hexadecimal"),
        pytest.param("u64", str(2**64 - 1), 2**64 - 1, id="u64"),
        pytest.param("integer", " 42 ", 42, id="integer-with-blanks"),
        pytest.param("boolean", "true", 1, id="true"),
        pytest.param("boolean", "OFF", 0, id="off"),
        pytest.param("duration", "5s", 5_000_000_000, id="seconds"),
        pytest.param("duration", "250ms", 250_000_000, id="milliseconds"),
        pytest.param("duration", "1h", 3_600_000_000_000, id="hour"),
        pytest.param("port", "443", 443, id="port"),
        pytest.param("size", "64KiB", 65_536, id="size-binary"),
        pytest.param("bytes", "1MB", 1_000_000, id="size-decimal"),
        pytest.param("size", "512", 512, id="size-bare"),
        pytest.param("ipv4", "192.0.2.1", b"\xc0\0\x02\x01", id="ipv4"),
        pytest.param("ipv6", "::1", bytes(15) + b"\x01", id="ipv6"),
    ],
)
def test_a_value_is_what_it_says(kind: str, text: str, expected: int | bytes) -> None:
    assert parse_setting(spec(kind), text).members == (expected,)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        pytest.param("rate", "100", id="rate-without-unit"),
        pytest.param("rate", "100/m", id="rate-not-whole"),
        pytest.param("rate", "-1/s", id="rate-negative"),
        pytest.param("rate", "1.5/s", id="rate-fraction"),
        pytest.param("rate", "99999999999999999999G/s", id="rate-too-large"),
        pytest.param("u8", "256", id="u8-over"),
        pytest.param("u16", "", id="nothing"),
        pytest.param("u16", "1_000", id="underscore"),
        pytest.param("u16", "\u0661", id="other-digits"),
        pytest.param("u64", str(2**64), id="u64-over"),
        pytest.param("u64", "9" * 5000, id="thousands-of-digits"),
        pytest.param("boolean", "maybe", id="boolean"),
        pytest.param("boolean", "2", id="boolean-two"),
        pytest.param("duration", "5", id="duration-without-unit"),
        pytest.param("duration", "5 s", id="duration-with-blank"),
        pytest.param("port", "0", id="port-zero"),
        pytest.param("port", "65536", id="port-over"),
        pytest.param("port", "http", id="port-name"),
        pytest.param("size", "1XB", id="size-unit"),
        pytest.param("ipv4", "192.0.2", id="ipv4-short"),
        pytest.param("ipv4", "::1", id="ipv4-is-6"),
        pytest.param("ipv6", "fe80::1%eth0", id="ipv6-scope"),
        pytest.param("set[port]", "80,,443", id="empty-member"),
        pytest.param("set[port]", "80,http", id="wrong-member"),
    ],
)
def test_another_text_is_refused_with_the_expected_form_and_an_example(
    kind: str, text: str
) -> None:
    with pytest.raises(WrongSetting) as caught:
        parse_setting(spec(kind), text)
    assert caught.value.message.startswith("setting s: expected ")
    assert caught.value.hint.startswith("for example s=")
    assert len(caught.value.message) < 250


def test_the_example_is_the_authors_default_if_there_is_one() -> None:
    with pytest.raises(WrongSetting) as caught:
        parse_setting(spec("rate", default="1000/s"), "fast")
    assert caught.value.hint == "for example s=1000/s"


def test_a_message_shows_no_control_characters() -> None:
    with pytest.raises(WrongSetting) as caught:
        parse_setting(spec("port"), "\x1b[2J")
    assert caught.value.message.isprintable()


@pytest.mark.parametrize("text", ["9/s", "101/s"])
def test_the_authors_bounds_hold(text: str) -> None:
    with pytest.raises(WrongSetting, match="at least 10 and at most 100"):
        parse_setting(spec("rate", minimum=10, maximum=100), text)


def test_a_set_is_sorted_and_without_doubles() -> None:
    value = parse_setting(spec("set[port]"), "443, 80,443")
    assert (value.text, value.members) == ("80,443", (80, 443))


def test_a_set_may_be_empty() -> None:
    assert parse_setting(spec("set[port]"), " ").members == ()


def test_an_unknown_type_is_the_packages_fault() -> None:
    with pytest.raises(UnusableSetting):
        parse_setting(spec("float"), "1")


# Encoding


@pytest.mark.parametrize(("width", "expected"), [(2, b"\x64\0"), (8, b"\x64" + bytes(7))])
def test_a_number_is_little_endian_in_the_width_of_the_map(width: int, expected: bytes) -> None:
    value = parse_setting(spec("rate", key=2), "100/s")
    assert map_entries(value, plan(value=width)) == {b"\x02\0\0\0": expected}


def test_an_address_is_as_on_the_wire() -> None:
    value = parse_setting(spec("ipv4"), "192.0.2.1")
    assert map_entries(value, plan(value=4)) == {bytes(4): b"\xc0\0\x02\x01"}


def test_a_set_in_a_hash_has_its_members_as_keys() -> None:
    value = parse_setting(spec("set[port]"), "80,443")
    assert map_entries(value, plan(HASH, key=2, value=1)) == {
        b"\x50\0": b"\x01",
        b"\xbb\x01": b"\x01",
    }


def test_a_set_of_addresses_has_their_bytes_as_keys() -> None:
    value = parse_setting(spec("set[ipv4]"), "192.0.2.1")
    assert map_entries(value, plan(LRU_HASH, key=4, value=1)) == {b"\xc0\0\x02\x01": b"\x01"}


def test_a_set_in_an_array_says_no_for_the_others() -> None:
    value = parse_setting(spec("set[u8]"), "1,3")
    entries = map_entries(value, plan(value=1))
    assert list(entries.values()) == [b"\0", b"\x01", b"\0", b"\x01"]


def test_a_variable_gets_the_bytes_of_its_size() -> None:
    assert variable_bytes(parse_setting(spec("boolean"), "true"), 1) == b"\x01"
    assert variable_bytes(parse_setting(spec("duration"), "1us"), 8) == (1000).to_bytes(8, "little")


@pytest.mark.parametrize(
    ("setting", "text", "map_plan"),
    [
        pytest.param(spec("u64"), "256", plan(value=1), id="number-too-large"),
        pytest.param(
            spec("set[port]"), "1,2,3", plan(HASH, key=2, value=1, entries=2), id="set-too-large"
        ),
        pytest.param(spec("set[port]"), "80", plan(entries=80), id="past-the-array"),
    ],
)
def test_a_value_the_map_has_no_room_for_is_refused(
    setting: SettingSpec, text: str, map_plan: MapPlan
) -> None:
    with pytest.raises(WrongSetting):
        map_entries(parse_setting(setting, text), map_plan)


@pytest.mark.parametrize(
    ("setting", "text", "map_plan"),
    [
        pytest.param(spec("u8"), "1", plan(PERCPU_ARRAY), id="per-cpu"),
        pytest.param(spec("u8"), "1", replace(plan(), frozen=True), id="read-only"),
        pytest.param(spec("u8"), "1", plan(value=3), id="three-bytes"),
        pytest.param(spec("u8"), "1", plan(value=16), id="struct"),
        pytest.param(spec("u8"), "1", plan(HASH, key=16), id="struct-as-key"),
        pytest.param(spec("u8", key=4), "1", plan(), id="key-past-the-array"),
        pytest.param(spec("ipv4"), "192.0.2.1", plan(value=8), id="address-in-eight-bytes"),
        pytest.param(spec("set[ipv4]"), "192.0.2.1", plan(), id="addresses-in-array"),
        pytest.param(spec("set[port]"), "80", plan(entries=1_000_000), id="huge-array"),
    ],
)
def test_a_map_that_cannot_hold_the_setting_is_the_packages_fault(
    setting: SettingSpec, text: str, map_plan: MapPlan
) -> None:
    with pytest.raises(UnusableSetting):
        map_entries(parse_setting(setting, text), map_plan)


def test_a_variable_that_cannot_hold_the_setting_is_the_packages_fault() -> None:
    with pytest.raises(UnusableSetting):
        variable_bytes(parse_setting(spec("u8"), "1"), 3)
    with pytest.raises(UnusableSetting):
        variable_bytes(parse_setting(spec("set[u8]"), "1"), 8)
