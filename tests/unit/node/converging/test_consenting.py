"""Consent: nothing new is loaded without it, nothing that runs is stopped for want of it."""

from dataclasses import replace

import pytest
from tests.builders.nodes import YES, FakeNode, request
from tests.fakes.packages import DROPS, NOW
from tests.unit.node.converging.test_doctoring import NONE

from skep.bytecode.analysis.growth import Granted
from skep.chains.ordering import At, Before, Last
from skep.clock import rfc3339
from skep.errors import codes
from skep.node.converging.composing import MemberRefused
from skep.node.converging.consenting import (
    NOT_ASKED,
    ConsentNeeded,
    Need,
    YesTo,
    find_needs,
    record,
)
from skep.node.converging.doctoring import examine
from skep.node.converging.recovering import recover
from skep.node.deploying.installing import install
from skep.node.deploying.moving import move
from skep.node.deploying.removing import remove
from skep.node.deploying.setting import change_settings
from skep.node.records import Consent

READS = Granted("net.read", "", "declared", "medium")
MIRRORS = Granted("net.mirror", "", "possible", "critical")


def consent(node: FakeNode, name: str = "limit") -> Consent | None:
    (found,) = (one.consent for one in node.state.installed() if one.deployment.name == name)
    return found


def outcomes(node: FakeNode) -> list[tuple[str, str]]:
    """Oldest first."""
    return [(each.outcome, each.deployment) for each in reversed(node.state.consents())]


def forget_consent(node: FakeNode) -> None:
    """As if everything had been installed before consent was stored."""
    installed = [replace(one, consent=None) for one in node.state.installed()]
    node.state.commit(node.state.begin("before", [], rfc3339(NOW)), installed, rfc3339(NOW))


def needs_of(refused: pytest.ExceptionInfo[ConsentNeeded]) -> tuple[Need, ...]:
    return refused.value.needs


# Installing


def test_installing_without_an_answer_changes_nothing(node: FakeNode) -> None:
    before = node.kernel.snapshot()
    with pytest.raises(ConsentNeeded, match="installing limit needs consent") as refused:
        node.install(answer=NOT_ASKED)
    assert "Can drop packets  [net.drop]" in refused.value.detail.splitlines()
    assert codes(refused.value).exit_code == 11
    assert (node.kernel.snapshot(), node.names()) == (before, [])
    assert (node.state.history(), node.state.consents()) == ((), ())


def test_what_was_agreed_to_is_kept_with_the_deployment(node: FakeNode) -> None:
    node.packages.compiled["acme/limit"] = (DROPS, READS)
    report = install(node.writer(), request())
    assert report.consent == Consent(
        at=rfc3339(NOW),
        person="tester",
        how="yes",
        digest=report.deployment.digest,
        taxonomy=1,
        shown=(DROPS,),
        package=(DROPS, READS),
    )
    (kept,) = node.state.consents()
    assert (kept.outcome, kept.deployment, kept.reference) == (
        "given",
        "limit",
        "acme/limit:1.0.0",
    )
    assert kept.consent == report.consent


def shown(node: FakeNode) -> tuple[Need, ...]:
    """What a prompt for installing acme/limit shows."""
    with pytest.raises(ConsentNeeded) as refused:
        node.install(answer=NOT_ASKED)
    return needs_of(refused)


def test_an_answer_to_the_question_is_kept_as_one(node: FakeNode) -> None:
    node.install(answer=YesTo("alice", shown(node)))
    found = consent(node)
    assert found is not None
    assert (found.person, found.how) == ("alice", "question")


def test_a_label_that_grew_after_the_question_is_not_agreed_to(node: FakeNode) -> None:
    needs = shown(node)
    node.packages.labels["acme/limit"] = (DROPS, MIRRORS)
    with pytest.raises(ConsentNeeded):
        node.install(answer=YesTo("alice", needs))
    assert node.names() == []


def test_a_label_that_shrank_after_the_question_is(node: FakeNode) -> None:
    node.packages.labels["acme/limit"] = (DROPS, MIRRORS)
    needs = shown(node)
    node.packages.labels["acme/limit"] = (DROPS,)
    node.install(answer=YesTo("alice", needs))
    node.consistent()


