"""Measurements of what Skep promises, each runnable with ``python -m benchmarks.NAME``."""
