"""One plan for what is shown and what is done; a plan that changes nothing touches nothing."""

import sqlite3
from dataclasses import replace

import pytest
from tests.builders.nodes import YES, FakeNode, request

from skep.chains.ordering import After, At, Before, Last, Placement
from skep.errors import SkepError
from skep.node.converging.consenting import NOT_ASKED
from skep.node.converging.kept_programs import RecordDamaged
from skep.node.deploying.applying import Changed, Desired, apply, execute, foresee
from skep.node.deploying.installing import (
    DeploymentExists,
    InstallRequest,
    check_request,
    desired_install,
    install,
)
from skep.node.deploying.moving import desired_move, move
from skep.node.deploying.removing import foresee_removal, remove
from skep.node.deploying.setting import change_settings, desired_settings


def whole(node: FakeNode) -> tuple[object, ...]:
    """A node in the kernel and in the database."""
    return (
        node.kernel.snapshot(),
        node.state.installed(),
        node.state.history(),
        node.state.consents(),
        [*node.kernel.exchanges],
    )


def wanted(node: FakeNode, what: str) -> Desired:
    services = node.services()
    match what:
        case "install":
            return desired_install(services, request("acme/filter"))
        case "set":
            return desired_settings(services, "limit", {"rate": "5", "constant": "2"})
        case _:
            return desired_move(services, "limit", At(3))


@pytest.mark.parametrize("what", ["install", "set", "move"])
def test_a_plan_is_made_by_looking_and_carried_out_as_shown(node: FakeNode, what: str) -> None:
    node.install("acme/limit")
    before = whole(node)
    plan = foresee(node.services(), wanted(node, what))
    assert whole(node) == before
    assert not plan.is_unchanged
    execute(node.writer(), plan, YES)
    assert node.state.history()[0].steps == plan.steps
    declared = {replace(one.deployment, maps=()) for one in node.state.installed()}
    assert declared == {replace(each, maps=()) for each in plan.desired.change.after}
    node.consistent()


@pytest.mark.parametrize("what", ["set", "move"])
def test_a_plan_for_a_damaged_record_says_that_it_is_damaged(node: FakeNode, what: str) -> None:
    node.install("acme/limit")
    with sqlite3.connect(node.path) as connection:
        connection.execute("UPDATE deployments SET settings = '[['")
    with pytest.raises(RecordDamaged, match="limit is damaged: its settings are not valid") as told:
        wanted(node, what)
    assert told.value.hint == "skep doctor --repair"


def test_a_removal_is_carried_out_as_shown(node: FakeNode) -> None:
    node.install("acme/limit")
    node.install("acme/filter")
    before = whole(node)
    foreseen = foresee_removal(node.services(), "limit")
    assert whole(node) == before
    done = remove(node.writer(), "limit")
    assert (done.names, done.on, done.steps, done.undo) == (
        foreseen.names,
        foreseen.on,
        foreseen.steps,
        foreseen.undo,
    )
    assert node.state.history()[0].steps == foreseen.steps


def test_a_plan_without_consent_changes_nothing(node: FakeNode) -> None:
    plan = foresee(node.services(), wanted(node, "install"))
    before = whole(node)
    with pytest.raises(SkepError, match="needs consent"):
        execute(node.writer(), plan, NOT_ASKED)
    assert whole(node) == before


def repeated(node: FakeNode, what: str) -> Changed:
    """A change that was made already; nobody agrees to anything."""
    writer = node.writer()
    match what:
        case "install":
            asked = request("acme/limit", rate="9", answer=NOT_ASKED)
            return install(writer, replace(asked, placement=Last()))
        case "install-before":
            asked = request("acme/limit", rate="9", answer=NOT_ASKED)
            return install(writer, replace(asked, placement=Before("filter")))
        case "set":
            return change_settings(writer, "limit", {"rate": "9"})
        case "move-before":
            return move(writer, "limit", Before("filter"))
        case "move-last":
            return move(writer, "filter", Last())
        case _:
            return move(writer, "limit", At(10))


