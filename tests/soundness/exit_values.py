"""Exit values worth returning, by program type, where the verifier takes any."""

USUAL = {
    "XDP": (0, 1, 2, 2, 3, 4, 7),
    "SCHED_CLS": (0, 0, 2, 4, 5, 8, 7, 1, 3, -1),
    "SCHED_ACT": (0, 0, 2, 4, 5, 8, 7, 1, 3, -1),
    "SOCKET_FILTER": (0, 4, 64, 65535),
}
