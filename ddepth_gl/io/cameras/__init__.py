"""Readers of camera files: NeRF, COLMAP and BOP."""
