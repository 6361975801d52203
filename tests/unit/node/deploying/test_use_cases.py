"""Install, remove, move, set: on a kernel in memory and a real database."""

from dataclasses import replace
from typing import Any

import pytest
from tests.builders.nodes import FakeNode, request
from tests.fakes.faults import Fault, PlannedFailure
from tests.fakes.packages import FINGERPRINT

from skep.chains.ordering import After, Before, NoSuchNeighbour
from skep.chains.planning import HookOccupied, HookTargetMissing
from skep.errors import SkepError, Unavailable, UsageError
from skep.hooks.table import parse_hook_target
from skep.node.converging.composing import MemberRefused
from skep.node.converging.recovering import recover
from skep.node.deploying.installing import DeploymentExists, install
from skep.node.deploying.moving import move
from skep.node.deploying.removing import remove
from skep.node.deploying.setting import NothingToSet, change_settings
from skep.node.looking.listing import NoSuchDeployment, list_installed, view_chain
from skep.packages.errors import UnknownSetting
from skep.trust.errors import Unsigned

ETH0 = parse_hook_target("xdp:eth0")
KEY = bytes(4)


def number(value: int, width: int = 8) -> bytes:
    return value.to_bytes(width, "little")


def test_an_installed_program_runs_and_is_committed(node: FakeNode) -> None:
    report = install(node.writer(), request())
    assert report.chain == ("limit",)
    (listed,) = list_installed(node.state, node.kernel)
    assert (listed.condition, listed.maps_missing) == ("running", ())
    assert listed.deployment.signer == FINGERPRINT
    assert listed.installed.measured.verified_instructions == 2
    node.consistent()


def test_settings_are_in_the_maps_before_the_program_runs(node: FakeNode) -> None:
    node.install(rate="9", ports="80,443")
    assert node.kernel.read_entries("limit", "config") == {KEY: number(9)}
    assert set(node.kernel.read_entries("limit", "ports")) == {number(80, 4), number(443, 4)}


def test_the_second_one_joins_the_chain_in_one_exchange(node: FakeNode) -> None:
    node.install("acme/limit")
    node.kernel.exchanges.clear()
    node.install("acme/filter")
    assert node.names() == ["limit", "filter"]
    assert len(node.kernel.exchanges) == 1
    node.consistent()


def test_a_newcomer_can_go_first(node: FakeNode) -> None:
    node.install("acme/limit")
    node.install("acme/filter", placement=Before("limit"))
    assert node.names() == ["filter", "limit"]


def test_a_taken_name_is_a_conflict(node: FakeNode) -> None:
    node.install()
    with pytest.raises(DeploymentExists, match="limit"):
        node.install(on="xdp:eth1")


def test_the_same_package_twice_needs_two_names(node: FakeNode) -> None:
    node.install()
    install(node.writer(), replace(request(), name="second"))
    assert node.names() == ["limit", "second"]


@pytest.mark.parametrize("name", ["../etc", "a.b", "A", "x" * 64])
def test_names_that_are_no_directory_in_bpffs_are_refused(node: FakeNode, name: str) -> None:
    with pytest.raises(UsageError):
        install(node.writer(), replace(request(), name=name))


def test_a_missing_interface_is_not_found_and_nothing_changes(node: FakeNode) -> None:
    before = node.kernel.snapshot()
    with pytest.raises(HookTargetMissing, match="eth7"):
        node.install(on="xdp:eth7")
    assert (node.kernel.snapshot(), node.names()) == (before, [])
    assert node.state.history() == ()


def test_a_foreign_program_is_a_conflict_and_stays(node: FakeNode) -> None:
    node.kernel.occupy(by="program 7 (xdp_dispatcher)")
    before = node.kernel.snapshot()
    with pytest.raises(HookOccupied, match="xdp_dispatcher"):
        node.install()
    assert (node.kernel.snapshot(), node.names()) == (before, [])


