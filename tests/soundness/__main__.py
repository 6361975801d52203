"""``python -m tests.soundness``: run random programs and compare with their labels."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator

from skep.kernel.kernel_types import kernel_types
from tests.soundness.batches import Batch
from tests.soundness.generating import KINDS, Generator, Program
from tests.soundness.jobs import directed_jobs, maker, proving_jobs
from tests.soundness.mutating import Prover, Row, all_rows, companions
from tests.soundness.probing import Probes
from tests.soundness.proving import describe, reason_unused, summary
from tests.soundness.reporting import Tally
from tests.soundness.tables import tables


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.soundness", description=__doc__)
    parser.add_argument("--programs", type=int, default=1400, help="to be accepted, in all")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--type", choices=sorted(KINDS), action="append", help="only these types")
    parser.add_argument("--tables", action="store_true", help="print the counts as tables")
    parser.add_argument("--json", action="store_true", help="print the counts as JSON")
    parser.add_argument(
        "--directed", type=int, default=0, metavar="N", help="N programs of each snippet instead"
    )
    parser.add_argument(
        "--mutate", action="store_true", help="take each row of the classification out in turn"
    )
    parser.add_argument("--show", type=int, default=1, help="programs shown of each violation")
    return parser.parse_args()


def main() -> int:
    """Run; 1 if anything was seen that a label does not hold."""
    arguments = _arguments()
    types = kernel_types()
    probes = Probes(types)
    generator = Generator(types, probes.has_helper, probes.has_kfunc)
    names = arguments.type or list(KINDS)
    for name in names:
        generator.fitting(KINDS[name])  # asks the kernel once, before children are made

    make = maker(generator)
    tally = Tally()
    batch = Batch(types, make)
    if arguments.mutate:
        return _prove(arguments, generator, batch, make, names)
    if arguments.directed:
        jobs = _directed(generator, names, arguments.seed, arguments.directed)
        begun = time.monotonic()
        for outcome in batch.run(jobs):
            tally.add(outcome)
        print(tally.by_snippet())
        print(tally.text(time.monotonic() - begun, 0))
        return 1 if tally.violations or tally.lost else 0
    wanted = -(-arguments.programs // len(names))
    begun = time.monotonic()
    for name in names:
        numbers = _numbers()
        missing = wanted
        while missing > 0:
            jobs = [f"{name}:{arguments.seed}.{next(numbers)}" for _ in range(missing + 20)]
            accepted = 0
            for outcome in batch.run(jobs[: max(missing, 20)]):
                tally.add(outcome)
                accepted += outcome.state == "accepted"
            missing -= accepted
            if not accepted:
                print(f"{name}: none of {len(jobs)} accepted, given up", file=sys.stderr)
                break
        print(f"{name}: {tally.line(name)}", file=sys.stderr)
    seconds = time.monotonic() - begun
    if arguments.tables:
        print(tables(tally.document(seconds)))
    elif arguments.json:
        print(json.dumps(tally.document(seconds), indent=1))
    else:
        print(tally.text(seconds, arguments.show))
    return 1 if tally.violations or tally.lost else 0


def _directed(generator: Generator, names: list[str], seed: int, number: int) -> list[str]:
    return [
        job
        for name in names
        for job in directed_jobs(
            name, [each.name for each in generator.fitting(KINDS[name])], seed, number
        )
    ]


def _prove(
    arguments: argparse.Namespace,
    generator: Generator,
    batch: Batch,
    make: Callable[[str], Program],
    names: list[str],
) -> int:
    per_snippet = arguments.directed or 9
    jobs = proving_jobs(generator, arguments.seed, per_snippet)
    jobs += [f"{name}:{arguments.seed}.{number}" for name in names for number in range(60)]
    outcomes = [each for each in batch.run(jobs) if each.state == "accepted"]
    tried = {tag for name in names for tag in (f"{s.name}" for s in generator.fitting(KINDS[name]))}
    ran = {tag for each in outcomes for tag in each.tags}

    def why_not(row: Row) -> str:
        return reason_unused(row, tried, ran)

    prover = Prover(outcomes, make)
    proofs = []
    rows = all_rows()
    for row in rows:
        proofs.append(prover.prove(row, companions(row, rows), why_not))
        print(describe(proofs[-1]), file=sys.stderr, flush=True)
    print(summary(proofs, as_json=arguments.json))
    return 0


def _numbers() -> Iterator[int]:
    number = 0
    while True:
        yield number
        number += 1


if __name__ == "__main__":
    sys.exit(main())
