"""Return values of programs that see packets of an interface, a route or a netfilter hook.

Sources, Linux 6.12: ``enum xdp_action``, ``enum bpf_ret_code``, ``enum tcx_action_base``,
``enum netkit_action`` and ``TC_ACT_*`` in the uapi headers; what they do in net/core/dev.c
(``tcx_action_code``), kernel/bpf/devmap.c, kernel/bpf/cpumap.c, net/sched/cls_bpf.c
(``cls_bpf_exec_opcode``), net/sched/act_bpf.c, drivers/net/netkit.c, net/core/lwt_bpf.c,
net/ipv6/seg6_local.c, net/core/flow_dissector.c and net/netfilter/nf_bpf_link.c. Measured on 6.18:
XDP with devmap programs, clsact, LWT_IN, LWT_OUT, LWT_XMIT. Classifiers are taken to be attached
with "direct action", as everybody does; without it a value is the number of a class.
"""

from dataclasses import replace

from skep.hooks.verdict import Exactly, Others, Verdict, VerdictTable
from skep.versions import KernelVersion

_DROP = ("net.drop",)
XDP_ABORTED = 0
XDP_REDIRECT = 4
TC_ACT_SHOT = 2
TC_ACT_PIPE = 3
TC_ACT_REDIRECT = 7
"""Numbers that other rooms name; TCX and lightweight tunnels redirect with the same one."""

_REDIRECT = ("net.redirect",)
_DROPS = "drops the packet"
_CONTINUES = "lets the packet continue"
_NEXT = "lets the next program decide"
_ELSEWHERE = "sends the packet to another interface, CPU or socket"
_INTERFACE = "interface"


def _xdp(*more: Verdict, attach_types: tuple[str, ...] = ()) -> VerdictTable:
    return VerdictTable(
        "XDP",
        (
            Verdict("XDP_ABORTED", Exactly(0), "drops the packet and reports an error", _DROP),
            Verdict("XDP_DROP", Exactly(1), _DROPS, _DROP),
            Verdict("XDP_PASS", Exactly(2), _CONTINUES, passes=True),
            *more,
            Verdict("no action", Others(), "drops the packet and reports an error", _DROP),
        ),
        attach_types,
        neutral=2,
        scope=_INTERFACE,
    )


_XDP_TX = Verdict(
    "XDP_TX", Exactly(3), "sends the packet back out of its interface", ("net.reflect",)
)
_XDP_REDIRECT = Verdict(
    "XDP_REDIRECT",
    Exactly(XDP_REDIRECT),
    _ELSEWHERE,
    _REDIRECT,
    by_redirect=True,
    first_kernel=KernelVersion(4, 14),
)
_XDP_REDIRECT_DROPS = Verdict(
    "XDP_REDIRECT", Exactly(XDP_REDIRECT), _DROPS, _DROP, by_redirect=True
)

_TC_UNSPEC = Verdict("TC_ACT_UNSPEC", Exactly(-1), _NEXT, passes=True)
_TC_OK = Verdict(
    "TC_ACT_OK", Exactly(0), "lets the packet continue, past the programs after it", passes=True
)
_TC_SHOT = Verdict("TC_ACT_SHOT", Exactly(TC_ACT_SHOT), _DROPS, _DROP)
_TC_REDIRECT = Verdict(
    "TC_ACT_REDIRECT",
    Exactly(TC_ACT_REDIRECT),
    _ELSEWHERE,
    _REDIRECT,
    by_redirect=True,
    first_kernel=KernelVersion(4, 4),
)
_TC_STOLEN = Verdict("TC_ACT_STOLEN", Exactly(XDP_REDIRECT), "takes the packet away", _DROP)
_TC_TRAP = Verdict(
    "TC_ACT_TRAP",
    Exactly(8),
    "takes the packet away",
    _DROP,
    first_kernel=KernelVersion(4, 13),
)
_TC_OTHERS = Verdict("no action", Others(), _NEXT, passes=True)
_ACT_RECLASSIFY = Verdict(
    "TC_ACT_RECLASSIFY",
    Exactly(1),
    "starts classification again; after 16 times the packet is dropped",
    _DROP,
    passes=True,
    is_certain=False,
)
_ACT_PIPE = Verdict("TC_ACT_PIPE", Exactly(TC_ACT_PIPE), "lets the next action decide", passes=True)
_ACT_UNSPEC = Verdict("TC_ACT_UNSPEC", Exactly(-1), "uses the configured action", passes=True)


def _tcx(prefix: str, attach_types: tuple[str, ...], others: Verdict) -> VerdictTable:
    return VerdictTable(
        "SCHED_CLS",
        (
            Verdict(f"{prefix}NEXT", Exactly(-1), _NEXT, passes=True),
            Verdict(f"{prefix}PASS", Exactly(0), _TC_OK.meaning, passes=True),
            Verdict(f"{prefix}DROP", Exactly(2), _DROPS, _DROP),
            Verdict(
                f"{prefix}REDIRECT",
                Exactly(TC_ACT_REDIRECT),
                _ELSEWHERE,
                _REDIRECT,
                by_redirect=True,
            ),
            others,
        ),
        attach_types,
        neutral=-1,
        scope=_INTERFACE,
    )


