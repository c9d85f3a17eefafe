"""Render four peeled RGB-D layers of one view, as PeeledHuman stores them, and the matching photo.

Usage: python examples/peeled_layers.py [MESH]

Writes photo.png, and peeled.png with the four layers side by side.
"""

import sys

import imageio.v3 as iio
import numpy as np

import ddepth_gl as dd
from ddepth_gl.mesh.demo import demo_mesh

mesh = dd.load_mesh(sys.argv[1]) if len(sys.argv) > 1 else demo_mesh()
camera = dd.Camera.orbit(mesh, views=1, width=512, height=512)[0]

with dd.DepthRenderer() as renderer:
    scene = renderer.upload(mesh)
    layers = renderer.peel(scene, camera, attributes=("color",))
    photo = renderer.shade(scene, camera, samples=4)  # (512, 512, 4) sRGB

depth = np.nan_to_num(layers.dense("depth", max_layers=4))  # (4, 512, 512), 0 for a miss
color = layers.color_images(max_layers=4)  # (4, 512, 512, 4) sRGB
iio.imwrite("photo.png", photo)
iio.imwrite("peeled.png", np.concatenate(list(color), axis=1))

print(f"{len(layers.depth):,} crossings, at most {layers.count.max()} per ray")
print(f"the first four layers: depth {depth.shape}, color {color.shape}")
print(f"at most {layers.solid_length.max():.4g} of a ray is inside the solid")
