"""Render a mesh along the z axis and write its mould, one closed mesh, to a PLY file.

Usage: python examples/mould.py [MESH [OUTPUT]]
"""

import sys

import ddepth_gl as dd

mesh = dd.load_mesh(sys.argv[1]) if len(sys.argv) > 1 else dd.demo_mesh()
output = sys.argv[2] if len(sys.argv) > 2 else "mould.ply"

# An orthographic camera one unit beyond the mesh that looks along -z. Its image is 10 % wider and
# higher than the mesh.
(left, front, _), (right, back, top) = mesh.bounds
width, height = right - left, back - front
x, y, z = (left + right) / 2, (front + back) / 2, top + 1.0
pose = dd.Camera.look_at((x, y, z), (x, y, 0), up=(0, 1, 0)).camera_from_world
camera = dd.Camera.orthographic(
    (1.1 * width, 1.1 * height), pose, width=400, height=round(400 * height / width)
)

mould = dd.double_depth(mesh, camera).to_mesh()
dd.write_ply(output, mould.vertices, faces=mould.faces)
print(f"{output}: {mould!r}, volume {mould.volume:.4g} (the mesh: {mesh.volume:.4g})")
