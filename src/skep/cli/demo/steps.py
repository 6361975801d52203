"""The demo's steps: one line each, with a tick and its time, and the same as a document."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from skep.cli.output import Output
from skep.cli.streams import unbroken
from skep.cli.surfaces import wrapped

_LEFT = 12  # columns of the mark and the time


@dataclass(slots=True)
class DemoStep:
    """What one step has to say.

    Attributes:
        title: what is being done.
        result: what came of it, shown behind the title.
        lines: further lines, shown below.
        facts: the same for machines.
    """

    title: str
    result: str = ""
    lines: list[str] = field(default_factory=list)
    facts: dict[str, object] = field(default_factory=dict)
    seconds: float = 0.0


@dataclass(slots=True)
class DemoSteps:
    """All steps of one run, printed as they end."""

    output: Output
    done: list[DemoStep] = field(default_factory=list)

    @contextmanager
    def step(self, title: str) -> Iterator[DemoStep]:
        """Run one step; a failing one is marked and its error passed on."""
        step = DemoStep(title)
        started = time.perf_counter()
        live = not self.output.json and not self.output.quiet and self.output.out.isatty()
        if live:
            with unbroken(self.output.out):
                print(f"… {title}", end="\r", file=self.output.out)
        try:
            yield step
        except BaseException:
            step.seconds = time.perf_counter() - started
            self._print(step, self.output.style("✗", "red"), clear=live)
            raise
        step.seconds = time.perf_counter() - started
        self.done.append(step)
        self._print(step, self.output.style("✓", "green"), clear=live)

    def _print(self, step: DemoStep, mark: str, *, clear: bool) -> None:
        if self.output.json or self.output.quiet:
            return
        out = self.output.out
        took = self.output.style(f"{step.seconds:6.2f} s", "dim")
        text = f"{step.title}: {step.result}" if step.result else step.title
        width = self.output.width
        first, *further = wrapped(text, width and max(width - _LEFT, 20))
        with unbroken(out):
            print(f"{chr(27) + '[2K' if clear else ''}{mark} {took}  {first}", file=out)
            for line in [*further, *step.lines]:
                print(f"{' ' * _LEFT}{line}", file=out)

    def document(self) -> list[dict[str, object]]:
        """The steps that ended well."""
        return [
            {"step": step.title, "result": step.result, "seconds": round(step.seconds, 3)}
            | step.facts
            for step in self.done
        ]
