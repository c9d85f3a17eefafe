"""Every public callable with absurd values for every argument: it works or raises one clear line.

The callables are discovered. A new public callable needs a valid call in `CALLS`.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import inspect
import io
import pickle
import resource
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import psutil
import pytest
from crossings import by_hand
from shapes import box

import ddepth_gl as dd


class Odd:
    """An object whose conversions all raise an error; its repr has two lines or raises, too."""

    def __init__(self, error, text=None):
        self.error, self.text = error, text

    def fail(self, *_, **__):
        raise self.error("first line\nsecond line")

    __array__ = __index__ = __int__ = __float__ = __len__ = __iter__ = __bool__ = __fspath__ = fail
    __eq__ = __lt__ = __le__ = __gt__ = __ge__ = __getitem__ = __contains__ = fail
    __hash__ = object.__hash__

    def __repr__(self):
        return self.fail() if self.text is None else self.text


class Buffer:
    """A stand-in for a moderngl buffer, as its owner uses it."""

    def release(self):
        pass


class Lines(str):
    """A string whose repr has two lines."""

    __slots__ = ()

    def __repr__(self):
        return "one\ntwo"


MASKED = np.ma.array(np.eye(4), mask=np.eye(4, dtype=bool))
VALUES = {
    "None": None,
    "True": True,
    "0": 0,
    "-1": -1,
    "1.5": 1.5,
    "nan": float("nan"),
    "inf": float("inf"),
    "-inf": float("-inf"),
    "1e300": 1e300,
    "1e-320": 1e-320,
    "1j": 1j,
    "10**400": 10**400,
    "10**5000": 10**5000,
    "-10**400": -(10**400),
    "2**63": 2**63,
    "x": "x",
    "empty": "",
    "two lines": "a\nb",
    "surrogate": "\udcff",
    "null": "a\0b",
    "long": "x" * 300,
    "Lines": Lines("x"),
    "bytes": b"bytes",
    "bytearray": bytearray(b"ab"),
    "list": [],
    "ragged": [[1], [1, 2]],
    "Nones": [None],
    "huge in a list": [10**400],
    "texts": ["a\nb", "x"],
    "tuple": (),
    "dict": {},
    "dict of Odd": {"a\nb": Odd(RuntimeError)},
    "set": {1, 2},
    "iterator": iter(()),
    "range": range(3),
    "object": object(),
    "class": int,
    "function": lambda *_, **__: None,
    "0-d": np.array(5.0),
    "0-d of None": np.array(None),
    "0-d text": np.array("x"),
    "scalar": np.float32(2.0),
    "unsigned scalar": np.uint8(255),
    "long double": np.longdouble("1e4000"),
    "long doubles": np.full((3, 3), np.longdouble("1e4000")),
    "objects": np.array([object(), None]),
    "numbers as objects": np.array([1, 2.5, 10**400], dtype=object),
    "text array": np.array(["a", "b"]),
    "dates": np.array(["2020-01-01"], "M8[D]"),
    "complex": np.ones((4, 4), complex),
    "booleans": np.ones((4, 6), bool),
    "records": np.zeros(3, [("a", "f4"), ("b", "i4")]),
    "empty array": np.zeros((0, 3)),
    "no rows": np.zeros((3, 0)),
    "nans": np.full((4, 4), np.nan),
    "large floats": np.full((4, 4), 1e300),
    "large rows": np.full((2, 3), 1e300),
    "large pairs": np.full((2, 2), -1e300),
    "huge plane": np.broadcast_to(0.0, (10**6, 10**6)),
    "huge rows": np.broadcast_to(0.0, (1 << 40, 3)),
    "huge pairs": np.broadcast_to(0.0, (1 << 40, 2)),
    "huge vector": np.broadcast_to(np.float32(1), (1 << 44,)),
    "seven axes": np.zeros((1,) * 7),
    "masked": MASKED,
    "masked vector": np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0]),
    "masked row in a list": [np.ma.array([1.0, 2.0, 3.0], mask=[0, 1, 0])] * 3,
    "masked itself": np.ma.masked,
    "nothing masked": np.ma.array([1.0, 2.0, 3.0]),
    **{
        f"Odd {error.__name__}": Odd(error, "one\ntwo")
        for error in (TypeError, RuntimeError, KeyError, OSError)
    },
    "Odd without repr": Odd(ZeroDivisionError),
}

CAMERA = dd.Camera.look_at((3, 2, 1), (0, 0, 0), width=6, height=4)
POSE = CAMERA.camera_from_world
SHEET = np.full((4, 6), 2.0, np.float32)
PLANE = {
    "normal": np.ones((2, 3), np.float32),
    "color": np.ones((2, 4), np.float32),
    "face": np.zeros(2, np.int64),
    "object_id": np.full(2, 3, np.int32),
}


def maps():
    pair = (np.zeros((4, 6), np.int64),) * 2
    return dd.DepthMaps(SHEET.copy(), SHEET + 1, CAMERA, {"face": pair}, {"mesh_path": "x"})


def layers():
    return by_hand([["F1 B2"]], attributes=PLANE)


def of_layers(**changed):
    given = layers()
    names = (
        "offsets",
        "depth",
        "face",
        "front_facing",
        "truncated",
        "camera",
        "attributes",
        "provenance",
    )
    return {name: getattr(given, name) for name in names} | changed


# Of `render` and `render_many`.
FRAME = {
    "image": True, "maps": True, "layers": True, "attributes": ("face",),
    "layer_attributes": ("normal",), "samples": 2, "max_layers": 2, "surfaces": "oriented",
    "near": 0.1, "far": 9.0, "memory_limit": 10**7, "min_gap": 0.1,
}  # fmt: skip

# For each callable: the object to call a method on, or None, and the arguments of a valid call.
CALLS = {
    "Bodies": lambda _: (None, fields_of(box().bodies)),
    "Camera": lambda _: (None, {"K": CAMERA.K, "camera_from_world": POSE, "width": 6, "height": 4,
                                "is_orthographic": False, "name": "left"}),
    "Camera.look_at": lambda _: (None, {"eye": (3, 2, 1), "target": (0, 0, 0), "up": (0, 0, 1),
                                        "fov_y_deg": 40.0, "width": 6, "height": 4}),
    "Camera.from_intrinsics": lambda _: (None, {"K": CAMERA.K, "camera_from_world": POSE,
                                                "width": 6, "height": 4, "pixel_center": 0.5}),
    "Camera.orthographic": lambda _: (None, {"extent": 2.0, "camera_from_world": POSE, "width": 6,
                                             "height": 4}),
    "Camera.from_opengl": lambda _: (None, {"intrinsics": CAMERA.K, "world_from_camera": np.eye(4),
                                            "width": 6, "height": 4}),
    "Camera.from_blender": lambda _: (None, {
        "matrix_world": np.eye(4), "resolution_x": 6, "resolution_y": 4,
        "resolution_percentage": 100, "type": "PERSP", "lens": 50.0, "angle_deg": None,
        "ortho_scale": 6.0, "sensor_width": 36.0, "sensor_height": 24.0, "sensor_fit": "AUTO",
        "shift_x": 0.0, "shift_y": 0.0, "pixel_aspect_x": 1.0, "pixel_aspect_y": 1.0,
        "axes": "blender"}),
    "Camera.orbit": lambda _: (None, {"mesh": box(), "views": 2, "width": 6, "height": 4, "seed": 0,
                                      "fov_y_deg": 40.0, "up": (0, 0, 1)}),
    "Camera.from_dict": lambda _: (None, {"entries": CAMERA.to_dict()}),
    "Camera.to_dict": lambda _: (CAMERA, {}),
    "Camera.rows": lambda _: (CAMERA, {"start": 1, "stop": 3, "samples": 1}),
    "Camera.projection": lambda _: (CAMERA, {"depth_row": (0, 0, 1, 0)}),
    "Camera.project": lambda _: (CAMERA, {"points": (1, 2, 3), "frame": "world"}),
    "Camera.unproject": lambda _: (CAMERA, {"pixels": (1, 2), "depth": 3.0, "frame": "world"}),
    "Camera.pixel_centers": lambda _: (CAMERA, {}),
    "Camera.rays": lambda _: (CAMERA, {"frame": "world"}),
    "Camera.pixel_footprint": lambda _: (CAMERA, {"depth": np.ones(3)}),
    "Camera.distance_per_depth": lambda _: (CAMERA, {}),
    "DepthMaps": lambda _: (None, {name: getattr(maps(), name) for name in
                                   ("entry", "exit", "camera", "attributes", "provenance",
                                    "surfaces")}),
    "DepthMaps.filled": lambda _: (maps(), {"value": 0.0}),
    "DepthMaps.points": lambda _: (maps(), {"frame": "world", "dtype": np.float32}),
    "DepthMaps.to_mesh": lambda _: (maps(), {"jump": 10.0}),
    "DepthMaps.plot": lambda _: (maps(), {"quantities": "entry", "ax": None, "figure": None,
                                          "cmap": "cividis", "vmin": 0.0, "vmax": 9.0,
                                          "title": "a title"}),
    "DepthLayers": lambda _: (None, of_layers()),
    "DepthLayers.dense": lambda _: (
        layers(),
        {"name": "depth", "max_layers": 2, "min_gap": 0.0, "out": None},
    ),
    "DepthLayers.dense_many": lambda _: (
        layers(),
        {"names": ("depth", "face"), "max_layers": 2, "min_gap": 0.0, "out": {}},
    ),
    "DepthLayers.merged": lambda _: (layers(), {"min_gap": 0.1, "max_layers": 2}),
    "DepthLayers.color_images": lambda _: (layers(), {"name": "color", "max_layers": 2}),
    "DepthLayers.entry_exit": lambda _: (layers(), {"surfaces": "oriented"}),
    "DepthLayers.intervals": lambda _: (layers(), {"row": 0, "column": 0}),
    "DepthLayers.plot": lambda _: (layers(), {"max_layers": 1, "ax": None, "figure": None,
                                              "cmap": "cividis", "vmin": 0.0, "vmax": 9.0,
                                              "title": "a title"}),
    "DepthLayers.plot_section": lambda _: (layers(), {"row": 0, "column": None, "ax": None,
                                                      "figure": None, "title": "a title"}),
    "DepthLayers.points": lambda _: (layers(), {"frame": "world", "dtype": np.float32}),
    "DepthLayers.rows": lambda _: (layers(), {"start": 0, "stop": 1}),
    "DepthLayers.objects": lambda _: (layers(), {"surfaces": "oriented"}),
    "DepthLayers.of_object": lambda _: (layers(), {"object_id": 3}),
    "Mesh": lambda _: (None, {
        "vertices": box().vertices, "faces": box().faces, "uv": np.zeros((8, 2)),
        "colors": np.zeros((8, 3)),
        "texture": np.zeros((2, 2, 3), np.uint8), "texture_id": np.zeros(12, int),
        "samplers": dd.Sampler(), "alpha_cutoff": np.zeros(12), "polygon_id": np.arange(12),
        "object_id": np.zeros(12, int),
        "object_names": ("a",), "name": "box", "source": None, "up": (0, 0, 1)}),
    "Sampler": lambda _: (None, {"wrap_u": "clamp", "wrap_v": "mirror", "filter": "nearest"}),
    "Mesh.report": lambda _: (box(), {}),
    "MeshReport": lambda _: (None, fields_of(box().report())),
    "MeshReport.as_dict": lambda _: (box().report(), {}),
    "Mesh.face_normals": lambda _: (box(), {}),
    "Mesh.transformed": lambda _: (box(), {"matrix": np.eye(4), "up": (0, 1, 0)}),
    "load_mesh": lambda _: (None, {"path": "box.ply", "appearance": True, "alpha": "mask",
                                  "blend_cutoff": 0.5, "pose": None, "texture_roots": ".",
                                  "max_texture_size": 64, "max_file_bytes": 10**6,
                                  "max_faces": 100}),
    "load_cameras": lambda _: (None, {"path": "views.json", "width": 8, "height": 8,
                                     "max_file_bytes": 10**6}),
    "save_cameras": lambda _: (None, {"path": "a.json", "cameras": [CAMERA]}),
    "load_npz": lambda _: (None, {"path": "maps.npz", "max_bytes": 10**6}),
    "show": lambda _: (None, {"what": dd.Frame(CAMERA, np.zeros((4, 6, 4), np.uint8)),
                               "height": 300, "wait": False}),
    "preview": lambda _: (None, {"frame": dd.Frame(CAMERA, maps=maps()), "path": "a.png",
                                 "row": None, "figure": None, "title": "a title"}),
    "demo_mesh": lambda _: (None, {}),
    "worker_environment": lambda _: (None, {"processes": 2}),
    "double_depth": lambda _: (None, {"mesh": box(), "camera": CAMERA, "surfaces": "oriented",
                                      "near": 0.1, "far": 9.0, "attributes": ("face",),
                                      "engine": "auto", "device": "auto"}),
    "DepthRenderer": lambda _: (None, {"engine": "auto", "device": None, "require_gpu": False,
                                       "context": None}),
    "DepthRenderer.upload": lambda r: (r, {"mesh": box()}),
    "DepthRenderer.entry_exit": lambda r: (r, {
        "scene": r.upload(box()), "camera": CAMERA, "surfaces": "oriented", "near": 0.1, "far": 9.0,
        "attributes": ("face",), "output": "numpy"}),
    "DepthRenderer.entry_exit_many": lambda r: (r, {
        "scene": r.upload(box()), "cameras": [CAMERA], "surfaces": "oriented", "near": 0.1,
        "far": 9.0, "attributes": ("face",), "output": "numpy"}),
    "DepthRenderer.peel": lambda r: (r, {
        "scene": r.upload(box()), "camera": CAMERA, "max_layers": 2, "near": 0.1, "far": 9.0,
        "attributes": ("normal",), "memory_limit": 10**7, "min_gap": 0.1}),
    "DepthRenderer.render": lambda r: (r, {"scene": r.upload(box()), "camera": CAMERA} | FRAME),
    "DepthRenderer.render_many": lambda r: (r, {
        "scene": r.upload(box()), "cameras": [CAMERA]} | FRAME),
    "DepthRenderer.peel_many": lambda r: (r, {
        "scene": r.upload(box()), "cameras": [CAMERA], "max_layers": 2, "near": 0.1, "far": 9.0,
        "attributes": ("normal",), "memory_limit": 10**7, "min_gap": 0.1}),
    "DepthRenderer.shade_many": lambda r: (r, {
        "scene": r.upload(box()), "cameras": [CAMERA], "samples": 2, "surfaces": "oriented",
        "near": 0.1, "far": 9.0}),
    "Frame": lambda _: (None, {"camera": CAMERA, "image": np.zeros((4, 6, 4), np.uint8),
                               "maps": maps(), "layers": layers()}),
    "DepthRenderer.shade": lambda r: (r, {
        "scene": r.upload(box()), "camera": CAMERA, "samples": 2, "surfaces": "oriented",
        "near": 0.1, "far": 9.0}),
    "DepthRenderer.close": lambda _: (dd.DepthRenderer(device="software"), {}),
    "Scene": lambda r: (None, {"context": r._context, "mesh": box()}),
    "Scene.to_local": lambda r: (r.upload(box()), {"points": (1, 2, 3)}),
    "Scene.depth_range": lambda r: (r.upload(box()), {"camera": CAMERA}),
    "Scene.distance_to_face": lambda r: (r.upload(box()), {"camera": CAMERA}),
    "Scene.is_beside_a_face": lambda r: (r.upload(box()), {"camera": CAMERA}),
    "Scene.extent_in_image": lambda r: (r.upload(box()), {"camera": CAMERA}),
    "Scene.is_inside_image": lambda r: (r.upload(box()), {"camera": CAMERA}),
    "Scene.local_remainders": lambda r: (r.upload(box()), {}),
    "Scene.local_vertices": lambda r: (r.upload(box()), {}),
    "Scene.cached": lambda r: (r.upload(box()), {"key": "k", "make": list}),
    "Scene.adopt": lambda r: (r.upload(box()), {"gl_object": Buffer()}),
    "Scene.belongs_to": lambda r: (r.upload(box()), {"context": r._context}),
    "Scene.check_usable": lambda r: (r.upload(box()), {}),
    "Scene.release": lambda r: (r.upload(box()), {}),
    "DeviceDepthMaps": lambda r: (None, {"context": r._context, "camera": CAMERA,
                                         "buffer": lent_buffer(r), "provenance": {},
                                         "surfaces": "any"}),
    "DeviceDepthMaps.numpy": lambda r: (on_device(r), {}),
    "DeviceDepthMaps.release": lambda r: (on_device(r), {}),
    "DeviceImage": lambda r: (None, {"sheets": on_device(r)._sheets, "sheet": 1,
                                     "shape": (4, 6)}),
    "DeviceImage.numpy": lambda r: (on_device(r).entry, {}),
    "RendererInfo": lambda r: (None, r.info.as_dict()),
    "RendererInfo.as_dict": lambda r: (r.info, {}),
    "write_npz": lambda _: (None, {"path": "a.npz", "result": maps(), "fill": 0.0,
                                  "compression": "deflate", "derived": True,
                                  "tolerance": 1e-3}),
    "write_exr": lambda _: (None, {"path": "a.exr", "result": maps(), "fill": 0.0}),
    "write_exr_files": lambda _: (None, {"path": "a", "result": maps(), "fill": 0.0}),
    "write_photo": lambda _: (None, {"path": "a.png", "image": np.zeros((4, 6, 4), np.uint8),
                                     "rendered": maps()}),
    "write_deep_exr": lambda _: (None, {"path": "a.exr", "layers": layers(), "volumes": True}),
    "write_png16": lambda _: (None, {"path": "a", "maps": maps(), "scale": 0.01}),
    "write_xray": lambda _: (None, {"path": "a.npz", "layers": layers(), "max_layers": 2}),
    "write_lari": lambda _: (None, {"path": "a.npz", "layers": layers(), "max_layers": 2,
                                   "dtype": "float32"}),
    "write_layereddepth": lambda _: (None, {"path": "a", "layers": layers(), "scale": 0.01,
                                            "max_layers": 2}),
    "write_layer_clouds": lambda _: (None, {"path": "a", "layers": layers()}),
    "write_ply": lambda _: (None, {
        "path": "a.ply", "vertices": np.eye(3), "normals": np.eye(3),
        "colors": np.zeros((3, 4), np.uint8), "faces": [[0, 1, 2]], "rendered": maps()}),
}  # fmt: skip


def fields_of(record):
    return {field.name: getattr(record, field.name) for field in dataclasses.fields(record)}


def lent_buffer(renderer):
    with renderer._context as context:
        return context.result_buffers.take(8 * CAMERA.width * CAMERA.height)


def on_device(renderer):
    return renderer.entry_exit(renderer.upload(box()), CAMERA, output="gpu")


def public_callables() -> dict[str, object]:
    """Return the functions, classes and public methods of `__all__`, without exceptions."""
    found = {}
    for name in set(dd.__all__) - {"__version__", "Surfaces"}:  # Surfaces is a type alias
        public = getattr(dd, name)
        if isinstance(public, type) and issubclass(public, BaseException):
            continue
        found[name] = public
        for attribute in dir(public) if isinstance(public, type) else ():
            method = getattr(public, attribute)
            is_of_tuple = attribute in dir(tuple) and issubclass(public, tuple)
            if not attribute.startswith("_") and callable(method) and not is_of_tuple:
                found[f"{name}.{attribute}"] = method
    return found


def test_every_public_callable_has_a_call():
    assert set(CALLS) == set(public_callables())


def test_every_call_has_every_argument():
    for name, public in public_callables().items():
        parameters = [
            each
            for each in inspect.signature(public).parameters
            if each != "self" and not each.startswith("_")
        ]
        with dd.DepthRenderer() as renderer:
            on, arguments = CALLS[name](renderer)
            assert list(arguments) == parameters, name
            if isinstance(on, dd.DepthRenderer):
                on.close()


@pytest.fixture
def surroundings(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    dd.write_ply("box.ply", box().vertices, faces=box().faces)
    dd.write_npz("maps.npz", maps())
    Path("views.json").write_text('{"0": {"cam_K": [9, 0, 4, 0, 9, 4, 0, 0, 1]}}')
    # Some systems grant any amount of memory, and kill the process that uses it.
    limits = resource.getrlimit(resource.RLIMIT_AS)
    enough = psutil.Process().memory_info().vms + (1 << 34)
    resource.setrlimit(resource.RLIMIT_AS, (enough, limits[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, limits)


def call(name, on, arguments):
    """Call, then exhaust an iterator and read every property of an object of the package."""
    public = public_callables()[name]
    result = public(**arguments) if on is None else getattr(on, name.partition(".")[2])(**arguments)
    if isinstance(result, dd.DepthRenderer):
        result.close()
    elif isinstance(result, Iterator):
        list(result)
    elif isinstance(result, (dd.Camera, dd.DepthMaps, dd.DepthLayers, dd.Mesh)):
        repr(result)
        for attribute in dir(type(result)):
            if isinstance(inspect.getattr_static(type(result), attribute), property):
                with contextlib.suppress(dd.RequestError):
                    getattr(result, attribute)


def complaint(name, on, arguments):
    """Return what is wrong with the outcome of a call, or None."""
    try:
        with warnings.catch_warnings(), contextlib.redirect_stderr(io.StringIO()) as said:
            warnings.simplefilter("error")
            call(name, on, arguments)
    except dd.DDepthError as error:
        message = str(error)
        if len(message.splitlines()) != 1:
            return f"a message of several lines: {message!r}"
        if len(message) > 600:
            return f"a message of {len(message)} characters: {message[:100]!r}"
        return None
    except BaseException as error:
        return f"{type(error).__name__}: {error}"[:300]
    return f"prints {said.getvalue()[:100]!r}" if said.getvalue() else None


def assert_absurd_values_are_handled(name, renderer):
    on, arguments = CALLS[name](renderer)
    assert complaint(name, on, arguments) is None, "the valid call fails"
    wrong = []
    for parameter in arguments:
        for title, value in VALUES.items():
            on, arguments = CALLS[name](renderer)
            found = complaint(name, on, arguments | {parameter: value})
            if found:
                wrong.append(f"{parameter}={title}: {found}")
    assert not wrong, f"{len(wrong)}\n" + "\n".join(wrong)


RENDERS = [name for name, call in CALLS.items() if call.__code__.co_varnames[0] == "r"]


@pytest.mark.slow
@pytest.mark.usefixtures("surroundings")
@pytest.mark.parametrize("name", RENDERS)
def test_absurd_values(renderer, name):
    assert_absurd_values_are_handled(name, renderer)


@pytest.mark.usefixtures("surroundings")
@pytest.mark.parametrize("name", sorted(CALLS.keys() - set(RENDERS)))
@pytest.mark.slow
def test_absurd_values_without_a_renderer(name):
    assert_absurd_values_are_handled(name, None)


CLONES = {
    "copy": copy.copy,
    "deepcopy": copy.deepcopy,
    **{
        f"pickle {p}": lambda x, p=p: pickle.loads(pickle.dumps(x, p))
        for p in range(pickle.HIGHEST_PROTOCOL + 1)
    },
}


@pytest.mark.parametrize("clone", CLONES.values(), ids=CLONES)
def test_copies_of_immutable_objects_are_immutable(clone):
    camera, mesh = clone(CAMERA), clone(box())
    np.testing.assert_array_equal(camera.K, CAMERA.K)
    np.testing.assert_array_equal(camera.camera_from_world, POSE)
    assert (camera.width, camera.height, camera.is_orthographic) == (6, 4, False)
    np.testing.assert_array_equal(mesh.faces, box().faces)
    for array in (
        camera.K,
        camera.camera_from_world,
        mesh.vertices,
        mesh.faces,
        mesh.bounds,
        mesh.object_id,
    ):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
        with pytest.raises(ValueError, match="cannot set WRITEABLE flag"):
            array.flags.writeable = True
        with pytest.raises(ValueError, match="cannot set WRITEABLE flag"):
            array.setflags(write=True)


@pytest.mark.parametrize("clone", CLONES.values(), ids=CLONES)
def test_owners_of_device_memory_cannot_be_copied(renderer, clone):
    with on_device(renderer) as maps:
        for owner in (renderer, renderer.upload(box()), maps, maps.entry):
            with pytest.raises(
                dd.ContextError, match=f"a {type(owner).__name__} owns memory on the device"
            ):
                clone(owner)
    assert renderer.info.engine in ("raster", "compute")  # the renderer is still open


@pytest.mark.parametrize("clone", CLONES.values(), ids=CLONES)
def test_copies_of_results_are_writable(clone):
    for result, name in ((clone(maps()), "entry"), (clone(layers()), "depth")):
        array = getattr(result, name)
        array[...] = 7.0
        assert (getattr(result, name) == 7.0).all()


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda masked: dd.Mesh(masked, [[0, 1, 2]]), dd.MeshError),
        (lambda masked: dd.Mesh(list(masked), [[0, 1, 2]]), dd.MeshError),
        (lambda masked: dd.Camera(masked, POSE, 6, 4), dd.CameraError),
        (lambda masked: CAMERA.project(masked), dd.CameraError),
        (lambda masked: dd.write_ply("a.ply", masked), dd.OutputError),
    ],
)
@pytest.mark.usefixtures("surroundings")
def test_masks_are_never_dropped_silently(make, error):
    numbers = np.array([[5.0, 0.0, 3.0], [0.0, 5.0, 2.0], [0.0, 0.0, 1.0]])
    with pytest.raises(error, match="elements are masked; fill or remove them"):
        make(np.ma.array(numbers, mask=[[0, 0, 0], [0, 0, 0], [0, 0, 1]]))
    make(np.ma.array(numbers))
    make(np.ma.array(numbers, mask=np.zeros((3, 3), bool)))
