"""A hook of the test tree's own: what another way of attaching costs, and nothing else.

Two new files (``cgroup_skb.py`` as one of ``skep/hooks``, ``cgroups.py`` as one of
``skep/kernel/attaching``) and two table lines (``adding.py``).
"""
