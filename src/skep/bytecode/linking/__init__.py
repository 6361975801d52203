"""An object file made ready for one kernel: a load plan of plain values."""
