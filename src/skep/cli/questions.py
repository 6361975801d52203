"""Questions, asked on a terminal and nowhere else."""

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
    return _answer(f"{question} [y/N] ", output).lower() in {"y", "yes"}


def ask_name(question: str, name: str, output: Output) -> bool:
    """Ask for a name to be typed, where a ``y`` out of habit must not do; anything else is no.

    Raises:
        KeyboardInterrupt: Ctrl-C was the answer.
    """
    return _answer(f"{question} ", output) == name


def _answer(prompt: str, output: Output) -> str:
    output.say(prompt, end="")
    answer = sys.stdin.readline()
    if not answer.endswith("\n"):
        output.say("")
    return answer.strip()
