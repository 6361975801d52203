"""Documents that cross the wire, one file each, with writer and reader. Pure."""
