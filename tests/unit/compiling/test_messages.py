"""Messages of a compiler: errors first, whole, with paths as the author writes them."""

from pathlib import Path

import pytest

from skep.compiling.messages import advice, errors_first, read_messages, shortened, show_paths

TEXT = """\
In file included from x.bpf.c:1:
In file included from ./a/b.h:3:
./a/c.h:7:1: warning: unused variable 'error' [-Wunused-variable]
    7 | int error;
      |     ^
my_error.c:1:1: warning: something
x.bpf.c:9:3: error: first
    9 |   first
      |   ^
/include/bpf/m.h:2:1: note: expanded from here
In file included from x.bpf.c:2:
/include/bpf/m.h:4:10: fatal error: 'bpf/usdt.bpf.h' file not found
1 warning and 2 errors generated."""


def test_errors_come_first_each_with_what_belongs_to_it() -> None:
    messages = errors_first(read_messages(TEXT))
    assert [message.is_error for message in messages] == [True, True, False, False]
    assert [message.heading.partition(": ")[2][:8] for message in messages] == [
        "error: f", "fatal er", "warning:", "warning:",
    ]  # fmt: skip
    assert messages[0].lines[-1].endswith("expanded from here")
    assert messages[1].lines[0] == "In file included from x.bpf.c:2:"
    assert messages[1].missing_header == "bpf/usdt.bpf.h"
    assert messages[2].lines[0] == "In file included from x.bpf.c:1:"


def test_no_line_is_lost() -> None:
    lines = [line for message in read_messages(TEXT) for line in message.lines]
    assert lines == TEXT.splitlines()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("clang: error: no such option", True, id="of-the-driver"),
        pytest.param("error: unable to build", True, id="without-a-place"),
        pytest.param("LLVM ERROR: something", False, id="another-word"),
        pytest.param("error_handling.c:1:2: warning: x", False, id="a-file-of-that-name"),
        pytest.param("x.c:1:2: warning: an error: is in here", False, id="in-the-text"),
    ],
)
def test_what_counts_as_an_error(text: str, expected: object) -> None:
    assert [message.is_error for message in read_messages(text)] == [expected]


def test_a_compiler_that_says_nothing_has_no_messages() -> None:
    assert read_messages("") == []


@pytest.mark.parametrize(
    ("line", "shown"),
    [
        pytest.param("x.c:1:2: error: y", "src/x.c:1:2: error: y", id="beside"),
        pytest.param("./a/b.h:1:2: note: y", "src/a/b.h:1:2: note: y", id="below"),
        pytest.param("../b.h:1:2: note: y", "b.h:1:2: note: y", id="above"),
        pytest.param("/home/p/b.h:1:2: note: y", "b.h:1:2: note: y", id="absolute"),
        pytest.param("/inc/bpf/m.h:1:2: note: y", "bpf/m.h:1:2: note: y", id="header"),
        pytest.param("/else/m.h:1:2: note: y", "/else/m.h:1:2: note: y", id="elsewhere"),
        pytest.param(
            "In file included from ../b.h:3:", "In file included from b.h:3:", id="included"
        ),
        pytest.param("    1 | x.c:1:2: y", "    1 | x.c:1:2: y", id="source-line"),
    ],
)
def test_paths_are_relative_to_the_package(line: str, shown: str) -> None:
    found = show_paths(line, Path("/home/p/src"), Path("/home/p"), [(Path("/inc"), "")])
    assert found == shown


NOTED = """\
In file included from x.bpf.c:1:
In file included from ./a.h:1:
In file included from ./b.h:1:
In file included from ./c.h:1:
./d.h:7:1: error: no such thing
    7 | int thing;
      |     ^
./d.h:1:1: note: one
    1 | #define ONE
      |         ^
./d.h:2:1: note: two
note: (skipping 3 expansions in backtrace)
./d.h:3:1: note: four
2 warnings and 1 error generated."""


def test_of_notes_the_first_lines_of_a_few_are_kept_and_of_includes_both_ends() -> None:
    (message,) = read_messages(NOTED)
    assert shortened(message) == [
        "In file included from x.bpf.c:1:",
        "In file included from ./c.h:1:",
        "./d.h:7:1: error: no such thing",
        "    7 | int thing;",
        "      |     ^",
        "./d.h:1:1: note: one",
        "./d.h:2:1: note: two",
        "2 warnings and 1 error generated.",
        "… 2 more notes",
    ]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param(
            "fatal error: 'vmlinux_6.h' file not found",
            "skep headers vmlinux --output src/vmlinux_6.h writes it",
            id="types-of-a-kernel",
        ),
        pytest.param(
            "fatal error: 'net/sock.h' file not found",
            '#include "vmlinux.h" for types of the kernel; skep headers vmlinux writes one of your'
            " kernel",
            id="header-of-the-kernel",
        ),
        pytest.param(
            "fatal error: 'bpf/usdt.bpf.h' file not found",
            'put bpf/usdt.bpf.h beside the source, or libbpf = "system" in [build] takes the'
            " headers of an installed libbpf; there are bpf/*.h, skep/*.h, linux/*.h, asm/*.h,"
            " vmlinux.h and a few of a C library",
            id="header-of-libbpf",
        ),
        pytest.param(
            "error: call to undeclared function 'bpf_map_lookup_elem'; ISO C99",
            "#include <bpf/bpf_helpers.h>",
            id="helper",
        ),
        pytest.param(
            "error: incomplete definition of type 'struct task_struct'",
            '#include "vmlinux.h" for types of the kernel; skep headers vmlinux writes one of your'
            " kernel",
            id="incomplete-type",
        ),
        pytest.param("error: use of undeclared identifier 'x'", "", id="something-else"),
    ],
)
def test_what_is_advised(text: str, expected: str) -> None:
    (message,) = read_messages(f"src/x.bpf.c:1:2: {text}")
    assert advice(message, "src/x.bpf.c") == expected


def test_any_other_missing_header_belongs_beside_the_source() -> None:
    (message,) = read_messages("x.c:1:2: fatal error: 'mine.h' file not found")
    assert advice(message, "x.c").startswith("put mine.h beside the source; there are bpf/*.h")
