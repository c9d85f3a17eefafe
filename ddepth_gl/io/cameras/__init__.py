"""Readers of camera files: NeRF, COLMAP, BOP."""
