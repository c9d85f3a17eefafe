"""Reader of PLY."""
