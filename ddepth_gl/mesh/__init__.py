"""The triangle mesh: class, validation, topology, normals."""
