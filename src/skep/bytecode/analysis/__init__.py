"""What a program may do, needs, costs and is licensed as."""
