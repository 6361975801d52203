"""Holding JSON documents against the table that ``docs/reference/json.md`` is made from."""

from document_table import read_table

TABLE = read_table()


def assert_documented(document: object) -> None:
    """Fail if a document has a field the table has not, or of another type, or lacks one."""
    problems = TABLE.problems(document)
    assert not problems, "\n".join(problems)
