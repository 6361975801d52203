"""Sizes of maps: what a package says, what an operator chooses, and which goes first."""

import pytest
from tests.builders.packages import metadata_toml

from skep.packages.errors import MalformedMetadata, WrongSetting
from skep.packages.map_sizes import MOST_ENTRIES, MapMetadata, chosen_sizes
from skep.packages.metadata import PackageMetadata, parse_metadata
from skep.packages.settings import parse_setting

SIZED = """
[maps.flows]
max_entries = 4096

[settings.flows_size]
type = "u32"
max_entries_of = "flows"
help = "connections that are remembered"
"""


def parsed(more: str = SIZED) -> PackageMetadata:
    return parse_metadata(metadata_toml(more=more))


def problems(more: str) -> list[str]:
    with pytest.raises(MalformedMetadata) as caught:
        parsed(more)
    return [line.split(": ")[1] for line in caught.value.detail.splitlines()]


def test_a_package_says_how_large_its_maps_are() -> None:
    metadata = parsed()
    assert metadata.maps == (MapMetadata("flows", 4096),)
    assert metadata.warnings == ()
    (setting,) = metadata.settings
    assert (setting.max_entries_of, setting.map, setting.variable) == ("flows", None, None)
    assert (setting.minimum, setting.maximum) == (1, MOST_ENTRIES)


def test_what_the_operator_chose_goes_before_the_package() -> None:
    metadata = parsed()
    known = {"flows", "others"}
    assert chosen_sizes(metadata.maps, (), known) == {"flows": 4096}
    value = parse_setting(metadata.setting("flows_size"), "10000")
    assert chosen_sizes(metadata.maps, (value,), known) == {"flows": 10_000}
    assert chosen_sizes((), (value,), known) == {"flows": 10_000}


def test_maps_of_other_objects_are_left_out() -> None:
    metadata = parsed()
    value = parse_setting(metadata.setting("flows_size"), "7")
    assert chosen_sizes(metadata.maps, (value,), {"others"}) == {}


@pytest.mark.parametrize("text", ["0", "-1", "4294967296", "many", ""])
def test_a_number_that_no_map_can_have_is_refused(text: str) -> None:
    with pytest.raises(WrongSetting):
        parse_setting(parsed().setting("flows_size"), text)


@pytest.mark.parametrize(
    ("more", "paths"),
    [
        pytest.param("[maps.flows]\nmax_entries = 0", ["maps.flows.max_entries"], id="zero"),
        pytest.param("[maps.flows]\nmax_entries = -1", ["maps.flows.max_entries"], id="negative"),
        pytest.param(
            "[maps.flows]\nmax_entries = 4294967296", ["maps.flows.max_entries"], id="33-bits"
        ),
        pytest.param("[maps.flows]\nmax_entries = true", ["maps.flows.max_entries"], id="boolean"),
        pytest.param('[maps.flows]\nmax_entries = "4096"', ["maps.flows.max_entries"], id="text"),
        pytest.param('[maps.".rodata"]\nmax_entries = 2', ["maps..rodata"], id="data-section"),
        pytest.param(
            '[settings.s]\ntype = "rate"\nmax_entries_of = "m"', ["settings.s.type"], id="rate"
        ),
        pytest.param(
            '[settings.s]\ntype = "set[u32]"\nmax_entries_of = "m"', ["settings.s.type"], id="set"
        ),
        pytest.param(
            '[settings.s]\ntype = "u32"\nmax_entries_of = "m"\nmap = "m"',
            ["settings.s.map"],
            id="two-places",
        ),
        pytest.param(
            '[settings.s]\ntype = "u32"\nmax_entries_of = "m"\nkey = 1',
            ["settings.s.key"],
            id="key",
        ),
        pytest.param(
            '[settings.s]\ntype = "u32"\nmax_entries_of = "m"\nminimum = 0',
            ["settings.s.minimum"],
            id="minimum",
        ),
        pytest.param(
            '[settings.s]\ntype = "u64"\nmax_entries_of = "m"\nmaximum = 4294967296',
            ["settings.s.maximum"],
            id="maximum",
        ),
        pytest.param(
            '[settings.s]\ntype = "u32"\nmax_entries_of = "m"\ndefault = 0',
            ["settings.s.default"],
            id="default",
        ),
        pytest.param(
            '[settings.s]\ntype = "u32"\nmax_entries_of = "m"\n'
            '[settings.t]\ntype = "u32"\nmax_entries_of = "m"',
            ["settings.t.max_entries_of"],
            id="two-settings",
        ),
    ],
)
def test_one_wrong_field_is_named(more: str, paths: list[str]) -> None:
    assert problems(more) == paths


@pytest.mark.parametrize("kind", ["u8", "u16", "u32", "u64", "integer", "size", "bytes"])
def test_numbers_of_any_width_can_be_sizes(kind: str) -> None:
    text = f'[settings.s]\ntype = "{kind}"\nmax_entries_of = "m"\ndefault = 200'
    assert parsed(text).setting("s").default == "200"


def test_a_field_of_a_map_that_is_not_known_is_warned_about() -> None:
    (warning,) = parsed("[maps.flows]\nflags = 1").warnings
    assert warning.startswith("maps.flows.flags")
