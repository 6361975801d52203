"""What keeps a package from being installed, found before it is published."""

from dataclasses import replace

import pytest
from tests.builders.objects import fixture
from tests.builders.packages import metadata_toml

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.objectfile.model import ObjectFile
from skep.packages.errors import MalformedMetadata, MalformedPackage
from skep.packages.installable import find_obstacles, refuse_obstacles
from skep.packages.metadata import PackageMetadata, parse_metadata
from skep.packages.obstacles import Obstacle


def toml_of(program: str, more: str = "") -> bytes:
    return metadata_toml(more=more).replace(b'name = "prog"', f'name = "{program}"'.encode())


def metadata(program: str, more: str = "") -> PackageMetadata:
    return parse_metadata(toml_of(program, more))


def obstacles(made: PackageMetadata, object_file: ObjectFile) -> tuple[Obstacle, ...]:
    reports = {"x.o": analyse(object_file, program_types=made.program_types)}
    return find_obstacles(made, {"x.o": object_file}, reports)


def kinds(made: PackageMetadata, object_file: ObjectFile) -> list[str]:
    return [each.kind for each in obstacles(made, object_file)]


def refuse(program: str, object_file: ObjectFile, more: str = "") -> tuple[str, ...]:
    return refuse_obstacles(toml_of(program, more), obstacles(metadata(program, more), object_file))


def test_a_good_package_has_none() -> None:
    assert kinds(metadata("pass"), fixture("pass")) == []
    assert kinds(metadata("walk"), fixture("callback")) == []
    assert kinds(metadata("counts"), fixture("value_fields")) == []


def test_without_kernel_licence_it_is_refused() -> None:
    object_file = replace(fixture("callback"), licence=None)
    assert kinds(metadata("walk"), object_file) == ["licence"]
    with pytest.raises(MalformedPackage, match=r"x\.o: it declares no kernel licence") as caught:
        refuse("walk", object_file)
    assert 'SEC("license")' in caught.value.hint


def test_objects_without_a_program_of_the_package_need_no_licence() -> None:
    object_file = replace(fixture("callback"), licence=None)
    assert kinds(metadata("other"), object_file) == ["program"]


def test_an_open_size_is_refused_with_what_to_write() -> None:
    with pytest.raises(
        MalformedMetadata, match="nothing says how many entries map flows"
    ) as caught:
        refuse("look", fixture("open_size"))
    assert caught.value.hint == "in skep.toml: [maps.flows] max_entries = 4096"


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
        with pytest.raises(
            MalformedMetadata, match=f"{path}: no object file has a map f"
        ) as caught:
            refuse("look", fixture("open_size"), more)
        assert caught.value.hint == "maps that can be sized: flows"
        assert str(caught.value).startswith("skep.toml:1")


def test_what_is_indexed_may_grow_and_not_shrink() -> None:
    more = "[maps.guards]\nmax_entries = 8"
    grown = metadata("counts", more)
    assert kinds(grown, fixture("value_fields")) == []
    (array,) = [each for each in fixture("value_fields").maps if each.name == "guards"]
    larger = replace(fixture("value_fields"), maps=(replace(array, max_entries=16),))
    assert kinds(grown, larger) == ["metadata"]
    with pytest.raises(MalformedMetadata, match="at least the 16 entries") as caught:
        refuse("counts", larger, more)
    assert "ARRAY is indexed" in caught.value.hint


def test_maps_that_begin_with_others_are_warned_about() -> None:
    found = obstacles(metadata("jump"), fixture("maps_of_maps"))
    assert {each.kind for each in found} == {"nested"}
    assert all("wait for a version" in each for each in refuse_obstacles(toml_of("jump"), found))
