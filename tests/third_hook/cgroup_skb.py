"""cgroup/skb egress: every packet the processes of a control group send.

Source: bpf links for control groups since Linux 5.7
(https://git.kernel.org/torvalds/c/af6eea57437a).
"""

import re
from types import MappingProxyType

from skep.hooks.hook import Hook
from skep.hooks.target import TargetGrammar
from skep.versions import KernelVersion

CGROUP = TargetGrammar(
    "cgroup", "system.slice/ssh.service", re.compile(r"[A-Za-z0-9_.@-][A-Za-z0-9_.@/:-]{0,254}")
)

CGROUP_SKB = Hook(
    name="cgroup-egress",
    program_type="CGROUP_SKB",
    program_type_id=8,
    attach_type="CGROUP_INET_EGRESS",
    attach_type_id=1,
    way="cgroup",
    target=CGROUP,
    verdicts=MappingProxyType({"drop": 0, "keep": 1}),
    default_run_on=("keep",),
    first_kernel=KernelVersion(5, 7),
    summary="every packet the processes of a control group send",
)
