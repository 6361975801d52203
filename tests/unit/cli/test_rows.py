"""The layout of rows, whatever they are about."""

from skep.cli.rows import Marked, column_lines, field_lines, joined_lines, marked_lines
from skep.cli.surfaces import Surface

PLAIN = Surface()


def test_a_name_stands_before_the_first_value_only() -> None:
    assert list(field_lines("Signed", ["one", "two"], PLAIN)) == ["Signed   one", "         two"]
    assert list(field_lines("Signed", [], PLAIN)) == []


def test_what_does_not_fit_hangs() -> None:
    words = " ".join(["word"] * 8)
    assert list(field_lines("Needs", [words], Surface(40))) == [
        "Needs    word word word word word word",
        "           word word",
    ]
    assert list(field_lines("Needs", [words], PLAIN)) == [f"Needs    {words}"]


def test_lines_end_between_parts() -> None:
    parts = ["kill processes", "make system calls fail", "z"]
    assert list(joined_lines("Cannot", parts, Surface(40))) == [
        "Cannot   kill processes ·",
        "         make system calls fail · z",
    ]
    assert list(joined_lines("Cannot", parts, PLAIN)) == [
        "Cannot   kill processes · make system calls fail · z"
    ]


def test_what_is_at_the_right_begins_in_one_column() -> None:
    values = [Marked("!", "drop packets", "net.drop"), Marked("·", "keep data", "data.state")]
    lines = list(marked_lines("Can", values, Surface(60)))
    assert [line.index("net.drop" if "drop" in line else "data.state") for line in lines] == [
        50,
        50,
    ]
    assert max(map(len, lines)) == 60
    (aligned,) = marked_lines("Might", values[:1], Surface(60), right=10)
    assert aligned.index("net.drop") == 50


def test_where_there_is_no_room_it_is_left_out() -> None:
    (line,) = marked_lines("Can", [Marked("!", "drop packets", "net.drop")], Surface(40))
    assert line == "Can      ! drop packets"


def test_a_wide_terminal_does_not_pull_the_columns_apart() -> None:
    (line,) = marked_lines("Can", [Marked("!", "drop packets", "net.drop")], Surface(400))
    assert len(line) == 100


def test_the_last_column_is_wrapped_within_itself() -> None:
    rows = [["rate", "1000/s", "new connections let through per second"], ["p", "", ""]]
    assert list(column_lines("Settings", rows, Surface(56))) == [
        "Settings rate  1000/s  new connections let through per",
        "                       second",
        "         p",
    ]
    assert list(column_lines("Settings", rows, Surface(40))) == [
        "Settings rate  1000/s",
        "           new connections let through",
        "           per second",
        "         p",
    ]
    assert list(column_lines("Settings", [], PLAIN)) == []
