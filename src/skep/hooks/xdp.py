"""XDP: a program sees every packet an interface receives, before the network stack does.

Sources: ``enum xdp_action`` in ``include/uapi/linux/bpf.h``; bpf links for XDP since Linux 5.9
(https://git.kernel.org/torvalds/c/aa8d3a716b59).
"""

from types import MappingProxyType

from skep.hooks.hook import Hook
from skep.versions import KernelVersion

XDP = Hook(
    name="xdp",
    program_type="XDP",
    program_type_id=6,
    attach_type_id=37,
    target="interface",
    verdicts=MappingProxyType({"aborted": 0, "drop": 1, "pass": 2, "tx": 3, "redirect": 4}),
    default_run_on=("pass",),
    first_kernel=KernelVersion(5, 9),
    summary="every packet an interface receives, before the network stack",
)
