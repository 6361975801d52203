"""What one more program in a chain costs per packet: spliced, by tail calls, by calls.

The three shapes come from one source (``chain.bpf.c``): the same body as members of a spliced
chain, as programs that tail-call the next one, and as functions that a dispatcher calls in order.
Each has its own per-CPU counter, and each asks after every member whether the chain goes on.

Machines are noisy, and a processor has faster and slower moments. So all shapes and lengths are
loaded first and measured in turn, several times over, each by ``BPF_PROG_TEST_RUN`` with many
repetitions; the fastest counts. Then all is loaded anew, because the kernel places programs at
random and a processor predicts jumps between some places worse than between others; of these loads
the median counts. The cost of a member is the slope of the line through 1 to 10 members (least
squares), which leaves out what a packet costs anyway. Compare ratios between machines, not
nanoseconds.
"""

import argparse
import json
import os
import platform
import sys
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from tests.builders.loaded_objects import execute

from benchmarks.chain_plot import draw
from skep.bytecode.linking.linking import link
from skep.bytecode.linking.plan import LoadPlan
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.objectfile.reading import read_object
from skep.chains.member import Member
from skep.chains.splicing import splice
from skep.compiling.compiler import CSource, compile_object
from skep.compiling.toolchain import CompilerChoice, find_compiler
from skep.errors import SkepError, codes
from skep.kernel.loading import LoadedProgram, load_program
from skep.kernel.maps import create_map
from skep.kernel.running import test_run

SHAPES = ("spliced", "tail", "call")
MOST_MEMBERS = 10
EXPECTED = {"spliced/tail": 0.5, "spliced/call": 0.3}

_SOURCE = Path(__file__).with_name("chain.bpf.c")
_INCLUDE = Path(__file__).resolve().parent.parent / "bpf" / "include"
_PASS = 2
_FRAME = bytes(64)
_ROUNDS_PER_LOAD = 6

Measurements = Mapping[str, Sequence[float]]
"""Nanoseconds per packet by shape, for 1, 2, … members."""


class Sources:
    """The shapes, compiled."""

    def __init__(self, compiler: CompilerChoice, cache: Path) -> None:
        self._compiler = compiler
        self._cache = cache
        self._plans: dict[tuple[str, int], LoadPlan] = {}

    def plan(self, shape: str, members: int = 1) -> LoadPlan:
        """The load plan of a shape; only calls differ with the number of members."""
        if (shape, members) in self._plans:
            return self._plans[shape, members]
        data = compile_object(
            CSource(_SOURCE, [_INCLUDE], {shape.upper(): str(members)}),
            self._compiler,
            cache=self._cache,
            environment=os.environ,
        )
        plan = link(read_object(data), None, LinkSettings())
        return self._plans.setdefault((shape, members), plan)


def load(stack: ExitStack, sources: Sources, shape: str, members: int) -> LoadedProgram:
    """Load a chain of so many members; returns the program a packet enters at."""
    if shape == "call":
        return stack.enter_context(execute(sources.plan(shape, members))).programs[0]
    plan = sources.plan(shape)
    if shape == "spliced":
        with execute(plan) as alone:
            depth = alone.programs[0].stack_bytes
        chain = splice(
            [
                Member(f"m{n}", plan.programs[0], plan.maps, frozenset({_PASS}), depth)
                for n in range(members)
            ]
        )
        maps = [stack.enter_context(create_map(each)) for _ in range(members) for each in plan.maps]
        return stack.enter_context(load_program(chain.program, maps))
    following: LoadedProgram | None = None
    for _ in range(members):
        loaded = stack.enter_context(execute(plan))
        if following is not None:
            targets = next(each for each in loaded.maps if each.name == "next")
            targets.update(bytes(4), following.descriptor.number.to_bytes(4, sys.byteorder))
        following = loaded.programs[0]
    if following is None:
        raise AssertionError  # nobody asks for a chain of none
    return following


