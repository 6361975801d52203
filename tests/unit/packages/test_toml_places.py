"""Lines of keys: headers, dotted keys, inline tables, lists, and texts that look like them."""

import tomllib

import pytest

from skep.packages.fields import Fields
from skep.packages.toml_places import key_lines, line_of

DOCUMENT = b"""# [no.header] = 1
[package]
name = "a/b"  # x = 1
"odd key" = '''
[not.a.header]
not = "a key"
'''
build.sources = [
    "a.c",  # "b.c"
    "c.c",
]

[[program]]
name = "one"
chain = { run_on = ["pass"], deeper = { on = 1 } }

[[program]]
name = "two"
[program.chain]
run_on = []
when = 1979-05-27T07:32:00Z
[settings.rate]
type = "rate"
"""

EXPECTED = {
    "package": 2,
    "package.name": 3,
    "package.odd key": 4,
    "package.build": 8,
    "package.build.sources": 8,
    "package.build.sources[0]": 9,
    "package.build.sources[1]": 10,
    "program": 13,
    "program[0]": 13,
    "program[0].name": 14,
    "program[0].chain": 15,
    "program[0].chain.run_on": 15,
    "program[0].chain.run_on[0]": 15,
    "program[0].chain.deeper": 15,
    "program[0].chain.deeper.on": 15,
    "program[1]": 17,
    "program[1].name": 18,
    "program[1].chain": 19,
    "program[1].chain.run_on": 20,
    "program[1].chain.when": 21,
    "settings": 22,
    "settings.rate": 22,
    "settings.rate.type": 23,
}


def test_every_key_has_its_line() -> None:
    assert key_lines(DOCUMENT) == EXPECTED


def test_every_key_of_the_parser_is_found() -> None:
    fields = Fields(tomllib.loads(DOCUMENT.decode()))
    assert fields.unread().keys() <= EXPECTED.keys()


def test_windows_lines_and_a_byte_order_mark_change_nothing() -> None:
    assert key_lines(b"\xef\xbb\xbf" + DOCUMENT.replace(b"\n", b"\r\n")) == EXPECTED


@pytest.mark.parametrize(
    ("path", "line"),
    [
        pytest.param("package.licence", 2, id="missing-field"),
        pytest.param("program[1].hook", 17, id="missing-in-a-list"),
        pytest.param("program[0].chain.run_on[7]", 15, id="missing-item"),
        pytest.param("settings.other.type", 22, id="missing-table"),
        pytest.param("metrics.m", None, id="nothing-near"),
        pytest.param("", None, id="empty"),
    ],
)
def test_what_is_missing_is_told_at_the_table_around_it(path: str, line: int | None) -> None:
    assert line_of(EXPECTED, path) == line