def test_an_unsigned_package_is_refused_by_default(node: FakeNode) -> None:
    node.packages.unsigned.add("acme/limit")
    with pytest.raises(Unsigned):
        node.install()
    assert node.names() == []


def test_an_accepted_unsigned_package_is_flagged_for_good(node: FakeNode) -> None:
    node.packages.unsigned.add("acme/limit")
    install(node.writer(), replace(request(), policy="insecure-accept-all"))
    (listed,) = list_installed(node.state, node.kernel)
    assert listed.deployment.accepts_unsigned
    assert listed.deployment.signer == ""


def test_waiving_signatures_for_one_waives_them_for_no_other(node: FakeNode) -> None:
    node.packages.unsigned |= {"acme/limit", "acme/filter"}
    install(node.writer(), replace(request(), policy="insecure-accept-all"))
    with pytest.raises(Unsigned):
        node.install("acme/filter")


def test_a_member_the_verifier_refuses_is_named_and_everything_undone(node: FakeNode) -> None:
    node.install("acme/limit")
    before = node.kernel.snapshot()
    node.packages.refused.add("acme/filter")
    with pytest.raises(MemberRefused, match="filter") as caught:
        node.install("acme/filter")
    assert caught.value.detail
    assert node.kernel.snapshot() == before
    assert node.state.history()[0].outcome == "undone"
    node.consistent()


@pytest.mark.parametrize("settings", [{"rate": "many"}, {"colour": "1"}])
def test_wrong_settings_are_refused_before_anything_is_done(
    node: FakeNode, settings: dict[str, str]
) -> None:
    with pytest.raises(UsageError):
        install(node.writer(), replace(request(), settings=settings))
    assert node.state.history() == ()


def test_every_load_opens_every_member_again(node: FakeNode) -> None:
    node.install("acme/limit")
    node.packages.opened.clear()
    node.install("acme/filter")
    assert set(node.packages.opened) == {"acme/limit", "acme/filter"}


def test_a_digest_that_is_known_is_what_is_opened(node: FakeNode) -> None:
    digest = node.packages.open(request().reference, None, "require-key").digest
    report = install(node.writer(), replace(request(), digest=digest))
    assert report.deployment.digest == str(digest)


def test_removing_the_last_detaches(node: FakeNode) -> None:
    node.install()
    gone = remove(node.writer(), "limit")
    assert gone.names == ("limit",)
    assert node.kernel.snapshot() == ({}, {}, {})
    node.consistent()


def test_removing_one_leaves_the_others_maps_as_they_are(node: FakeNode) -> None:
    node.install("acme/limit")
    node.install("acme/filter")
    kept = node.kernel.maps["filter", "config"].identity
    remove(node.writer(), "limit")
    assert node.kernel.maps["filter", "config"].identity == kept
    node.consistent()


def test_what_is_not_there_cannot_be_removed(node: FakeNode) -> None:
    with pytest.raises(NoSuchDeployment, match="nobody"):
        remove(node.writer(), "nobody")


def test_removing_works_where_the_interface_is_gone(node: FakeNode) -> None:
    node.install("acme/limit")
    node.install("acme/filter")
    node.kernel.remove_interface("eth0")
    remove(node.writer(), "limit")
    assert node.names() == ["filter"]
    assert set(node.kernel.pinned_maps()) == {"filter"}


def test_removing_does_not_need_the_package(node: FakeNode) -> None:
    node.install()
    node.packages.gone.add("acme/limit")
    remove(node.writer(), "limit")
    node.consistent()


def test_a_move_is_one_exchange_and_keeps_maps(node: FakeNode) -> None:
    node.install("acme/limit")
    node.install("acme/filter")
    maps = {key: one.identity for key, one in node.kernel.maps.items()}
    node.kernel.exchanges.clear()
    assert move(node.writer(), "filter", Before("limit")).chain == ("filter", "limit")
    assert len(node.kernel.exchanges) == 1
    assert {key: one.identity for key, one in node.kernel.maps.items()} == maps
    node.consistent()


