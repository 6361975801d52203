"""XDP: a program sees every packet an interface receives, before the network stack does.

Source: bpf links for XDP since Linux 5.9 (https://git.kernel.org/torvalds/c/aa8d3a716b59).
"""

from types import MappingProxyType

from skep.hooks.hook import Hook
from skep.hooks.packet_verdicts import XDP_VERDICTS
from skep.hooks.target import INTERFACE
from skep.versions import KernelVersion

XDP = Hook(
    name="xdp",
    program_type="XDP",
    program_type_id=6,
    attach_type="XDP",
    attach_type_id=37,
    way="xdp",
    target=INTERFACE,
    verdicts=MappingProxyType(XDP_VERDICTS.named("XDP_")),
    default_run_on=("pass",),
    first_kernel=KernelVersion(5, 9),
    summary="every packet an interface receives, before the network stack",
)
