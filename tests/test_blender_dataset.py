"""Data sets of .blend files, read by a process with bpy."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from blender_scenes import SCENES, bpy_module, empty_scene

import ddepth_gl as dd
from ddepth_gl.blender.render_engine import with_render_depsgraph
from ddepth_gl.blender.scene import blender_scene

bpy = bpy_module()
pytest.importorskip("pydantic", reason="needs ddepth-gl[dataset]")

from ddepth_gl.dataset.blend_mesh import blend_mesh  # noqa: E402
from ddepth_gl.dataset.blend_process import PYTHON_VARIABLE  # noqa: E402


def test_meshes_are_the_scenes(tmp_path: Path) -> None:
    scene = SCENES["modifiers"]()
    scene.render.use_motion_blur = True
    path = tmp_path / "a.blend"
    bpy.ops.wm.save_as_mainfile(filepath=str(path))
    expected = with_render_depsgraph(scene, blender_scene).mesh
    mesh = blend_mesh(path)
    for name in ("vertices", "faces", "colors", "object_id", "polygon_id"):
        np.testing.assert_array_equal(getattr(mesh, name), getattr(expected, name))
    assert mesh.object_names == expected.object_names
    assert mesh.up == (0.0, 0.0, 1.0)
    assert mesh.source.path == str(path)
    assert mesh.source.left_out == ("motion blur: 1 (Scene)",)
    with pytest.raises(dd.MeshError, match=r"faces, more than the limit of 10; pass a larger"):
        blend_mesh(path, max_faces=10)
    with pytest.raises(dd.MeshError, match="more than the limit of 10; allow more"):
        blend_mesh(path, max_file_bytes=10)


def test_scenes_without_a_camera_or_faces(tmp_path: Path) -> None:
    scene = SCENES["concave"]()
    scene.camera = None
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "a.blend"))
    assert blend_mesh(tmp_path / "a.blend").object_names == ("star",)
    empty_scene()
    bpy.ops.wm.save_as_mainfile(filepath=str(tmp_path / "b.blend"))
    with pytest.raises(dd.MeshError, match=r"b\.blend: scene 'Scene' has nothing to render"):
        blend_mesh(tmp_path / "b.blend")


def test_pythons_that_cannot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "a.blend"
    path.write_bytes(b"BLENDER")
    monkeypatch.setenv(PYTHON_VARIABLE, str(tmp_path / "none"))
    with pytest.raises(dd.MeshError, match=r"does not start .*; set DDEPTH_BLENDER_PYTHON"):
        blend_mesh(path)
    monkeypatch.setenv(PYTHON_VARIABLE, "/bin/false")
    with pytest.raises(dd.MeshError, match=r"stopped while it read it \(exit status 1\)"):
        blend_mesh(path)
    monkeypatch.setenv(PYTHON_VARIABLE, sys.executable)
    with pytest.raises(dd.MeshError, match=r"a\.blend: Blender .* cannot open it"):
        blend_mesh(path)
