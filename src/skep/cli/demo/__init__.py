"""``skep demo``: the main job, end to end, on a real kernel if root."""

from skep.cli.demo.command import command

__all__ = ["command"]
