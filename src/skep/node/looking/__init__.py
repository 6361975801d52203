"""What people see of a node, read without changing anything."""
