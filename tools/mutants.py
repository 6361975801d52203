"""Change a room's source in small ways, one at a time, and see whether its tests notice.

    python tools/mutants.py executing --seed 1 --count 200

A sample of all mutants (:mod:`mutation`) is drawn with the seed. For each, the tests that reach
its line run, the quickest first, until one fails (killed) or all pass (survived).

It is fast because nothing starts anew. The tests are collected once and run once to see which
lines they reach; then each mutant is a fork of that process in which the function's code object is
exchanged. A change that takes effect when a module is imported, and whatever survived so, runs in
a fork that has imported none of ours yet.
"""

import argparse
import contextlib
import gc
import importlib.machinery
import io
import json
import os
import pickle
import random
import resource
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import CodeType, FunctionType
from typing import Any, Literal

import coverage
import pytest

from mutation import Mutant, mutants

ROOT = Path(__file__).resolve().parents[1]
_TESTS_SECONDS = 5.0  # what the tests of one mutant may take; the quickest come first
_EARLY = ("skep", "tests", "benchmarks", "bpf")  # not to be imported before the first fork

Verdict = Literal["killed", "timed out", "survived", "not reached"]
_ALIVE = {"survived", "not reached"}


@dataclass(frozen=True)
class Room:
    """What is changed, and the tests that ought to notice."""

    sources: tuple[str, ...]
    tests: tuple[str, ...]


_CONVERGING = "src/skep/node/converging"
_LONGEST = "test_recovering.py::test_a_crash_while_repairing_is_repaired_too"  # never in time
_NAMES = "src/skep/packages/names.py"  # with examples
_PACKAGES = "src/skep/packages"
_VALUES = "tests/house/test_values.py"
ROOMS = {
    "executing": Room(
        tuple(
            f"{_CONVERGING}/{name}.py"
            for name in ("executing", "kept_programs", "composing", "recovering", "changing")
        ),
        (
            *("tests/unit/node/converging", "tests/unit/node/deploying", _VALUES),
            f"--deselect=tests/unit/node/converging/{_LONGEST}",
        ),
    ),
    "opening": Room(
        tuple(
            f"{_PACKAGES}/{name}.py"
            for name in (
                *("opening", "identity", "source_archive", "names", "content"),
                *("oci/descriptors", "oci/manifests", "local/bundles"),
            )
        ),
        ("tests/unit/packages", "--deselect=tests/unit/packages/client", _NAMES, _VALUES),
    ),
    "chains": Room(("src/skep/chains/*.py",), ("tests/unit/chains", "src/skep/chains", _VALUES)),
    "trust": Room(("src/skep/trust/*.py",), ("tests/unit/trust", "src/skep/trust", _VALUES)),
}


@dataclass
class Reach:
    """Which tests reach which lines, and the processor time each takes."""

    tests: dict[str, dict[int, set[str]]]
    seconds: dict[str, float]

    def of(self, mutant: Mutant) -> list[str]:
        """The tests that reach its lines, the quickest first."""
        lines = self.tests.get(str(mutant.file), {})
        found = {test for line in mutant.lines for test in lines.get(line, ())}
        if mutant.function is None or "" in found:  # it is run by an import
            return self.near(mutant)
        return self._affordable(found)

    def near(self, mutant: Mutant) -> list[str]:
        """Those, and then every other test.

        What a test needs may have been made by an earlier one, and kept.
        """
        lines = self.tests.get(str(mutant.file), {})
        reaching = {test for line in mutant.lines for test in lines.get(line, ())}
        every = [*self._affordable(reaching), *self._affordable(set(self.seconds))]
        return list(dict.fromkeys(every))

    def _affordable(self, tests: set[str]) -> list[str]:
        spent = 0.0
        chosen: list[str] = []
        for test in sorted(tests - {""}, key=lambda test: (self.seconds[test], test)):
            spent += self.seconds[test]
            if chosen and spent > _TESTS_SECONDS:
                break
            chosen.append(test)
        return chosen


