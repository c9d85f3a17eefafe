"""Render photos, depths and normals of many views of meshes, and store them for training.

Usage: python examples/training_images.py [MESH ...]

Writes training.npz: photo (N, 256, 256, 4) uint8, depth (N, 2, 256, 256) and normal
(N, 2, 256, 256, 3) float32, entry first, then exit; 0 for a miss.
"""

import sys

import numpy as np

import ddepth_gl as dd

VIEWS = 8
meshes = map(dd.load_mesh, sys.argv[1:]) if len(sys.argv) > 1 else [dd.demo_mesh()]
pairs = (
    (mesh, camera)
    for mesh in meshes
    for camera in dd.Camera.orbit(mesh, views=VIEWS, width=256, height=256, seed=1)
)

photos, depths, normals = [], [], []
with dd.DepthRenderer() as renderer:
    for frame in renderer.render_many(pairs, attributes=("normal",)):
        photo, maps = frame.image, frame.maps
        assert photo is not None  # for type checkers: both were asked for
        assert maps is not None
        photos.append(photo)
        depths.append(np.nan_to_num(np.stack([maps.entry, maps.exit])))
        normals.append(np.nan_to_num(np.stack([maps.entry_normal, maps.exit_normal])))
    device = renderer.info.renderer

np.savez("training.npz", photo=np.stack(photos), depth=np.stack(depths), normal=np.stack(normals))
print(f"training.npz: {len(photos)} views, rendered on {device}")
