"""Render many views of one mesh into one array for a neural network.

Usage: python examples/training_images.py [MESH]
"""

import sys

import numpy as np

import ddepth_gl as dd
from ddepth_gl.mesh.demo import demo_mesh

mesh = dd.load_mesh(sys.argv[1]) if len(sys.argv) > 1 else demo_mesh()
cameras = dd.Camera.orbit(mesh, views=16, width=256, height=256, seed=1)

images = []
with dd.DepthRenderer() as renderer:
    scene = renderer.upload(mesh)
    for maps in renderer.entry_exit_many(scene, cameras):
        image = np.stack([maps.entry_distance, maps.exit_distance])
        images.append(np.nan_to_num(image))  # 0 for a miss
    device = renderer.info.renderer

batch = np.stack(images)  # (16, 2, 256, 256) float32
print(f"{batch.shape} {batch.dtype}, {np.count_nonzero(batch[:, 0]):,} entries, on {device}")
