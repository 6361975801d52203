"""How errors are printed."""

import io

from skep.cli.output import Output
from skep.errors import Refused


def test_lines_of_a_message_stand_below_each_other() -> None:
    stream = io.StringIO()
    error = Refused("the verifier refused limit\nlimit.bpf.c:8  x = *y;\nR0 may be NULL")
    assert Output(err=stream).fail(error) == 7
    assert stream.getvalue().splitlines() == [
        "error: the verifier refused limit",
        "       limit.bpf.c:8  x = *y;",
        "       R0 may be NULL",
    ]
