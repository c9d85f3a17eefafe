"""Readers of camera files (NeRF, COLMAP and BOP), and the writer of transforms.json."""
