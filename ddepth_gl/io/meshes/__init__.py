"""Readers of mesh files: untrusted input becomes one `Mesh`."""
