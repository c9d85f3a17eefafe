"""Render entry, exit and thickness of one mesh to sheets.png, and get the points of both sheets.

Usage: python examples/one_image.py [MESH]
"""

import sys

import numpy as np

import ddepth_gl as dd

mesh = dd.load_mesh(sys.argv[1]) if len(sys.argv) > 1 else dd.demo_mesh()
maps = dd.double_depth(mesh)  # with a camera that sees the whole mesh

print(f"{maps.mask.mean():.1%} of the image is covered")
print(f"depth from {np.nanmin(maps.entry):.4g} to {np.nanmax(maps.exit):.4g}")
print(f"thickness up to {np.nanmax(maps.thickness):.4g}")

maps.plot().savefig("sheets.png")
entry_points, exit_points = maps.points(frame="world")  # (N, 3) each
print(f"{len(entry_points):,} points on each sheet")
