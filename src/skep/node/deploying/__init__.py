"""Use cases that change a node: preview, install, move, set, remove."""