@pytest.mark.parametrize(
    "what", ["install", "install-before", "set", "move-before", "move-last", "move-order"]
)
def test_the_same_again_loads_and_writes_nothing(node: FakeNode, what: str) -> None:
    node.install("acme/limit", rate="9")
    node.install("acme/filter")
    before = whole(node)
    changed = repeated(node, what)
    assert changed.is_unchanged
    assert (changed.plan.steps, changed.plan.undo, changed.plan.needs) == ((), (), ())
    assert changed.chain == ("limit", "filter")
    assert whole(node) == before


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(request("acme/limit", rate="8"), id="setting"),
        pytest.param(request("acme/limit", on="xdp:eth1", rate="9"), id="target"),
        pytest.param(request("acme/limit", rate="9", placement=After("filter")), id="place"),
        pytest.param(request("acme/limit", rate="9", placement=At(11)), id="order"),
        pytest.param(replace(request("acme/filter", rate="9"), name="limit"), id="package"),
        pytest.param(
            replace(request("acme/limit", rate="9"), policy="insecure-accept-all"), id="policy"
        ),
    ],
)
def test_something_else_of_the_same_name_is_a_conflict(
    node: FakeNode, asked: InstallRequest
) -> None:
    node.install("acme/limit", rate="9")
    node.install("acme/filter")
    before = whole(node)
    with pytest.raises(DeploymentExists, match="a deployment 'limit' already exists"):
        install(node.writer(), asked)
    assert whole(node) == before


def test_other_words_for_values_that_are_in_force_change_nothing(node: FakeNode) -> None:
    node.install("acme/limit", rate="9", ports="80,443")
    before = whole(node)
    assert install(node.writer(), request("acme/limit", rate="9", ports="443, 80")).is_unchanged
    assert change_settings(node.writer(), "limit", {"ports": "443,80"}).is_unchanged
    assert whole(node) == before
    # A default is in force whether it was chosen or not.
    change_settings(node.writer(), "limit", {"ports": ""})
    assert install(node.writer(), request("acme/limit", rate="9")).is_unchanged


@pytest.mark.parametrize(
    ("asked", "hint"),
    [
        pytest.param(request("acme/limit", rate="8"), "skep set limit rate=8", id="settings"),
        pytest.param(request("acme/limit"), "skep set limit --reset rate", id="default"),
        pytest.param(
            request("acme/limit", rate="9", placement=At(11)),
            "skep move limit --order 11",
            id="place",
        ),
        pytest.param(
            request("acme/limit", on="xdp:eth1", rate="9"),
            "choose another name with --name, or remove that one first",
            id="target",
        ),
    ],
)
def test_a_conflict_hints_at_what_changes_the_deployment_there(
    node: FakeNode, asked: InstallRequest, hint: str
) -> None:
    node.install("acme/limit", rate="9")
    with pytest.raises(DeploymentExists) as caught:
        install(node.writer(), asked)
    assert caught.value.hint == hint


def test_what_is_declared_and_does_not_run_is_attached_again(node: FakeNode) -> None:
    node.install("acme/limit")
    node.kernel.detach(node.kernel.links()[0])
    changed = install(node.writer(), request("acme/limit", answer=NOT_ASKED))
    assert not changed.is_unchanged
    node.consistent()


def test_a_map_that_somebody_wrote_to_is_set_again(node: FakeNode) -> None:
    node.install("acme/limit", rate="9")
    node.kernel.write_entries("limit", "config", {bytes(4): bytes(8)}, ())
    assert not change_settings(node.writer(), "limit", {"rate": "9"}).is_unchanged
    assert change_settings(node.writer(), "limit", {"rate": "9"}).is_unchanged


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(request("acme/limit", on="xdp:eth1", rate="9"), id="other-target"),
        pytest.param(replace(request("acme/limit", rate="9"), program="no"), id="other-program"),
        pytest.param(request("other/limit", rate="9"), id="other-package"),
    ],
)
def test_a_taken_name_is_refused_before_the_package_is_there(
    node: FakeNode, asked: InstallRequest
) -> None:
    node.install("acme/limit", rate="9")
    node.packages.opened.clear()
    with pytest.raises(DeploymentExists):
        check_request(node.services(), asked)
    assert node.packages.opened == []


def test_what_may_be_the_same_again_is_not_refused_before_the_package_is_there(
    node: FakeNode,
) -> None:
    node.install("acme/limit", rate="9")
    check_request(node.services(), request("acme/limit", rate="9"))


@pytest.mark.parametrize("placement", [Before("nobody"), After("nobody")], ids=str)
def test_a_place_beside_nobody_is_refused_before_the_package_is_there(
    node: FakeNode, placement: Placement
) -> None:
    with pytest.raises(SkepError, match="nobody"):
        check_request(node.services(), request(placement=placement))
    assert node.packages.opened == []


def test_applying_is_planning_and_carrying_out(node: FakeNode) -> None:
    changed = apply(node.writer(), wanted(node, "install"), YES)
    assert changed.installed in node.state.installed()
    assert not changed.is_dry_run
    assert changed.consent is not None
