"""TCX ingress: classifiers for packets an interface receives, without a qdisc.

Several programs, of several owners, share the hook in an order: see
:mod:`skep.kernel.attaching.tcx` for where Skep's go.

``next``, ``pass`` and ``pipe`` go on to the next program of a chain by default, because classifiers
written for tc say "no objection" by TC_ACT_OK, which has the number of ``pass``, or by TC_ACT_PIPE.
(bpfman goes on after TC_ACT_PIPE alone by default.) A program whose ``pass`` is final is declared
with ``run_on = ["next"]``. To the kernel ``pipe`` is ``next``, as is every other number that has no
name here; in a chain such a number is the verdict of the chain.

Sources: bpf links for TCX since Linux 6.6 (https://git.kernel.org/torvalds/c/e420bed02507);
``impl Default for TcProceedOn`` in bpfman/src/types.rs of bpfman 0.6.0.
"""

from types import MappingProxyType

from skep.hooks.hook import Hook
from skep.hooks.packet_verdicts import TC_ACT_PIPE, TCX_VERDICTS
from skep.hooks.target import INTERFACE
from skep.versions import KernelVersion

TCX_INGRESS = Hook(
    name="tcx-ingress",
    program_type="SCHED_CLS",
    program_type_id=3,
    attach_type="TCX_INGRESS",
    attach_type_id=46,
    way="tcx",
    target=INTERFACE,
    verdicts=MappingProxyType({**TCX_VERDICTS.named("TCX_"), "pipe": TC_ACT_PIPE}),
    default_run_on=("next", "pass", "pipe"),
    first_kernel=KernelVersion(6, 6),
    summary="every packet an interface receives, as the network stack is about to see it",
)