class _Session:
    """A pytest plug-in: the tests once as they are, then once for each mutant."""

    def __init__(
        self, files: Sequence[Path], sample: Sequence[Mutant], measuring: coverage.Coverage
    ):
        self._files = {str(each) for each in files}
        self._sample = sample
        self._measuring = measuring
        self._failed: list[str] = []
        self.reach = Reach({}, {})
        self.verdicts: dict[int, Verdict] = {}

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self._failed.append(report.nodeid)

    def pytest_runtestloop(self, session: pytest.Session) -> bool:
        if session.testsfailed:
            raise pytest.UsageError("some tests cannot be collected")
        self._measure(session.items)
        if self._failed:
            raise pytest.UsageError(f"tests fail as they are: {self._failed}")
        items = {item.nodeid: item for item in session.items}
        functions = _functions(self._files)
        for index, mutant in enumerate(self._sample):
            tests = self.reach.of(mutant)
            if not tests:
                self.verdicts[index] = "not reached"
            elif exchange := _exchange(mutant, functions):
                chosen = [items[test] for test in tests]
                seconds = sum(self.reach.seconds[test] for test in tests)
                self.verdicts[index] = _in_fork(partial(self._run, exchange, chosen), seconds)
            _tell(self.verdicts.get(index))
        return True

    def _measure(self, items: Sequence[pytest.Item]) -> None:
        for item in items:
            self._measuring.switch_context(item.nodeid)
            began = time.process_time()
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            self.reach.seconds[item.nodeid] = time.process_time() - began
        self._measuring.switch_context("")
        self._measuring.stop()
        data = self._measuring.get_data()
        for file in data.measured_files():
            lines = data.contexts_by_lineno(file)
            name = str(Path(file).relative_to(ROOT))
            self.reach.tests[name] = {line: set(tests) for line, tests in lines.items()}

    def _run(self, exchange: Callable[[], None], items: Sequence[pytest.Item]) -> bool:
        exchange()
        for item in items:
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=None)
            if self._failed:
                return False
        return True


Functions = dict[tuple[str, str, int], list[FunctionType]]


def _functions(files: set[str]) -> Functions:
    found: Functions = {}
    for each in gc.get_objects():
        if isinstance(each, FunctionType):
            code = each.__code__
            with contextlib.suppress(ValueError):
                name = str(Path(code.co_filename).relative_to(ROOT))
                if name in files:
                    key = (name, code.co_qualname, code.co_firstlineno)
                    found.setdefault(key, []).append(each)
    return found


def _exchange(mutant: Mutant, functions: Functions) -> Callable[[], None] | None:
    """What makes a mutant of this process; ``None`` if only a new import can."""
    if mutant.function is None:
        return None
    name, line = mutant.function
    concerned = functions.get((str(mutant.file), name, line), [])
    code = compile(mutant.tree(), str(ROOT / mutant.file), "exec")
    new = [each for each in _codes(code) if (each.co_qualname, each.co_firstlineno) == (name, line)]
    if not concerned or len(new) != 1:
        return None
    if any(each.__code__.co_freevars != new[0].co_freevars for each in concerned):
        return None

    def exchange() -> None:
        for function in concerned:
            function.__code__ = new[0]

    return exchange


def _codes(code: CodeType) -> Iterator[CodeType]:
    for each in code.co_consts:
        if isinstance(each, CodeType):
            yield each
            yield from _codes(each)


def _in_fork(passes: Callable[[], bool], seconds: float) -> Verdict:
    """Whether tests pass, asked in a fork; the limit is of processor time, not of waiting."""
    child = os.fork()
    if child == 0:
        try:
            limit = int(2 + 2 * seconds)
            resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
            nowhere = os.open(os.devnull, os.O_RDWR)
            for descriptor in (0, 1, 2):
                os.dup2(nowhere, descriptor)
            os._exit(0 if passes() else 1)
        except BaseException:  # noqa: BLE001 - whatever it is, the tests noticed
            os._exit(1)
    _, status = os.waitpid(child, 0)
    if os.WIFSIGNALED(status):
        return "timed out"
    return "killed" if os.WEXITSTATUS(status) else "survived"


class _Chosen:
    """A pytest plug-in: only these tests, in their order."""

    def __init__(self, tests: Sequence[str]) -> None:
        self._ranks = {test: rank for rank, test in enumerate(tests)}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        chosen = [item for item in items if item.nodeid in self._ranks]
        items[:] = sorted(chosen, key=lambda item: self._ranks[item.nodeid])


def _passes_anew(mutant: Mutant | None, tests: Sequence[str]) -> bool:
    """Whether tests pass in this process, which has imported none of our modules yet."""
    loader = importlib.machinery.SourceFileLoader
    original = loader.get_code

    def get_code(self: importlib.machinery.SourceFileLoader, name: str) -> CodeType | None:
        if mutant is not None and Path(self.path) == ROOT / mutant.file:
            return compile(mutant.tree(), self.path, "exec")
        return original(self, name)

    loader.get_code = get_code  # type: ignore[method-assign,assignment]
    # Plain assertions: where they are rewritten, modules with examples go past the loader.
    files = dict.fromkeys(test.partition("::")[0] for test in tests)
    options = (*_QUIET, "--assert=plain", "-x")
    return pytest.main([*options, *files], plugins=[_Chosen(tests)]) == 0


_QUIET = (*("-q", "--no-header", "-p", "no:cacheprovider"),)


