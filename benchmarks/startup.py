"""How long commands take to start: ``skep --help`` and ``skep list``, in a new process each.

Bounds: 0.15 s and 0.3 s. The peers in the same run: an interpreter that does nothing, and one that
imports the command-line library only.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass

ROUNDS = 9
BOUNDS = {"skep --help": 0.15, "skep list": 0.30}
_COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "import click": [sys.executable, "-c", "import click"],
    "skep --help": [sys.executable, "-m", "skep", "--help"],
    "skep list": [sys.executable, "-m", "skep", "list"],
}


@dataclass(frozen=True, slots=True)
class Startup:
    """Seconds of wall time by command, every round."""

    seconds: dict[str, list[float]]

    def document(self) -> dict[str, object]:
        bare = statistics.median(self.seconds["import click"])
        return {
            name: {
                "median_seconds": round(statistics.median(values), 4),
                "best_seconds": round(min(values), 4),
                "times_import_click": round(statistics.median(values) / bare, 2),
                "bound_seconds": BOUNDS.get(name),
            }
            for name, values in self.seconds.items()
        }

    def text(self) -> str:
        lines = [f"{'command':<16}{'median':>9}{'best':>9}{'bound':>9}{'x import click':>16}"]
        bare = statistics.median(self.seconds["import click"])
        for name, values in self.seconds.items():
            bound = f"{BOUNDS[name]:.2f} s" if name in BOUNDS else ""
            middle = statistics.median(values)
            lines.append(
                f"{name:<16}{middle:>7.3f} s{min(values):>7.3f} s{bound:>9}{middle / bare:>16.1f}"
            )
        return "\n".join(lines) + "\n"


def measure() -> Startup:
    seconds: dict[str, list[float]] = {name: [] for name in _COMMANDS}
    # People's machines keep compiled modules; so must this one, whatever it is set to.
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
    with tempfile.TemporaryDirectory() as root:
        for _ in range(ROUNDS):
            for name, command in _COMMANDS.items():
                started = time.perf_counter()
                subprocess.run(
                    command,
                    env=environment | {"SKEP_ROOT": root},
                    check=True,
                    stdout=subprocess.DEVNULL,
                )
                seconds[name].append(time.perf_counter() - started)
    return Startup(seconds)
