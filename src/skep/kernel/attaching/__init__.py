"""One driver for each way of attaching, all behind one protocol."""
