"""Implementations of the ports: SQLite for records, files for blobs."""
