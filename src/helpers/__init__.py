"""The book's own package: data and sites, the virtual plateau, the carbon balance, figures, runs and sweeps."""
