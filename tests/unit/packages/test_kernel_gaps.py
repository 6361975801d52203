"""What one machine's kernel lacks, told from its version and options alone."""

from dataclasses import replace

import pytest
from tests.builders.compiled import bundled_object
from tests.builders.objects import fixture
from tests.builders.packages import metadata_toml

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.analysis.report_needs import ConfigurationNeed
from skep.bytecode.objectfile.reading import read_object
from skep.packages.kernel_gaps import MachineKernel, kernel_gaps
from skep.packages.metadata import PackageMetadata, parse_metadata

NEW = MachineKernel("6.18.0", has_types=True, options={})


def metadata(program: str = "ratelimiting", hook: str = "xdp") -> PackageMetadata:
    toml = metadata_toml().replace(b'"prog"', f'"{program}"'.encode())
    return parse_metadata(toml.replace(b'"xdp"', f'"{hook}"'.encode()))


@pytest.fixture(scope="module")
def report() -> AnalysisReport:
    made = analyse(read_object(bundled_object("ratelimiting")))
    return replace(made, requirements=replace(made.requirements, configuration=()))


def gaps(report: AnalysisReport, kernel: MachineKernel, hook: str = "xdp") -> list[str]:
    found = kernel_gaps(metadata(hook=hook), {"ratelimiting.o": report}, kernel)
    assert all(each.startswith(f"this machine (Linux {kernel.release}): ") for each in found)
    return [each.partition("): ")[2] for each in found]


def test_a_new_kernel_lacks_nothing(report: AnalysisReport) -> None:
    assert gaps(report, NEW) == []


def test_an_old_kernel_lacks_the_hook_and_what_the_programs_use(report: AnalysisReport) -> None:
    found = gaps(report, replace(NEW, release="4.4.0"))
    assert found[0] == "the hook xdp needs Linux 5.9"
    assert any("needs Linux" in each for each in found[1:])
    assert gaps(report, replace(NEW, release="6.1.0"), "tcx-ingress") == [
        "the hook tcx-ingress needs Linux 6.6"
    ]


def test_of_a_vendor_that_backports_the_version_says_nothing(report: AnalysisReport) -> None:
    assert gaps(report, replace(NEW, release="4.18.0-553.el8.x86_64")) == []


def test_a_release_that_is_no_version_says_nothing(report: AnalysisReport) -> None:
    assert gaps(report, replace(NEW, release="custom")) == []


def test_types_are_missed_only_by_programs_that_need_them(report: AnalysisReport) -> None:
    blind = replace(NEW, has_types=False)
    assert gaps(report, blind) == []
    needing = replace(report, requirements=replace(report.requirements, needs_btf="yes"))
    assert gaps(needing, NEW) == []
    (found,) = gaps(needing, blind)
    assert "no types of the kernel (BTF)" in found


def test_options_are_missed_if_the_kernel_tells_its_own(report: AnalysisReport) -> None:
    need = ConfigurationNeed(option="CONFIG_XDP_SOCKETS", because="map type XSKMAP")
    asking = replace(report, requirements=replace(report.requirements, configuration=(need,)))
    assert gaps(asking, NEW) == ["built without CONFIG_XDP_SOCKETS, which map type XSKMAP needs"]
    assert gaps(asking, replace(NEW, options={"CONFIG_XDP_SOCKETS": "y"})) == []
    assert gaps(asking, replace(NEW, options=None)) == []


def test_programs_the_package_does_not_name_need_nothing() -> None:
    made = analyse(fixture("value_fields"))
    old = replace(NEW, release="4.4.0", options=None)
    named = kernel_gaps(metadata("counts"), {"x.o": made}, old)
    other = kernel_gaps(metadata("other"), {"x.o": made}, old)
    assert len(other) < len(named)
