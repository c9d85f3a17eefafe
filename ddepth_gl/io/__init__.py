"""Reading of mesh and camera files, writing of results."""
