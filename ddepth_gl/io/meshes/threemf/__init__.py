"""Reader of 3MF."""
