"""Views of a node, read without changing anything."""
