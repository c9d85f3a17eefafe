"""Attributes of results as properties: types for mypy, and messages for what is not there."""

from __future__ import annotations

import copy
import os
import pickle
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from crossings import ATTRIBUTES, layers_of

import ddepth_gl as dd
from ddepth_gl.results.attributes import ATTRIBUTES as TABLE

ROOT = Path(__file__).parents[1]
SHEETS = ("entry", "exit")
ALL_OF_MAPS = [f"{sheet}_{name}" for name in TABLE for sheet in SHEETS]
ALL_OF_LAYERS = [name for name in TABLE if name != "face"]  # the face is a field of layers


def layers(*attributes: str) -> dd.DepthLayers:
    rng = np.random.default_rng(5)
    made = layers_of(rng.integers(1, 4, (3, 4)), rng, attributes)
    made.truncated[...] = False
    return made


SNIPPET = """
import ddepth_gl as dd

def use(maps: dd.DepthMaps, layers: dd.DepthLayers, info: dd.RendererInfo) -> None:
    image: dd.DeviceImage
    surfaces: dd.Surfaces = "any"
    reveal_type(maps.entry_face)
    reveal_type(maps.exit_normal)
    reveal_type(maps.entry_object_id)
    reveal_type(layers.object_id)
    reveal_type(layers.color)
    reveal_type(layers.objects(surfaces)[3].exit_uv)
    reveal_type(layers.of_object(3).position)
    reveal_type(dd.double_depth("a.ply", engine="raster").thickness)
"""
TYPES = ["int64", "float32", "int32", "int32", *["float32"] * 4]
WRONG = {
    "maps.entry_normals": '"DepthMaps" has no attribute "entry_normals"; maybe "entry_normal"?',
    "maps.normal": '"DepthMaps" has no attribute "normal"',
    "layers.objectid": '"DepthLayers" has no attribute "objectid"; maybe "object_id"',
    "layers.entry_face": '"DepthLayers" has no attribute "entry_face"',
    "maps.entry_face.no_such_method": 'has no attribute "no_such_method"',
}


@pytest.mark.slow
def test_mypy_knows_every_attribute_and_rejects_typos(tmp_path):
    pytest.importorskip("mypy", reason="mypy is not installed")
    snippet = tmp_path / "snippet.py"
    snippet.write_text(SNIPPET + "".join(f"    {wrong}\n" for wrong in WRONG), encoding="utf-8")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", "--no-error-summary",
         "--ignore-missing-imports", f"--cache-dir={tmp_path / 'cache'}", str(snippet)],
        cwd=tmp_path, env=os.environ | {"MYPYPATH": str(ROOT)}, capture_output=True, text=True,
        timeout=300, check=False,
    )  # fmt: skip
    said = [line for line in done.stdout.splitlines() if line.startswith("snippet.py")]
    revealed = [line for line in said if "Revealed type" in line]
    assert len(revealed) == len(TYPES), done.stdout + done.stderr
    bits = {"float32": "floating[numpy._typing._nbit_base._32Bit]",
            "int32": "signedinteger[numpy._typing._nbit_base._32Bit]",
            "int64": "signedinteger[numpy._typing._nbit_base._64Bit]"}  # fmt: skip
    for line, dtype in zip(revealed, TYPES, strict=True):
        assert "numpy.ndarray" in line
        assert dtype in line or bits[dtype] in line, line
    errors = [line for line in said if "error:" in line]
    assert len(errors) == len(WRONG), done.stdout
    for line, message in zip(errors, WRONG.values(), strict=True):
        assert message in line


@pytest.mark.parametrize("name", TABLE)
def test_each_property_is_the_array_of_its_attribute(name):
    given = layers(name) if name != "face" else layers()
    maps = given.entry_exit()
    for sheet in SHEETS:
        array = getattr(maps, f"{sheet}_{name}")
        assert array is getattr(maps.attributes[name], sheet)
        shape, dtype = re.match(r"\((.*?)\) (\w+) of each", getattr(
            dd.DepthMaps, f"{sheet}_{name}").__doc__).groups()  # fmt: skip
        assert dtype == array.dtype
        assert shape.split(", ") == ["H", "W", *map(str, array.shape[2:])]
        assert sheet in getattr(dd.DepthMaps, f"{sheet}_{name}").__doc__
    if name in ALL_OF_LAYERS:
        array = getattr(given, name)
        assert array is given.attributes[name]
        shape, dtype = re.match(r"\((.*?)\) (\w+):", getattr(dd.DepthLayers, name).__doc__).groups()
        assert dtype == array.dtype
        assert [part for part in re.split(", ?", shape) if part] == [
            "M", *map(str, array.shape[1:])]  # fmt: skip


