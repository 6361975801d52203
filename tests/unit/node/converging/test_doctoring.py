import pytest
from tests.builders.nodes import FakeNode

from skep.node.converging.doctoring import Finding, examine, repair


class FakePlaygrounds:
    def __init__(self, *names: str) -> None:
        self.names = list(names)

    def left_behind(self) -> tuple[str, ...]:
        return tuple(self.names)

    def clear(self, name: str) -> tuple[str, ...]:
        self.names.remove(name)
        return (f"removed interface {name}",)


NONE = FakePlaygrounds()


def kinds(findings: tuple[Finding, ...]) -> list[str]:
    return [finding.kind for finding in findings]


def test_a_healthy_node_has_no_findings(node: FakeNode) -> None:
    node.install("acme/limit")
    node.install("acme/filter")
    assert examine(node.services(), NONE) == ()


def break_journal(node: FakeNode) -> None:
    node.state.begin("install", [], "2026-11-23T08:00:00Z")


def break_chain(node: FakeNode) -> None:
    node.kernel.detach("xdp", 2)


def break_maps(node: FakeNode) -> None:
    node.kernel.delete_map("limit", "counts")


def add_maps(node: FakeNode) -> None:
    node.kernel.maps["stranger", "x"] = node.kernel.maps["limit", "counts"]


def add_retired(node: FakeNode) -> None:
    node.kernel.retired["limit", "old"] = node.kernel.maps["limit", "counts"]


def add_link(node: FakeNode) -> None:
    node.kernel.link_table["xdp", 3] = node.kernel.link_table["xdp", 2]


@pytest.mark.parametrize(
    ("damage", "kind"),
    [
        (break_journal, "change interrupted"),
        (break_chain, "chain not as declared"),
        (break_maps, "chain not as declared"),
        (add_maps, "maps without deployment"),
        (add_retired, "retired maps"),
        (add_link, "link without deployment"),
    ],
)
def test_each_damage_is_found_and_repaired(node: FakeNode, damage, kind: str) -> None:  # type: ignore[no-untyped-def]
    node.install("acme/limit")
    damage(node)
    before = node.kernel.snapshot()
    assert kinds(examine(node.services(), NONE)) == [kind]
    assert node.kernel.snapshot() == before
    (finding,) = repair(node.services(), NONE)
    assert finding.repaired
    assert not finding.problem
    assert examine(node.services(), NONE) == ()
    node.consistent()


def test_an_interface_that_went_is_told_and_its_deployment_kept(node: FakeNode) -> None:
    node.install()
    node.kernel.remove_interface("eth0")
    found = repair(node.services(), NONE)
    assert set(kinds(found)) == {"interface gone", "link without deployment"}
    assert node.names() == ["limit"]
    node.kernel.interfaces["eth0"] = 9
    assert kinds(repair(node.services(), NONE)) == ["chain not as declared"]
    node.consistent()


def test_a_hook_somebody_took_is_told_and_left_alone(node: FakeNode) -> None:
    node.install()
    node.kernel.detach("xdp", 2)
    node.kernel.strangers["xdp", 2] = "program 7 (theirs)"
    (finding,) = repair(node.services(), NONE)
    assert finding.kind == "hook taken"
    assert "theirs" in finding.text
    assert not finding.repaired


def test_unsigned_deployments_are_named_each_time(node: FakeNode) -> None:
    from dataclasses import replace

    from tests.builders.nodes import request

    from skep.node.deploying.installing import install

    install(node.services(), replace(request(), policy="insecure-accept-all"))
    assert kinds(examine(node.services(), NONE)) == ["unsigned accepted"]


def test_what_cannot_be_repaired_says_why_and_stops_nothing(node: FakeNode) -> None:
    node.install()
    break_chain(node)
    node.kernel.maps["stranger", "x"] = node.kernel.maps["limit", "counts"]
    node.packages.gone.add("acme/limit")
    first, second = repair(node.services(), NONE)
    assert first.problem
    assert not first.repaired
    assert second.repaired


def test_playgrounds_of_killed_demonstrations_are_cleared(node: FakeNode) -> None:
    playgrounds = FakePlaygrounds("skep-demo-1")
    (finding,) = repair(node.services(), playgrounds)
    assert finding.repaired == "removed interface skep-demo-1"
    assert playgrounds.names == []