def test_a_move_to_the_same_place_exchanges_nothing(node: FakeNode) -> None:
    node.install("acme/limit")
    node.install("acme/filter")
    node.kernel.exchanges.clear()
    move(node.writer(), "filter", After("limit"))
    assert node.kernel.exchanges == []


def test_a_move_behind_nobody_changes_nothing(node: FakeNode) -> None:
    node.install()
    with pytest.raises(NoSuchNeighbour):
        move(node.writer(), "limit", After("nobody"))


def test_a_map_setting_changes_live(node: FakeNode) -> None:
    node.install(ports="80,443")
    node.kernel.exchanges.clear()
    change_settings(node.writer(), "limit", {"rate": "5", "ports": "443,8080"})
    assert node.kernel.read_entries("limit", "config") == {KEY: number(5)}
    assert set(node.kernel.read_entries("limit", "ports")) == {number(443, 4), number(8080, 4)}
    assert node.kernel.exchanges == []
    assert dict(node.state.installed()[0].deployment.settings) == {
        "rate": "5",
        "ports": "443,8080",
    }
    node.consistent()


def test_a_set_can_become_empty(node: FakeNode) -> None:
    node.install(ports="80")
    change_settings(node.writer(), "limit", {"ports": ""})
    assert node.kernel.read_entries("limit", "ports") == {}


@pytest.mark.parametrize(
    ("chosen", "changed"),
    [
        pytest.param({"rate": "9"}, {"rate": None}, id="default"),
        pytest.param({"ports": "80"}, {"ports": None, "rate": "5"}, id="set"),
        pytest.param({"slot": "3"}, {"slot": None}, id="entry-of-an-array"),
        pytest.param({"entry": "3"}, {"entry": None}, id="entry-of-a-hash"),
        pytest.param({"constant": "3"}, {"constant": None}, id="constant"),
    ],
)
def test_a_setting_is_taken_back_to_what_its_author_chose(
    node: FakeNode, chosen: dict[str, str], changed: dict[str, str | None]
) -> None:
    node.install()
    before = contents(node)
    change_settings(node.writer(), "limit", chosen)
    assert contents(node) != before
    change_settings(node.writer(), "limit", dict.fromkeys(chosen))
    assert contents(node) == before
    assert node.state.installed()[0].deployment.settings == ()
    node.consistent()
    change_settings(node.writer(), "limit", chosen)
    change_settings(node.writer(), "limit", changed)
    given = {name: text for name, text in changed.items() if text is not None}
    assert dict(node.state.installed()[0].deployment.settings) == given
    node.consistent()


def test_what_is_at_its_default_already_is_reset_without_a_change(node: FakeNode) -> None:
    node.install()
    assert change_settings(node.writer(), "limit", {"rate": None}).is_unchanged


def test_a_chosen_default_is_forgotten(node: FakeNode) -> None:
    node.install(rate="7")
    changed = change_settings(node.writer(), "limit", {"rate": None})
    assert not changed.is_unchanged
    assert node.state.installed()[0].deployment.settings == ()


def test_a_setting_that_is_not_there_cannot_be_reset(node: FakeNode) -> None:
    node.install()
    with pytest.raises(UnknownSetting, match="no setting 'colour'"):
        change_settings(node.writer(), "limit", {"colour": None})


def contents(node: FakeNode) -> dict[tuple[str, str], dict[bytes, bytes]]:
    """Everything in the maps of the node, by deployment and pin."""
    return {key: dict(each.contents) for key, each in node.kernel.maps.items()}


