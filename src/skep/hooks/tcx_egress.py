"""TCX egress: classifiers for packets an interface sends, without a qdisc.

Several programs, of several owners, share the hook in an order: see
:mod:`skep.kernel.attaching.tcx` for where Skep's go.

What goes on to the next program of a chain, and why, is as of :mod:`skep.hooks.tcx_ingress`.

Source: bpf links for TCX since Linux 6.6 (https://git.kernel.org/torvalds/c/e420bed02507).
"""

from types import MappingProxyType

from skep.hooks.hook import Hook
from skep.hooks.packet_verdicts import TC_ACT_PIPE, TCX_VERDICTS
from skep.hooks.target import INTERFACE
from skep.versions import KernelVersion

TCX_EGRESS = Hook(
    name="tcx-egress",
    program_type="SCHED_CLS",
    program_type_id=3,
    attach_type="TCX_EGRESS",
    attach_type_id=47,
    way="tcx",
    target=INTERFACE,
    verdicts=MappingProxyType({**TCX_VERDICTS.named("TCX_"), "pipe": TC_ACT_PIPE}),
    default_run_on=("next", "pass", "pipe"),
    first_kernel=KernelVersion(6, 6),
    summary="every packet an interface is about to send",
)
