"""Files: meshes and cameras in, results out."""
