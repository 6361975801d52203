"""Publish, serve, search: use cases without HTTP, ports, and what stands behind them."""