def test_a_constant_exchanges_the_chain_and_keeps_the_other_maps(node: FakeNode) -> None:
    node.install("acme/limit")
    node.install("acme/filter")
    before = {key: one.identity for key, one in node.kernel.maps.items()}
    node.kernel.exchanges.clear()
    change_settings(node.writer(), "limit", {"constant": "2"})
    after = {key: one.identity for key, one in node.kernel.maps.items()}
    assert len(node.kernel.exchanges) == 1
    assert len(before.items() - after.items()) == 1
    assert node.state.installed()[0].measured.verified_instructions == 2
    node.consistent()


@pytest.mark.parametrize("changes", [{"rate": "many"}, {"colour": "1"}])
def test_wrong_values_change_nothing(node: FakeNode, changes: dict[str, str]) -> None:
    node.install()
    before = node.kernel.snapshot()
    with pytest.raises(UsageError):
        change_settings(node.writer(), "limit", changes)
    assert node.kernel.snapshot() == before


def test_setting_nothing_is_a_mistake(node: FakeNode) -> None:
    with pytest.raises(NothingToSet):
        change_settings(node.writer(), "limit", {})


@pytest.mark.parametrize("at", range(12))
def test_a_failing_step_is_undone(node: FakeNode, at: int) -> None:
    node.install("acme/limit", ports="80")
    before, names = node.kernel.snapshot(), node.names()
    fault = Fault(at, kills=False)
    try:
        node.install("acme/filter", fault=fault)
    except PlannedFailure:
        assert node.kernel.snapshot() == before
        assert node.names() == names
    assert node.kernel.open_programs() == []


def test_where_undoing_fails_too_the_next_command_repairs(
    node: FakeNode, caplog: pytest.LogCaptureFixture
) -> None:
    node.install("acme/limit")

    class NeverAgain(Fault):
        def call(self, function, *args, **kwargs):  # type: ignore[no-untyped-def]
            if function.__name__ in {"attach", "replace", "delete_map"}:
                raise Unavailable("the kernel is tired")
            return function(*args, **kwargs)

    with pytest.raises(SkepError, match="tired") as caught:
        node.install("acme/filter", fault=NeverAgain(0))
    assert "next command" in caught.value.__notes__[0]
    (told,) = caplog.records
    assert vars(told)["sentence"] == (
        "the change could not be undone: the kernel is tired; the next command tries again"
    )
    assert len(node.state.unfinished()) == 1
    recover(node.writer())
    assert node.names() == ["limit"]
    node.consistent()


class Interrupting(Fault):
    """Ctrl-C after a step was done and before it is remembered."""

    def call(self, function: Any, *args: Any, **kwargs: Any) -> Any:
        number, self.calls = self.calls, self.calls + 1
        result = function(*args, **kwargs)
        if number == self.at:
            raise KeyboardInterrupt
        return result


@pytest.mark.parametrize("at", range(10))
def test_an_interrupt_at_any_step_is_undone_or_repaired(node: FakeNode, at: int) -> None:
    node.install("acme/limit", ports="80")
    before = node.kernel.snapshot()
    try:
        node.install("acme/filter", fault=Interrupting(at))
    except KeyboardInterrupt:
        recover(node.writer())
        if node.names() == ["limit"]:
            assert node.kernel.snapshot()[1:] == before[1:]  # the maps, with their content
    node.kernel.handles.clear()
    node.consistent()


def test_a_chain_is_shown_as_declared_and_as_it_runs(node: FakeNode) -> None:
    node.install()
    view = view_chain(node.state, node.kernel, ETH0)
    assert (view.condition, view.declared) == ("running", view.running)
    node.kernel.detach(node.kernel.links()[0])
    assert view_chain(node.state, node.kernel, ETH0).condition == "not running"
    node.kernel.remove_interface("eth0")
    assert view_chain(node.state, node.kernel, ETH0).condition == "waiting"


def test_a_chain_somebody_exchanged_is_told(node: FakeNode) -> None:
    node.install("acme/limit")
    node.install("acme/filter", on="xdp:eth1")
    first, second = node.kernel.link_table.values()
    first.program = second.program
    assert view_chain(node.state, node.kernel, ETH0).condition == "differs"
