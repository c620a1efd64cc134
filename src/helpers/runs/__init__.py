"""A run: its notebooks, its folder, its provenance, its book."""
