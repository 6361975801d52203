"""Names of programs, from which they can be made again.

``TYPE:SEED.NUMBER`` is a random program; ``TYPE:SNIPPET@SEED.NUMBER`` has a single snippet, and the
number says how it ends.
"""

from collections.abc import Callable, Sequence

from tests.soundness.generating import KINDS, Generator, Program

ENDS = ("record", "verdict", "quiet")


def maker(generator: Generator) -> Callable[[str], Program]:
    """Makes the program of a name."""

    def make(job: str) -> Program:
        kind, _, seed = job.partition(":")
        snippet, _, rest = seed.partition("@")
        if rest:
            end = ENDS[int(rest.rpartition(".")[2]) % len(ENDS)]
            return generator.directed(KINDS[kind], [snippet], seed, end)
        return generator.draw(KINDS[kind], seed)

    return make


def directed_jobs(kind: str, snippets: Sequence[str], seed: int, number: int) -> list[str]:
    """Names of programs of single snippets."""
    return [f"{kind}:{name}@{seed}.{each}" for name in snippets for each in range(number)]


_FIRST = (
    "XDP", "SCHED_CLS", "SYSCALL", "NETFILTER", "CGROUP_SOCK_ADDR/bind", "SOCKET_FILTER",
    "LWT_XMIT",
)  # fmt: skip


_EVERYWHERE = frozenset({"context_store", "context_load", "one_verdict"})  # what types differ in


def proving_jobs(generator: Generator, seed: int, number: int, kinds: int = 4) -> list[str]:
    """Names of programs of each snippet in a few types, for the proof of the harness."""
    order = [*_FIRST, *(name for name in KINDS if name not in _FIRST)]
    taken: dict[str, int] = {}
    jobs = []
    for name in order:
        for each in generator.fitting(KINDS[name]):
            if taken.get(each.name, 0) < kinds or each.name in _EVERYWHERE:
                taken[each.name] = taken.get(each.name, 0) + 1
                count = number * (4 if each.name in _EVERYWHERE else 1)
                jobs += directed_jobs(name, [each.name], seed, count)
    return jobs
