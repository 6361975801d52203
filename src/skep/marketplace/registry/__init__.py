"""Publish, serve, search: use cases without HTTP, ports, and their implementations."""
