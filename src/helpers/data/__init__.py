"""The maps of a run: products, the grid, the region, the cube of predictors."""
