"""The site records: databases, checks, training tables."""
