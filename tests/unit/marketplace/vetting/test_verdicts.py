"""Verdicts as they are told to people, and read from a marketplace that may say anything."""

from skep.marketplace.vetting.verdicts import ReviewFinding, ReviewVerdict, read_verdict

REFUSING = ReviewFinding("a-rule", "error", "It is so.", "Make it so.", ("x.o: it is not",))
WARNING = ReviewFinding("b-rule", "warning", "It helps.", "Add it.", ("none", "nothing"))
VERDICT = ReviewVerdict((WARNING, REFUSING), ("a-rule", "b-rule", "c-rule"))


def test_errors_are_explained_first_each_with_what_its_rule_demands() -> None:
    assert VERDICT.explained.splitlines() == [
        "a-rule: x.o: it is not",
        "  It is so. Make it so.",
        "warning: b-rule: none; nothing",
        "  It helps. Add it.",
    ]


def test_what_is_written_is_read_again() -> None:
    assert read_verdict(VERDICT.to_document()) == VERDICT


def test_a_verdict_of_nothing_has_no_findings() -> None:
    assert read_verdict({}) == ReviewVerdict((), ())


def test_texts_of_strangers_become_printable_and_unknown_severities_warnings() -> None:
    found = read_verdict(
        {
            "findings": [
                {"rule": "x\x1b[2J", "severity": "fatal", "problems": ["one\ntwo", 3], "text": 4},
                "no table",
            ]
        }
    )
    (first, *_) = found.findings
    assert (first.rule_id, first.severity, first.problems) == ("x?[2J", "warning", ("one?two",))
