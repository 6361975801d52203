"""From one committed state to the next: which hook targets, which maps, which records."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import pytest
from tests.builders.deployments import hash_map, linked
from tests.builders.memory_nodes import NOW_TEXT, MemoryNode

from skep.chains.deployment import Deployment
from skep.chains.planning import HookOccupied, HookTargetMissing, LinkedDeployment
from skep.digests import Digest
from skep.hooks.identity import Binding
from skep.hooks.table import parse_hook_target
from skep.node.converging.changing import Change, carry_out, change_if_needed, prepare
from skep.node.converging.executing import Outcome
from skep.node.converging.services import Writer
from skep.node.ports import PinnedLink
from skep.node.records import Consent, Installed, Measured

ETH0, ETH1 = parse_hook_target("xdp:eth0"), parse_hook_target("xdp:eth1")
LIMIT = linked("limit", maps=[hash_map("counts")])
FILTER = linked("filter", order=20, maps=[hash_map("seen")])
ELSEWHERE = linked("elsewhere", on="xdp:eth1", maps=[hash_map("counts")])


def consent(person: str = "somebody") -> Consent:
    return Consent("then", person, "yes", LIMIT.deployment.digest, 1, (), ())


class Noting(dict[str, LinkedDeployment]):
    """Linked programs, and for which deployments they were asked for."""

    def __init__(self, asked: list[str], linked: dict[str, LinkedDeployment]) -> None:
        super().__init__(linked)
        self.asked = asked

    def __getitem__(self, name: str) -> LinkedDeployment:
        self.asked.append(name)
        return super().__getitem__(name)


def carried_out(writer: Writer, wanted: Change) -> Outcome:
    return carry_out(writer, wanted, prepare(writer.services, wanted))


def change(writer: Writer, wanted: Change) -> tuple[Installed, ...]:
    carried_out(writer, wanted)
    return writer.state.installed()


class Node(MemoryNode):
    """Has linked programs, and notes for which deployments they were asked for."""

    def __init__(self) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.known = {one.deployment.name: one for one in (LIMIT, FILTER, ELSEWHERE)}

    def link(self, deployment: Deployment) -> LinkedDeployment:
        one = self.known[deployment.name]
        return replace(one, deployment=replace(deployment, maps=one.deployment.maps))

    def wanted(self, *after: LinkedDeployment, **more: Any) -> Change:
        declared = [one.deployment for one in after]
        linked = Noting(self.asked, {one.name: self.link(one) for one in declared})
        return Change("a change", declared, linked=linked, **more)

    def make(self, *after: LinkedDeployment, **more: Any) -> None:
        change(self.writer, self.wanted(*after, **more))
        self.asked.clear()

    def runs(self, name: str = "eth0") -> bool:
        return self.kernel.runs(name) is not None


@pytest.fixture
def node() -> Node:
    return Node()


def names(deployments: Iterable[Any]) -> list[str]:
    return sorted(one.deployment.name for one in deployments)


def test_what_is_wanted_runs_and_is_committed(node: Node) -> None:
    unlinked = replace(LIMIT, deployment=replace(LIMIT.deployment, maps=()))
    installed = change(node.writer, node.wanted(unlinked, consents={"limit": consent()}))
    assert installed == node.state.installed()
    (one,) = installed
    (link,) = node.kernel.links()
    assert one.deployment == LIMIT.deployment  # with the maps it was linked with
    assert one.installed_at == NOW_TEXT
    assert one.measured == Measured(2, 0)
    assert one.consent == consent()
    assert one.binding == Binding("boot-1", node.kernel.identity(), link.link)
    assert node.kept.kept(Digest.parse(one.kept)).deployment.name == "limit"
    assert node.state.history()[0].command == "a change"


def test_only_hook_targets_that_differ_are_touched(node: Node) -> None:
    node.make(LIMIT, ELSEWHERE)
    before = node.records()
    node.kernel.exchanges.clear()
    change(node.writer, node.wanted(LIMIT, FILTER, ELSEWHERE))
    assert node.asked == ["limit", "filter"]
    assert len(node.kernel.exchanges) == 1
    assert node.records()["elsewhere"] == before["elsewhere"]


@pytest.fixture
def same() -> Node:
    """``limit`` and ``elsewhere`` run already."""
    made = Node()
    made.make(LIMIT, ELSEWHERE)
    return made


def test_another_hook_target_is_looked_at_where_it_is_asked_for(same: Node) -> None:
    same.kernel.detach(same.kernel.links()[0])
    change(same.writer, same.wanted(LIMIT, ELSEWHERE))
    assert not same.runs()
    change(same.writer, same.wanted(LIMIT, ELSEWHERE, also=[ETH0]))
    assert same.runs()
    assert same.asked == ["limit"]


def test_without_another_source_programs_come_from_packages(node: Node) -> None:
    change(node.writer, replace(node.wanted(LIMIT), linked=None))
    assert node.packages.opened == ["skep/limit"]
    assert node.asked == []


def test_what_is_as_it_should_be_is_not_written(same: Node) -> None:
    count = len(same.state.history())
    assert change_if_needed(same.writer, same.wanted(LIMIT, ELSEWHERE, also=[ETH0])) == ()
    assert len(same.state.history()) == count


def test_each_step_that_was_needed_is_told(same: Node) -> None:
    done = change_if_needed(same.writer, same.wanted(ELSEWHERE))
    assert done == ("remove limit from xdp:eth0", "retire maps of limit: counts")
    assert names(same.state.installed()) == ["elsewhere"]
    assert same.copies == ["elsewhere"]


def test_remarks_are_told_with_the_steps(same: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    attach = same.kernel.attach

    def remarking(*args: Any) -> PinnedLink:
        return replace(attach(*args), remark="generic mode")

    monkeypatch.setattr(same.kernel, "attach", remarking)
    (link, _) = same.kernel.links()
    same.kernel.detach(link)
    wanted = same.wanted(LIMIT, ELSEWHERE, also=[ETH0])
    assert change_if_needed(same.writer, wanted)[-1] == "generic mode"
    same.kernel.detach(same.kernel.links()[-1])
    assert carried_out(same.writer, wanted).remarks == {ETH0: "generic mode"}


def test_records_keep_what_a_change_says_nothing_about(same: Node) -> None:
    before = replace(
        same.records()["limit"], consent=consent(), measured=Measured(7, 7), installed_at="then"
    )
    same.commit(before, same.records()["elsewhere"])
    later = replace(LIMIT, deployment=replace(LIMIT.deployment, order=30))
    change(same.writer, same.wanted(later, ELSEWHERE))
    after = same.records()["limit"]
    assert (after.installed_at, after.consent) == ("then", consent())
    assert after.deployment.order == 30
    again = replace(later, deployment=replace(later.deployment, order=40))
    change(same.writer, same.wanted(again, ELSEWHERE, consents={"limit": consent("another")}))
    assert same.records()["limit"].consent == consent("another")


def test_removed_maps_go_and_those_of_others_stay(same: Node) -> None:
    change(same.writer, same.wanted(LIMIT))
    assert same.kernel.pinned_maps() == {"limit": {"counts"}}
    assert same.kernel.retired_maps() == {}


def test_maps_of_a_record_that_cannot_be_read_go_with_its_name(same: Node) -> None:
    same.kernel.create_map("damaged", "counts", hash_map("counts"))
    same.state.damage("elsewhere")
    change(same.writer, same.wanted(LIMIT, also=[ETH1], gone=["elsewhere", "damaged"]))
    assert same.kernel.pinned_maps() == {"limit": {"counts"}}
    assert same.state.damaged() == ()


def test_what_nobody_can_run_stays_declared_with_its_maps(same: Node) -> None:
    both = (LIMIT, FILTER, ELSEWHERE)
    same.make(*both)
    same.make(FILTER, ELSEWHERE)
    same.make(*both)
    change(same.writer, same.wanted(*both, also=[ETH0], stopping=["limit"]))
    assert same.asked == ["filter"]
    assert names(same.state.installed()) == ["elsewhere", "filter", "limit"]
    assert same.kernel.pinned_maps().keys() == {"limit", "filter", "elsewhere"}
    change(same.writer, same.wanted(*both, also=[ETH0]))
    assert same.kernel.pinned_maps()["limit"] == {"counts"}


def test_where_a_chain_must_run_its_hook_target_must_be_there(same: Node) -> None:
    same.kernel.remove_interface("eth0")
    with pytest.raises(HookTargetMissing):
        change(same.writer, same.wanted(LIMIT, FILTER, ELSEWHERE, must_run=[ETH0]))
    assert names(same.state.installed()) == ["elsewhere", "limit"]


def test_where_it_need_not_run_a_chain_waits_and_keeps_its_maps(same: Node) -> None:
    same.kernel.remove_interface("eth0")
    change(same.writer, same.wanted(LIMIT, FILTER, ELSEWHERE))
    assert same.asked == []
    assert names(same.state.installed()) == ["elsewhere", "filter", "limit"]
    assert same.kernel.pinned_maps()["limit"] == {"counts"}
    change(same.writer, same.wanted(FILTER, ELSEWHERE))
    assert "limit" not in same.kernel.pinned_maps()


def test_a_stranger_on_the_hook_is_in_the_way_only_where_a_chain_must_run(node: Node) -> None:
    node.kernel.occupy("eth0")
    with pytest.raises(HookOccupied):
        change(node.writer, node.wanted(LIMIT, must_run=[ETH0]))
    change(node.writer, node.wanted(LIMIT))
    assert names(node.state.installed()) == ["limit"]
    assert node.asked == ["limit"]  # for the change that was refused


def test_an_interface_made_anew_is_bound_only_where_that_is_asked(same: Node) -> None:
    same.kernel.remove_interface("eth0")
    same.kernel.add_interface("eth0", 9)
    change(same.writer, same.wanted(LIMIT, FILTER, ELSEWHERE))
    assert not same.runs()
    with pytest.raises(HookTargetMissing, match="was replaced"):
        change(same.writer, same.wanted(LIMIT, ELSEWHERE, also=[ETH0], must_run=[ETH0]))
    # Others that wait are not bound by the way, and the link to the old interface goes.
    same.kernel.remove_interface("eth1")
    same.kernel.add_interface("eth1", 10)
    wanted = same.wanted(LIMIT, ELSEWHERE, also=[ETH0, ETH1], must_run=[ETH0], anew=True)
    change(same.writer, wanted)
    assert same.runs()
    assert not same.runs("eth1")
    binding = same.records()["limit"].binding
    assert binding is not None
    assert binding.identity == same.kernel.identity("eth0")
    assert sorted(link.is_attached for link in same.kernel.links()) == [False, True]


def test_a_chain_that_runs_follows_its_interface_also_where_it_could_be_bound_anew(
    same: Node,
) -> None:
    same.kernel.interface("eth0").name = "eth9"
    same.kernel.add_interface("eth0", 9)
    change(same.writer, same.wanted(LIMIT, FILTER, ELSEWHERE, must_run=[ETH0], anew=True))
    assert same.runs("eth9")
    assert not same.runs("eth0")


def test_what_was_never_installed_is_bound_like_its_chain(same: Node) -> None:
    same.kernel.remove_interface("eth0")
    change(same.writer, same.wanted(LIMIT, FILTER, ELSEWHERE))
    records = same.records()
    assert records["filter"].binding == records["limit"].binding
    assert records["filter"].installed_at == NOW_TEXT
    assert records["filter"].measured == Measured()
    # One that has no binding, as it has never run, hides none that has.
    same.commit(records["limit"], replace(records["filter"], binding=None), records["elsewhere"])
    same.known["last"] = linked("last", order=30)
    change(same.writer, same.wanted(LIMIT, FILTER, same.known["last"], ELSEWHERE))
    assert same.records()["last"].binding == records["limit"].binding


def test_the_link_of_a_chain_that_has_gone_goes_if_it_is_on_nothing(same: Node) -> None:
    same.kernel.remove_interface("eth0")
    change(same.writer, same.wanted(ELSEWHERE))
    assert [link.hook for link in same.kernel.links()] == ["xdp"]
    assert all(link.is_attached for link in same.kernel.links())


def test_a_link_that_nothing_declares_stays_where_it_is_attached(same: Node) -> None:
    same.kernel.add_interface("eth2", 12)
    program = same.kernel.load(LIMIT.program, [], "skep_other")
    stray = same.kernel.attach("xdp", same.kernel.identity("eth2"), program)
    change(same.writer, same.wanted(LIMIT, FILTER, ELSEWHERE))
    assert stray.pin in [link.pin for link in same.kernel.links()]
