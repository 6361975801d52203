"""How long the types of the running kernel take: first use, and with an index kept.

    benchmarks/btf_index.py        prints JSON; seconds, best of several; bars as agreed

The first use walks over all types and writes the index; later ones read it. Each includes reading
the types themselves and looking up one of them.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

from skep.bytecode.btf.types import Kind
from skep.kernel.kernel_types import kernel_types

_FIRST_BAR, _LATER_BAR = 1.0, 0.030
_FIRST_ROUNDS, _LATER_ROUNDS = 3, 20


def _timed(cache: Path) -> tuple[float, int]:
    start = time.perf_counter()
    types = kernel_types(cache)
    assert types.candidates("task_struct", Kind.STRUCT)
    return time.perf_counter() - start, len(types)


def main() -> int:
    """Measure; 0 if both bars are kept."""
    with tempfile.TemporaryDirectory(prefix="btf-index-") as scratch:
        first = [_timed(Path(scratch) / str(number)) for number in range(_FIRST_ROUNDS)]
        later = [_timed(Path(scratch) / "0") for _ in range(_LATER_ROUNDS)]
    first_seconds, types = min(first)
    later_seconds = min(later)[0]
    document = {
        "types": types,
        "first_seconds": round(first_seconds, 4),
        "first_ratio_to_bar": round(first_seconds / _FIRST_BAR, 3),
        "later_seconds": round(later_seconds, 4),
        "later_median_seconds": round(sorted(later)[len(later) // 2][0], 4),
        "later_ratio_to_bar": round(later_seconds / _LATER_BAR, 3),
        "speedup": round(first_seconds / later_seconds, 1),
    }
    print(json.dumps(document, indent=1))
    return int(first_seconds > _FIRST_BAR or later_seconds > _LATER_BAR)


if __name__ == "__main__":
    sys.exit(main())
