"""The cost of a package is that of the maps it makes, not of those its object states."""

from dataclasses import replace

from tests.builders.packages import metadata_toml
from tests.builders.published import object_bytes

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.cost import map_cost, total
from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.objectfile.model import MapSpec
from skep.bytecode.objectfile.reading import read_object
from skep.packages.made_costs import as_made
from skep.packages.metadata import parse_metadata

OPEN = MapSpec("flows", map_type=1, key_size=4, value_size=8, max_entries=0)
OTHER = MapSpec("seen", map_type=6, key_size=4, value_size=8, max_entries=1)
SIZED = """
[maps.flows]
max_entries = 4000000000
"""
SET = """
[settings.flows_size]
type = "u32"
max_entries_of = "flows"
default = 100
help = "connections that are remembered"
"""


def report_of(*maps: MapSpec) -> AnalysisReport:
    report = analyse(read_object(object_bytes()))
    costs = tuple(map(map_cost, maps))
    map_bytes, per_cpu = total(costs)
    cost = replace(report.cost, maps=costs, map_bytes=map_bytes, map_bytes_per_cpu=per_cpu)
    return replace(report, cost=cost)


def test_the_size_a_package_states_is_what_it_costs() -> None:
    stated = report_of(OPEN, OTHER)
    made = as_made(stated, parse_metadata(metadata_toml(more=SIZED)))
    assert stated.cost.map_bytes < 100
    assert made == report_of(replace(OPEN, max_entries=4_000_000_000), OTHER)
    assert made.cost.map_bytes > 200_000_000_000


def test_the_default_of_a_setting_goes_before_the_package() -> None:
    made = as_made(report_of(OPEN, OTHER), parse_metadata(metadata_toml(more=SIZED + SET)))
    assert made == report_of(replace(OPEN, max_entries=100), OTHER)


def test_a_package_that_sizes_nothing_costs_what_its_object_says() -> None:
    stated = report_of(OPEN, OTHER)
    assert as_made(stated, parse_metadata(metadata_toml())) is stated
