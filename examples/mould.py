"""The mould of a mesh from one side, as a closed mesh in a PLY file."""

import sys

import ddepth_gl as dd
from ddepth_gl.mesh.demo import demo_mesh

mesh = dd.load_mesh(sys.argv[1]) if len(sys.argv) > 1 else demo_mesh()
output = sys.argv[2] if len(sys.argv) > 2 else "mould.ply"

# Parallel rays from above, ten percent wider than the mesh, starting above its top.
(left, front, _), (right, back, top) = mesh.bounds
middle = ((left + right) / 2, (front + back) / 2, top + 1.0)
camera = dd.Camera.orthographic(
    (1.1 * (right - left), 1.1 * (back - front)),
    [[1, 0, 0, -middle[0]], [0, -1, 0, middle[1]], [0, 0, -1, middle[2]], [0, 0, 0, 1]],
    width=400,
    height=round(400 * (back - front) / (right - left)),
)
mould = dd.double_depth(mesh, camera).to_mesh()
dd.write_ply(output, mould.vertices, faces=mould.faces)
print(f"{output}: {mould!r}, volume {mould.volume:.4g} (the mesh: {mesh.volume:.4g})")
