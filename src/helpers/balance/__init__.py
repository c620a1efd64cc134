"""From fluxes to the carbon balance, its comparison and its uncertainty."""
