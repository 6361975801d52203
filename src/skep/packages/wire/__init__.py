"""Documents that cross the wire, one file each: what it says, how it is written and read. Pure."""
