"""The grammar: what random programs are made of."""
