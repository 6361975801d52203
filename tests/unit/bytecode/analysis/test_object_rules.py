"""Evidence of the object counts without a program."""

from dataclasses import replace

import pytest
from tests.builders.assembled import hash_map, object_file, permission, permissions
from tests.builders.objects import fixture

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.object_rules import struct_ops_types
from skep.bytecode.objectfile.model import MapSpec


def test_an_instance_replaces_the_scheduler_without_any_program() -> None:
    report = analyse(fixture("only_struct_ops"))
    assert report.programs == ()
    assert permissions(report) == {"sched.ext": "declared"}
    found = permission(report, "sched.ext")
    assert found is not None
    assert [(each.program, each.what) for each in found.evidence] == [
        ("", "struct_ops type sched_ext_ops")
    ]


def test_an_instance_behind_const_is_found() -> None:
    assert struct_ops_types(fixture("only_struct_ops")) == ("sched_ext_ops",)


def test_an_object_without_types_has_no_instances() -> None:
    assert struct_ops_types(replace(fixture("only_struct_ops"), types=None)) == ()


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param(hash_map(map_type=33), "data.input", id="arena"),
        pytest.param(replace(hash_map(), pinning=1), "data.shared_pinned", id="pinned"),
        pytest.param(hash_map(map_type=999), "unknown", id="unknown"),
        pytest.param(hash_map(map_type=26), "unknown", id="operations"),
    ],
)
class TestMaps:
    def test_show_what_they_are_without_any_program(self, spec: MapSpec, expected: str) -> None:
        assert permissions(analyse(object_file([], [], [spec]))) == {expected: "declared"}

    def test_count_inside_other_maps(self, spec: MapSpec, expected: str) -> None:
        outer = replace(hash_map("outer", map_type=13), inner=spec)
        found = permission(analyse(object_file([], [], [outer])), expected)
        assert found is not None
        assert "inside outer" in found.evidence[0].what


def test_an_ordinary_map_shows_nothing() -> None:
    assert permissions(analyse(object_file([], [], [hash_map()]))) == {}
