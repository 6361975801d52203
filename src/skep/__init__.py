"""Skep: an eBPF Program Repository.

Find an eBPF program, see what it may do, run it; publish yours; run a marketplace of your own.
The one flow and the rooms it passes through are in ``docs/architecture.md``.
"""

__version__ = "0.1.0"
