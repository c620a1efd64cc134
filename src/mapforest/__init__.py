"""Random forests over maps: grown on sites, evaluated on a grid of any size, with where to trust them."""
