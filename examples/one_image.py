"""One mesh, one camera: entry, exit, thickness, and the two clouds of the mould."""

import sys

import numpy as np

import ddepth_gl as dd
from ddepth_gl.mesh.demo import demo_mesh

mesh = dd.load_mesh(sys.argv[1]) if len(sys.argv) > 1 else demo_mesh()
maps = dd.double_depth(mesh)

print(f"{maps.mask.mean():.1%} of the image is covered")
print(f"depth from {np.nanmin(maps.entry):.4g} to {np.nanmax(maps.exit):.4g}")
print(f"thickness up to {np.nanmax(maps.thickness):.4g}")

front, back = maps.points(frame="world")
print(f"the mould has {len(front) + len(back):,} points")
