"""First lines, stack depths and instructions walked, from logs of several kernels."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from skep.kernel.verifier_log import first_line, stack_depth, walked_instructions

STATISTICS = (
    "verification time 43 usec\nstack depth 16+0\nprocessed 4 insns (limit 1000000) "
    "max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0\n"
)


@pytest.mark.parametrize(
    ("log", "line"),
    [
        pytest.param("R0 !read_ok\n" + STATISTICS, "R0 !read_ok", id="6.18"),
        pytest.param(
            "Unrecognized arg#0 type PTR\nR0 !read_ok\n" + STATISTICS, "R0 !read_ok", id="5.10-note"
        ),
        pytest.param(
            "reg type unsupported for arg#0 function f#1\nunknown func bpf_x#200\n",
            "unknown func bpf_x#200",
            id="6.1-note",
        ),
        pytest.param(
            "R0 !read_ok\nVerification failed: R0 !read_ok\n\nReason:\n  R0 is not set\n",
            "R0 !read_ok",
            id="7.3-paragraphs",
        ),
        pytest.param(
            "arg#0 reference type('UNKNOWN ') size cannot be determined: -22\n"
            "program of this type cannot use helper bpf_override_return#58\n" + STATISTICS,
            "program of this type cannot use helper bpf_override_return#58",
            id="6.18-note-about-the-context",
        ),
        pytest.param(
            "arg#1 reference type('FWD x') size cannot be determined: -22\n" + STATISTICS,
            "arg#1 reference type('FWD x') size cannot be determined: -22",
            id="6.18-the-same-as-an-error",
        ),
        pytest.param(
            "arg#1 reference type('FWD x') size cannot be determined: -22\n"
            "Verification failed: it\n",
            "arg#1 reference type('FWD x') size cannot be determined: -22",
            id="the-same-with-paragraphs",
        ),
        pytest.param("\n\n  unreachable insn 3\n", "unreachable insn 3", id="blank-lines-before"),
        pytest.param(STATISTICS, "", id="statistics-only"),
        pytest.param("", "", id="empty"),
    ],
)
def test_the_line_that_says_why(log: str, line: str) -> None:
    assert first_line(log) == line


@pytest.mark.parametrize(
    ("log", "depth"),
    [
        pytest.param(STATISTICS, 16, id="entry-and-subprogram"),
        pytest.param("stack depth 0\n", 0, id="no-stack"),
        pytest.param("stack depth 512+8+0\n", 512, id="three-functions"),
        pytest.param("stack depth max 40\nsubprog 0 f insns 4\n", 40, id="newer-form"),
        pytest.param("the stack depth 16 is too large\n", None, id="inside-a-sentence"),
        pytest.param("stack depth many\n", None, id="not-a-number"),
        pytest.param("stack depth 99999999999\n", None, id="more-than-there-is"),
        pytest.param("stack depth 513\n", None, id="one-more-than-there-is"),
        pytest.param("", None, id="empty"),
    ],
)
def test_stack_of_the_entry(log: str, depth: int | None) -> None:
    assert stack_depth(log) == depth


@pytest.mark.parametrize(
    ("log", "number"),
    [
        pytest.param("R0 !read_ok\n" + STATISTICS, 4, id="statistics"),
        pytest.param("processed 1000001 insns (limit 1000000)\n", 1_000_001, id="gave-up"),
        pytest.param("R0 processed 5 insns\n", 0, id="inside-a-sentence"),
        pytest.param("processed many insns\n", 0, id="not-a-number"),
        pytest.param("processed 9999999999 insns\n", 0, id="more-than-there-is"),
        pytest.param("", 0, id="empty"),
    ],
)
def test_instructions_that_were_walked(log: str, number: int) -> None:
    assert walked_instructions(log) == number


@given(st.text(max_size=200))
@settings(deadline=None, max_examples=100)
def test_no_log_breaks_the_reader(log: str) -> None:
    assert "\n" not in first_line(log)
    depth = stack_depth(log)
    assert depth is None or 0 <= depth <= 512
    assert walked_instructions(log) >= 0
