"""How long the types of the running kernel take: first use, and with an index kept.

The first use walks over all types and writes the index; later ones read it. Each includes reading
the types themselves and looking up one of them.
"""

import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from skep.bytecode.btf.types import Kind
from skep.kernel.kernel_types import kernel_types

FIRST_BOUND, LATER_BOUND = 1.0, 0.030  # seconds
_FIRST_ROUNDS, _LATER_ROUNDS = 3, 20


@dataclass(frozen=True, slots=True)
class Measured:
    """Seconds on the wall, best and middle of several rounds."""

    types: int
    first: float
    later: float
    later_median: float

    def document(self) -> dict[str, object]:
        """The figures and their ratios to the bounds."""
        return {
            "types": self.types,
            "first_seconds": round(self.first, 4),
            "first_ratio_to_bound": round(self.first / FIRST_BOUND, 3),
            "later_seconds": round(self.later, 4),
            "later_median_seconds": round(self.later_median, 4),
            "later_ratio_to_bound": round(self.later / LATER_BOUND, 3),
            "speedup": round(self.first / self.later, 1),
        }

    def text(self) -> str:
        """The same as a table."""
        rows = [
            ("first use", self.first, FIRST_BOUND),
            ("with an index, best", self.later, LATER_BOUND),
            ("with an index, middle", self.later_median, LATER_BOUND),
        ]
        lines = [f"types of the running kernel: {self.types}", ""]
        lines += [f"{'':<24}{'ms':>8}{'bound':>8}{'ratio':>8}"]
        lines += [
            f"{name:<24}{seconds * 1e3:>8.1f}{bound * 1e3:>8.0f}{seconds / bound:>8.2f}"
            for name, seconds, bound in rows
        ]
        return "\n".join(lines)


def _timed(cache: Path) -> tuple[float, int]:
    start = time.perf_counter()
    types = kernel_types(cache)
    assert types.candidates("task_struct", Kind.STRUCT)
    return time.perf_counter() - start, len(types)


def measure() -> Measured:
    """Run it on this kernel, with indexes in a directory of its own."""
    with tempfile.TemporaryDirectory(prefix="skep-types-") as scratch:
        first = [_timed(Path(scratch) / str(number)) for number in range(_FIRST_ROUNDS)]
        later = sorted(_timed(Path(scratch) / "0")[0] for _ in range(_LATER_ROUNDS))
    seconds, types = min(first)
    return Measured(types, seconds, later[0], later[len(later) // 2])
