"""BPF Type Format: types and their layout."""
