"""The table of JSON documents: what it says of a document, and that it speaks of every command."""

import re
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import click
import pytest
from tests.builders.documented import TABLE

from document_table import Described, read_table
from skep.cli.main import app

RECEIPT: dict[str, Any] = {
    "schema": "skep.dev/receipt/1",
    "package": "skep/limiter",
    "version": "1.0.0",
    "digest": "sha256:00",
    "published_at": "2026-11-30T12:00:00Z",
    "verdict": {
        "schema": "skep.verdict/v1",
        "outcome": "accepted",
        "rules": ["signature"],
        "findings": [],
    },
}
DOCTOR: dict[str, Any] = {
    "schema": "skep.dev/doctor/1",
    "findings": [
        {
            "kind": "x",
            "subject": "x",
            "text": "x",
            "is_information": False,
            "remedy": None,
            "repaired": "",
            "problem": "",
        }
    ],
}
CHAIN: dict[str, Any] = {
    "schema": "skep.dev/chain/1",
    "chains": [{"on": "xdp:lo", "called": None, "condition": "running", "members": []}],
}


def test_documents_as_the_table_has_them_have_no_problems() -> None:
    for document in (RECEIPT, DOCTOR, CHAIN):
        assert TABLE.problems(document) == []


def test_a_document_without_a_known_schema_is_a_problem() -> None:
    assert TABLE.problems([]) == ["it is not an object"]
    assert TABLE.problems({"a": 1}) == ["the schema None is not in the table"]
    assert TABLE.problems({"schema": "skep.dev/x/1"})[0].startswith("the schema 'skep.dev/x/1'")


def test_an_undocumented_field_is_a_problem_wherever_it_is() -> None:
    document = deepcopy(DOCTOR)
    document["findings"][0]["more"] = 1
    document["other"] = []
    assert TABLE.problems(document) == [
        "skep.dev/doctor/1: findings[0].more is not documented",
        "skep.dev/doctor/1: other is not documented",
    ]


def test_another_type_is_a_problem() -> None:
    document = deepcopy(CHAIN)
    document["chains"][0]["called"] = 1
    document["chains"][0]["condition"] = True
    assert TABLE.problems(document) == [
        "skep.dev/chain/1: chains[0].called: expected text or null, got 1",
        "skep.dev/chain/1: chains[0].condition: expected text, got True",
    ]


def test_a_field_that_is_missing_is_a_problem() -> None:
    document = deepcopy(RECEIPT)
    del document["digest"]
    del document["verdict"]["outcome"]
    assert sorted(TABLE.problems(document)) == [
        "skep.dev/receipt/1: digest is missing",
        "skep.dev/receipt/1: verdict.outcome is missing",
    ]


def test_what_is_passed_on_may_have_more() -> None:
    assert TABLE.problems(RECEIPT | {"later": 1}) == []


def commands(group: click.Group, before: str) -> Iterator[str]:
    for name, command in group.commands.items():
        if isinstance(command, click.Group):
            yield from commands(command, f"{before} {name}")
        else:
            yield f"{before} {name}"


def test_the_table_speaks_of_every_command() -> None:
    spoken_of = {
        " ".join([*first.split()[:-1], last])
        for first, *more in (
            re.split(", ", one.command) for one in TABLE.documents.values() if one.command
        )
        for last in (first.split()[-1], *more)
    }
    assert set(commands(app, "skep")) <= spoken_of


@pytest.mark.parametrize("described", read_table().documents.values(), ids=lambda one: one.name)
def test_every_document_says_where_it_is_met_and_what_it_is(described: Described) -> None:
    assert described.command or described.request
    assert described.about.endswith(".")
    assert all(field.meaning for field in described.fields.values())