def _tell(verdict: Verdict | None) -> None:
    signs = {"killed": ".", "timed out": "t", "survived": "S", "not reached": "N", None: ">"}
    print(signs[verdict], end="", flush=True, file=sys.stderr)


def _examine(files: Sequence[Path], sample: Sequence[Mutant], tests: Sequence[str]) -> Any:
    """Run the session in a fork, so that this process imports nothing of ours."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reading)
            measuring = coverage.Coverage(
                data_file=None, config_file=False, include=[str(ROOT / each) for each in files]
            )
            measuring.start()
            session = _Session(files, sample, measuring)
            said = io.StringIO()
            with contextlib.redirect_stdout(said):
                code = int(pytest.main([*_QUIET, *tests], plugins=[session]))
            if code:
                print(said.getvalue(), file=sys.stderr)
            with os.fdopen(writing, "wb") as pipe:
                pickle.dump((session.reach, session.verdicts), pipe)
        except BaseException:  # noqa: BLE001 - a fork has nobody to raise it to
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read()
    _, status = os.waitpid(child, 0)
    if os.waitstatus_to_exitcode(status) != 0:
        sys.exit("mutants: the tests do not pass as they are")
    return pickle.loads(answer)  # noqa: S301  # of our own fork


def examine(files: Sequence[Path], sample: Sequence[Mutant], tests: Sequence[str]) -> list[Verdict]:
    """What becomes of each mutant."""
    reach, verdicts = _examine(files, sample, tests)
    assert not any(name in sys.modules for name in _EARLY)
    everything = sorted(reach.seconds)
    seconds = sum(reach.seconds.values())
    if _in_fork(partial(_passes_anew, None, everything), seconds + 5) != "survived":
        sys.exit("mutants: the tests do not pass where nothing is changed")
    told: list[Verdict] = []
    for index, mutant in enumerate(sample):
        verdict = verdicts.get(index)
        if verdict in {None, "survived"}:
            chosen = reach.near(mutant)
            seconds = sum(reach.seconds[test] for test in chosen)
            verdict = _in_fork(partial(_passes_anew, mutant, chosen), seconds + 5)
            _tell(verdict)
        told.append(verdict)
    print(file=sys.stderr)
    return told


def _sample(every: Sequence[Mutant], seed: int, count: int) -> list[Mutant]:
    draw = random.Random(seed)  # noqa: S311 - no secret
    chosen = set(draw.sample(range(len(every)), min(count, len(every))))
    return [mutant for index, mutant in enumerate(every) if index in chosen]


def main() -> None:
    """Examine a room."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("room", choices=sorted(ROOMS))
    parser.add_argument("--seed", type=int, default=1, help="draws the sample")
    parser.add_argument("--count", type=int, default=200, help="how many mutants")
    parser.add_argument("--besides", type=int, help="leave out the sample of this seed")
    parser.add_argument("--at", action="append", help="only FILE[:LINE] (end of the path)")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    parser.add_argument("--tests", action="append", help="other tests than the room's")
    given = parser.parse_args()
    room = ROOMS[given.room]
    os.chdir(ROOT)
    files = sorted(
        file.relative_to(ROOT) for pattern in room.sources for file in ROOT.glob(pattern)
    )
    every = [mutant for file in files for mutant in mutants(file)]
    total = len(every)
    if given.besides is not None:
        seen = {id(each) for each in _sample(every, given.besides, given.count)}
        every = [each for each in every if id(each) not in seen]
    if given.at:
        sample = [m for m in every if any(_is_at(m, place) for place in given.at)]
    else:
        sample = _sample(every, given.seed, given.count)
    verdicts = examine(files, sample, given.tests or room.tests)
    told = zip(sample, verdicts, strict=True)
    left = [(mutant, verdict) for mutant, verdict in told if verdict in _ALIVE]
    killed = len(sample) - len(left)
    share = 100 * killed / len(sample) if sample else 100.0
    if given.json:
        survivors = [
            {"file": str(m.file), "line": m.line, "kind": m.kind, "before": m.before}
            | {"after": m.after, "verdict": v}
            for m, v in left
        ]
        print(json.dumps({"examined": len(sample), "killed": killed, "survivors": survivors}))
        return
    for mutant, verdict in left:
        print(f"{mutant}  [{mutant.kind}, {verdict}]")
    print(
        f"{given.room}: {killed} of {len(sample)} mutants killed ({share:.1f} %), "
        f"{verdicts.count('timed out')} of them by their time; {total} are possible"
    )


def _is_at(mutant: Mutant, place: str) -> bool:
    name, _, line = place.partition(":")
    return str(mutant.file).endswith(name) and (not line or mutant.line == int(line))


if __name__ == "__main__":
    main()
