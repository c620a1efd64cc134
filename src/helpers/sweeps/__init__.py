"""Sweeps: the chain run over many choices, and what their results say."""
