"""What goes beyond what was agreed to, by id, scope, confidence and severity."""

from dataclasses import replace

import pytest

from skep.bytecode.analysis.growth import Granted, granted, growth

DROP = Granted("net.drop", "interface", "possible", "high")
READ = Granted("net.read", "", "declared", "medium")


@pytest.mark.parametrize(
    ("after", "why"),
    [
        pytest.param(READ, "new", id="another-id"),
        pytest.param(replace(DROP, scope="cgroup"), "new", id="another-scope"),
        pytest.param(replace(DROP, confidence="declared"), "certain", id="possible-to-declared"),
        pytest.param(replace(DROP, severity="critical"), "severe", id="more-severe"),
        pytest.param(
            replace(DROP, confidence="declared", severity="critical"), "certain", id="both"
        ),
        pytest.param(replace(DROP, confidence="perhaps"), "certain", id="unknown-confidence"),
        pytest.param(replace(DROP, severity="extreme"), "severe", id="unknown-severity"),
        pytest.param(Granted("net.teleport", "", "possible", "info"), "new", id="unknown-id"),
    ],
)
def test_more_grows(after: Granted, why: str) -> None:
    (found,) = growth([DROP], [after])
    assert (found.permission, found.why) == (after, why)
    assert found.before == (None if why == "new" else DROP)


@pytest.mark.parametrize(
    "after",
    [
        pytest.param([DROP], id="the-same"),
        pytest.param([], id="nothing-left"),
        pytest.param([replace(DROP, severity="low")], id="less-severe"),
        pytest.param([replace(READ, confidence="possible"), DROP], id="less-certain"),
        pytest.param([replace(DROP, confidence="excluded"), READ], id="excluded"),
        pytest.param([replace(DROP, scope="cgroup", confidence="excluded")], id="excluded-new"),
    ],
)
def test_less_does_not(after: list[Granted]) -> None:
    assert growth([DROP, READ], after) == ()


def test_what_was_excluded_and_is_possible_now_is_new() -> None:
    (found,) = growth([replace(DROP, confidence="excluded")], [DROP])
    assert found.why == "new"


def test_new_ones_come_first() -> None:
    found = growth([DROP], [replace(DROP, confidence="declared"), READ])
    assert [each.why for each in found] == ["new", "certain"]


def test_a_union_has_the_highest_of_each() -> None:
    found = granted([DROP, READ, Granted("net.drop", "interface", "declared", "low")])
    assert found == (Granted("net.drop", "interface", "declared", "high"), READ)


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        ([], DROP, "new: Might drop packets"),
        ([DROP], replace(DROP, confidence="declared"), "now certain: Can drop packets"),
        (
            [replace(DROP, severity="low")],
            DROP,
            "high instead of low: Can drop packets",
        ),
    ],
)
def test_it_is_told_in_a_sentence(before: list[Granted], after: Granted, text: str) -> None:
    (found,) = growth(before, [after])
    assert found.text == text


ENFORCE = Granted("lsm.enforce", "", "declared", "critical")
OBSERVE = Granted("lsm.observe", "", "declared", "medium")


def test_who_may_deny_may_observe() -> None:
    assert growth([ENFORCE], [OBSERVE]) == ()
    assert growth([ENFORCE, OBSERVE], [ENFORCE]) == ()


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param(OBSERVE, ENFORCE, id="denying-is-more"),
        pytest.param(replace(ENFORCE, confidence="possible"), OBSERVE, id="only-possible"),
        pytest.param(replace(ENFORCE, confidence="excluded"), OBSERVE, id="excluded"),
        pytest.param(replace(ENFORCE, scope="cgroup"), OBSERVE, id="another-scope"),
    ],
)
def test_less_covers_nothing(before: Granted, after: Granted) -> None:
    (found,) = growth([before], [after])
    assert (found.permission, found.why) == (after, "new")


def test_another_scope_is_said_in_words() -> None:
    (found,) = growth([replace(DROP, scope="cgroup")], [DROP])
    assert found.text == ("new scope, one interface (was: one cgroup): Might drop packets")


def test_a_permission_that_is_new_has_no_other_scopes() -> None:
    (found,) = growth([READ], [DROP])
    assert found.elsewhere == ()
    assert found.text == "new: Might drop packets"
