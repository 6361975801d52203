"""What marketplaces said is remembered, and never trusted further than a list goes."""

from pathlib import Path

import pytest

from skep.packages.local.heard import Heard, note_heard, read_heard
from skep.versions import Version

NOON, LATER = "2026-11-30T12:00:00Z", "2026-12-01T12:00:00Z"
ONE, TWO = Version(1, 0, 0), Version(2, 0, 0)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "heard.json"


def test_what_was_said_last_counts(path: Path) -> None:
    note_heard(path, "market.example", {"skep/a": TWO, "skep/b": ONE}, NOON)
    note_heard(path, "market.example", {"skep/a": ONE}, LATER)
    note_heard(path, "other.example", {"skep/a": TWO}, LATER)
    assert read_heard(path) == {
        ("market.example", "skep/a"): Heard(ONE, LATER),
        ("market.example", "skep/b"): Heard(ONE, NOON),
        ("other.example", "skep/a"): Heard(TWO, LATER),
    }


def test_nothing_was_heard_at_first(path: Path) -> None:
    assert read_heard(path) == {}
    note_heard(path, "market.example", {}, NOON)
    assert not path.parent.exists()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "no JSON",
        "[]",
        '{"schema": "skep.dev/heard/2", "packages": []}',
        '{"schema": "skep.dev/heard/1", "packages": {}}',
        '{"schema": "skep.dev/heard/1", "packages": [7, {"origin": "a"}]}',
        (
            '{"schema": "skep.dev/heard/1", "packages":'
            ' [{"origin": "a", "package": "a/b", "version": "one", "at": "2026"}]}'
        ),
        (
            '{"schema": "skep.dev/heard/1", "packages":'
            ' [{"origin": "a", "package": "a/b", "version": "1.0.0", "at": "\\u001b[31m"}]}'
        ),
        (
            '{"schema": "skep.dev/heard/1", "packages":'
            ' [{"origin": "a", "package": "no package", "version": "1.0.0", "at": "2026"}]}'
        ),
    ],
)
def test_a_damaged_file_says_nothing_and_is_replaced(path: Path, text: str) -> None:
    path.parent.mkdir()
    path.write_text(text)
    assert read_heard(path) == {}
    note_heard(path, "market.example", {"skep/a": ONE}, NOON)
    assert read_heard(path) == {("market.example", "skep/a"): Heard(ONE, NOON)}


def test_what_cannot_be_written_is_no_error(tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file where the directory should be")
    note_heard(tmp_path / "cache" / "heard.json", "market.example", {"skep/a": ONE}, NOON)
    assert read_heard(tmp_path / "cache" / "heard.json") == {}


def test_what_was_heard_longest_ago_goes_first(path: Path) -> None:
    note_heard(path, "market.example", {"skep/old": ONE}, NOON)
    note_heard(path, "market.example", {f"skep/p{n}": ONE for n in range(4096)}, LATER)
    heard = read_heard(path)
    assert len(heard) == 4096
    assert ("market.example", "skep/old") not in heard
