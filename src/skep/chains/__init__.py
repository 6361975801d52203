"""Many programs, one hook: what should run where, order, the chain compiler, plans with undo."""
