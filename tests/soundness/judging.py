"""One program from its seed to its verdict: drawn, read, analysed, linked, loaded, run, judged."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from skep.bytecode.analysis.analysing import analyse
from skep.bytecode.analysis.label_bounds import exceeding
from skep.bytecode.analysis.linked import analyse_linked
from skep.bytecode.analysis.report import AnalysisReport
from skep.bytecode.btf.kernel_types import KernelTypes
from skep.bytecode.isa.disassembling import text_of
from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.linking import link
from skep.bytecode.linking.plan import LoadPlan
from skep.bytecode.linking.settings import LinkSettings
from skep.bytecode.objectfile.model import ObjectFile
from skep.bytecode.objectfile.reading import read_object
from skep.errors import SkepError
from skep.kernel.probes import possible_cpus
from tests.builders.loaded_objects import execute
from tests.soundness.assembling import LDDW
from tests.soundness.generating import Program
from tests.soundness.observing import Bench, Input, Observation
from tests.soundness.oracle import Before, Obligation, differs, of_effects, of_read
from tests.soundness.places import OTHER, Place
from tests.soundness.worlds import other_packets

_LOOKUPS = frozenset(f"helper:{number}" for number in (69, 84, 85, 99, 163))
_REPEATS = 3  # runs of each of two worlds before a difference is believed


@dataclass
class Violation:
    """Something was seen that the label does not hold."""

    kind: str
    seed: str
    missing: tuple[str, ...]
    because: str
    tags: tuple[str, ...]
    label: tuple[str, ...]
    listing: str = ""


@dataclass
class Outcome:
    """What became of one program.

    Attributes:
        state: ``accepted``, ``refused`` (why is in ``reason``).
        obligations: ids that were needed, and shown.
        needs: of each group one permission must be shown.
        seen: why.
    """

    kind: str
    seed: str
    state: str
    reason: str = ""
    tags: tuple[str, ...] = ()
    label: tuple[str, ...] = ()
    obligations: tuple[str, ...] = ()
    needs: tuple[tuple[str, ...], ...] = ()
    seen: tuple[str, ...] = ()
    violations: list[Violation] = field(default_factory=list)


def judge(program: Program, types: KernelTypes, where: Place) -> Outcome:
    """Everything about one program; call it in the place."""
    outcome = Outcome(program.kind.name, program.seed, "refused", tags=tuple(sorted(program.tags)))
    try:
        object_file = read_object(program.data)
        report = analyse(object_file)
        settings = LinkSettings(possible_cpus=possible_cpus(), variables=program.settings)
        plan = link(object_file, types, settings)
        loaded = execute(plan)
    except SkepError as error:
        outcome.reason = error.message
        return outcome
    with loaded:
        outcome.state = "accepted"
        label = {each.id for each in report.permissions}
        outcome.label = tuple(sorted(label))
        bench = Bench(program.kind, plan, loaded, where, watches_copies="helper:13" in program.tags)
        try:
            found = list(_obligations(program, bench))
        except SkepError as error:
            outcome.state = "not run"
            outcome.reason = error.message
            return outcome
        finally:
            bench.close()
    for each in found:
        if not label.intersection(each.any_of):
            _violated(outcome, each, plan)
    for each in _of_node_label(found, plan, object_file, types, report):
        _violated(outcome, each, plan)
    outcome.needs = tuple(sorted({each.any_of for each in found}))
    outcome.seen = tuple(sorted({each.because for each in found}))
    outcome.obligations = tuple(sorted({one for need in outcome.needs for one in need} & label))
    return outcome


def _of_node_label(
    found: Sequence[Obligation],
    plan: LoadPlan,
    object_file: ObjectFile,
    types: KernelTypes,
    package: AnalysisReport,
) -> Iterator[Obligation]:
    """What the label of the linked instructions lacks, or has beyond the package label."""
    try:
        node = analyse_linked(plan, object_file, types)
    except SkepError as error:
        yield Obligation((), f"node label: {error.message}")
        return
    label = {each.id for each in node.permissions}
    for each in found:
        if not label.intersection(each.any_of):
            yield Obligation(each.any_of, f"node label: {each.because}")
    for permission in exceeding(package, node):
        yield Obligation((permission.id,), "node label: not in the package label")


def _violated(outcome: Outcome, what: Obligation, plan: LoadPlan) -> None:
    """Keep a violation, one of each sort."""
    is_node = what.because.startswith("node label")
    for each in outcome.violations:
        if each.missing == what.any_of and each.because.startswith("node label") == is_node:
            return
    outcome.violations.append(
        Violation(
            kind=outcome.kind,
            seed=outcome.seed,
            missing=what.any_of,
            because=what.because,
            tags=outcome.tags,
            label=outcome.label,
            listing=listing(plan.programs[0].instructions),
        )
    )


def listing(instructions: Sequence[Instruction]) -> str:
    """What was loaded, one line an instruction."""
    lines = []
    for slot, each in enumerate(instructions):
        if each.opcode:
            upper = instructions[slot + 1].immediate if each.opcode == LDDW else 0
            lines.append(f"{slot:4} {text_of(each, upper)}")
    return "\n".join(lines)


def _obligations(program: Program, bench: Bench) -> Iterator[Obligation]:
    kind, template = program.kind, program.template
    rng = random.Random(program.seed)  # noqa: S311 - repeatable on purpose
    base = Input(template.packet, template.context, template.numbers, template.text)
    seen = bench.run(base)
    yield from _effects(program, bench, base, seen)
    for other in _effect_worlds(program, base, rng):
        yield from _effects(program, bench, other, bench.run(other))
    if "noisy" in program.tags:
        return
    for part, other in _read_worlds(program, base, rng):
        found = bench.run(other)
        yield from _effects(program, bench, other, found)
        why = differs(kind, (base, seen), (other, found), program.tags)
        if why and _is_steady(program, bench, (base, seen), (other, found)):
            yield of_read(part, why)


def _effects(
    program: Program, bench: Bench, given: Input, seen: Observation
) -> Iterator[Obligation]:
    untouched = bench.untouched(given) if program.kind.name == "FLOW_DISSECTOR" else b""
    if program.kind.trigger:
        untouched = bench.plain()
    before = Before(dict(bench.begun), untouched)
    yield from of_effects(program.kind, given, seen, before, program.tags)


def _is_steady(
    program: Program,
    bench: Bench,
    one: tuple[Input, Observation],
    two: tuple[Input, Observation],
) -> bool:
    """Whether the difference is the input's: both worlds again and again, each with itself."""
    for _ in range(_REPEATS):
        for given, seen in (one, two):
            if differs(program.kind, (given, seen), (given, bench.run(given)), program.tags):
                return False
    return True


