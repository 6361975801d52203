"""Fuzz what reads foreign objects: ``python -m tests.fuzz [--minutes N] [--seed S]``.

Prints a document with executions and findings; cases that broke something are written to
``--into`` (default: tests/fuzz/corpus), where the tests replay them from then on; it ends with 1 if
there are any.
"""

import argparse
import json
import sys
import time
from pathlib import Path

from tests.fuzz.running import CORPUS, bound_memory, fuzz, write_findings


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--executions", type=int, default=None, help="stop after that many cases")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--into", type=Path, default=CORPUS)
    given = parser.parse_args()
    bound_memory()
    end = time.monotonic() + 60 * given.minutes
    most = given.executions
    if most is None:
        tally = fuzz(given.seed, lambda _tally: time.monotonic() >= end)
    else:
        tally = fuzz(given.seed, lambda tally: tally.executions >= most)
    write_findings(tally, given.into)
    print(json.dumps({"seed": given.seed, **tally.document()}, indent=1))
    return int(bool(tally.findings))


if __name__ == "__main__":
    sys.exit(main())
