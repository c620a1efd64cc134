"""The virtual plateau: a world whose truth is known."""
