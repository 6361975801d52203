"""What every command gets: its environment and its output, made once per invocation."""

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from skep.cli.environment import Environment, read_environment
from skep.cli.output import Output


@dataclass(frozen=True, slots=True)
class Invocation:
    """One run of one command.

    Attributes:
        environment: where it finds its things.
        output: how it speaks.
        words: what was typed after ``skep``.
    """

    environment: Environment
    output: Output
    words: tuple[str, ...] = ()

    def repeated(self, option: str) -> str:
        """What was typed, with one more option, to be typed again.

        >>> run = Invocation(read_environment({}, 0), Output(), ("set", "--", "limit", "a=b c"))
        >>> run.repeated("--yes")
        "skep set --yes -- limit 'a=b c'"
        """
        end = self.words.index("--") if "--" in self.words else len(self.words)
        return shlex.join(["skep", *self.words[:end], option, *self.words[end:]])


_words: tuple[str, ...] = ()


def note_words(words: Sequence[str]) -> None:
    """Remember what was typed after ``skep``, for hints that repeat it."""
    global _words  # noqa: PLW0603 - one command per process, as its output
    _words = tuple(words)


def as_root() -> str:
    """What was typed, to be typed again by somebody who is not root."""
    return shlex.join(["sudo", "skep", *_words])


_output = Output()  # main() reports errors through the output of the command that raised them


def current_output() -> Output:
    """Return the output that errors of this process are reported through."""
    return _output


def invocation(
    *, json: bool = False, quiet: bool = False, verbose: bool = False, wide: bool = False
) -> Invocation:
    """Start a command: read the environment and set up its output."""
    _output.json = _output.json or json
    _output.quiet = _output.quiet or quiet
    _output.verbose = _output.verbose or verbose
    _output.wide = _output.wide or wide
    return Invocation(read_environment(os.environ, os.geteuid()), _output, _words)
