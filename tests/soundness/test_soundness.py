"""A short run of the harness, always the same; ``python -m tests.soundness`` is the long one."""

import os
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from skep.kernel.kernel_types import VMLINUX
from tests.builders.kernels import running_types
from tests.soundness.batches import Batch
from tests.soundness.generating import KINDS, Generator, Program
from tests.soundness.jobs import ENDS, directed_jobs, maker
from tests.soundness.judging import Outcome
from tests.soundness.mutating import Prover, all_rows
from tests.soundness.oracle import of_verdict
from tests.soundness.probing import Probes
from tests.soundness.snippets.table import SNIPPETS

SEED = 10
PROGRAMS = 25  # of each type
ACCEPTED = 0.6  # of those that are drawn, at least

pytestmark = [
    pytest.mark.kernel,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: bpf(2), namespaces"),
]


@cache
def generator() -> Generator:
    types = running_types()
    probes = Probes(types)
    return Generator(types, probes.has_helper, probes.has_kfunc)


def make() -> Callable[[str], Program]:
    return maker(generator())


def outcomes(jobs: list[str]) -> list[Outcome]:
    for name in {job.partition(":")[0] for job in jobs}:
        generator().fitting(KINDS[name])
    return list(Batch(running_types(), make()).run(jobs))


def told(found: list[Outcome]) -> list[str]:
    return [
        f"{each.kind}:{each.seed} needs {' or '.join(violation.missing)}: {violation.because}"
        for each in found
        for violation in each.violations
    ]


def test_this_kernel_has_its_types() -> None:
    assert VMLINUX.exists(), "a kernel for which programs can be made has BTF"


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_nothing_is_seen_that_a_label_does_not_hold(kind: str) -> None:
    found = outcomes([f"{kind}:{SEED}.{number}" for number in range(PROGRAMS)])
    assert len(found) == PROGRAMS
    assert [each.seed for each in found if each.state in {"lost", "not run"}] == []
    assert sum(each.state == "accepted" for each in found) >= ACCEPTED * PROGRAMS
    assert told(found) == []


@pytest.mark.parametrize("kind", ["XDP", "SCHED_CLS"])
def test_nothing_is_seen_of_single_snippets_either(kind: str) -> None:
    snippets = [each.name for each in generator().fitting(KINDS[kind])]
    by_hand = [name for name in snippets if not name.startswith("call:")]
    found = outcomes(directed_jobs(kind, by_hand, SEED, len(ENDS)))
    assert told(found) == []


@pytest.mark.parametrize(
    ("sort", "name", "snippet"),
    [
        pytest.param("argument", "helper:26 r3 write", "load_bytes_into_map", id="argument"),
        pytest.param("permission", "net.mirror helpers 13", "clone", id="helper"),
        pytest.param("context", "SOCKET_FILTER writable mark", "context_store", id="context"),
    ],
)
def test_a_row_taken_out_of_the_classification_is_noticed(
    sort: str, name: str, snippet: str
) -> None:
    (row,) = (each for each in all_rows() if (each.sort, each.name) == (sort, name))
    found = outcomes(directed_jobs("SCHED_CLS", [snippet], SEED, 12))
    proof = Prover(found, make()).prove(row, [], lambda _: "no program has it")
    assert proof.caught_by, proof.reason


def test_a_program_of_a_seed_is_always_the_same() -> None:
    assert make()("XDP:1.7").data == make()("XDP:1.7").data
    assert make()("XDP:1.7").data != make()("XDP:1.8").data


def test_a_child_that_dies_costs_one_program() -> None:
    def fatal(job: str) -> Program:
        if job.endswith(".1"):
            os._exit(9)
        return make()(job)

    generator().fitting(KINDS["XDP"])
    batch = Batch(running_types(), fatal)
    states = [each.state for each in batch.run(["XDP:1.0", "XDP:1.1", "XDP:1.2"])]
    assert states[1] == "lost"
    assert "lost" not in (states[0], states[2])


def test_programs_are_run_in_namespaces_of_their_own() -> None:
    before = {name: str(Path(f"/proc/self/ns/{name}").readlink()) for name in ("net", "mnt", "pid")}
    outcomes(["XDP:1.0"])
    assert {name: str(Path(f"/proc/self/ns/{name}").readlink()) for name in before} == before


@pytest.mark.parametrize(
    ("kind", "value", "permission"),
    [("XDP", 1, "net.drop"), ("XDP", 9, "net.drop"), ("SCHED_CLS", 7, "net.redirect")],
)
def test_the_oracle_knows_what_verdicts_do(kind: str, value: int, permission: str) -> None:
    assert permission in {name for each in of_verdict(KINDS[kind], value) for name in each.any_of}


def test_every_snippet_is_for_some_type() -> None:
    lonely = [each.name for each in SNIPPETS.values() if not any(map(each.fits, KINDS.values()))]
    assert lonely == []
