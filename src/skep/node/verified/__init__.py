"""Packages on this node, opened anew each time, and whose keys count."""
