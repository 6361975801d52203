"""The question, on a real pseudo-terminal, before a node that only listens."""

import io
import os
import pty
import select
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from types import SimpleNamespace
from typing import Any

import pytest
from tests.builders.deployments import deployment
from tests.builders.terminals import CONTROL_D

from skep.bytecode.analysis.growth import Granted, Growth
from skep.bytecode.analysis.label_bounds import LabelChange
from skep.cli import consenting
from skep.cli.consenting import (
    ConsentRefused,
    absent_values,
    change_with_consent,
    critical_packages,
    install_with_consent,
    own_map_values,
)
from skep.cli.context import Invocation
from skep.cli.environment import read_environment
from skep.cli.output import Output
from skep.node.converging.consenting import Answer, ConsentNeeded, Need, NotAsked, YesTo, YesToAll
from skep.node.labels import ConsentLabel

DROPS = Granted("net.drop", "interface", "declared", "high")
NEED = Need(deployment(), ConsentLabel(1, (DROPS,), (DROPS,)), (Growth(DROPS, "new"),), "exceeds")


class ListeningNode:
    """Needs consent once, and hears what it is told."""

    def __init__(self, need: Need = NEED) -> None:
        self.need = need
        self.answers: list[Answer] = []
        self.refused: list[Sequence[Need]] = []

    def change(self, answer: Answer) -> str:
        self.answers.append(answer)
        if isinstance(answer, NotAsked):
            raise ConsentNeeded([self.need])
        return "done"

    def note_refusal(self, needs: Sequence[Need], person: str) -> None:
        assert person
        self.refused.append(needs)


class Terminal:
    """The far end of a pseudo-terminal that standard input and standard error are."""

    def __init__(self) -> None:
        self._far, near = pty.openpty()
        self.stdin = os.fdopen(near, "r", closefd=False)
        self.stderr = os.fdopen(near, "w")

    def press(self, keys: str) -> None:
        os.write(self._far, keys.encode())

    def screen_with(self, text: str) -> str:
        """What is shown, once ``text`` is; the kernel passes it on in pieces, a little later."""
        shown = ""
        while text not in shown and select.select([self._far], [], [], 5)[0]:
            shown += os.read(self._far, 65536).decode().replace("\r\n", "\n")
        return shown

    def close(self) -> None:
        self.stdin.close()
        self.stderr.close()
        os.close(self._far)


@pytest.fixture
def terminal() -> Iterator[Terminal]:
    made = Terminal()
    yield made
    made.close()


@dataclass
class Seat:
    """Who runs a command, and where."""

    stdin: Any
    stderr: Any
    monkeypatch: pytest.MonkeyPatch
    json: bool = False
    quiet: bool = False

    def run(self, node: ListeningNode, *words: str, yes: bool = False) -> str:
        # Not in a fixture: pytest puts streams of its own there before each test is called.
        self.monkeypatch.setattr(sys, "stdin", self.stdin)
        self.monkeypatch.setattr(sys, "stderr", self.stderr)
        output = Output(err=self.stderr, json=self.json, quiet=self.quiet)
        invocation = Invocation(read_environment(os.environ, 0), output, ("set", *words))
        door: Any = node
        return change_with_consent(door, invocation, node.change, yes=yes)


