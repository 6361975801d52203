"""Runs random programs in a real kernel and requires that their labels hold every effect seen."""
