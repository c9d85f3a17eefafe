"""Many views of one mesh as arrays for a network: entry and exit distance, misses as zeros."""

import sys

import numpy as np

import ddepth_gl as dd
from ddepth_gl.mesh.demo import demo_mesh

mesh = dd.load_mesh(sys.argv[1]) if len(sys.argv) > 1 else demo_mesh()
cameras = dd.Camera.orbit(mesh, views=16, width=256, height=256, seed=1)

with dd.DepthRenderer() as renderer:
    device = renderer.info.renderer
    scene = renderer.upload(mesh)
    batch = np.stack(
        [
            np.nan_to_num(np.stack([maps.entry_distance, maps.exit_distance]))
            for maps in renderer.entry_exit_many(scene, cameras)
        ]
    )

print(f"{batch.shape} {batch.dtype}, {np.count_nonzero(batch[:, 0]):,} hits on {device}")
