"""What people ask of a node: preview, install, move, set, remove."""
