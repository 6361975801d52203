"""Random programs are run in a real kernel; their labels must hold what was seen to happen."""
