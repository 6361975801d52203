"""Two versions compared, and when consent is asked again."""

from dataclasses import replace

import pytest
from tests.builders.assembled import EXIT, R0, R1, R2, Line, analysed, call, hash_map, leave, load

from skep.bytecode.analysis.diffing import ReportDifference, compare
from skep.bytecode.analysis.report import AnalysisReport

PASSES: list[Line] = leave(2)
DROPS: list[Line] = leave(1)
MIGHT_DROP: list[Line] = [load(4, R0, R1, 12), EXIT]
READS: list[Line] = [load(4, R2, R1, 0), load(1, R0, R2, 12)]


def difference(old: list[Line], new: list[Line]) -> ReportDifference:
    return compare(analysed(*old), analysed(*new))


def test_nothing_changed() -> None:
    assert difference(DROPS, DROPS).is_empty


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        pytest.param(PASSES, DROPS, "new: Can drop packets", id="added"),
        pytest.param(PASSES, MIGHT_DROP, "new: Might drop", id="added-possible"),
        pytest.param(MIGHT_DROP, DROPS, "now certain: Can drop", id="possible-to-declared"),
        pytest.param(
            [call(80), *PASSES],
            [call(80), call(14), *PASSES],
            "medium instead of low: Can see which users",
            id="more-severe",
        ),
    ],
)
def test_more_means_asking_again(old: list[Line], new: list[Line], reason: str) -> None:
    found = difference(old, new)
    assert found.consent_required
    assert any(each.startswith(reason) for each in found.reasons)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        pytest.param(DROPS, PASSES, id="removed"),
        pytest.param([call(80), call(14), *PASSES], [call(80), *PASSES], id="less-severe"),
        pytest.param([call(2), *PASSES], [call(3), *PASSES], id="another-helper"),
        pytest.param(PASSES, [load(4, R0, R1, 12), *PASSES], id="more-instructions"),
    ],
)
def test_less_or_the_same_does_not(old: list[Line], new: list[Line]) -> None:
    found = difference(old, new)
    assert not found.consent_required
    assert found.reasons == ()
    assert not found.is_empty


def test_declared_to_possible_does_not_ask() -> None:
    found = difference([call(1), *DROPS], [call(1), *MIGHT_DROP])
    assert [each.id for each in found.changed] == ["net.drop"]
    assert "net.drop" not in " ".join(each.id for each in found.added)


def test_a_wider_scope_is_another_permission() -> None:
    found = compare(
        analysed(leave(0), program_type="CGROUP_SKB"), analysed(leave(0), program_type="XDP")
    )
    assert [(each.id, each.scope) for each in found.added] == [("net.drop", "interface")]
    assert [(each.id, each.scope) for each in found.removed] == [("net.drop", "cgroup")]
    assert found.consent_required


def test_new_flags_are_told() -> None:
    found = difference([*READS, *PASSES], [*READS, call(13), *PASSES])
    assert found.combinations_added == ("copies_packets",)


def test_other_changes_are_told_before_and_after() -> None:
    old = analysed(call(1), leave(2), maps=[hash_map("a"), hash_map("b")], licence="GPL")
    new = analysed(
        call(130), leave(2), maps=[hash_map("a", max_entries=32), hash_map("c")], licence="MIT"
    )
    found = {
        (each.subject, each.name): (each.before, each.after) for each in compare(old, new).changes
    }
    assert found["requirements", "oldest_kernel"] == ("4.8", "5.8")
    assert found["licence", "kernel_licence"] == ("GPL", "MIT")
    assert found["map", "a"][1].endswith("32 entries")
    assert found["map", "b"][1] == ""
    assert found["map", "c"][0] == ""
    assert "bpf_ringbuf_output" in found["program", "main"][1]


def test_reports_of_different_taxonomies_say_so() -> None:
    old = analysed(leave(2))
    assert compare(replace(old, taxonomy=old.taxonomy + 1), old).taxonomy_differs


def test_a_permission_of_a_newer_version_of_skep_is_compared_like_any_other() -> None:
    document = analysed(leave(1)).to_document()
    document["permissions"][0].update(id="net.teleport", severity="extreme", confidence="certain")
    new = AnalysisReport.from_document(document)
    found = compare(analysed(leave(1)), new)
    assert found.consent_required
    assert found.reasons == ("new: Can do net.teleport (not known here)",)


def test_the_difference_is_a_document() -> None:
    found = difference(PASSES, DROPS)
    assert ReportDifference.from_document(found.to_document()) == found