def measure(sources: Sources, loads: int, repeat: int) -> Measurements:
    """Nanoseconds per packet of every shape and length: the median of the loads' fastest rounds."""
    lengths = range(1, MOST_MEMBERS + 1)
    fastest: dict[tuple[str, int], list[int]] = {(s, n): [] for n in lengths for s in SHAPES}
    for _ in range(loads):
        with ExitStack() as stack:
            programs = {each: load(stack, sources, *each) for each in fastest}
            for program in programs.values():
                warm = test_run(program, _FRAME, repeat=1000)
                if warm.return_value != _PASS:
                    raise AssertionError(f"expected {_PASS}, got {warm.return_value}")
            rounds = [
                {
                    each: test_run(program, _FRAME, repeat=repeat).nanoseconds
                    for each, program in programs.items()
                }
                for _ in range(_ROUNDS_PER_LOAD)
            ]
        for each, taken in fastest.items():
            taken.append(min(one[each] for one in rounds))
    return {s: [float(median(fastest[s, n])) for n in lengths] for s in SHAPES}


def slope(values: Sequence[float]) -> float:
    """Slope of the least-squares line through values at 1, 2, 3 and so on.

    >>> slope([5.0, 7.0, 9.0])
    2.0
    """
    count = len(values)
    middle = (count + 1) / 2
    mean = sum(values) / count
    products = sum((n - middle) * (value - mean) for n, value in enumerate(values, 1))
    return products / sum((n - middle) ** 2 for n in range(1, count + 1))


def report(
    measurements: Measurements, compiler: CompilerChoice, loads: int, repeat: int
) -> dict[str, object]:
    """The document ``--json`` prints."""
    cost = {shape: slope(values) for shape, values in measurements.items()}
    return {
        "schema": "skep.benchmark.chain/v1",
        "kernel": platform.release(),
        "machine": platform.machine(),
        "compiler": str(compiler),
        "loads": loads,
        "rounds_per_load": _ROUNDS_PER_LOAD,
        "repeat": repeat,
        "members": list(range(1, MOST_MEMBERS + 1)),
        "nanoseconds": {shape: list(values) for shape, values in measurements.items()},
        "nanoseconds_per_member": {shape: round(value, 3) for shape, value in cost.items()},
        "ratios": {
            f"spliced/{other}": round(cost["spliced"] / cost[other], 3) for other in SHAPES[1:]
        },
        "ratios_1_to_5_members": {
            f"spliced/{other}": round(slope(measurements["spliced"][:5]) / slope(measured[:5]), 3)
            for other, measured in ((name, measurements[name]) for name in SHAPES[1:])
        },
        "expected": EXPECTED,
    }


def table(document: Mapping[str, object], measurements: Measurements) -> str:
    """The same for people."""
    lines = ["members  " + "".join(f"{shape:>10}" for shape in SHAPES) + "   ns per packet"]
    for n in range(MOST_MEMBERS):
        row = "".join(f"{measurements[shape][n]:10.0f}" for shape in SHAPES)
        lines.append(f"{n + 1:>7}  {row}")
    cost = "".join(f"{slope(measurements[shape]):10.2f}" for shape in SHAPES)
    lines += [f"{'each':>7}  {cost}   ns per member", ""]
    ratios = document["ratios"]
    if not isinstance(ratios, dict):
        raise TypeError
    lines += [
        f"{name:<14}{value:6.2f}   expected at most {EXPECTED[name]}"
        for name, value in ratios.items()
    ]
    short = document["ratios_1_to_5_members"]
    lines.append(f"over 1 to 5 members only: {short}")
    return "\n".join(lines)


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("expected a positive number")
    return number


def main(arguments: Sequence[str]) -> int:
    """Measure and print; 0 unless it could not be measured."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chain", description=__doc__)
    parser.add_argument("--json", action="store_true", help="print a document instead of a table")
    parser.add_argument("--plot", type=Path, help="write a plot here, as SVG")
    parser.add_argument("--loads", type=_positive, default=9, help="how often all is loaded")
    parser.add_argument("--repeat", type=_positive, default=200_000, help="packets per measurement")
    options = parser.parse_args(arguments)
    try:
        compiler = find_compiler(os.environ)
        with tempfile.TemporaryDirectory(prefix="skep-benchmark-") as cache:
            sources = Sources(compiler, Path(cache))
            measurements = measure(sources, options.loads, options.repeat)
    except SkepError as error:
        print(f"{error.message}\n{error.hint}".strip(), file=sys.stderr)
        return codes(error).exit_code
    document = report(measurements, compiler, options.loads, options.repeat)
    if options.plot is not None:
        options.plot.parent.mkdir(parents=True, exist_ok=True)
        options.plot.write_text(draw(measurements, {s: slope(measurements[s]) for s in SHAPES}))
    print(json.dumps(document, indent=2) if options.json else table(document, measurements))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
