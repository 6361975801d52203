"""Questions of yes or no, asked on a terminal and nowhere else."""

import sys

from skep.cli.output import Output


def is_terminal() -> bool:
    """Somebody sees the question and can answer it."""
    return sys.stdin.isatty() and sys.stderr.isatty()


def ask(question: str, output: Output) -> bool:
    """Ask on standard error; what is not yes is no, as is the end of input.

    Raises:
        KeyboardInterrupt: Ctrl-C was the answer.
    """
    print(f"{question} [y/N] ", end="", file=output.err, flush=True)
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        print(file=output.err)
    return answer.strip().lower() in {"y", "yes"}
