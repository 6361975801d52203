"""A page of the documentation, typed at a terminal from top to bottom.

A ``console`` block holds commands after ``$ `` and, below a command, what it shows. Numbers,
digests, dates and temporary paths may differ; a line ``…`` stands for any lines. A command without
lines below it may show anything. An answer stands after its question: ``Install? [y/N] y``.

``./dev pages`` writes what commands show now into the pages; the difference is read before it is
committed.
"""

import fcntl
import os
import pty
import re
import select
import struct
import subprocess
import termios
import time
from codecs import getincrementaldecoder
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path

RENEW = "SKEP_RENEW_PAGES"
_FENCE = "```"
_ANY = "…"
_PROMPT = re.compile(r"@@page (\d+)@@")
_QUESTION = re.compile(r"(\[y/N\] |to install: )(\S*)$")
_JOB = re.compile(r"\[\d+\][+-]? ")  # what a shell says of a command behind it
_PROGRESS = re.compile("━")  # shown or not, as fast as the machine is
_SHELL = ("bash", "--noprofile", "--norc", "--noediting", "-i")
_PATIENCE_SECONDS = 120.0


@dataclass(frozen=True, slots=True)
class Step:
    """A command of a page.

    Attributes:
        line: where it stands in the page, from 1.
        command: what is typed.
        shown: the lines below it.
    """

    line: int
    command: str
    shown: tuple[str, ...]

    @property
    def answers(self) -> tuple[str, ...]:
        """What is typed at its questions."""
        return tuple(match[2] for line in self.shown if (match := _QUESTION.search(line)))

    @property
    def is_behind(self) -> bool:
        """It runs on while the next commands are typed."""
        return self.command.endswith("&")


def steps_of(text: str) -> Iterator[Step]:
    """The commands of a page, in order."""
    lines = list(enumerate(text.splitlines(), 1))
    while lines:
        _, line = lines.pop(0)
        if line.strip() != f"{_FENCE}console":
            continue
        block = list(takewhile(lambda each: each[1].strip() != _FENCE, lines))
        del lines[: len(block) + 1]
        while block:
            number, text = block.pop(0)
            assert text.startswith("$ "), f"line {number}: expected a command, got {text!r}"
            command = text[2:]
            while command.endswith("\\"):
                number, text = block.pop(0)
                command = f"{command}\n{text}"
            shown = [*takewhile(lambda each: not each[1].startswith("$ "), block)]
            del block[: len(shown)]
            while shown and not shown[-1][1]:
                shown.pop()  # a line left free before the next command
            yield Step(number, command, tuple(each[1] for each in shown))


def differs(expected: Sequence[str], came: Sequence[str]) -> bool:
    """Whether what came is not what a page shows; where lines break may depend on numbers."""
    pattern = [".*" if line == _ANY else re.escape(_general(line)) for line in expected]
    return re.fullmatch(" ?".join(pattern), _general(" ".join(came))) is None


def _general(line: str) -> str:
    """A line without what differs each time."""
    line = re.sub(r"(sha256|SHA256):[0-9a-f]+", r"\1:*", line)
    line = re.sub(r"/\S*/tmp\.\w+", "TMP", line)
    line = re.sub(r"\d[\d,.:]*", "#", line)
    return re.sub(r"\s+", " ", line).strip()


