"""Readers of mesh files: from untrusted bytes to one `Mesh`."""
