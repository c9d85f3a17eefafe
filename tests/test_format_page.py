"""docs/formats.md names exactly the keys that the writers write: none is missing, none is made up.

Documented keys are those in backticks in the first column of the tables of a section. Names in
capitals in them stand for others: ATTRIBUTE for an attribute, ARRAY for another key, C for a
channel.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from shapes import box, merged

import ddepth_gl as dd
from ddepth_gl.io.results.ply import write_mesh
from ddepth_gl.jobs.formats import FORMATS
from ddepth_gl.results.attributes import ATTRIBUTES

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs/formats.md").read_text("utf-8")
TEXTS = "What files say about themselves"
NAMES = "|".join(sorted(ATTRIBUTES, key=len, reverse=True))


def documented(section, heading=""):
    """Return the names in the first column of a section's tables, or of one with this heading."""
    text = re.search(rf"^##+ {re.escape(section)}\n(.*?)(?=^## |\Z)", PAGE, re.M | re.S)[1]
    if heading:
        text = re.search(rf"^\| {re.escape(heading)} \|.*\n((?:\|.*\n)+)", text, re.M)[1]
    rows = re.findall(r"^\| (`.*?) \|", text, re.M)
    return {name for row in rows for name in re.findall(r"`(.*?)`", row)}


SELF = documented(TEXTS)


@pytest.fixture(scope="module")
def renderings(tmp_path_factory):
    """Return maps, layers and photo of two boxes with colors, and their mesh, read from a file."""
    folder = tmp_path_factory.mktemp("mesh")
    mesh = merged(box(), box((2.0, -1.0, -1.0), (4.0, 1.0, 1.0)))
    colors = np.full((len(mesh.vertices), 4), 200, np.uint8)
    write_mesh(folder / "boxes.ply", dd.Mesh(mesh.vertices, mesh.faces, colors=colors))
    mesh = dd.load_mesh(folder / "boxes.ply")
    camera = dd.Camera.orbit(mesh, views=1, width=24, height=16)[0]
    with dd.DepthRenderer() as renderer:
        frame = renderer.render(
            renderer.upload(mesh),
            camera,
            layers=True,
            attributes=tuple(ATTRIBUTES),
            layer_attributes=tuple(name for name in ATTRIBUTES if name != "face"),
        )
    return frame, mesh


def generic(names):
    """Return names with attributes, sheets of which there are two, and packing taken out."""
    found = set()
    for name in names:
        plain = name.removesuffix("_packed")
        plain = re.sub(r"^(.+)_missing$", "ARRAY_missing", plain)
        plain = re.sub(rf"^(entry|exit)_({NAMES})$", r"\1_ATTRIBUTE", plain)
        found.add(re.sub(rf"^({NAMES})$", "ATTRIBUTE", plain) if plain != "face" else plain)
    return found


def keys_of_npz(path):
    with np.load(path) as file:
        return set(file.files)


# Texts that depend on the mesh file or on options; tests/test_provenance.py has those.
SOMETIMES = {
    "mesh_side_files_sha256", "mesh_textures_sha256", "mesh_left_out", "depth_tolerance",
    "settings_sha256", "file_count",
}  # fmt: skip
CAMERA = documented("npz: the camera")


@pytest.mark.parametrize("compression", ["packed", "deflate"])
def test_npz_of_sheets(renderings, tmp_path, compression):
    maps = renderings[0].maps
    hit = float(np.nanmax(maps.entry))
    dd.write_npz(tmp_path / "a.npz", maps, compression=compression, derived=True, fill=hit)
    keys = keys_of_npz(tmp_path / "a.npz")
    assert generic(keys - SELF - CAMERA) == documented("npz: both sheets")
    assert keys >= (SELF - SOMETIMES) | CAMERA


@pytest.mark.parametrize("compression", ["packed", "deflate"])
def test_npz_of_layers(renderings, tmp_path, compression):
    layers = renderings[0].layers
    dd.write_npz(tmp_path / "a.npz", layers, compression=compression, derived=True)
    keys = keys_of_npz(tmp_path / "a.npz")
    assert generic(keys - SELF - CAMERA) == documented("npz: layers")
    assert keys >= (SELF - SOMETIMES) | CAMERA


def test_packed_quantities(renderings, tmp_path):
    dd.write_npz(tmp_path / "a.npz", renderings[0].maps, derived=True)
    [sentence] = re.findall(r"Quantities that vary within a face are packed: (.*?)\.", PAGE, re.S)
    packed = {
        re.sub(r"^(entry|exit)_?", "", key.removesuffix("_packed")) or "depth"
        for key in keys_of_npz(tmp_path / "a.npz")
        if key.endswith("_packed")
    }
    assert packed == set(re.findall(r"\w+", sentence))


def channels(part):
    """Return the names of a part's channels, with attributes taken out."""
    pattern = rf"^(entry\.|exit\.|(?!face\.))({NAMES})\.\w+$"
    return {re.sub(pattern, r"\1ATTRIBUTE.C", name) for name in part.channels}


def header_of(part):
    own = {  # of every EXR file
        "channels", "compression", "dataWindow", "displayWindow", "lineOrder", "name", "version",
        "pixelAspectRatio", "screenWindowCenter", "screenWindowWidth", "type", "chunkCount",
        "maxSamplesPerPixel",
    }  # fmt: skip
    keys = set(part.header) - own
    return {"version" if key == "software" else key for key in keys}


