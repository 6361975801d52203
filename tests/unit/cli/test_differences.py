import io
from dataclasses import replace

from tests.builders.assembled import analysed, leave
from tests.builders.objects import fixture

from skep.bytecode.analysis.analysing import analyse
from skep.cli.differences import Comparison, difference_document, difference_lines
from skep.cli.output import Output

PASS = analyse(fixture("pass"))
MAPS = analyse(fixture("maps"))


def lines(comparison: Comparison) -> str:
    return "\n".join(difference_lines(("a", "b"), comparison, Output(out=io.StringIO())))


def test_single_objects_are_compared_whatever_they_are_called() -> None:
    assert list(Comparison.of({"one": PASS}, {"two": MAPS}).differences) == ["two"]


def test_an_object_that_is_new_asks_for_consent_to_all_it_may() -> None:
    comparison = Comparison.of({"pass": PASS}, {"pass": PASS, "maps": MAPS})
    assert comparison.differences["pass"].is_empty
    assert "new in maps: Can drop packets" in comparison.reasons
    assert "+ object maps" in lines(comparison)


def test_an_object_that_is_gone_asks_for_nothing() -> None:
    comparison = Comparison.of({"pass": PASS, "maps": MAPS}, {"pass": PASS})
    assert comparison.reasons == []
    assert "- object maps" in lines(comparison)
    assert "no new consent needed" in lines(comparison)


def test_nothing_changed_is_one_sentence() -> None:
    comparison = Comparison.of({"maps": MAPS}, {"maps": MAPS})
    assert comparison.is_empty
    assert lines(comparison).count("\n") == 1


def test_the_document_says_who_must_be_asked() -> None:
    document = difference_document({}, {}, Comparison.of({"x": PASS}, {"x": MAPS}))
    assert document["consent_required"] is True
    assert document["schema"] == "skep.dev/diff/1"


class TestScopes:
    """A program that drops the same packets, in another place."""

    GROUP = analysed(*leave(0), program_type="CGROUP_SKB")
    INTERFACE = analysed(*leave(1))

    def test_a_wider_scope_is_one_line_and_a_question(self) -> None:
        comparison = Comparison.of({"a": self.GROUP}, {"a": self.INTERFACE})
        shown = lines(comparison)
        assert ("~ Can drop packets: scope one cgroup → one interface  [net.drop]") in shown
        assert "+ Can drop packets" not in shown
        assert "- Can drop packets" not in shown
        assert comparison.reasons == [
            "new scope, one interface (was: one cgroup): Can drop packets"
        ]

    def test_a_second_scope_is_an_addition(self) -> None:
        both = replace(
            self.GROUP, permissions=(*self.GROUP.permissions, *self.INTERFACE.permissions)
        )
        shown = lines(Comparison.of({"a": self.GROUP}, {"a": both}))
        assert "+ Can drop packets  [net.drop]" in shown
        assert "scope" in shown.partition("consent must be asked again")[2]
