from dataclasses import replace

from tests.builders.published import object_bytes

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.report import AnalysisReport, Permission
from skep.bytecode.objectfile.reading import read_object
from skep.marketplace.vetting.labels import label


def report(oldest: str = "4.8", permissions: tuple[Permission, ...] = ()) -> AnalysisReport:
    made = analyse(read_object(object_bytes()))
    return replace(
        made,
        permissions=permissions,
        requirements=replace(made.requirements, oldest_kernel=oldest),
    )


def permission(name: str, severity: str, confidence: str = "possible") -> Permission:
    return Permission(id=name, text=name, severity=severity, confidence=confidence)


def test_the_oldest_kernel_is_the_newest_that_any_object_needs() -> None:
    reports = {"a.o": report("5.9"), "b.o": report("5.10"), "c.o": report("4.18")}
    assert label(reports)["oldest_kernel"] == "5.10"


def test_a_permission_is_listed_once_at_its_worst_and_surest() -> None:
    reports = {
        "a.o": report(permissions=(permission("net.drop", "low", "declared"),)),
        "b.o": report(permissions=(permission("net.drop", "high"), permission("x", "critical"))),
    }
    assert label(reports)["permissions"] == [
        {"id": "x", "text": "x", "severity": "critical", "confidence": "possible"},
        {"id": "net.drop", "text": "net.drop", "severity": "high", "confidence": "declared"},
    ]


def test_one_object_without_a_compatible_licence_makes_the_package_so() -> None:
    free = report()
    other = replace(free, licence=replace(free.licence, gpl_compatible=False, kernel_licence="X"))
    assert label({"a.o": free})["gpl_compatible"] is True
    both = label({"a.o": free, "b.o": other})
    assert both["gpl_compatible"] is False
    assert both["kernel_licences"] == ["GPL", "X"]


def test_costs_add_up() -> None:
    one, two = label({"a.o": report()}), label({"a.o": report(), "b.o": report()})
    assert isinstance(one["instructions"], int)
    assert two["instructions"] == 2 * one["instructions"]