def test_every_attribute_has_properties_with_the_right_types():
    for kind, names in ((dd.DepthMaps, ALL_OF_MAPS), (dd.DepthLayers, ALL_OF_LAYERS)):
        declared = [name for name in vars(kind) if type(vars(kind)[name]).__name__ ==
                    "RequestedArray"]  # fmt: skip
        assert sorted(declared) == sorted(names)
        for name in names:
            assert isinstance(getattr(kind, name), property)


def test_what_was_not_asked_for_says_what_to_ask_for():
    given = layers("uv")
    maps = given.entry_exit()
    in_render = " (in render: layer_attributes)"
    for result, names, also in ((maps, ALL_OF_MAPS, ""), (given, ALL_OF_LAYERS, in_render)):
        for name in names:
            attribute = name.removeprefix("entry_").removeprefix("exit_")
            present = attribute in ("uv", "face")
            assert hasattr(result, name) == present
            assert (name in dir(result)) == present
            assert (getattr(result, name, None) is not None) == present
            if not present:
                message = f'{name} was not asked for; pass attributes=("{attribute}",){also}'
                with pytest.raises(dd.NotAskedForError, match=f"^{re.escape(message)}$"):
                    getattr(result, name)
    assert {"depth", "odd", "entry_exit", "attributes"} <= set(dir(given))
    assert {"entry", "mask", "to_mesh"} <= set(dir(maps))


@pytest.mark.parametrize(
    ("name", "nearest"),
    [
        ("entry_normals", "entry_normal"),
        ("exit_colour", "exit_color"),  # codespell:ignore
        ("entri", "entry"),
        ("thicknes", "thickness"),  # codespell:ignore
        ("zzz", None),
        ("_entry", None),
        ("__array_interface__", None),
    ],
)
def test_a_typo_is_told_the_nearest_name(name, nearest):
    hint = "" if nearest is None else f"; did you mean '{nearest}'?"
    with pytest.raises(AttributeError) as raised:
        getattr(layers().entry_exit(), name)
    assert str(raised.value) == f"DepthMaps has no attribute '{name}'{hint}"
    assert not isinstance(raised.value, dd.NotAskedForError)
    with pytest.raises(AttributeError, match=r"^DepthLayers has no .*; did you mean 'of_object'\?"):
        layers().of_objekt  # noqa: B018


@pytest.mark.slow
def test_python_adds_no_second_suggestion():
    """Python's own traceback ends with one, unless the error knows its name but not its object."""
    code = (
        "import numpy as np, ddepth_gl as dd\n"
        "camera = dd.Camera.orthographic(1.0, np.eye(4), 1, 1)\n"
        "dd.DepthMaps(np.ones((1, 1)), np.ones((1, 1)), camera).thicknesses\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.stderr.lower().count("did you mean") == 1


def test_an_error_inside_a_property_is_not_hidden():
    class Broken(dd.DepthMaps):
        @property
        def bad(self):
            return None.no_such_thing

    maps = layers().entry_exit()
    with pytest.raises(AttributeError, match="'NoneType' object has no attribute 'no_such_thing'"):
        _ = Broken(maps.entry, maps.exit, maps.camera).bad


def test_properties_are_read_only_and_survive_copies():
    given = layers(*ATTRIBUTES)
    for result in (given, given.entry_exit()):
        for clone in (copy.copy(result), copy.deepcopy(result), pickle.loads(pickle.dumps(result))):
            assert dir(clone) == dir(result)
        name = next(iter(n for n in dir(result) if n.endswith("normal")))
        with pytest.raises(AttributeError):
            setattr(result, name, 3)
