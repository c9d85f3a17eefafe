"""Every file says where it comes from: the package's version, the driver's own words, the engine."""

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

OF_ALL = ("version", "renderer", "gl_version", "engine")


def of_npz(path):
    with np.load(path, allow_pickle=False) as file:
        return {name: str(file[name]) for name in OF_ALL if name in file.files}


def of_exr(path):
    exr = pytest.importorskip("OpenEXR")
    headers = [part.header for part in exr.File(str(path)).parts]
    (texts,) = {
        tuple(str(header.get(name)) for name in ("software", *OF_ALL[1:])) for header in headers
    }
    return dict(zip(OF_ALL, texts, strict=True))


def of_png(path):
    with Image.open(path) as picture:
        return picture.text


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


def said(path):
    texts = READERS[path.suffix](path)
    return {name: texts.get(name) for name in OF_ALL}


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
    assert {path.name: said(path) for path in written} == {path.name: expected for path in written}


def test_the_drivers_whole_version_is_told(renderer):
    """Of Mesa "4.5 (Core Profile) Mesa 25.0.7-2", not 4.5 alone."""
    with renderer._context as context:
        version = context.gl.info["GL_VERSION"]
    assert renderer.info.gl_version == version
    if "Mesa" in renderer.info.vendor:
        assert re.search(r"Mesa \d+\.\d+", version)


def test_results_know_it_on_every_way(renderer):
    mesh = torus(steps=24, sides=16)
    camera = dd.Camera.orbit(mesh, 1, 40, 30)[0]
    scene = renderer.upload(mesh)
    info = renderer.info.as_dict()
    expected = {name: info[name] for name in OF_ALL[1:]}
    layers = renderer.peel(scene, camera)
    results = [renderer.entry_exit(scene, camera), layers, layers.entry_exit()]
    results += renderer.entry_exit_many(scene, [camera] * 2)
    with renderer.entry_exit(scene, camera, output="gpu") as on_device:
        results += [on_device, on_device.numpy()]
    assert [dict(each.provenance) for each in results] == [expected] * len(results)
    scene.release()


def test_what_was_not_rendered_names_the_package_alone(tmp_path):
    camera = dd.Camera.orthographic((1.0, 1.0), np.eye(4), 2, 1)
    ones = np.ones((1, 2), np.float32)
    dd.write_npz(tmp_path / "maps.npz", dd.DepthMaps(ones, 2 * ones, camera))
    dd.write_ply(tmp_path / "cloud.ply", np.zeros((1, 3)))
    expected = {"version": f"ddepth_gl {dd.__version__}", **dict.fromkeys(OF_ALL[1:])}
    assert said(tmp_path / "maps.npz") == expected
    assert said(tmp_path / "cloud.ply") == expected
