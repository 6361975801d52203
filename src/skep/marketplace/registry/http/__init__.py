"""HTTP: one file per noun; each handler asks one use case and writes down its answer."""