@pytest.mark.parametrize("other", ["acme/filter", "acme/limit"])
def test_an_answer_about_one_says_nothing_of_another(node: FakeNode, other: str) -> None:
    needs = shown(node)
    with pytest.raises(ConsentNeeded):
        node.install(other, on="xdp:eth1", answer=YesTo("alice", needs))


def test_an_answer_about_other_settings_is_none(node: FakeNode) -> None:
    needs = shown(node)
    with pytest.raises(ConsentNeeded):
        node.install(answer=YesTo("alice", needs), rate="8")


def test_installing_again_after_removing_asks_again(node: FakeNode) -> None:
    node.install()
    remove(node.writer(), "limit")
    with pytest.raises(ConsentNeeded):
        node.install(answer=NOT_ASKED)
    assert outcomes(node) == [("given", "limit")]


def test_a_program_the_kernel_refuses_has_no_consent(node: FakeNode) -> None:
    node.packages.refused.add("acme/limit")
    with pytest.raises(MemberRefused):
        node.install()
    assert node.state.consents() == ()


# Changing


def test_a_change_within_what_was_agreed_to_asks_nothing(node: FakeNode) -> None:
    node.install("acme/limit")
    node.install("acme/filter")
    before = consent(node)
    change_settings(node.writer(), "limit", {"rate": "9"})
    move(node.writer(), "filter", Before("limit"))
    assert consent(node) == before
    assert outcomes(node) == [("given", "limit"), ("given", "filter")]
    node.consistent()


def test_settings_that_allow_more_ask_and_change_nothing_without_an_answer(node: FakeNode) -> None:
    node.packages.compiled["acme/limit"] = (DROPS, MIRRORS)
    node.packages.labels["acme/limit"] = (DROPS,)
    node.packages.labels["acme/limit", "2"] = (DROPS, MIRRORS)
    node.install()
    before = node.kernel.snapshot()
    for _ in range(3):
        with pytest.raises(ConsentNeeded, match=r"more than was agreed to: net\.mirror$"):
            change_settings(node.writer(), "limit", {"constant": "2"})
    assert node.kernel.snapshot() == before
    assert dict(node.state.installed()[0].deployment.settings) == {}
    assert outcomes(node) == [("given", "limit"), ("exceeded", "limit")]
    node.consistent()


def test_settings_that_allow_more_are_agreed_to_once(node: FakeNode) -> None:
    node.packages.compiled["acme/limit"] = (DROPS, MIRRORS)
    node.packages.labels["acme/limit"] = (DROPS,)
    node.packages.labels["acme/limit", "2"] = (DROPS, MIRRORS)
    node.install()
    change_settings(node.writer(), "limit", {"constant": "2"}, YES)
    found = consent(node)
    assert found is not None
    assert found.shown == (DROPS, MIRRORS)
    for constant in ("1", "2"):
        change_settings(node.writer(), "limit", {"constant": constant})
    assert outcomes(node) == [("given", "limit"), ("given", "limit")]
    node.consistent()


def test_a_wrong_setting_is_told_before_anybody_is_asked(node: FakeNode) -> None:
    node.install()
    forget_consent(node)
    with pytest.raises(Exception, match="many"):
        change_settings(node.writer(), "limit", {"rate": "many"})
    assert outcomes(node) == [("given", "limit")]


@pytest.mark.parametrize("severity", ["critical", "high"])
def test_what_a_newer_analyser_finds_asks_at_the_next_change(node: FakeNode, severity: str) -> None:
    node.install("acme/limit")
    grown = (
        (replace(DROPS, severity="critical"), READS)
        if severity == "critical"
        else (
            DROPS,
            READS,
        )
    )
    node.packages.labels["acme/limit"] = grown
    for change in (
        lambda answer: change_settings(node.writer(), "limit", {"rate": "1"}, answer),
        lambda answer: move(node.writer(), "limit", At(3), answer),
        lambda answer: node.install("acme/filter", answer=answer),
    ):
        with pytest.raises(ConsentNeeded) as refused:
            change(NOT_ASKED)
        assert "new: Can read packet contents  [net.read]" in refused.value.detail
        assert ("critical instead of high" in refused.value.detail) == (severity == "critical")
    node.install("acme/filter", answer=YES)
    found = consent(node)
    assert found is not None
    assert found.shown == grown
    node.consistent()


