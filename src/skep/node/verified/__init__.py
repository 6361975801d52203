"""Packages on this node, verified at every use, and the keys the node trusts."""
