"""The attribute judge, on the oracle's attributes and on known mistakes."""

from __future__ import annotations

import numpy as np
import oracle
import pytest
from attribute_judge import SPECIFIED, judge, mix, pixel_directions, textured, vertex_colors
from shapes import (
    painted,
    random_camera,
    random_closed_mesh,
    view_of,
)

import ddepth_gl as dd


def right_answers(mesh, camera) -> tuple:
    """Return pixel and face of every crossing, and the oracle's attributes, float32."""
    crossings = oracle.all_crossings(mesh.vertices, mesh.faces, view_of(camera))
    pixel, face = (
        np.repeat(np.arange(crossings.stable.size), np.diff(crossings.offsets)),
        crossings.face,
    )
    truth = oracle.attributes(mesh.vertices, mesh.faces, view_of(camera), pixel, face)
    weights = np.maximum(truth.barycentric, 0)
    weights /= weights.sum(1, keepdims=True)
    uv = mix(weights, mesh.uv[mesh.faces[face]])
    wanted, index = np.unique(face, return_inverse=True)
    smooth = mix(weights, oracle.corner_normals(mesh.vertices, mesh.faces, wanted)[0][index])
    got = {
        "normal": truth.normal,
        "smooth_normal": smooth / np.linalg.norm(smooth, axis=1, keepdims=True),
        "barycentric": weights,
        "uv": uv,
        "color": vertex_colors(mesh, face, weights)
        * textured(mesh, face, uv, np.zeros(len(uv)))[0],
        "position": mix(weights, mesh.vertices[mesh.faces[face]]),
    }
    got = {name: values.astype(np.float32) for name, values in got.items()}
    return pixel, face, got | {"face": face, "object_id": mesh.object_id[face]}


def mistakes(mesh, camera, pixel, face, got) -> dict[str, dict]:
    """Return attributes as renderers with one mistake each would return them."""
    weights = got["barycentric"].astype(np.float64)
    uv, position, no_error = got["uv"].astype(np.float64), got["position"], np.zeros(len(face))
    tint = vertex_colors(mesh, face, weights)
    wrong: dict[str, dict] = {}
    wrong["an attribute is NaN"] = {
        "color": np.where(pixel[:, None] == pixel[0], np.nan, got["color"])
    }
    wrong["weights rolled"] = {"barycentric": np.roll(weights, 1, axis=1)}
    wrong["weights that are negative"] = {"barycentric": weights + np.array((2e-5, -1e-5, -1e-5))}

    z = camera.project(mesh.vertices)[1][mesh.faces[face]]
    affine = weights * z / (weights * z).sum(1, keepdims=True)
    wrong["weights of the image, not of the face"] = {
        "barycentric": affine,
        "position": mix(affine, mesh.vertices[mesh.faces[face]]),
        "uv": mix(affine, mesh.uv[mesh.faces[face]]),
    }

    side = np.sign((got["normal"] * pixel_directions(camera, pixel)).sum(1))[:, None]
    wrong["normals toward the camera"] = {"normal": got["normal"] * -side}
    wrong["normals off by a fiftieth of a degree"] = {
        "normal": got["normal"] @ small_rotation(0.02)
    }
    wrong["normals not of unit length"] = {"normal": got["normal"] * 1.00001}
    wrong["flat normals as smooth ones"] = {"smooth_normal": got["normal"]}
    wanted, index = np.unique(face, return_inverse=True)
    smooth = mix(
        weights, oracle.corner_normals(mesh.vertices, mesh.faces, wanted, smooth_deg=180)[0][index]
    )
    smooth /= np.linalg.norm(smooth, axis=1, keepdims=True)
    wrong["smooth over every edge"] = {"smooth_normal": smooth}

    wrong["v down"] = {"uv": uv * (1, -1) + (0, 1)}
    wrong["uv off by 1e-4"] = {"uv": uv + 1e-4}
    upside_down, _ = textured(mesh, face, uv * (1, -1) + (0, 1), no_error)
    wrong["textures upside down"] = {"color": tint * upside_down}
    texels = np.array([(1, 1), *(texture.shape[1::-1] for texture in mesh.textures)])
    shifted, _ = textured(mesh, face, uv + 0.5 / texels[mesh.texture_id[face] + 1], no_error)
    wrong["texel centers at integers"] = {"color": tint * shifted}
    first = np.minimum(mesh.texture_id, 0)
    one = dd.Mesh(mesh.vertices, mesh.faces, uv=mesh.uv, texture=mesh.textures, texture_id=first)
    wrong["always the first texture"] = {"color": tint * textured(one, face, uv, no_error)[0]}
    wrong["no tint"] = {"color": textured(mesh, face, uv, no_error)[0]}
    wrong["no alpha"] = {"color": got["color"] * (1, 1, 1, 0) + (0, 0, 0, 1)}

    wrong["object ids of the next face"] = {"object_id": np.roll(mesh.object_id, 1)[face]}
    pose = camera.camera_from_world
    wrong["positions in the camera frame"] = {"position": position @ pose[:3, :3].T + pose[:3, 3]}
    half = 0.5 * camera.pixel_footprint(camera.project(position)[1])[:, None]
    wrong["positions off by half a pixel"] = {"position": position + half * pose[0, :3]}
    return wrong


def small_rotation(angle_deg: float) -> np.ndarray:
    """Return a rotation by a small angle about an axis that is close to few normals."""
    x, y, z = np.radians(angle_deg) * np.array((0.6, -0.64, 0.48))
    return np.array([[1, -z, y], [z, 1, -x], [-y, x, 1]])


@pytest.mark.slow
def test_judge_accepts_right_attributes_and_rejects_mistakes():
    rng = np.random.default_rng(3)
    mesh = painted(rng, random_closed_mesh(rng, bodies=2))
    camera = random_camera(rng, mesh, orthographic=False)
    pixel, face, right = right_answers(mesh, camera)
    assert judge(mesh, camera, pixel, face, right) > 0.8 * len(pixel)
    for what, wrong in mistakes(mesh, camera, pixel, face, right).items():
        wrong = {name: values.astype(SPECIFIED[name][1]) for name, values in wrong.items()}
        try:
            judge(mesh, camera, pixel, face, right | wrong)
        except AssertionError:
            continue
        pytest.fail(f"passed: {what}")
