"""A made-up archive: files of every product of the paper in their true format, filled from simple analytic fields."""
