"""Reading which programs run and their counters, with few imports and no privilege to change."""
