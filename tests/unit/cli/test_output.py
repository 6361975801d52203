"""How errors are printed."""

import io

import pytest

from skep.cli.output import Output
from skep.errors import Malformed, Refused


def test_lines_of_a_message_stand_below_each_other() -> None:
    stream = io.StringIO()
    error = Refused("the verifier refused limit\nlimit.bpf.c:8  x = *y;\nR0 may be NULL")
    assert Output(err=stream).fail(error) == 7
    assert stream.getvalue().splitlines() == [
        "error: the verifier refused limit",
        "       limit.bpf.c:8  x = *y;",
        "       R0 may be NULL",
    ]


def test_one_problem_of_one_is_not_said_twice() -> None:
    stream = io.StringIO()
    Output(err=stream).fail(Malformed("skep.toml: package.name: no", detail="package.name: no"))
    assert stream.getvalue() == "error: skep.toml: package.name: no\n"


def test_several_problems_are_listed_each() -> None:
    stream = io.StringIO()
    Output(err=stream).fail(Malformed("skep.toml: a: no (and 1 more)", detail="a: no\nb: no"))
    assert stream.getvalue().splitlines()[1:] == ["  a: no", "  b: no"]


def test_a_document_says_which_one_it_is() -> None:
    with pytest.raises(ValueError, match="without a schema: name"):
        Output(out=io.StringIO()).emit({"name": "x"}, list)