def _lwt(program_type: str, *more: Verdict) -> VerdictTable:
    return VerdictTable(
        program_type,
        (
            Verdict("BPF_OK", Exactly(0), _CONTINUES, passes=True),
            Verdict("BPF_DROP", Exactly(2), _DROPS, _DROP),
            *more,
            Verdict("no action", Others(), _DROPS, _DROP),
        ),
        neutral=0,
        scope=_INTERFACE,
    )


_LWT_FIRST_REROUTE = KernelVersion(5, 1)
# Without another header the route is found again, and the packet is lost after some rounds.
_LWT_REROUTE = Verdict(
    "BPF_LWT_REROUTE",
    Exactly(128),
    "looks the route up again, which may lead elsewhere or nowhere",
    ("net.redirect", "net.drop"),
    is_certain=False,
    first_kernel=_LWT_FIRST_REROUTE,
)
_LWT_NO_REDIRECT = Verdict(
    "BPF_REDIRECT", Exactly(TC_ACT_REDIRECT), _CONTINUES, passes=True, by_redirect=True
)

# Linux goes on without keys; some receivers of segments to be cut (virtio) then drop them.
_NO_FLOW = Verdict(
    "BPF_DROP",
    Exactly(2),
    "finds no flow: the packet is steered without one, or dropped",
    ("net.drop", "net.steer"),
    is_certain=False,
)

XDP_VERDICTS = _xdp(_XDP_TX, _XDP_REDIRECT)
CLASSIFIER_VERDICTS = VerdictTable(
    "SCHED_CLS",
    (_TC_UNSPEC, _TC_OK, _TC_SHOT, _TC_STOLEN, _TC_REDIRECT, _TC_TRAP, _TC_OTHERS),
    neutral=-1,
    scope=_INTERFACE,
)
TCX_VERDICTS = _tcx("TCX_", ("TCX_INGRESS", "TCX_EGRESS"), _TC_OTHERS)
PACKET_TABLES = (
    XDP_VERDICTS,
    _xdp(_XDP_REDIRECT, attach_types=("XDP_CPUMAP",)),
    _xdp(_XDP_REDIRECT_DROPS, attach_types=("XDP_DEVMAP",)),
    CLASSIFIER_VERDICTS,
    TCX_VERDICTS,
    _tcx(
        "NETKIT_",
        ("NETKIT_PRIMARY", "NETKIT_PEER"),
        Verdict("no action", Others(), _DROPS, _DROP),
    ),
    VerdictTable(
        "SCHED_ACT",
        (
            _ACT_UNSPEC,
            _TC_OK,
            _ACT_RECLASSIFY,
            _TC_SHOT,
            _ACT_PIPE,
            _TC_REDIRECT,
            Verdict("no action", Others(), "ends the actions of this classifier", passes=True),
        ),
        neutral=3,
        scope=_INTERFACE,
    ),
    _lwt("LWT_IN", _LWT_NO_REDIRECT, _LWT_REROUTE),
    _lwt(
        "LWT_OUT",
        _LWT_NO_REDIRECT,
        Verdict(
            "BPF_LWT_REROUTE",
            Exactly(128),
            _CONTINUES,
            passes=True,
            first_kernel=_LWT_FIRST_REROUTE,
        ),
    ),
    _lwt(
        "LWT_XMIT",
        Verdict("BPF_REDIRECT", Exactly(TC_ACT_REDIRECT), _ELSEWHERE, _REDIRECT, by_redirect=True),
        _LWT_REROUTE,
    ),
    _lwt(
        "LWT_SEG6LOCAL",
        Verdict(
            "BPF_REDIRECT",
            Exactly(TC_ACT_REDIRECT),
            "sends the packet along the route that the program chose",
            _REDIRECT,
            by_redirect=True,
        ),
    ),
    VerdictTable(
        "NETFILTER",
        (
            Verdict("NF_DROP", Exactly(0), _DROPS, _DROP),
            Verdict("NF_ACCEPT", Exactly(1), _CONTINUES, passes=True),
            Verdict("refused by the verifier", Others(), "cannot be returned"),
        ),
        neutral=1,
        scope=_INTERFACE,
        accepted=(0, 1),
    ),
    VerdictTable(
        "FLOW_DISSECTOR",
        (
            Verdict(
                "BPF_OK",
                Exactly(0),
                "steers the packet by the keys the program wrote, or by none",
                ("net.steer",),
                passes=True,
            ),
            _NO_FLOW,
            Verdict(
                "BPF_FLOW_DISSECTOR_CONTINUE",
                Exactly(129),
                "lets the kernel find the keys",
                passes=True,
                first_kernel=KernelVersion(6, 1),
            ),
            replace(_NO_FLOW, name="no action", which=Others()),
        ),
        neutral=129,
        scope=_INTERFACE,
    ),
)
