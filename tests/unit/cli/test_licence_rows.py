"""Licence rows of a label."""

from tests.builders.assembled import analysed, call, leave

from skep.cli.licence_rows import licence_rows


def test_class_and_label() -> None:
    reports = {"a.o": analysed(leave(2), licence="Dual BSD/GPL")}
    assert licence_rows("GPL-2.0-only OR BSD-2-Clause", reports) == [
        "GPL-2.0-only OR BSD-2-Clause  (permissive, not restrictive)"
    ]
    (first, *_) = licence_rows("BUSL-1.1", {})
    assert first == "BUSL-1.1  (source available, restrictive)"


def test_exceptions_are_shown() -> None:
    (line,) = licence_rows("GPL-2.0-only WITH Classpath-exception-2.0", {})
    assert "with exception Classpath-exception-2.0" in line


def test_what_disagrees_is_said_for_each_object() -> None:
    reports = {"a.o": analysed(call(6), leave(2), licence="Apache-2.0")}
    lines = licence_rows("Apache-2.0", reports)
    assert any(line.startswith("error: a.o: the kernel refuses") for line in lines)


def test_what_is_no_licence_is_said() -> None:
    (line,) = licence_rows("Never-Heard-Of-1.0", {})
    assert "Never-Heard-Of-1.0" in line
