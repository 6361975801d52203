"""Whatever a node links is labelled, and refused if the package's label does not cover it."""

from typing import Any

import pytest
from tests.builders.assembled import analysed, leave
from tests.builders.deployments import deployment
from tests.builders.objects import fixture_bytes
from tests.builders.published import make_package, toml

from skep.bytecode.analysis.errors import OutsideLabel
from skep.bytecode.analysis.linked import analyse_linked
from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.linking.linking import link
from skep.bytecode.linking.plan import LoadPlan
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.objectfile.reading import read_object
from skep.chains.planning import LinkedDeployment
from skep.node import labels
from skep.node.labels import node_label, package_label
from skep.node.verified.shelf import link_deployment
from skep.packages.opening import open_package

MODE = '[settings.mode]\ntype = "integer"\nglobal = "mode"\nhelp = "x"\n'


def _linked(fixture: str, program: str, more: str = "", **settings: str) -> LinkedDeployment:
    built = make_package(toml(program=program, more=more), objects={"x.o": fixture_bytes(fixture)})
    asked = deployment("limit", program=program, order=1, settings=tuple(settings.items()))
    return link_deployment(open_package(built.manifest_data, built.blobs.__getitem__), asked)


def test_a_deployment_brings_the_label_of_what_is_loaded() -> None:
    label = _linked("core", "reads_header").label
    assert label is not None
    assert [each.name for each in label.programs] == ["reads_header"]


def test_a_setting_changes_the_label() -> None:
    def ids(**settings: str) -> set[str]:
        label = _linked("constants", "choice", MODE, **settings).label
        assert label is not None
        return {each.id for each in label.permissions}

    everything = package_label(fixture_bytes("constants"), {"choice": "XDP"})
    assert "proc.signal" in {each.id for each in everything.permissions}
    assert "proc.signal" not in ids(mode="2")
    assert "proc.signal" in ids(mode="1")


def test_labels_of_packages_are_derived_once() -> None:
    data = fixture_bytes("core")
    assert package_label(data, {}) is package_label(data, {})
    assert package_label(data, {}) is not package_label(data, {"reads_task": "XDP"})


def test_the_label_of_what_is_loaded_is_derived_once_per_plan(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    plans = []

    def counting(plan: LoadPlan, *others: Any) -> AnalysisReport:
        plans.append(plan)
        return analyse_linked(plan, *others)

    monkeypatch.setattr(labels, "analyse_linked", counting)
    for mode in ("101", "101", "102", "101"):
        _linked("constants", "choice", MODE, mode=mode)
    assert len(plans) == len(set(plans)) == 2


def test_what_exceeds_the_package_label_is_not_loaded() -> None:
    data = fixture_bytes("may_net_drop")
    plan = link(read_object(data), None, LinkSettings())
    with pytest.raises(OutsideLabel, match=r"net\.drop"):
        node_label(plan, data, None, analysed(leave(2)))
    assert node_label(plan, data, None, package_label(data, {}))
    with pytest.raises(OutsideLabel, match=r"net\.drop"):  # also once the label is known
        node_label(plan, data, None, analysed(leave(2)))
