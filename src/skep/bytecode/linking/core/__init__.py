"""CO-RE: what a record of the compiler asks for, found in the types of a kernel and put in."""