def test_exr(renderings, tmp_path):
    exr = pytest.importorskip("OpenEXR")
    frame, _ = renderings
    dd.write_exr(tmp_path / "a.exr", frame.maps)
    [part] = exr.File(str(tmp_path / "a.exr"), separate_channels=True).parts
    assert channels(part) == documented("exr", "channel")
    header = documented("exr", "attribute of the header")
    assert header_of(part) == (SELF - SOMETIMES) | header - {"truncated_pixels"}
    dd.write_exr(tmp_path / "b.exr", frame.layers)
    part = exr.File(str(tmp_path / "b.exr"), separate_channels=True).parts[0]
    assert channels(part) == documented("exr", "channel of a layer")
    assert header_of(part) == (SELF - SOMETIMES) | header


def test_deep_exr(renderings, tmp_path):
    exr = pytest.importorskip("OpenEXR")
    dd.write_deep_exr(tmp_path / "a.exr", renderings[0].layers)
    [part] = exr.File(str(tmp_path / "a.exr"), separate_channels=True).parts
    assert channels(part) == documented("exr", "channel of a deep file")


def json_keys(path):
    return set(json.loads(path.read_text()))


def test_png16(renderings, tmp_path):
    files = dd.write_png16(tmp_path / "a", renderings[0].maps)
    assert [path.name for path in files] == ["a_png16.json", "a_entry.png", "a_exit.png"]
    assert json_keys(files[0]) == documented("png16") | SELF - SOMETIMES
    assert set(Image.open(files[1]).text) == SELF - SOMETIMES


def test_layereddepth(renderings, tmp_path):
    files = dd.write_layereddepth(tmp_path / "a", renderings[0].layers)
    assert files[0].name == "a.layereddepth.json"
    assert {path.name for path in files[1:]} == {f"a.depth_{n}.png" for n in range(1, 9)}
    assert json_keys(files[0]) == (
        documented("layereddepth") | documented("png16") | SELF - SOMETIMES
    )


def test_xray_and_lari(renderings, tmp_path):
    for write, section in ((dd.write_xray, "xray"), (dd.write_lari, "lari")):
        write(tmp_path / "a.npz", renderings[0].layers)
        assert keys_of_npz(tmp_path / "a.npz") == documented(section) | SELF - SOMETIMES


def test_ply(renderings, tmp_path):
    frame, _ = renderings
    dd.write_layer_clouds(tmp_path / "a", frame.layers)
    mould = frame.maps.to_mesh()
    dd.write_ply(tmp_path / "b.ply", mould.vertices, faces=mould.faces, rendered=frame.maps)
    heads = [path.read_bytes().split(b"end_header")[0].decode() for path in tmp_path.glob("*.ply")]
    properties = {name for head in heads for name in re.findall(r"^property .*?(\w+)$", head, re.M)}
    assert properties == documented("ply")
    for head in heads:
        assert set(re.findall(r"^comment (\w+) ", head, re.M)) == SELF - SOMETIMES


def test_cameras(renderings, tmp_path):
    camera = renderings[0].maps.camera
    dd.save_cameras(tmp_path / "transforms.json", [camera])
    document = json.loads((tmp_path / "transforms.json").read_text())
    assert set(document) == documented("transforms.json", "entry of a file")
    assert set(document["frames"][0]) == documented("transforms.json", "entry of a frame")
    assert set(camera.to_dict()) == documented("transforms.json", "entry of a camera")


def test_formats_and_functions():
    assert documented("Which format") == set(FORMATS)
    section = PAGE[PAGE.index("## Which format") : PAGE.index(f"## {TEXTS}")]
    writers = set(re.findall(r"`(write_\w+)`", section))
    assert writers == {name for name in dd.__all__ if name.startswith("write_")}


@pytest.mark.slow
def test_texts_of_the_command(tmp_path):
    """`ddepth render` adds settings_sha256 and file_count to every file."""
    write_mesh(tmp_path / "part.ply", box())
    command = [sys.executable, "-m", "ddepth_gl", "render", "part.ply", "-o", "out", "--size", "16"]
    subprocess.run([*command, "--tolerance", "1e-3"], cwd=tmp_path, check=True)
    keys = keys_of_npz(tmp_path / "out/part_000.npz")
    assert keys & SELF == SELF - SOMETIMES | {"settings_sha256", "file_count", "depth_tolerance"}


@pytest.mark.slow
def test_data_sets(tmp_path):
    pytest.importorskip("pyarrow")
    write_mesh(tmp_path / "part.ply", box())
    subprocess.run(
        [
            *(sys.executable, "-m", "ddepth_gl", "dataset", "part.ply", "-o", "set"),
            *("--views", "1", "--size", "32", "--workers", "1", "--layout", "files"),
            *("--store", "depth,objects,layers", "--layouts", "layereddepth,point_map,point_map16"),
        ],
        cwd=tmp_path,
        check=True,
    )
    rows = re.findall(r"^\| (`[\w.]+\.npz`.*?) \| (`.*?) \|", PAGE, re.M)
    told = {}
    for files, keys in rows:
        for file in re.findall(r"`(.*?)`", files):
            told.setdefault(file, set()).update(re.findall(r"`(.*?)`", keys))
    assert set(told) == {"objects.npz", "layereddepth.npz", "point_map.npz", "point_map16.npz"}
    for file, keys in told.items():
        [path] = (tmp_path / "set").rglob(f"*.{file}")
        assert {key.removesuffix("_packed") for key in keys_of_npz(path)} == keys
