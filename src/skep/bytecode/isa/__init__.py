"""The eBPF instruction set: bytes to instructions and back, opcodes, helper numbers."""
