"""CO-RE: relocation records resolved with a kernel's types and applied."""
