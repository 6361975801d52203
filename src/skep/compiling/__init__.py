"""Running a C compiler: C source in, a reproducible BPF object file out."""
