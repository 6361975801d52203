"""Deployments, linked deployments and programs, valid and small; change one thing at a time."""

from collections.abc import Sequence

from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.plan import MapPlan, ProgramPlan
from skep.chains.deployment import AttachmentSpec, Deployment
from skep.chains.fingerprints import map_pin_name
from skep.chains.planning import LinkedDeployment, MapSetting
from skep.hooks.table import parse_hook_target

DIGEST = "sha256:" + "ab" * 32
XDP, ATTACH_XDP = 6, 37


def deployment(
    name: str = "limit",
    *,
    on: str = "xdp:eth0",
    order: int = 10,
    digest: str = DIGEST,
    run_on: tuple[str, ...] = ("pass",),
    maps: tuple[str, ...] = (),
    settings: tuple[tuple[str, str], ...] = (),
    program: str | None = None,
) -> Deployment:
    return Deployment(
        name=name,
        reference=f"skep/{name}:1.0.0",
        digest=digest,
        attachments=(AttachmentSpec(program or name, parse_hook_target(on)),),
        order=order,
        run_on=run_on,
        settings=settings,
        maps=maps,
    )


def returning(verdict: int, name: str = "returning") -> ProgramPlan:
    """A program that returns ``verdict``: ``r0 = verdict; exit``."""
    return ProgramPlan(
        name=name,
        program_type=XDP,
        attach_type=ATTACH_XDP,
        flags=0,
        licence="GPL",
        instructions=(
            Instruction(0xB7, immediate=verdict),
            Instruction(0x95),
        ),
    )


def hash_map(name: str = "counts", *, entries: int = 16) -> MapPlan:
    return MapPlan(name, 1, 4, 8, entries)


def array_map(name: str = "config", *, entries: int = 1) -> MapPlan:
    return MapPlan(name, 2, 4, 8, entries)


def rodata(content: bytes = b"\x01\x02\x03\x04") -> MapPlan:
    """A read-only data section: ``BPF_F_RDONLY_PROG``, frozen."""
    return MapPlan(
        ".rodata", 2, 4, len(content), 1, flags=1 << 7, contents=((bytes(4), content),), frozen=True
    )


def linked(
    name: str = "limit",
    *,
    on: str = "xdp:eth0",
    order: int = 10,
    maps: Sequence[MapPlan] = (),
    settings: Sequence[MapSetting] = (),
    program: ProgramPlan | None = None,
    digest: str = DIGEST,
) -> LinkedDeployment:
    pins = tuple(map_pin_name(one) for one in maps)
    return LinkedDeployment(
        deployment(name, on=on, order=order, maps=pins, digest=digest),
        program or returning(2, name),
        tuple(maps),
        tuple(settings),
    )
