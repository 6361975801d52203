"""HTTP: one file per noun; each handler calls one use case and writes its answer."""
