"""Ctrl-C at a moment when nothing is half done."""

import os
import signal

import pytest

from skep.cli import interrupts
from skep.cli.interrupts import came_after_change, change_first, deferred_interrupts
from skep.errors import NeedsConsent


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_waits_for_the_end_of_the_block(number: signal.Signals) -> None:
    done = []

    def work() -> None:
        with deferred_interrupts():
            os.kill(os.getpid(), number)
            done.append("all")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert done == ["all"]


def test_without_an_interrupt_nothing_is_raised_and_handlers_are_as_before() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with deferred_interrupts():
        assert signal.getsignal(signal.SIGINT) is not before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_an_error_of_the_block_is_not_replaced_by_the_interrupt() -> None:
    def work() -> None:
        with deferred_interrupts():
            os.kill(os.getpid(), signal.SIGINT)
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        work()


# A change that was made by the time of the interrupt -----------------------------------------


@pytest.fixture
def nothing_came(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interrupts, "_came_after", False)


@pytest.mark.usefixtures("nothing_came")
def test_an_interrupt_during_a_change_is_told_after_it() -> None:
    with change_first():
        os.kill(os.getpid(), signal.SIGINT)
    assert came_after_change()


@pytest.mark.usefixtures("nothing_came")
def test_an_interrupt_comes_before_a_question() -> None:
    def work() -> None:
        with change_first():
            os.kill(os.getpid(), signal.SIGINT)
            raise NeedsConsent("somebody must agree")

    with pytest.raises(KeyboardInterrupt):
        work()
    assert not came_after_change()


@pytest.mark.usefixtures("nothing_came")
@pytest.mark.parametrize("error", [ArithmeticError, NeedsConsent])
def test_a_change_that_was_not_made_is_not_called_one(error: type[Exception]) -> None:
    def work() -> None:
        with change_first():
            raise error("no")

    with pytest.raises(error):
        work()
    assert not came_after_change()


def test_an_interrupt_while_a_change_is_entered_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    """It was said to be a bug in Skep."""

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(signal, "signal", interrupted)
    with pytest.raises(KeyboardInterrupt), change_first():
        pytest.fail("the change was begun")
    assert not came_after_change()
