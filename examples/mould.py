"""Render a mesh from above and write its mould, one closed mesh, to a PLY file.

Usage: python examples/mould.py [MESH [OUTPUT]]
"""

import sys

import ddepth_gl as dd
from ddepth_gl.mesh.demo import demo_mesh

mesh = dd.load_mesh(sys.argv[1]) if len(sys.argv) > 1 else demo_mesh()
output = sys.argv[2] if len(sys.argv) > 2 else "mould.ply"

# An orthographic camera one unit above the mesh that looks down along -z. Its x axis is the world's
# x axis; its y axis, which points down in the image, is -y of the world. The image is 10 % wider
# and higher than the mesh.
(left, front, _), (right, back, top) = mesh.bounds
width, height = right - left, back - front
x, y, z = (left + right) / 2, (front + back) / 2, top + 1.0
camera_from_world = [
    [1, 0, 0, -x],
    [0, -1, 0, y],
    [0, 0, -1, z],
    [0, 0, 0, 1],
]
camera = dd.Camera.orthographic(
    (1.1 * width, 1.1 * height), camera_from_world, width=400, height=round(400 * height / width)
)

mould = dd.double_depth(mesh, camera).to_mesh()
dd.write_ply(output, mould.vertices, faces=mould.faces)
print(f"{output}: {mould!r}, volume {mould.volume:.4g} (the mesh: {mesh.volume:.4g})")
