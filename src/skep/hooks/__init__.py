"""Where a program can be attached: one file per hook, one table over all."""
