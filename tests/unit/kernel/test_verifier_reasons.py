"""What lines of the verifier's log mean to whoever wrote the program."""

import pytest

from skep.kernel.verifier_log import explained, last_slot, printable


@pytest.mark.parametrize(
    ("line", "meaning"),
    [
        ("R0 invalid mem access 'map_value_or_null'", "R0 may be NULL here: test it first"),
        ("R7 invalid mem access 'mem_or_null'", "R7 may be NULL here: test it first"),
        ("R1 invalid mem access 'inv'", "R1 is a number here, not a pointer"),
        ("R1 invalid mem access 'scalar'", "R1 is a number here, not a pointer"),
        ("R2 !read_ok", "R2 is read here before anything was written"),
        (
            "invalid access to packet, off=14 size=4, R1(id=0,off=14,r=0)",
            "R1 may lie beyond the end of the packet here",
        ),
        (
            "invalid access to map value, value_size=8 off=8 size=4",
            "this reaches 4 bytes at 8 of a map's value, which has 8",
        ),
        ("infinite loop detected at insn 3", "this loop may never end"),
        ("back-edge from insn 3 to 1", "this loop may never end"),
        ("BPF program is too large. Processed 1000001 insn", "gave up after 1000001"),
        ("map 'm' has to have BTF in order to use bpf_spin_lock", "compile the program with -g"),
    ],
)
def test_a_known_line_is_said_in_plain_words(line: str, meaning: str) -> None:
    assert meaning in explained(line)


def test_another_line_is_shown_as_it_is() -> None:
    assert explained("kfunc flavour {0} is odd") == "kfunc flavour {0} is odd"


def test_source_lines_in_a_log_are_no_instructions() -> None:
    log = "0: (b7) r0 = 0\n; 99: (95) exit @ a.c:1\n1: (95) exit\nprocessed 2 insns"
    assert last_slot(log) == 1
    assert last_slot("R1 !read_ok") is None
    assert last_slot("") is None


def test_a_log_cannot_talk_to_the_terminal() -> None:
    assert (
        printable("; \x1b]0;title\x07\r\n\tok\u202e") == "; \ufffd]0;title\ufffd\ufffd\n\tok\ufffd"
    )
