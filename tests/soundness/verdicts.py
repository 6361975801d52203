"""How a random program ends: ways to get a value into r0."""

from tests.soundness.assembling import Record
from tests.soundness.drafting import BUFFER, Draft
from tests.soundness.exit_values import USUAL
from tests.soundness.kinds import ProgramKind
from tests.soundness.snippets.core import draw_lie
from tests.soundness.worlds import A


def usual(kind: ProgramKind) -> tuple[int, ...]:
    return USUAL.get(kind.type) or kind.verdicts or (0, 1)


def _masked(draft: Draft, register: int) -> None:
    """Make a number an exit value that the verifier accepts."""
    code, verdicts = draft.code, draft.kind.verdicts
    if verdicts == (0, 1):
        code.bits(register, 1)
    elif verdicts == (0, 1, 2, 3):
        code.bits(register, 3)
    elif draft.rng.random() < 0.7:
        code.bits(register, draft.rng.choice((1, 3, 7)))


def write_mask(draft: Draft) -> None:
    """Make r0 what the verifier accepts."""
    verdicts = draft.kind.verdicts
    if verdicts == (0, 1):
        draft.code.bits(0, 1)
    elif verdicts == (0, 1, 2, 3):
        draft.code.bits(0, 3)


def write_verdict(draft: Draft) -> None:
    """Several ways to get a value into r0."""
    code, rng, kind = draft.code, draft.rng, draft.kind
    values = usual(kind)
    way = rng.choice(
        ("pass", "pass", "constant", "number", "branch", "branch", "table", "map", "spill",
         "core", "redirect", "throw", "narrow", "shifted")
    )  # fmt: skip
    draft.tags.add(f"ends:{way}")
    if way == "pass":
        code.mov(0, kind.passing)
    elif way == "constant":
        code.mov(0, rng.choice(values))
    elif way == "number":
        code.copy(0, rng.choice((8, 9)))
        _masked(draft, 0)
    elif way == "branch":
        code.mov(0, rng.choice(values))
        wanted = _compared(draft)
        code.if_number(rng.choice(("==", "!=", ">", "<=")), 8, wanted, "end")
        code.mov(0, rng.choice((kind.passing, rng.choice(values))))
        code.label("end")
    elif way == "table":
        table = b"".join((rng.choice(values) & 0xFFFF_FFFF).to_bytes(4, "little") for _ in range(4))
        name = draft.variable(".rodata", table, "verdicts")
        code.copy(2, 8)
        code.bits(2, 3)
        code.emit(0x67, 2, immediate=2)
        code.data(1, name)
        code.emit(0x0F, 1, 2)
        code.load(4, 0, 1)
        if kind.verdicts in {(0, 1), (0, 1, 2, 3)}:
            _masked(draft, 0)
    elif way == "map":
        draft.conf(1, A)
        code.copy(0, 1)
        _masked(draft, 0)
    elif way == "spill":
        code.put(4, 10, BUFFER, rng.choice(values))
        code.if_number("==", 8, _compared(draft), "end")
        code.put(4, 10, BUFFER, rng.choice(values))
        code.label("end")
        code.load(4, 0, 10, BUFFER)
        if kind.verdicts in {(0, 1), (0, 1, 2, 3)}:
            _masked(draft, 0)
    elif way == "core":
        lie = draw_lie(draft)
        draft.tags.add(f"core:{lie.kind}")
        code.mov(0, lie.local)
        code.recorded(Record(lie.type_id, lie.access, lie.kind))
        if kind.verdicts is not None and kind.verdicts[0] == 0 and max(kind.verdicts) <= 3:
            _masked(draft, 0)
    elif way == "redirect" and kind.type in {"XDP", "SCHED_CLS", "SCHED_ACT", "LWT_XMIT"}:
        _redirect(draft)
    elif way == "throw":
        code.mov(0, kind.passing)
        if draft.has_kfunc(kind, "bpf_throw") and (kind.verdicts is None or 0 in kind.verdicts):
            code.if_number("!=", 8, _compared(draft), "end")
            code.mov(1, 0)
            draft.kfunc("bpf_throw")
            code.label("end")
    elif way == "narrow":
        code.copy(0, 8)
        code.emit(0x57, 0, immediate=3)
        if kind.verdicts == (0, 1):
            code.bits(0, 1)
    elif way == "shifted" and kind.verdicts is None:
        code.copy(0, 8)
        code.emit(0x67, 0, immediate=32)
        code.emit(0x77, 0, immediate=32 + rng.choice((0, 6)))
    else:
        code.mov(0, kind.passing)
    code.exit()


def _compared(draft: Draft) -> int:
    """What a comparison is with: often what is really there."""
    draws = [draft.number(), *draft.template.numbers]
    if draft.template.packet:
        draws += [draft.template.byte(draft.kind, draft.rng.randrange(0, 64)) for _ in range(3)]
    return draft.rng.choice(draws) & 0x7FFF_FFFF


def _redirect(draft: Draft) -> None:
    code, rng = draft.code, draft.rng
    if draft.kind.name == "XDP" and rng.random() < 0.6:
        draft.map(1, rng.choice(("devices", "cpus")))
        code.copy(2, rng.choice((8, 9)))
        code.bits(2, 3)
        code.mov(3, rng.choice((0, 1, 2, 3)))
        draft.helper(51)
        return
    code.mov(1, rng.choice((1, 99)))
    code.mov(2, rng.choice((0, 1)) if draft.kind.name != "XDP" else 0)
    draft.helper(23)
