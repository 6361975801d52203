"""Return values of programs of sockets, socket maps and network namespaces.

Sources, Linux 6.12: ``enum sk_action`` in include/uapi/linux/bpf.h; net/core/filter.c
(``sk_filter_trim_cap``, ``bpf_run_sk_reuseport``), net/core/skmsg.c (``sk_psock_map_verd``),
net/strparser/strparser.c, include/linux/filter.h (``BPF_PROG_SK_LOOKUP_RUN_ARRAY``).
"""

from skep.hooks.verdict import Between, Exactly, Others, Verdict, VerdictTable

_DROP = ("net.drop",)
_SOCKET = "socket"
# Longer packets exist (jumbograms, segments to be cut later); whole is what fits one datagram.
_LONGEST_PACKET = 0xFFFF

_REFUSE = ("net.drop", "net.block_socket")
_PARSER_ERROR = Verdict(
    "error",
    Between(highest=-1),
    "stops reading from the connection",
    ("net.block_socket",),
)


def _stream(program_type: str, attach_types: tuple[str, ...], *more: Verdict) -> VerdictTable:
    return VerdictTable(
        program_type,
        (
            Verdict("SK_PASS", Exactly(1), "passes the data on", passes=True),
            Verdict("SK_DROP", Exactly(0), "drops the data", _DROP),
            *more,
            Verdict("no action", Others(), "drops the data", _DROP),
        ),
        attach_types,
        neutral=1,
        scope=_SOCKET,
    )


SOCKET_TABLES = (
    VerdictTable(
        "SOCKET_FILTER",
        (
            Verdict("nothing", Exactly(0), "drops the packet for this socket", _DROP),
            Verdict(
                "length",
                Between(1, _LONGEST_PACKET - 1),
                "cuts the packet to that many bytes",
                ("net.resize",),
                passes=True,
            ),
            Verdict("everything", Others(), "passes the whole packet on", passes=True),
        ),
        neutral=-1,
        scope=_SOCKET,
    ),
    _stream("SK_SKB", ("SK_SKB_STREAM_VERDICT", "SK_SKB_VERDICT")),
    VerdictTable(
        "SK_SKB",
        (
            Verdict("length", Between(1), "takes that many bytes as one message", passes=True),
            Verdict(
                "more",
                Exactly(0),
                "holds the data back until more arrives",
                _DROP,
                is_certain=False,
            ),
            _PARSER_ERROR,
        ),
        ("SK_SKB_STREAM_PARSER",),
        scope=_SOCKET,
    ),
    # A section "sk_skb" leaves open which of the two it is.
    _stream(
        "SK_SKB",
        (),
        Verdict(
            "parser error",
            Between(highest=-1),
            "drops the data; as a parser, stops reading from the connection",
            _REFUSE,
            is_certain=False,
        ),
    ),
    _stream("SK_MSG", ()),
    VerdictTable(
        "SK_LOOKUP",
        (
            Verdict("SK_PASS", Exactly(1), "continues with the chosen socket", passes=True),
            Verdict("SK_DROP", Exactly(0), "refuses the connection or datagram", _REFUSE),
            Verdict("refused by the verifier", Others(), "cannot be returned"),
        ),
        neutral=1,
        scope=_SOCKET,
        accepted=(0, 1),
    ),
    VerdictTable(
        "SK_REUSEPORT",
        (
            Verdict("SK_PASS", Exactly(1), "continues with the chosen socket", passes=True),
            Verdict("SK_DROP", Exactly(0), "refuses the connection or datagram", _REFUSE),
            Verdict("no action", Others(), "refuses the connection or datagram", _REFUSE),
        ),
        neutral=1,
        scope=_SOCKET,
    ),
)
