"""Whatever a node links is labelled, and refused if the package's label does not cover it."""

import pytest
from tests.builders.assembled import analysed, leave
from tests.builders.deployments import deployment
from tests.builders.objects import fixture_bytes
from tests.builders.published import make_package, toml

from skep.bytecode.analysis.errors import OutsideLabel
from skep.bytecode.linking.linking import link
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.objectfile.reading import read_object
from skep.chains.planning import LinkedDeployment
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


def test_what_exceeds_the_package_label_is_not_loaded() -> None:
    read = read_object(fixture_bytes("may_net_drop"))
    plan = link(read, None, LinkSettings())
    with pytest.raises(OutsideLabel, match=r"net\.drop"):
        node_label(plan, read, None, analysed(leave(2)))
    assert node_label(plan, read, None, package_label(fixture_bytes("may_net_drop"), {}))