def test_a_new_kernel_alone_asks_nothing(node: FakeNode) -> None:
    node.packages.compiled["acme/limit"] = (DROPS, replace(MIRRORS, confidence="possible"))
    node.packages.labels["acme/limit"] = (DROPS,)
    node.install()
    node.packages.labels["acme/limit"] = (DROPS, replace(MIRRORS, confidence="declared"))
    change_settings(node.writer(), "limit", {"rate": "9"})
    move(node.writer(), "limit", Last())
    node.install("acme/filter")
    assert outcomes(node) == [("given", "limit"), ("given", "filter")]


def test_what_runs_elsewhere_is_not_asked_about(node: FakeNode) -> None:
    node.install("acme/limit")
    node.packages.labels["acme/limit"] = (DROPS, READS)
    node.install("acme/filter", on="xdp:eth1")
    assert outcomes(node) == [("given", "limit"), ("given", "filter")]


def test_removing_and_repairing_ask_nothing(node: FakeNode) -> None:
    node.install("acme/limit")
    node.install("acme/filter")
    node.packages.labels["acme/limit"] = (DROPS, MIRRORS)
    node.kernel.reboot()
    node.state.begin("the machine went down", [], rfc3339(NOW))
    recover(node.writer())
    assert node.names() == ["limit", "filter"]
    remove(node.writer(), "filter")
    node.consistent()


# Before consent was stored


def test_a_deployment_from_before_runs_on_and_can_be_removed(node: FakeNode) -> None:
    node.install("acme/limit")
    node.install("acme/filter")
    forget_consent(node)
    node.kernel.reboot()
    node.state.begin("the machine went down", [], rfc3339(NOW))
    recover(node.writer())
    remove(node.writer(), "limit")
    assert node.names() == ["filter"]
    assert consent(node, "filter") is None


def test_a_deployment_from_before_is_asked_about_once(node: FakeNode) -> None:
    node.install("acme/limit")
    forget_consent(node)
    with pytest.raises(ConsentNeeded, match="before consent was stored") as refused:
        change_settings(node.writer(), "limit", {"rate": "1"})
    change_settings(node.writer(), "limit", {"rate": "1"}, YesTo("alice", needs_of(refused)))
    change_settings(node.writer(), "limit", {"rate": "2"})
    node.consistent()


def test_the_doctor_tells_what_the_next_change_will_ask(node: FakeNode) -> None:
    node.install("acme/limit")
    forget_consent(node)
    node.install("acme/filter", on="xdp:eth1")
    node.packages.labels["acme/filter"] = (DROPS, READS)
    found = {each.kind: each for each in examine(node.services(), NONE)}
    assert set(found) == {"consent not stored", "consent exceeded"}
    assert all(each.is_information for each in found.values())
    assert "net.read" in found["consent exceeded"].text


def test_the_doctor_tells_what_a_new_kernel_brought(node: FakeNode) -> None:
    node.packages.compiled["acme/limit"] = (DROPS, READS)
    node.install("acme/limit")
    assert not examine(node.services(), NONE)
    node.packages.labels["acme/limit"] = (DROPS, READS)
    (found,) = examine(node.services(), NONE)
    assert (found.kind, found.subject, found.is_information) == ("label changed", "limit", True)
    assert "net.read" in found.text


def test_the_doctor_looks_past_a_package_that_is_gone(node: FakeNode) -> None:
    node.install("acme/limit")
    node.install("acme/filter", on="xdp:eth1")
    forget_consent(node)
    node.packages.gone.add("acme/limit")
    gone, found = examine(node.services(), NONE)
    assert (gone.kind, gone.subject) == ("package unusable", "limit")
    assert found.subject == "filter"


# The record


def test_a_no_is_recorded_and_allows_nothing(node: FakeNode) -> None:
    needs = shown(node)
    record(node.writer(), needs, "refused", YesTo("alice", ()))
    (kept,) = node.state.consents()
    assert (kept.outcome, kept.consent.person, kept.consent.how) == (
        "refused",
        "alice",
        "question",
    )
    with pytest.raises(ConsentNeeded):
        node.install(answer=NOT_ASKED)


def test_needs_come_in_the_order_of_the_chain(node: FakeNode) -> None:
    node.install("acme/b")
    node.install("acme/a")
    forget_consent(node)
    deployments = [one.deployment for one in node.state.installed()]
    found = find_needs(node.services(), deployments, request().on)
    assert [need.deployment.name for need in found] == ["b", "a"]
