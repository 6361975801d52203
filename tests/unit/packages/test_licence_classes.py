"""Classes of licences, and declarations against what the code says."""

import pytest

from skep.bytecode.analysis.report import HelperUse, LicenceFacts
from skep.packages.licence_classes import class_of, classify_licence, licence_findings
from skep.packages.licences import UnknownLicence


@pytest.mark.parametrize(
    ("identifier", "expected"),
    [
        ("CC0-1.0", "public-domain"),
        ("MIT", "permissive"),
        ("LGPL-2.1-only", "weak-copyleft"),
        ("GPL-2.0-only", "copyleft"),
        ("AGPL-3.0-only", "network-copyleft"),
        ("EUPL-1.2", "network-copyleft"),
        ("BUSL-1.1", "source-available"),
        ("CC-BY-NC-4.0", "non-commercial"),
        ("PolyForm-Noncommercial-1.0.0", "non-commercial"),
        ("Hippocratic-2.1", "ethical"),
        ("LicenseRef-ours", "unknown"),
        ("Never-Heard-Of-1.0", "unknown"),
    ],
)
def test_a_licence_has_a_class(identifier: str, expected: str) -> None:
    assert class_of(identifier) == expected


@pytest.mark.parametrize(
    ("expression", "name", "is_restrictive"),
    [
        ("GPL-2.0-only OR BSD-2-Clause", "permissive", False),
        ("GPL-2.0-only AND BSD-2-Clause", "copyleft", False),
        ("SSPL-1.0 OR MIT", "permissive", False),
        ("SSPL-1.0 AND MIT", "source-available", True),
        ("MIT AND (SSPL-1.0 OR GPL-2.0-only)", "copyleft", False),
        ("LicenseRef-ours", "unknown", True),
    ],
)
def test_choices_loosen_and_parts_tighten(
    expression: str, name: str, *, is_restrictive: bool
) -> None:
    found = classify_licence(expression)
    assert (found.name, found.is_restrictive) == (name, is_restrictive)


def test_choices_and_exceptions_are_shown() -> None:
    found = classify_licence("gpl-2.0-only with classpath-exception-2.0 or mit")
    assert found.choices == ("GPL-2.0-only WITH Classpath-exception-2.0", "MIT")
    assert found.exceptions == ("Classpath-exception-2.0",)
    assert found.identifiers == ("GPL-2.0-only", "MIT")


def facts(licence: str | None, *, gpl_only: bool = False) -> LicenceFacts:
    compatible = None if licence is None else licence in {"GPL", "Dual BSD/GPL"}
    return LicenceFacts(
        kernel_licence=licence,
        state="",
        gpl_compatible=compatible,
        needs_gpl=gpl_only,
        gpl_only_helpers=(HelperUse(id=6, name="bpf_trace_printk"),) if gpl_only else (),
    )


def found(declared: str | None, about: LicenceFacts) -> dict[str, str]:
    return {each.finding_id: each.severity for each in licence_findings(declared, about)}


@pytest.mark.parametrize(
    ("declared", "licence"),
    [
        ("GPL-2.0-only", "GPL"),
        ("GPL-2.0-only OR BSD-2-Clause", "Dual BSD/GPL"),
        ("LGPL-2.1-only OR BSD-2-Clause", "Dual BSD/GPL"),
        ("Apache-2.0 AND GPL-2.0-only", "GPL"),
        ("Apache-2.0", "Apache-2.0"),
    ],
)
def test_what_fits_is_no_finding(declared: str, licence: str) -> None:
    assert found(declared, facts(licence)) == {}


@pytest.mark.parametrize(
    ("declared", "licence", "expected"),
    [
        ("Apache-2.0", "GPL", {"declared-differs": "warning"}),
        ("MIT", "Dual BSD/GPL", {"declared-differs": "warning"}),
        ("GPL-2.0-only", "Proprietary", {"declared-differs": "warning"}),
        ("LicenseRef-ours", "GPL", {"misdeclared": "error"}),
        ("SSPL-1.0", "Dual BSD/GPL", {"misdeclared": "error"}),
        (None, "GPL", {"undeclared": "info"}),
        ("MIT", None, {"kernel-string-missing": "info"}),
    ],
)
def test_what_differs_is_said(
    declared: str | None, licence: str | None, expected: dict[str, str]
) -> None:
    assert found(declared, facts(licence)) == expected


def test_the_kernel_refuses_helpers_for_gpl_without_it() -> None:
    (first, *_) = licence_findings("MIT", facts("MIT", gpl_only=True))
    assert (first.finding_id, first.severity) == ("kernel-refuses", "error")
    assert "bpf_trace_printk" in first.text


def test_a_missing_string_is_an_error_where_one_is_needed() -> None:
    assert found("MIT", facts(None, gpl_only=True)) == {"kernel-string-missing": "error"}


def test_what_is_no_expression_is_refused() -> None:
    with pytest.raises(UnknownLicence):
        licence_findings("Never-Heard-Of-1.0", facts("GPL"))
