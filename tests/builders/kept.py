"""A linked deployment in which every field says something."""

from dataclasses import replace

from tests.builders.deployments import DIGEST

from skep.bytecode.isa.instructions import Instruction
from skep.bytecode.linking.plan import (
    FunctionType,
    KernelName,
    LinePlace,
    MapPlan,
    Poison,
    ProgramPlan,
)
from skep.chains.deployment import AttachmentSpec, Deployment
from skep.chains.planning import LinkedDeployment, MapSetting
from skep.hooks.target import HookTarget

INNER = MapPlan("inner", 1, 4, 8, 16)

FULL = LinkedDeployment(
    deployment=Deployment(
        name="limit-2",
        reference="skep/limit:1.0.0",
        digest=DIGEST,
        attachments=(AttachmentSpec("limit", HookTarget("xdp", "eth0", "blue")),),
        order=10,
        run_on=("pass", "tx"),
        settings=(("ports", "80,443"), ("rate", "5/s")),
        policy="insecure-accept-all",
        signer="SHA256:" + "9f" * 32,
        maps=("config", "-rodata-0123456789"),
    ),
    program=ProgramPlan(
        name="limit",
        program_type=6,
        attach_type=37,
        flags=1 << 5,
        licence="Dual BSD/GPL",
        instructions=(
            Instruction(0x18, 1, 5, 0, 1),
            Instruction(0),
            Instruction(0x15, 10, 0, -3, -1),
            Instruction(0x95),
            Instruction(0x95),
        ),
        subprograms=(0, 4),
        poisons=(Poison(2, "task_struct.tgid", "FIELD_BYTE_OFFSET"),),
        functions=(FunctionType(0, 7), FunctionType(4, 8)),
        lines=(LinePlace(0, 10, 20, 30 * 1024 + 4), LinePlace(4, 10, 21, 31 * 1024)),
        needs_types=True,
        attach_btf_id=77,
        names=("limit", "largest"),
        kernel_names=(KernelName(1, "function", "bpf_rcu_read_lock", 12, is_weak=True),),
        exception_callback="largest",
    ),
    maps=(
        MapPlan(
            name=".rodata",
            map_type=2,
            key_size=4,
            value_size=3,
            max_entries=1,
            flags=1 << 7,
            pinned_by_name=True,
            contents=((bytes(4), b"\x00\xff\x7f"),),
            frozen=True,
            extra=1 << 40,
            key_type_id=1,
            value_type_id=2,
            needs_types=True,
            inner=replace(INNER, inner=INNER),
            map_entries=((0, 1),),
            program_entries=((0, "limit"),),
            layout="LINUX_KERNEL_VERSION 0",
        ),
        INNER,
    ),
    settings=(MapSetting("config", ((bytes(2), b"\x05"), (b"\x01\x00", b"")), whole=True),),
    types=b"\x9f\xeb\x01\x00",
)
"""With the label, which is not kept, left out."""
