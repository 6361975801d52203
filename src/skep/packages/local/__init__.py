"""Packages on disk: an OCI layout that hashes on every read, and the names of marketplaces."""
