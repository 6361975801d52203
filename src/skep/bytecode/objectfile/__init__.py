"""Compiler output as values: programs, maps, relocations, licence."""
