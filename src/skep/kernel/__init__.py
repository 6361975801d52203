"""The only door to bpf(2): executes load plans; maps, links, pins, netlink, feature probes."""
