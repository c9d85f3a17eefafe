"""Render four peeled RGB-D layers of one view, as PeeledHuman stores them, and the matching photo.

Usage: python examples/peeled_layers.py [MESH]

Writes photo.png, peeled.png with the colors of the four layers side by side, and peeled.npy with
their depths.
"""

import sys

import imageio.v3 as iio
import numpy as np

import ddepth_gl as dd

mesh = dd.load_mesh(sys.argv[1]) if len(sys.argv) > 1 else dd.demo_mesh()
camera = dd.Camera.orbit(mesh, views=1, width=512, height=512)[0]

with dd.DepthRenderer() as renderer:
    scene = renderer.upload(mesh)
    layers = renderer.peel(scene, camera, attributes=("color",))
    photo = renderer.shade(scene, camera, samples=4)  # (512, 512, 4) sRGB

depth = np.nan_to_num(layers.dense("depth", max_layers=4))  # (4, 512, 512), 0 for a miss
color = layers.color_images(max_layers=4)  # (4, 512, 512, 4) sRGB
dd.write_photo("photo.png", photo, layers)
iio.imwrite("peeled.png", np.concatenate(list(color), axis=1))
np.save("peeled.npy", depth)

print(f"{len(layers.depth):,} crossings, at most {layers.count.max()} per ray")
print(f"the first four layers: depth {depth.shape}, color {color.shape}")
inside = layers.solid_length  # NaN where a ray meets no closed body
print(f"at most {inside[~np.isnan(inside)].max(initial=0):.4g} of a ray is inside the solid")
