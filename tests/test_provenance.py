"""Every file records its origin: the package version, renderer and GL version, the engine."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from PIL import Image
from shapes import torus

import ddepth_gl as dd
from ddepth_gl.jobs.formats import FORMATS
from ddepth_gl.jobs.render import RenderJob

ENTRIES = ("version", "renderer", "gl_version", "engine")


def of_npz(path):
    with np.load(path, allow_pickle=False) as file:
        return {name: str(file[name]) for name in ENTRIES if name in file.files}


def of_exr(path):
    exr = pytest.importorskip("OpenEXR")
    headers = [part.header for part in exr.File(str(path)).parts]
    (texts,) = {
        tuple(str(header.get(name)) for name in ("software", *ENTRIES[1:])) for header in headers
    }
    return dict(zip(ENTRIES, texts, strict=True))


def of_png(path):
    with Image.open(path) as image:
        return image.text


def of_ply(path):
    header = path.read_bytes().split(b"end_header")[0].decode("ascii")
    return dict(re.findall(r"^comment (\S+) (.*)$", header, re.MULTILINE))


READERS = {
    ".npz": of_npz,
    ".exr": of_exr,
    ".png": of_png,
    ".ply": of_ply,
    ".json": lambda path: json.loads(path.read_text()),
}


def recorded(path):
    texts = READERS[path.suffix](path)
    return {name: texts.get(name) for name in ENTRIES}


@pytest.mark.slow
@pytest.mark.parametrize("layers", [False, True])
def test_every_file_of_a_job(renderer, tmp_path, layers):
    mesh = torus(steps=24, sides=16)
    cameras = dd.Camera.orbit(mesh, 2, 40, 30)
    formats = tuple(name for name, each in FORMATS.items() if layers or not each.needs_layers)
    RenderJob(folder=tmp_path, formats=formats, layers=layers).run(renderer, mesh, cameras, "ring")
    info = renderer.info
    expected = {
        "version": f"ddepth_gl {dd.__version__}",
        "renderer": info.renderer,
        "gl_version": info.gl_version,
        "engine": info.engine,
    }
    written = sorted(tmp_path.iterdir())
    assert {path.suffix for path in written} == set(READERS)
    assert {path.name: recorded(path) for path in written} == {
        path.name: expected for path in written
    }


def test_the_full_driver_version_is_recorded(renderer):
    """For Mesa "4.5 (Core Profile) Mesa 25.0.7-2", not just 4.5."""
    with renderer._context as context:
        version = context.gl.info["GL_VERSION"]
    assert renderer.info.gl_version == version
    if "Mesa" in renderer.info.vendor:
        assert re.search(r"Mesa \d+\.\d+", version)


def test_results_of_every_method_have_provenance(renderer):
    mesh = torus(steps=24, sides=16)
    camera = dd.Camera.orbit(mesh, 1, 40, 30)[0]
    scene = renderer.upload(mesh)
    info = renderer.info.as_dict()
    expected = {name: info[name] for name in ENTRIES[1:]}
    layers = renderer.peel(scene, camera)
    results = [renderer.entry_exit(scene, camera), layers, layers.entry_exit()]
    results += renderer.entry_exit_many(scene, [camera] * 2)
    with renderer.entry_exit(scene, camera, output="gpu") as on_device:
        results += [on_device, on_device.numpy()]
    assert [dict(each.provenance) for each in results] == [expected] * len(results)
    scene.release()


def test_without_rendering_only_the_package_is_recorded(tmp_path):
    camera = dd.Camera.orthographic((1.0, 1.0), np.eye(4), 2, 1)
    ones = np.ones((1, 2), np.float32)
    dd.write_npz(tmp_path / "maps.npz", dd.DepthMaps(ones, 2 * ones, camera))
    dd.write_ply(tmp_path / "cloud.ply", np.zeros((1, 3)))
    expected = {"version": f"ddepth_gl {dd.__version__}", **dict.fromkeys(ENTRIES[1:])}
    assert recorded(tmp_path / "maps.npz") == expected
    assert recorded(tmp_path / "cloud.ply") == expected