class Terminal:
    """A shell at a terminal of 80 columns."""

    def __init__(
        self, folder: Path, variables: Mapping[str, str], before: Sequence[str] = ()
    ) -> None:
        self._terminal, inside = pty.openpty()
        fcntl.ioctl(inside, termios.TIOCSWINSZ, struct.pack("HHHH", 50, 80, 0, 0))
        attributes = termios.tcgetattr(inside)
        attributes[3] &= ~termios.ECHO
        termios.tcsetattr(inside, termios.TCSANOW, attributes)
        self._process = subprocess.Popen(
            [*before, "setsid", "--ctty", *_SHELL],
            cwd=folder,
            env={**variables, "PS1": "@@page $?@@", "PS2": "", "TERM": "dumb"},
            stdin=inside,
            stdout=inside,
            stderr=inside,
            start_new_session=True,
        )
        os.close(inside)
        self._decoder = getincrementaldecoder("utf-8")()
        self._until_prompt(())

    def run(self, step: Step) -> tuple[int, list[str]]:
        """Type a command; gives its exit code and what the terminal showed."""
        os.write(self._terminal, f"{step.command}\n".encode())
        code, text = self._until_prompt(step.answers)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while step.is_behind and len(_lines(text)) < len(step.shown):
            assert time.monotonic() < deadline, f"{step.command} showed {text!r}"
            text += self._read()
        return code, _lines(text)

    def close(self) -> None:
        """Leave the shell, which ends what it still runs."""
        os.close(self._terminal)  # its jobs are told that the terminal is gone
        self._process.wait(_PATIENCE_SECONDS)

    def _read(self) -> str:
        if not select.select([self._terminal], [], [], 1)[0]:
            return ""
        return self._decoder.decode(os.read(self._terminal, 65536))

    def _until_prompt(self, answers: Sequence[str]) -> tuple[int, str]:
        left = list(answers)
        text, answered = "", 0
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not (match := _PROMPT.search(text)):
            assert time.monotonic() < deadline, f"the terminal shows {text!r}"
            text += self._read()
            question = _QUESTION.search(text)
            if question and not question[2] and question.end() > answered:
                assert left, f"the page has no answer to {text[-200:]!r}"
                os.write(self._terminal, f"{left.pop(0)}\n".encode())
                text += "\n"  # the terminal does not echo
                answered = question.end()
        return int(match[1]), text[: match.start()] + text[match.end() :]


@contextmanager
def terminal(
    folder: Path, variables: Mapping[str, str], before: Sequence[str] = ()
) -> Iterator[Terminal]:
    """A shell, closed afterwards.

    Args:
        before: a command line that runs the shell elsewhere, such as ``nsenter``.
    """
    opened = Terminal(folder, variables, before)
    try:
        yield opened
    finally:
        opened.close()


def walk_page(page: Path, at: Terminal) -> list[str]:
    """Type every command of a page; gives what was not as the page has it, each with its line."""
    problems: list[str] = []
    shown_now: dict[int, tuple[int, Sequence[str]]] = {}
    for step in steps_of(page.read_text(encoding="utf-8")):
        code, came = at.run(step)
        where = f"{page.name}:{step.line}: {step.command}"
        if code != 0:
            return [*problems, f"{where}\nexits with {code}: {came}"]
        if step.shown and differs(step.shown, came):
            shown_now[step.line] = (len(step.shown), came)
            problems.append("\n".join([where, "shows now", *came, "the page has", *step.shown]))
    if os.environ.get(RENEW):
        _renew(page, shown_now)
        return []
    return problems


def _renew(page: Path, shown: Mapping[int, tuple[int, Sequence[str]]]) -> None:
    lines = page.read_text(encoding="utf-8").splitlines()
    for number, (length, came) in sorted(shown.items(), reverse=True):
        lines[number : number + length] = [_short(line) for line in came]
    page.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _short(line: str) -> str:
    """A line with the temporary folder where people have it."""
    return re.sub(r"/\S*(/tmp\.\w+)", r"/tmp\1", line)  # noqa: S108 - shown, not opened


def _lines(text: str) -> list[str]:
    """What people read of it in the end; a question gets the answer that pages show."""
    kept = [line for line in re.sub("\r+\n", "\n", text).split("\n") if not _JOB.match(line)]
    lines = [line.rpartition("\r")[2].replace("\x1b[2K", "").rstrip() for line in kept]
    lines = [line for line in lines if not _PROGRESS.search(line)]
    lines = [line + " y" if line.endswith("[y/N]") else line for line in lines]
    while lines and not lines[-1]:
        lines.pop()
    return lines
