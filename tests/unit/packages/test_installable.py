"""What keeps a package from being installed, found before it is published."""

from dataclasses import replace

import pytest
from tests.builders.objects import fixture
from tests.builders.packages import metadata_toml

from skep.bytecode.objectfile.model import ObjectFile
from skep.packages.errors import MalformedMetadata, MalformedPackage
from skep.packages.installable import find_obstacles, refuse_obstacles
from skep.packages.metadata import PackageMetadata, parse_metadata


def metadata(program: str, more: str = "") -> PackageMetadata:
    toml = metadata_toml(more=more).replace(b'name = "prog"', f'name = "{program}"'.encode())
    return parse_metadata(toml)


def kinds(made: PackageMetadata, object_file: ObjectFile) -> list[str]:
    return [each.kind for each in find_obstacles(made, {"x.o": object_file})]


def test_a_good_package_has_none() -> None:
    assert kinds(metadata("prog"), replace(fixture("pass"))) == []
    assert kinds(metadata("walk"), fixture("callback")) == []
    assert kinds(metadata("counts"), fixture("value_fields")) == []


def test_without_kernel_licence_it_is_refused() -> None:
    object_file = replace(fixture("callback"), licence=None)
    assert kinds(metadata("walk"), object_file) == ["licence"]
    with pytest.raises(MalformedPackage, match=r"x\.o declares no kernel licence") as caught:
        refuse_obstacles(metadata("walk"), {"x.o": object_file})
    assert 'SEC("license")' in caught.value.hint


def test_objects_without_a_program_of_the_package_need_no_licence() -> None:
    object_file = replace(fixture("callback"), licence=None)
    assert kinds(metadata("other"), object_file) == []


def test_an_open_size_is_warned_about() -> None:
    (warning,) = refuse_obstacles(metadata("look"), {"x.o": fixture("open_size")})
    assert warning.startswith("x.o: nothing says how many entries map flows has")
    assert "[maps.flows] max_entries" in warning


@pytest.mark.parametrize(
    "more",
    [
        pytest.param("[maps.flows]\nmax_entries = 4096", id="package"),
        pytest.param('[settings.n]\ntype = "u32"\nmax_entries_of = "flows"', id="setting"),
    ],
)
def test_somebody_can_say_the_size(more: str) -> None:
    assert kinds(metadata("look", more), fixture("open_size")) == []


def test_maps_that_are_not_there_are_refused_with_those_that_are() -> None:
    for more, path in (
        ("[maps.flow]\nmax_entries = 8", "maps.flow"),
        ('[settings.n]\ntype = "u32"\nmax_entries_of = "flow"', "settings.n.max_entries_of"),
    ):
        with pytest.raises(MalformedMetadata, match=f"{path}: no object has a map flow") as caught:
            refuse_obstacles(metadata("look", more), {"x.o": fixture("open_size")})
        assert caught.value.hint == "maps that can be sized: flows"


def test_what_is_indexed_may_grow_and_not_shrink() -> None:
    grown = metadata("counts", "[maps.guards]\nmax_entries = 8")
    assert kinds(grown, fixture("value_fields")) == []
    (array,) = [each for each in fixture("value_fields").maps if each.name == "guards"]
    larger = replace(fixture("value_fields"), maps=(replace(array, max_entries=16),))
    assert kinds(grown, larger) == ["metadata"]
    with pytest.raises(MalformedMetadata, match="at least the 16 entries") as caught:
        refuse_obstacles(grown, {"x.o": larger})
    assert "ARRAY is indexed" in caught.value.hint


def test_maps_that_begin_with_others_are_warned_about() -> None:
    found = find_obstacles(metadata("jump"), {"x.o": fixture("maps_of_maps")})
    assert {each.kind for each in found} == {"nested"}
