"""Which names there can be: what is just right, and what is one too many."""

from collections.abc import Callable

import pytest

from skep.packages.names import (
    is_file_name,
    is_identifier,
    is_map_name,
    is_marketplace_name,
    is_one_line,
    is_package_name,
    is_publisher_name,
    is_relative_path,
    one_line,
)

Rule = Callable[[str], bool]


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        *((is_publisher_name, text) for text in ("a", "0", "a-b", "a" * 63)),
        *((is_marketplace_name, text) for text in ("public", "a" * 63, "localhost-2")),
        *((is_package_name, text) for text in ("a/b", "a-b/c-d", "a" * 63 + "/" + "b" * 63)),
        *((is_identifier, text) for text in ("a", "_", "A_9", "a" * 128)),
        *((is_map_name, text) for text in (".rodata", "a.b", "_", "a" * 128, "." + "a" * 128)),
        *((is_file_name, text) for text in ("a", "_", "+", "9.o", "a" * 100)),
        *((is_relative_path, text) for text in ("a", "a/b", "a/b/c.h", "a" * 49 + "/" + "b" * 50)),
        *((is_one_line, text) for text in ("a", "ä b", "a" * 200)),
    ],
)
def test_what_can_be_a_name(rule: Rule, text: str) -> None:
    assert rule(text) is True


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        *((is_publisher_name, text) for text in ("", "-a", "a-", "A", "a_b", "a/b", "a" * 64)),
        *((is_marketplace_name, text) for text in ("localhost", "a.b", "a:1", "")),
        *((is_package_name, text) for text in ("a", "a/b/c", "a/-b", "a/" + "b" * 64, "a/b\n")),
        *((is_identifier, text) for text in ("", "9", "a.b", "a-b", "a" * 129, "a\n")),
        *((is_map_name, text) for text in ("", ".", "..a", "9", "a-b", "a" * 129)),
        *((is_file_name, text) for text in ("", ".a", "-a", "a/b", "a b", "a" * 101, "a\n")),
        *((is_relative_path, text) for text in ("", "/a", "a/", "a//b", "a/..", "a/" * 50 + "b")),
        *((is_one_line, text) for text in ("", "a\nb", "\x1b", "a" * 201)),
    ],
)
def test_what_cannot_be_a_name(rule: Rule, text: str) -> None:
    assert rule(text) is False


def test_a_line_of_a_stranger_is_cut_where_it_is_too_long() -> None:
    assert one_line("a" * 200) == "a" * 200
    assert one_line("a" * 201) == "a" * 199 + "…"
    assert one_line("abc", 3) == "abc"
    assert one_line("abcd", 3) == "ab…"


def test_nothing_of_a_stranger_moves_the_cursor() -> None:
    assert one_line("a\r\n\x9bä") == "a???ä"
