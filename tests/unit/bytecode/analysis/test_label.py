"""One label from several reports, and its document through the versions."""

import json
import sqlite3
from dataclasses import replace

import pytest
from tests.builders.assembled import analysed, call, leave
from tests.builders.databases import FIXTURES
from tests.builders.objects import DIRECTORY, fixture

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.errors import MalformedReport
from skep.bytecode.analysis.growth import granted
from skep.bytecode.analysis.label import QUESTIONS, Label, label_of
from skep.bytecode.analysis.report import AnalysisReport, Permission
from skep.bytecode.analysis.report_needs import Limit, Refusal
from skep.bytecode.analysis.taxonomy import PERMISSIONS, TAXONOMY_VERSION
from skep.bytecode.analysis.texts import bare

PASSES = analysed(leave(2))
DROPS = analysed(leave(1))
NAMES = sorted(path.stem for path in DIRECTORY.glob("*.o"))


def having(*permissions: Permission) -> AnalysisReport:
    return replace(PASSES, permissions=permissions)


def permission(name: str, severity: str, confidence: str = "possible") -> Permission:
    return Permission(id=name, text=name, severity=severity, confidence=confidence)


def needing(kernel: str) -> AnalysisReport:
    return replace(PASSES, requirements=replace(PASSES.requirements, oldest_kernel=kernel))


def test_the_oldest_kernel_is_the_newest_that_any_object_needs() -> None:
    reports = {"a.o": needing("5.9"), "b.o": needing("5.10"), "c.o": needing("4.18")}
    assert label_of(reports).oldest_kernel == "5.10"


def test_the_newest_kernel_is_the_oldest_that_any_object_ends_with() -> None:
    def ending(kernel: str, lacks: str) -> AnalysisReport:
        limit = Limit(kernel=kernel, what=lacks)
        needs = replace(PASSES.requirements, newest_kernel=kernel, newest_reasons=(limit,))
        return replace(PASSES, requirements=needs)

    label = label_of({"a.o": ending("6.10", "x"), "b.o": ending("6.9", "y"), "c.o": PASSES})
    assert (label.newest_kernel, label.newest_reason) == ("6.9", "y")
    assert label_of({"c.o": PASSES}).newest_kernel is None


def test_what_no_kernel_loads_is_said() -> None:
    refusal = Refusal(what="it has no end", hint="return", program="main")
    needs = replace(PASSES.requirements, refused=(refusal,))
    label = label_of({"a.o": PASSES, "b.o": replace(PASSES, requirements=needs)})
    assert label.refused == "main: it has no end; return"


def test_a_permission_is_listed_once_at_its_worst_and_surest() -> None:
    label = label_of(
        {
            "a.o": having(permission("net.drop", "low", "declared")),
            "b.o": having(permission("net.drop", "high"), permission("x", "critical")),
        }
    )
    assert [(each.id, each.severity, each.confidence) for each in label.permissions] == [
        ("x", "critical", "possible"),
        ("net.drop", "high", "declared"),
    ]


def test_a_permission_is_listed_for_each_scope() -> None:
    group = analysed(leave(0), program_type="CGROUP_SKB")
    scopes = [each.scope for each in label_of({"a.o": DROPS, "b.o": group}).permissions]
    assert sorted(scopes) == ["cgroup", "interface"]


def test_fields_of_several_objects_are_one_list() -> None:
    reports = {
        f"{number}.o": having(
            replace(permission("kernel.read_memory", "high"), fields=(name,), fields_count=1)
        )
        for number, name in enumerate(("task.mm", "task.cred", "task.mm"))
    }
    (found,) = label_of(reports).permissions
    assert (found.fields, found.fields_count) == (("task.mm", "task.cred"), 2)


def test_the_evidence_is_of_the_object_that_is_surest() -> None:
    drop = DROPS.permissions[0]
    unsure = replace(DROPS, permissions=(replace(drop, confidence="possible"),))
    (found,) = label_of({"unsure.o": unsure, "sure.o": DROPS}).permissions
    assert found.evidence is not None
    assert (found.evidence.object, found.evidence.program) == ("sure.o", "main")
    assert found.evidence.slot == drop.evidence[0].slot
    assert found.evidence_count == 2 * drop.evidence_count


def test_one_object_without_a_compatible_licence_makes_the_package_so() -> None:
    other = replace(
        PASSES, licence=replace(PASSES.licence, gpl_compatible=False, kernel_licence="X")
    )
    assert label_of({"a.o": PASSES}).gpl_compatible is True
    both = label_of({"a.o": PASSES, "b.o": other, "c.o": other})
    assert both.gpl_compatible is False
    assert both.kernel_licences == ("GPL", "X")
    assert len(both.licences) == 2


