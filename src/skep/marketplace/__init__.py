"""An eBPF Program Repository: what is published, who reviewed it, and how it is served."""
