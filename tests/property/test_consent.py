"""Laws of asking again: nobody is asked for less, everybody is asked for more."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from skep.bytecode.analysis.growth import Granted, granted, growth
from skep.bytecode.analysis.taxonomy import PERMISSIONS, SEVERITIES
from skep.node.converging.consenting import exceeding
from skep.node.labels import ConsentLabel
from skep.node.records import Consent

CONFIDENCES = ("excluded", "possible", "declared")
PERMISSION = st.builds(
    Granted,
    st.sampled_from([*sorted(PERMISSIONS)[:6], "from.the_future"]),
    st.sampled_from(["", "interface", "cgroup", "socket"]),
    st.sampled_from(CONFIDENCES),
    st.sampled_from(SEVERITIES),
)
PERMISSIONS_OF = st.lists(PERMISSION, max_size=8)


def keys(permissions: list[Granted] | tuple[Granted, ...]) -> set[tuple[str, str]]:
    return {(each.id, each.scope) for each in granted(permissions)}


@given(PERMISSIONS_OF)
def test_the_same_label_never_grows(label: list[Granted]) -> None:
    assert growth(label, label) == ()
    assert growth(label, label[::-1]) == ()
    assert growth(granted(label), label) == ()


@given(PERMISSIONS_OF, st.data())
def test_dropping_a_permission_never_asks(label: list[Granted], data: st.DataObject) -> None:
    kept = [each for each in label if data.draw(st.booleans())]
    assert growth(label, kept) == ()


@given(PERMISSIONS_OF, PERMISSIONS_OF, PERMISSIONS_OF)
def test_who_agreed_to_more_is_asked_for_no_more(
    agreed: list[Granted], more: list[Granted], label: list[Granted]
) -> None:
    before = {(each.permission.id, each.permission.scope) for each in growth(agreed, label)}
    after = {(each.permission.id, each.permission.scope) for each in growth(agreed + more, label)}
    assert after <= before


@given(PERMISSIONS_OF, PERMISSIONS_OF, PERMISSIONS_OF)
def test_within_a_label_that_was_within_is_within(
    first: list[Granted], second: list[Granted], third: list[Granted]
) -> None:
    middle = first + second
    assert growth(middle, first) == ()
    assert growth(middle + third, first) == ()
    if not growth(first, second) and not growth(second, third):
        assert growth(first, third) == ()


@given(PERMISSIONS_OF, PERMISSION)
def test_a_new_permission_always_asks(label: list[Granted], added: Granted) -> None:
    now = [*label, added]
    if added.confidence != "excluded" and (added.id, added.scope) not in keys(label):
        assert [each.why for each in growth(label, now)] == ["new"]


@given(PERMISSIONS_OF, st.data())
def test_any_permission_raised_asks(label: list[Granted], data: st.DataObject) -> None:
    known = granted(label)
    if not known:
        return
    which = data.draw(st.sampled_from(known))
    raised = replace(
        which,
        confidence=data.draw(st.sampled_from(CONFIDENCES)),
        severity=data.draw(st.sampled_from(SEVERITIES)),
    )
    is_higher = CONFIDENCES.index(raised.confidence) > CONFIDENCES.index(which.confidence)
    is_severe = SEVERITIES.index(raised.severity) > SEVERITIES.index(which.severity)
    now = [each if each is not which else raised for each in known]
    is_excluded = raised.confidence == "excluded"
    assert bool(growth(known, now)) == ((is_higher or is_severe) and not is_excluded)


# The rule of a node: labels on this kernel, within the label of the package as compiled.


def consent_to(label: ConsentLabel) -> Consent:
    return Consent("", "", "yes", "", label.taxonomy, label.shown, label.package)


@st.composite
def labels(draw: st.DrawFn) -> tuple[ConsentLabel, ConsentLabel]:
    """A package on two kernels: compiled once, both labels within it; linking adds certainty."""
    package = granted(draw(PERMISSIONS_OF))

    def linked() -> tuple[Granted, ...]:
        kept = [each for each in package if draw(st.booleans())]
        return granted(
            replace(each, confidence=draw(st.sampled_from(["excluded", "possible", "declared"])))
            for each in kept
        )

    return ConsentLabel(2, linked(), package), ConsentLabel(2, linked(), package)


@given(labels())
def test_a_new_kernel_alone_asks_nothing(both: tuple[ConsentLabel, ConsentLabel]) -> None:
    before, after = both
    assert exceeding(consent_to(before), after) == ()
    assert exceeding(consent_to(before), after, before=after.shown) == ()


@given(labels())
def test_what_a_change_brings_beyond_consent_asks(both: tuple[ConsentLabel, ConsentLabel]) -> None:
    before, after = both
    found = exceeding(consent_to(before), after, before=before.shown)
    assert found == growth(before.shown, after.shown)


@given(PERMISSIONS_OF, PERMISSIONS_OF)
def test_what_a_newer_analyser_finds_asks(label: list[Granted], found: list[Granted]) -> None:
    before = ConsentLabel(1, granted(label), granted(label))
    after = ConsentLabel(2, granted(label + found), granted(label + found))
    assert exceeding(consent_to(before), after) == growth(label, label + found)


@given(PERMISSIONS_OF)
def test_without_consent_everything_is_new(label: list[Granted]) -> None:
    found = exceeding(None, ConsentLabel(1, granted(label), granted(label)))
    assert [each.permission for each in found] == list(granted(label))
    assert {each.why for each in found} <= {"new"}