def test_costs_add_up() -> None:
    one, two = label_of({"a.o": DROPS}), label_of({"a.o": DROPS, "b.o": DROPS})
    assert one.instructions
    assert two.instructions == 2 * one.instructions


def test_without_objects_a_label_is_empty() -> None:
    label = label_of({})
    assert (label.permissions, label.oldest_kernel, label.cannot) == ((), "0.0", ())


class TestCannot:
    def test_of_what_people_ask_only_what_is_not_there(self) -> None:
        assert label_of({"a.o": DROPS}).cannot == (
            "net.modify",
            "net.redirect",
            "kernel.read_memory",
        )

    def test_what_might_be_is_not_ruled_out(self) -> None:
        label = label_of({"a.o": having(permission("net.drop", "high"))})
        assert "net.drop" not in label.cannot

    @pytest.mark.parametrize("other", ["net.resize", "net.encap"])
    def test_other_ways_to_the_same_thing_count(self, other: str) -> None:
        label = label_of({"a.o": having(permission(other, "medium", "declared"))})
        assert "net.modify" not in label.cannot
        assert "net.drop" in label.cannot

    @pytest.mark.parametrize("name", ["exec.tail_call", "exec.replace", "bpf.syscall", "unknown"])
    def test_nothing_is_ruled_out_where_other_code_goes_on(self, name: str) -> None:
        assert label_of({"a.o": having(permission(name, "medium"))}).cannot == ()

    def test_of_a_tracing_program_other_things_are_asked(self) -> None:
        label = label_of({"a.o": analysed(call(113), *leave(0), program_type="KPROBE")})
        assert "user.write_memory" in label.cannot
        assert "net.drop" not in label.cannot

    def test_every_question_is_about_permissions_there_are(self) -> None:
        for question in QUESTIONS.values():
            assert set(question.means) <= set(PERMISSIONS)

    @pytest.mark.parametrize("name", NAMES)
    def test_never_of_what_a_program_is_shown_to_do(self, name: str) -> None:
        report = analyse(fixture(name))
        there = {each.id for each in report.permissions}
        for asked in label_of({name: report}).cannot:
            assert not there.intersection(QUESTIONS[asked].means)


class TestDocument:
    @pytest.mark.parametrize("name", NAMES)
    def test_is_read_as_it_was_written(self, name: str) -> None:
        label = label_of({name: analyse(fixture(name))})
        document = json.loads(json.dumps(label.to_document()))
        assert Label.from_document(document) == label
        assert Label.from_document(document).to_document() == label.to_document()

    def test_is_what_consent_is_derived_from(self) -> None:
        assert label_of({"a.o": DROPS}).granted == granted(DROPS.permissions)
        assert label_of({"a.o": DROPS}).taxonomy == TAXONOMY_VERSION

    def test_fields_of_later_versions_are_kept(self) -> None:
        document = label_of({"a.o": DROPS}).to_document()
        document["later"] = {"deep": [1, None]}
        document["permissions"][0]["also_later"] = "x"
        assert Label.from_document(document).to_document() == document

    @pytest.mark.parametrize(
        ("document", "message"),
        [
            pytest.param({"schema": "skep.label/v2"}, "skep.label/v2", id="another-schema"),
            pytest.param({"schema": "skep.label/v1"}, "permissions", id="without-permissions"),
            pytest.param([], "skep.label/v1", id="a-list"),
        ],
    )
    def test_what_is_no_label_is_refused(self, document: object, message: str) -> None:
        with pytest.raises(MalformedReport, match=message):
            Label.from_document(document)

    def test_labels_that_older_marketplaces_stored_open(self) -> None:
        connection = sqlite3.connect(":memory:")
        connection.executescript((FIXTURES / "marketplace-1.sql").read_text("utf-8"))
        stored = [text for (text,) in connection.execute("SELECT label FROM versions")]
        connection.close()
        assert len(stored) == 3
        for text in stored:
            label = Label.from_document(json.loads(text))
            assert [each.id for each in label.permissions] == ["net.drop", "net.read", "data.state"]
            assert (label.taxonomy, label.cannot) == (0, ())
            written = label.to_document()
            for name, value in json.loads(text).items():
                if name not in {"permissions", "programs"}:  # whose entries have more fields now
                    assert written[name] == value


def test_every_text_of_the_taxonomy_is_an_ability() -> None:
    for row in PERMISSIONS.values():
        assert row.text == f"Can {bare(row.text)}"
