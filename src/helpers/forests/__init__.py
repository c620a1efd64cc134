"""The paper's two forests: grown and validated (notebooks 02 and 03), and how far to trust them (06)."""
