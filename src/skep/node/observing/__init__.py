"""Reading what runs and what it counts; needs no privilege to change anything, and loads little."""
