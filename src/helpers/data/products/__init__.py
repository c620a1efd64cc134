"""The products that the paper names: how each is planned, fetched and read from the files of its archive."""