@pytest.fixture
def seat(terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> Seat:
    return Seat(terminal.stdin, terminal.stderr, monkeypatch)


@pytest.mark.parametrize("option", ["", "json", "quiet"])
def test_yes_at_the_question_agrees_to_what_was_shown(
    terminal: Terminal, seat: Seat, option: str
) -> None:
    node = ListeningNode()
    seat = replace(seat, json=option == "json", quiet=option == "quiet")
    terminal.press("y\n")
    assert seat.run(node) == "done"
    _, answer = node.answers
    assert isinstance(answer, YesTo)
    assert answer.needs == (NEED,)
    screen = terminal.screen_with("[y/N]")
    assert "limit may do more than was agreed to: net.drop (interface)" in screen
    assert "drop packets on eth0" in screen
    assert "net.drop  new" in screen
    assert "Continue? [y/N]" in screen


CRITICAL = replace(DROPS, id="net.mirror", severity="critical")
CRITICAL_NEED = replace(
    NEED,
    label=ConsentLabel(1, (CRITICAL,), (CRITICAL,)),
    exceeding=(Growth(CRITICAL, "new"),),
)
TYPED = "type skep/limit to continue:"


class TestCritical:
    """What is critical is agreed to by typing the package's name."""

    def test_the_name_agrees(self, terminal: Terminal, seat: Seat) -> None:
        node = ListeningNode(CRITICAL_NEED)
        terminal.press("skep/limit\n")
        assert seat.run(node) == "done"
        assert TYPED in terminal.screen_with(TYPED)

    @pytest.mark.parametrize(
        "keys", ["y\n", "yes\n", "limit\n", "skep/limi\n", CONTROL_D], ids=repr
    )
    def test_anything_else_is_no(self, terminal: Terminal, seat: Seat, keys: str) -> None:
        node = ListeningNode(CRITICAL_NEED)
        terminal.press(keys)
        with pytest.raises(ConsentRefused):
            seat.run(node)
        assert node.refused == [(CRITICAL_NEED,)]

    def test_so_does_it_before_an_install(
        self, terminal: Terminal, seat: Seat, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        need = replace(CRITICAL_NEED, kind="new")
        node = ListeningNode(need)
        preview: Any = SimpleNamespace(needs=(need,))
        monkeypatch.setattr(consenting, "preview_lines", lambda *_: iter(["the label"]))
        monkeypatch.setattr(sys, "stdin", seat.stdin)
        monkeypatch.setattr(sys, "stderr", seat.stderr)
        terminal.press("y\nskep/limit\n")
        run = Invocation(read_environment(os.environ, 0), Output(err=seat.stderr), ("install",))
        door: Any = node
        with pytest.raises(ConsentRefused):
            install_with_consent(door, preview, run, node.change, yes=False)
        assert install_with_consent(door, preview, run, node.change, yes=False) == "done"
        screen = terminal.screen_with(TYPED.replace("continue", "install"))
        assert "the label" in screen
        assert "[y/N]" not in screen

    def test_what_might_be_counts(self) -> None:
        possible = Growth(replace(CRITICAL, confidence="possible"), "new")
        assert critical_packages([replace(CRITICAL_NEED, exceeding=(possible,))]) == ("skep/limit",)

    def test_what_was_agreed_to_before_does_not(self) -> None:
        both = ConsentLabel(1, (CRITICAL, DROPS), (CRITICAL, DROPS))
        assert critical_packages([replace(NEED, label=both)]) == ()

    def test_each_package_is_named_once(self) -> None:
        other = replace(
            CRITICAL_NEED,
            deployment=replace(NEED.deployment, reference="market.example/acme/other:2.0.0"),
        )
        assert critical_packages([CRITICAL_NEED, other, CRITICAL_NEED]) == (
            "skep/limit",
            "acme/other",
        )


@pytest.mark.parametrize("keys", ["n\n", "\n", "yes!\n", "no yes\n", CONTROL_D], ids=repr)
def test_anything_else_is_no(terminal: Terminal, seat: Seat, keys: str) -> None:
    node = ListeningNode()
    terminal.press(keys)
    with pytest.raises(ConsentRefused, match="nothing was changed"):
        seat.run(node)
    assert len(node.answers) == 1
    assert node.refused == [(NEED,)]


class Interrupted:
    """A terminal at which somebody presses Ctrl-C."""

    def isatty(self) -> bool:
        return True

    def readline(self) -> str:
        raise KeyboardInterrupt


def test_an_interrupt_at_the_question_is_no(terminal: Terminal, seat: Seat) -> None:
    node = ListeningNode()
    with pytest.raises(KeyboardInterrupt):
        replace(seat, stdin=Interrupted()).run(node)
    assert len(node.answers) == 1
    assert node.refused == [(NEED,)]
    assert "nothing was changed" in terminal.screen_with("nothing was changed")


def test_yes_beforehand_is_not_asked(seat: Seat) -> None:
    node = ListeningNode()
    assert seat.run(node, yes=True) == "done"
    (answer,) = node.answers
    assert isinstance(answer, YesToAll)


@pytest.mark.parametrize("end", ["stdin", "stderr"])
def test_without_a_terminal_at_either_end_nobody_is_asked(
    terminal: Terminal, seat: Seat, end: str
) -> None:
    node = ListeningNode()
    terminal.press("y\n")
    setattr(seat, end, io.StringIO("y\n"))
    with pytest.raises(ConsentNeeded) as told:
        seat.run(node, "limit", "ports=1, 2")
    assert told.value.needs == (NEED,)
    assert "not a terminal" in told.value.message
    assert told.value.hint == "skep set limit 'ports=1, 2' --yes"
    assert len(node.answers) == 1
    assert node.refused == []


def test_what_settings_switch_off_is_told() -> None:
    changes = [
        LabelChange("net.drop", "interface", "declared", ""),
        LabelChange("net.read", "interface", "possible", "declared"),
    ]
    (line,) = absent_values(changes)
    assert line == ("drop packets (the package can, with other settings or on other kernels)")
    assert absent_values(changes[1:]) == []


def test_maps_that_are_not_shared_here_are_named() -> None:
    assert own_map_values([]) == []
    (line,) = own_map_values(["counts", "flows"])
    assert line.startswith("counts, flows: ")
    assert line.endswith("here each deployment has its own")
