"""Reading a node: metrics from pinned maps, and what it takes to import."""

import subprocess
import sys
from dataclasses import replace

import pytest
from tests.builders.deployments import array_map, deployment, hash_map
from tests.fakes.kernel import FakeKernel

from skep.node.observing.metrics import read_metrics
from skep.packages.metrics import MetricSpec

HEAVY = ("cryptography", "pyroute2", "license_expression", "urllib3", "msgspec", "starlette")
PACKAGES = ("skep.packages.metadata", "skep.packages.opening", "skep.packages.client")
LINKING = ("skep.bytecode.btf", "skep.bytecode.linking.linking", "skep.bytecode.linking.core")


@pytest.mark.parametrize(
    ("module", "forbidden"),
    [
        (
            "skep.node.observing.wiring",
            (*HEAVY, *PACKAGES, "skep.trust", "skep.kernel.network", *LINKING),
        ),
        ("skep.node.observing.metrics", (*HEAVY, *LINKING)),
        # Changes do without what only a demonstration or a download needs.
        ("skep.node.wiring", ("pyroute2", "urllib3", "starlette", "rich", "skep.kernel.network")),
    ],
)
def test_reading_imports_nothing_heavy(module: str, forbidden: tuple[str, ...]) -> None:
    code = f"import sys, {module}; print(*[m for m in {forbidden!r} if m in sys.modules])"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    assert result.stdout.split() == []


def test_metrics_are_sums_over_cpus() -> None:
    kernel = FakeKernel()
    kernel.create_map("limit", "counts", replace(array_map("counts"), map_type=6))
    kernel.maps["limit", "counts"].contents[bytes(4)] = b"\x02" + bytes(7) + b"\x03" + bytes(7)
    one = deployment(maps=("counts",))
    (metric,) = read_metrics(kernel, one, [MetricSpec("seen", "counts", help="packets")])
    assert (metric.name, metric.value, metric.help) == ("seen", 5, "packets")


@pytest.mark.parametrize(
    "spec",
    [
        pytest.param(MetricSpec("seen", "nothing"), id="no-such-map"),
        pytest.param(MetricSpec("seen", "gone"), id="map-lost"),
        pytest.param(MetricSpec("seen", "counts", key=7), id="no-such-entry"),
    ],
)
def test_a_metric_that_cannot_be_read_has_no_value(spec: MetricSpec) -> None:
    kernel = FakeKernel()
    kernel.create_map("limit", "counts", hash_map("counts"))
    (metric,) = read_metrics(kernel, deployment(maps=("counts", "gone")), [spec])
    assert metric.value is None
    assert metric.has_map == (spec.map == "counts")
