"""The renderer process of Blender's add-on, without Blender."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ddepth_gl as dd
from ddepth_gl.blender import hand_over
from ddepth_gl.blender.hand_over import RendererProcess, ViewRequest
from ddepth_gl.mesh.mesh import MeshSource

ALL = ("entry", "exit", "thickness", "normal", "object_id")


def scene() -> dd.Mesh:
    """Return the demo mesh as two objects."""
    mesh = dd.demo_mesh()
    ids = (mesh.face_normals()[:, 2] > 0).astype(np.int32)
    return dd.Mesh(
        mesh.vertices,
        mesh.faces,
        object_id=ids,
        object_names=("lower", "upper"),
        source=MeshSource("", "0" * 64, left_out=("hair: 1 (cat)",)),
    )


@pytest.fixture(scope="module")
def mesh() -> dd.Mesh:
    return scene()


@pytest.fixture(scope="module")
def camera(mesh: dd.Mesh) -> dd.Camera:
    return dd.Camera.orbit(mesh, views=3, width=72, height=50, seed=0)[1]


@pytest.fixture(scope="module")
def process() -> Iterator[RendererProcess]:
    with RendererProcess() as process:
        yield process


def answer_of(process: RendererProcess, *arguments: Any) -> hand_over.Rendered:
    process.send(*arguments)
    answer = process.answer()
    assert answer is not None
    return answer


def test_arrays_are_those_of_the_api(
    process: RendererProcess, mesh: dd.Mesh, camera: dd.Camera
) -> None:
    answer = answer_of(process, mesh, camera, ViewRequest(quantities=ALL, clouds=True, mould=True))
    with dd.DepthRenderer() as renderer:
        maps = renderer.entry_exit(
            renderer.upload(mesh), camera, attributes=("normal", "object_id")
        )
        assert answer.renderer == renderer.info.renderer
    assert answer.surfaces == maps.surfaces
    front, back = maps.points()
    mould = maps.to_mesh()
    expected = {
        **{name: getattr(maps, name) for name in ("entry", "exit", "thickness")},
        **{
            f"{sheet}_{name}": getattr(maps, f"{sheet}_{name}")
            for sheet in ("entry", "exit")
            for name in ("normal", "object_id")
        },
        "front": front,
        "back": back,
        "front.normal": maps.entry_normal[maps.mask],
        "back.normal": maps.exit_normal[maps.mask],
        "front.object_id": maps.entry_object_id[maps.mask],
        "back.object_id": maps.exit_object_id[maps.mask],
        "mould.vertices": mould.vertices,
        "mould.faces": mould.faces,
    }
    assert answer.arrays.keys() == expected.keys()
    for name, array in expected.items():
        assert answer.arrays[name].dtype == array.dtype, name
        np.testing.assert_array_equal(answer.arrays[name], array, name)
        assert answer.arrays[name].flags.writeable
    assert answer.files == answer.notes == ()


@pytest.mark.parametrize("most", [2, 50])
def test_layers_and_their_cloud(
    process: RendererProcess, mesh: dd.Mesh, camera: dd.Camera, most: int
) -> None:
    answer = answer_of(process, mesh, camera, ViewRequest(layers=most, clouds=True))
    with dd.DepthRenderer() as renderer:
        layers = renderer.peel(renderer.upload(mesh), camera, attributes=("normal", "object_id"))
    count = min(most, int(layers.count.max()))
    assert count >= 2
    for number in range(count):
        np.testing.assert_array_equal(
            answer.arrays[f"layer_{number + 1}"], layers.dense("depth", max_layers=count)[number]
        )
    assert f"layer_{count + 1}" not in answer.arrays
    np.testing.assert_array_equal(answer.arrays["layers"], np.concatenate(layers.points()[:count]))
    # In the order of the points: by layer, then by pixel.
    number = layers.layer
    order = np.argsort(number, kind="stable")
    order = order[number[order] < count]
    np.testing.assert_array_equal(answer.arrays["layers.layer"], number[order] + 1)
    np.testing.assert_array_equal(answer.arrays["layers.normal"], layers.normal[order])
    np.testing.assert_array_equal(answer.arrays["layers.object_id"], layers.object_id[order])


def test_clip_and_surfaces(process: RendererProcess, mesh: dd.Mesh, camera: dd.Camera) -> None:
    with dd.DepthRenderer() as renderer:
        uploaded = renderer.upload(mesh)
        middle = float(np.nanmedian(renderer.entry_exit(uploaded, camera).entry))
        maps = renderer.entry_exit(uploaded, camera, near=middle, surfaces="any")
    answer = answer_of(process, mesh, camera, ViewRequest(near=middle, surfaces="any"))
    np.testing.assert_array_equal(answer.arrays["entry"], maps.entry)
    assert answer.surfaces == "any"


def test_files_of_the_ordinary_writers(
    process: RendererProcess, mesh: dd.Mesh, camera: dd.Camera, tmp_path: Path
) -> None:
    OpenEXR = pytest.importorskip("OpenEXR")
    formats = ("npz", "exr", "ply", "png16", "mould", "photo")
    request = ViewRequest(
        quantities=("normal",), formats=formats, target=str(tmp_path / "shot_0007"), is_shown=False
    )
    answer = answer_of(process, mesh, camera, request)
    assert not answer.arrays
    assert sorted(path.name for path in answer.files) == sorted(
        "shot_0007" + ending
        for ending in (
            *(".npz", ".exr", "_front.ply", "_back.ply", "_entry.png", "_exit.png"),
            *("_png16.json", "_mould.ply", "_photo.png"),
        )
    )
    assert sorted(tmp_path.iterdir()) == sorted(answer.files)
    with dd.DepthRenderer() as renderer:
        maps = renderer.entry_exit(renderer.upload(mesh), camera, attributes=("normal",))
    stored = dd.load_npz(tmp_path / "shot_0007.npz")
    assert isinstance(stored, dd.DepthMaps)
    np.testing.assert_array_equal(stored.entry, maps.entry)
    np.testing.assert_array_equal(stored.exit_normal, maps.exit_normal)
    assert stored.provenance["mesh_left_out"] == "hair: 1 (cat)"
    with OpenEXR.File(str(tmp_path / "shot_0007.exr"), separate_channels=True) as file:
        pixels = file.channels()["entry.depth.Z"].pixels
    # Compositors have no use for NaN.
    np.testing.assert_array_equal(pixels, np.nan_to_num(maps.entry, nan=0.0))


def test_layers_in_files(
    process: RendererProcess, mesh: dd.Mesh, camera: dd.Camera, tmp_path: Path
) -> None:
    request = ViewRequest(layers=1, formats=("npz",), target=str(tmp_path / "a"))
    answer = answer_of(process, mesh, camera, request)
    stored = dd.load_npz(answer.files[0])
    assert isinstance(stored, dd.DepthLayers)
    assert stored.is_complete
    assert stored.provenance["mesh_left_out"] == "hair: 1 (cat)"


def test_a_mould_of_nothing_is_a_note(
    process: RendererProcess, mesh: dd.Mesh, tmp_path: Path
) -> None:
    away = dd.Camera.look_at((0, 0, 50), (0, 0, 99), up=(0, 1, 0), width=8, height=8)
    request = ViewRequest(mould=True, formats=("npz", "mould"), target=str(tmp_path / "a"))
    answer = answer_of(process, mesh, away, request)
    assert [path.name for path in answer.files] == ["a.npz"]
    assert len(answer.notes) == 2
    assert "mould.vertices" not in answer.arrays
    assert all("mould" in note and "\n" not in note for note in answer.notes)


def test_errors_keep_their_class_and_the_process_goes_on(
    process: RendererProcess, mesh: dd.Mesh, camera: dd.Camera, tmp_path: Path
) -> None:
    for request, kind, text in (
        (ViewRequest(surfaces="both"), dd.RequestError, "surfaces"),
        (ViewRequest(near=5.0, far=2.0), dd.RequestError, "near"),
        (ViewRequest(formats=("bmp",), target="a"), dd.RequestError, "bmp"),
        (ViewRequest(formats=("npz",), target=str(tmp_path / "no/a")), dd.OutputError, "no"),
    ):
        process.send(mesh, camera, request)
        with pytest.raises(kind, match=text) as caught:
            process.answer()
        assert "\n" not in str(caught.value)
    assert answer_of(process, mesh, camera, ViewRequest()).arrays.keys() == {"entry", "exit"}


def test_one_view_at_a_time(mesh: dd.Mesh, camera: dd.Camera) -> None:
    with RendererProcess() as process:
        assert process.is_open
        assert process.answer(0.0) is None
        process.send(mesh, camera, ViewRequest())
        with pytest.raises(dd.RequestError, match="still at work"):
            process.send(mesh, camera, ViewRequest())
        assert process.answer() is not None
        process.send(mesh, camera, ViewRequest())
        process.close()
        process.close()
        assert not process.is_open
        with pytest.raises(dd.ContextClosedError, match="was closed"):
            process.answer()


def test_a_killed_process_is_an_error(mesh: dd.Mesh, camera: dd.Camera) -> None:
    with RendererProcess() as process:
        os.kill(process.pid, signal.SIGSTOP)  # so that it does not answer before
        process.send(mesh, camera, ViewRequest())
        os.kill(process.pid, signal.SIGKILL)
        with pytest.raises(dd.ContextClosedError, match="exit status -9"):
            process.answer()
        with pytest.raises(dd.ContextClosedError):
            process.send(mesh, camera, ViewRequest())


def test_no_context_is_an_error(mesh: dd.Mesh, camera: dd.Camera) -> None:
    with RendererProcess(device=99) as process:
        process.send(mesh, camera, ViewRequest())
        with pytest.raises(dd.ContextError, match="99"):
            process.answer()


def test_closing_kills_and_leaves_no_descriptors(mesh: dd.Mesh, camera: dd.Camera) -> None:
    def descriptors() -> int:
        return len(os.listdir("/proc/self/fd"))  # noqa: PTH208

    before = descriptors()
    process = RendererProcess()
    process.send(mesh, camera, ViewRequest())
    process.close()
    assert not Path(f"/proc/{process.pid}").exists()
    assert descriptors() == before


def test_it_ends_with_its_parent() -> None:
    program = (
        "import time, ddepth_gl.blender.hand_over as h; p = h.RendererProcess(); "
        "print(p.pid, flush=True); time.sleep(99)"
    )
    parent = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert Path(f"/proc/{pid}").exists()
    parent.kill()
    parent.wait()
    parent.stdout.close()
    for _ in range(600):
        if not Path(f"/proc/{pid}").exists():
            break
        time.sleep(0.1)
    else:
        pytest.fail("the renderer process goes on without its parent")


def test_other_systems_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "memfd_create")
    with pytest.raises(dd.ContextError, match="needs Linux"):
        RendererProcess()


def test_python_of_blender(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    version = f"python{sys.version_info[0]}.{sys.version_info[1]}"
    monkeypatch.setattr(sys, "executable", "/opt/blender/blender")
    monkeypatch.setattr(sys, "prefix", str(tmp_path))
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(dd.ContextError, match=f"needs {version}"):
        RendererProcess()
    python = tmp_path / "bin" / version
    python.parent.mkdir()
    python.touch(mode=0o755)
    assert hand_over._python() == str(python)
    with pytest.raises(dd.ContextError, match="does not start"):
        RendererProcess()


def test_nothing_is_pickled() -> None:
    program = (
        "import sys, json, ddepth_gl.blender.hand_over, ddepth_gl.blender.hand_over_main; "
        "print(json.dumps([m for m in ('multiprocessing', 'bpy', 'moderngl') if m in sys.modules]))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert "multiprocessing" not in json.loads(done.stdout)
    assert "bpy" not in json.loads(done.stdout)
