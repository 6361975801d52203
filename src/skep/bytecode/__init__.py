"""What an object file is, may do and needs. Pure: bytes in, values out."""
