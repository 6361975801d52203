"""What stands behind the ports: SQLite for what is known, files for what is stored."""