def _effect_worlds(program: Program, base: Input, rng: random.Random) -> Iterator[Input]:
    """Worlds that differ in what programs may read without permission."""
    if "map:conf" in program.tags:
        for _ in range(3):
            yield replace(base, numbers=(rng.randrange(8), rng.randrange(256)))
    if base.context and program.kind.name != "XDP":
        yield replace(base, context=_other_context(program, base.context, rng))


def _other_context(program: Program, context: bytes, rng: random.Random) -> bytes:
    data = bytearray(context)
    if program.kind.is_skb:
        for offset in (8, 32, 48, 52, 56, 60, 64):
            data[offset : offset + 4] = rng.randrange(1, 256).to_bytes(4, "little")
    elif program.kind.context in {"numbers", "memory"}:
        for offset in range(0, len(data), 8):
            data[offset] = rng.randrange(256)
    return bytes(data)


def _read_worlds(program: Program, base: Input, rng: random.Random) -> Iterator[tuple[str, Input]]:
    for packet in other_packets(program.kind, base.packet, rng):
        yield "packet", replace(base, packet=packet)
    yield "identity", replace(base, thread=OTHER)
    yield "kernel memory", replace(base, leader=1)
    yield "user memory", replace(base, user=1)
    if program.tags & _LOOKUPS:
        yield "network", replace(base, is_quiet=True)
