"""A run over one mesh: its files, their content, and what remains after an error."""

from __future__ import annotations

import errno
import inspect
import sys
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image
from shapes import box, merged, sphere, torus

import ddepth_gl as dd
from ddepth_gl.jobs import formats as render_formats
from ddepth_gl.jobs import render as render_job
from ddepth_gl.jobs import report as render_report
from ddepth_gl.jobs.formats import FORMATS, FrameToWrite
from ddepth_gl.jobs.render import RenderJob


def cameras(mesh, views=3):
    return dd.Camera.orbit(mesh, views, 24, 18)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_every_format_and_the_preview(renderer, tmp_path):
    mesh = torus(steps=30, sides=20)
    steps = []
    formats = tuple(name for name, each in FORMATS.items() if not each.needs_layers)
    job = RenderJob(folder=tmp_path, formats=formats)
    report = job.run(renderer, mesh, cameras(mesh), "ring", lambda: steps.append(1))
    endings = ["_back.ply", "_entry.png", "_exit.png", "_front.ply", "_mould.ply", "_photo.png"]
    endings += ["_png16.json", ".npz", ".exr", "_entry.exr", "_exit.exr", "_entry_distance.exr"]
    endings += ["_exit_distance.exr", "_thickness.exr"]
    expected = [f"ring_{view:03d}{ending}" for view in range(3) for ending in endings]
    assert names(tmp_path) == sorted([*expected, "ring_preview.png"])
    # The report names the same files, by kind and in the order of the views.
    assert {ending: [path.name for path in paths] for ending, paths in report.files.items()} == {
        ending: [f"ring_{view:03d}{ending}" for view in range(3)] for ending in endings
    }
    assert report.preview == tmp_path / "ring_preview.png"
    assert len(steps) == len(report.covered) == 3
    assert set(report.milliseconds) == {"the sheets with face", "the photo", "writing"}
    assert all(len(times) == 3 and min(times) > 0 for times in report.milliseconds.values())
    assert dd.load_mesh(tmp_path / "ring_001_mould.ply").is_oriented


@pytest.mark.slow
def test_every_format_with_all_layers(renderer, tmp_path):
    mesh = torus(steps=30, sides=20)
    options = {"layers": True, "attributes": ("object_id",), "png_scale": 1e-3, "samples": 2}
    report = RenderJob(folder=tmp_path, formats=tuple(FORMATS), **options).run(
        renderer, mesh, cameras(mesh, 1), "ring"
    )
    scene = renderer.upload(mesh)
    layers = renderer.peel(scene, *cameras(mesh, 1), attributes=("object_id", "normal", "color"))
    photo = renderer.shade(scene, *cameras(mesh, 1), samples=2)
    scene.release()
    max_layers = int(layers.count.max())
    assert max_layers == 4
    endings = [
        "_deep.exr",
        "_layers.exr",
        "_layers.npz",
        "_ldi.npz",
        "_xray.npz",
        "_photo.png",
        "_mould.ply",
    ]
    endings += ["_entry.png", "_exit.png", "_png16.json", ".layereddepth.json"]
    endings += [f".depth_{layer}.png" for layer in range(1, 9)]
    endings += [f"_layer{layer:02d}.ply" for layer in range(1, max_layers + 1)]
    endings += [
        f"_layer{layer:02d}_{quantity}.exr"
        for layer in range(1, max_layers + 1)
        for quantity in ("depth", "distance", "face", "front_facing", "object_id")
    ]
    assert names(tmp_path) == sorted(
        [f"ring_000{ending}" for ending in endings] + ["ring_preview.png"]
    )
    assert sum(map(len, report.files.values())) == len(endings)
    stored = dd.load_npz(tmp_path / "ring_000_layers.npz")
    for name in ("offsets", "depth", "face", "object_id"):
        np.testing.assert_array_equal(getattr(stored, name), getattr(layers, name))
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "ring_000_photo.png")), photo)
    with np.load(tmp_path / "ring_000_ldi.npz") as file:
        expected = np.moveaxis(np.nan_to_num(layers.dense("depth", 15), nan=-1.0), 0, -1)
        np.testing.assert_array_equal(file["ldi"], expected)
    assert not any(report.left_out.values())
    # Three strips instead of one.
    with Image.open(tmp_path / "ring_preview.png") as with_layers:
        RenderJob(folder=tmp_path, formats=()).run(renderer, mesh, cameras(mesh, 1), "sheets")
        with Image.open(tmp_path / "sheets_preview.png") as without:
            assert with_layers.height > 2 * without.height


def test_crossings_left_out_are_counted(renderer, tmp_path):
    sheets = merged(*[box((-1, -1, 0.1 * k), (1, 1, 0.1 * k + 0.05)) for k in range(5)])
    views = [dd.Camera.look_at((0, 0, 5), (0, 0, 0), (0, 1, 0), width=20, height=20)]
    job = RenderJob(
        folder=tmp_path, formats=("layereddepth", "xray", "npz"), layers=True, preview=False
    )
    report = job.run(renderer, sheets, views, "m")
    scene = renderer.upload(sheets)
    counts = renderer.peel(scene, views[0]).count
    scene.release()
    assert counts.max() == 10
    assert report.left_out == {"layereddepth": int((counts - 8).clip(0).sum()), "xray": 0, "npz": 0}
    assert report.left_out["layereddepth"] > 20


def test_lari_files_of_a_run_have_one_shape(renderer, tmp_path):
    mesh = torus(steps=30, sides=20)
    away = dd.Camera.look_at((9, 9, 9), (20, 20, 20), width=24, height=18)
    views = [*cameras(mesh, 4), away]
    job = RenderJob(folder=tmp_path, formats=("lari",), layers=True, preview=False)
    job.run(renderer, mesh, views, "m")
    stacks = []
    for view in range(5):
        with np.load(tmp_path / f"m_{view:03d}_ldi.npz") as file:
            stacks.append(file["ldi"])
    assert [stack.shape for stack in stacks] == [(18, 24, 15)] * 5
    assert len({int((stack > 0).sum(-1).max()) for stack in stacks}) > 1  # though the views differ
    assert (stacks[-1] == -1).all()


def test_clouds_of_an_earlier_run_are_removed(renderer, tmp_path):
    mesh = torus(steps=30, sides=20)
    for max_layers in (None, 1):
        job = RenderJob(
            folder=tmp_path, formats=("ply",), layers=True, max_layers=max_layers, preview=False
        )
        job.run(renderer, mesh, cameras(mesh, 2), "m")
    assert names(tmp_path) == ["m_000_layer01.ply", "m_001_layer01.ply"]


@pytest.mark.parametrize("write", [dd.write_xray, dd.write_lari, dd.write_layereddepth])
def test_formats_and_writers_agree_on_the_number_of_layers(write):
    height = inspect.signature(write).parameters["max_layers"].default
    assert FORMATS[write.__name__.removeprefix("write_")].default_layers == height


def test_max_layers(renderer, tmp_path):
    mesh = torus(steps=30, sides=20)
    formats = ("lari", "layereddepth", "xray", "deepexr", "npz")
    options = {"layers": True, "max_layers": 3, "preview": False}
    RenderJob(folder=tmp_path, formats=formats, **options).run(
        renderer, mesh, cameras(mesh, 1), "m"
    )
    with np.load(tmp_path / "m_000_ldi.npz") as file:
        assert file["ldi"].shape[2] == 3
    with np.load(tmp_path / "m_000_xray.npz") as file:
        assert file["shape"][0] == 3
    with np.load(tmp_path / "m_000_layers.npz") as file:
        assert file["count"].max() == 3
        assert file["truncated"].any()
    assert not (tmp_path / "m_000.depth_4.png").exists()
    assert (tmp_path / "m_000.depth_3.png").exists()


@pytest.mark.parametrize("name", [name for name, each in FORMATS.items() if each.needs_layers])
def test_formats_of_layers_require_layers(tmp_path, name):
    with pytest.raises(dd.RequestError, match=f"{name} stores all layers; give --layers"):
        RenderJob(folder=tmp_path, formats=(name,))


def test_files_hold_what_the_renderer_returns(renderer, tmp_path):
    mesh = torus(steps=30, sides=20)
    views = cameras(mesh)
    options = {"surfaces": "any", "near": 3.0, "far": 4.2}
    written = {"fill": -1.0, "compression": "deflate", "preview": False}
    report = RenderJob(folder=tmp_path, **written, **options).run(renderer, mesh, views, "m")
    scene = renderer.upload(mesh)
    for view, camera in enumerate(views):
        maps = renderer.entry_exit(scene, camera, **options)
        assert report.covered[view] == pytest.approx(maps.mask.mean())
        assert not np.array_equal(
            maps.entry, renderer.entry_exit(scene, camera).entry, equal_nan=True
        )
        with np.load(tmp_path / f"m_{view:03d}.npz") as file:
            np.testing.assert_array_equal(file["entry"], maps.filled(-1.0).entry)
            np.testing.assert_array_equal(file["exit"], maps.filled(-1.0).exit)
            np.testing.assert_array_equal(file["camera_from_world"], camera.camera_from_world)
            assert "entry_face" not in file
    scene.release()


def test_no_preview(renderer, tmp_path):
    report = RenderJob(folder=tmp_path, preview=False).run(renderer, box(), cameras(box(), 1), "m")
    assert report.preview is None
    assert names(tmp_path) == ["m_000.npz"]


def test_nothing_but_the_preview(renderer, tmp_path):
    report = RenderJob(folder=tmp_path, formats=()).run(renderer, box(), cameras(box(), 1), "m")
    assert report.files == {}
    assert names(tmp_path) == ["m_preview.png"]


@pytest.mark.slow
def test_the_preview_shows_four_views_of_any_size(renderer, tmp_path):
    heights = []
    for count in (1, 4, 9):
        views = [
            camera if view % 2 else dd.Camera.look_at((4, 3, 2), (0, 0, 0), width=9, height=30)
            for view, camera in enumerate(cameras(box(), count))
        ]
        RenderJob(folder=tmp_path, formats=()).run(renderer, box(), views, f"m{count}")
        with Image.open(tmp_path / f"m{count}_preview.png") as image:
            assert image.mode == "RGB"
            heights.append(image.height)
    assert heights[0] < heights[1] / 3
    assert heights[2] == heights[1] + 50  # the line that says "4 of 9 views"


@pytest.mark.slow
def test_more_than_a_thousand_views(renderer, tmp_path):
    tiny = dd.Camera.look_at((4, 3, 2), (0, 0, 0), width=1, height=1)
    RenderJob(folder=tmp_path, preview=False).run(renderer, box(), [tiny] * 1001, "m")
    assert names(tmp_path) == [f"m_{view:04d}.npz" for view in range(1001)]


@pytest.mark.parametrize(
    ("formats", "preview"), [(("npz", "tiff"), True), (("NPZ",), True), ((), False)]
)
def test_formats_are_checked_first(tmp_path, formats, preview):
    with pytest.raises(dd.RequestError, match="give npz, ply, png16, mould"):
        RenderJob(folder=tmp_path, formats=formats, preview=preview)


# Formats that an option changes: without and with --layers.
EFFECTS = {
    "fill": ({"npz", "exr", "exr-files"}, {"exr", "exr-files"}),
    "png_scale": ({"png16"}, {"png16", "layereddepth"}),
    "attributes": ({"npz", "exr", "exr-files"}, {"npz", "exr", "exr-files", "deepexr"}),
    "samples": ({"photo"}, {"photo"}),
    **dict.fromkeys(("compression", "derived", "tolerance"), ({"npz"}, {"npz"})),
}
GIVEN = {"fill": -7.0, "png_scale": 0.01, "attributes": ("uv", "face"), "samples": 2}
GIVEN |= {"compression": "none", "derived": True, "tolerance": 1e-3}


def contents(folder):
    """Return the bytes of each file, and the arrays of an archive."""
    return {
        path.name: {name: array.tobytes() for name, array in np.load(path).items()}
        if path.suffix == ".npz"
        else path.read_bytes()
        for path in folder.iterdir()
    }


@pytest.mark.parametrize("layers", [False, True])
@pytest.mark.parametrize("option", EFFECTS)
def test_an_option_changes_files_or_is_refused(renderer, tmp_path, monkeypatch, option, layers):
    """An option is refused exactly if it does not change the files."""
    # The hash of the options in each file would differ in any case.
    monkeypatch.setattr(render_job, "view_settings", lambda *_: "the same")
    mesh = torus(steps=30, sides=20)
    given = {option: GIVEN[option]}
    for name, each in FORMATS.items():
        if each.needs_layers and not layers:
            continue
        base = {
            "formats": (name,),
            "layers": layers and each.has_option("layers", True),
            "preview": False,
        }
        if name in EFFECTS[option][base["layers"]]:
            found = []
            for folder, options in (("with", given), ("without", {})):
                (tmp_path / name / folder).mkdir(parents=True)
                job = RenderJob(folder=tmp_path / name / folder, **base, **options)
                job.run(renderer, mesh, cameras(mesh, 1), "m")
                found.append(contents(tmp_path / name / folder))
            assert found[0] != found[1], name
        else:
            flag = f"--{option.replace('_', '-')}"
            with pytest.raises(
                dd.RequestError, match=f"^{flag} has no effect on {name}.*it is for .*leave"
            ):
                RenderJob(folder=tmp_path, **base, **given)


@pytest.mark.parametrize("attributes", [(), ("uv",)])
@pytest.mark.parametrize("layers", [False, True])
@pytest.mark.slow
def test_a_format_does_not_depend_on_other_formats(renderer, tmp_path, layers, attributes):
    mesh = torus(steps=30, sides=20)
    formats = [name for name, each in FORMATS.items() if layers or not each.needs_layers]
    options = {"layers": layers, "attributes": attributes, "png_scale": 0.01, "samples": 2}

    def run(folder, names):
        (tmp_path / folder).mkdir()
        taken = [each for name in names for each in [FORMATS[name]]]
        given = {
            option: value
            for option, value in options.items()
            if any(each.has_option(option, layers) for each in taken) or option == "layers"
        }
        preview = layers and not any(
            each.has_option("layers", True) for each in taken
        )  # --layers needs an effect
        RenderJob(folder=tmp_path / folder, formats=tuple(names), preview=preview, **given).run(
            renderer, mesh, cameras(mesh, 1), "m"
        )
        (tmp_path / folder / "m_preview.png").unlink(missing_ok=True)
        return contents(tmp_path / folder)

    together = run("together", formats)
    for name in formats:
        alone = run(name, [name])
        assert alone == {file: together[file] for file in alone}, name


def test_an_option_needs_one_format_with_an_effect(tmp_path):
    RenderJob(folder=tmp_path, formats=("ply", "photo"), samples=2)
    with pytest.raises(
        dd.RequestError, match="--samples has no effect on the preview; it is for photo"
    ):
        RenderJob(folder=tmp_path, formats=(), samples=2)
    with pytest.raises(
        dd.RequestError,
        match="--fill has no effect on npz with --layers; it is for exr, exr-files: add",
    ):
        RenderJob(folder=tmp_path, layers=True, fill=0.0)


def test_layers_without_effect(tmp_path):
    sheets = ("png16", "mould", "photo")
    with pytest.raises(
        dd.RequestError, match="--layers has no effect on png16, mould, photo; it is for npz,"
    ):
        RenderJob(folder=tmp_path, formats=sheets, layers=True, preview=False)
    RenderJob(folder=tmp_path, formats=sheets, layers=True)  # the preview shows layers
    RenderJob(folder=tmp_path, formats=(*sheets, "ply"), layers=True, preview=False)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"samples": 0}, "--samples must be an integer, at least 1 and at most 128, not 0"),
        (
            {"samples": 129},
            "--samples must be an integer, at least 1 and at most 128, not 129",
        ),
        ({"samples": 1.5}, "--samples must be"),
        ({"samples": True}, "--samples must be"),
        ({"layers": True, "max_layers": 0}, "--max-layers must be an integer, at least 1, not 0"),
        ({"max_layers": -2}, "--max-layers must be"),
        (
            {"layers": True, "memory_limit": 0},
            "--memory-limit must be an integer, at least 1, not 0",
        ),
        ({"layers": True, "memory_limit": 1e9}, "--memory-limit must be"),
        ({"memory_limit": 100}, "--memory-limit has no effect without --layers; give both"),
        ({"fill": 1e39}, "--fill must be a number that float32 holds"),
        (
            {"formats": ("png16",), "png_scale": 0.0},
            "--png-scale must be positive mesh units per step, not 0",
        ),
        ({"formats": ("npz", "ply", "npz")}, "format npz is given twice; give it once"),
    ],
)
def test_values_are_checked_first(tmp_path, options, words):
    with pytest.raises((dd.RequestError, dd.OutputError), match=words):
        RenderJob(folder=tmp_path, **options)


@pytest.mark.parametrize("name", ["exr", "exr-files", "deepexr"])
def test_a_missing_package_is_reported_first(tmp_path, monkeypatch, name):
    RenderJob(folder=tmp_path, formats=("npz", name), layers=True)
    monkeypatch.setitem(sys.modules, "OpenEXR", None)
    with pytest.raises(dd.OutputError, match=r'pip install "ddepth-gl\[exr\]"'):
        RenderJob(folder=tmp_path, formats=("npz", name), layers=True)
    RenderJob(folder=tmp_path, formats=("npz",), layers=True)


@pytest.fixture
def clock(renderer, monkeypatch):
    """A clock that only calls advance: sheets 1 s, layers 10 s, photo 100 s, a file 1000 s."""
    now = [0.0]

    def slowed(owner, name, seconds):
        call = getattr(owner, name)

        def wrapper(*arguments, **options):
            now[0] += seconds
            return call(*arguments, **options)

        monkeypatch.setattr(owner, name, wrapper)

    slowed(renderer, "entry_exit", 1)
    slowed(renderer, "peel", 10)
    slowed(renderer, "shade", 100)
    slowed(render_formats, "write_npz", 1000)
    slowed(render_formats, "write_photo", 1000)
    monkeypatch.setattr(render_report, "time", SimpleNamespace(perf_counter=lambda: now[0]))
    return now


@pytest.mark.slow
@pytest.mark.parametrize(
    ("formats", "layers", "seconds"),
    [
        (("npz",), False, {"the sheets": 1, "writing": 1000}),
        (("npz", "photo"), False, {"the sheets": 1, "the photo": 100, "writing": 2000}),
        (("npz",), True, {"the sheets": 1, "all layers": 10, "writing": 1000}),
        (
            ("photo", "npz"),
            True,
            {"the sheets": 1, "all layers": 10, "the photo": 100, "writing": 2000},
        ),
    ],
)
def test_steps_are_timed_separately(renderer, tmp_path, clock, formats, layers, seconds):
    """The preview, and the photo that only the preview shows, are not timed."""
    job = RenderJob(folder=tmp_path, formats=formats, layers=layers)
    report = job.run(renderer, box(), cameras(box(), 2), "m")
    assert report.preview
    assert report.milliseconds == {step: [1000.0 * time] * 2 for step, time in seconds.items()}


@pytest.mark.parametrize("kind", [RenderJob, FrameToWrite])
def test_arguments_are_keyword_only(kind):
    assert len(fields(kind)) > 8
    with pytest.raises(TypeError, match="positional"):
        kind(Path("m"), None)


def test_a_view_without_a_mould_is_reported(renderer, tmp_path):
    away = dd.Camera.look_at((4, 3, 2), (8, 6, 4), width=8, height=8)
    around = cameras(box(), 2)
    report = RenderJob(folder=tmp_path, formats=("mould",), preview=False).run(
        renderer, box(), [around[0], away, around[1]], "m"
    )
    (failure,) = report.failures
    assert "m_001_mould.ply: no mould" in failure
    assert names(tmp_path) == ["m_000_mould.ply", "m_002_mould.ply"]


@pytest.mark.parametrize(
    "error", [KeyboardInterrupt, OSError(errno.ENOSPC, "No space left on device")]
)
def test_an_interrupted_run_leaves_complete_files_only(renderer, tmp_path, monkeypatch, error):
    mesh = sphere(1.0, 12, 16)
    for folder in ("whole", "cut"):
        (tmp_path / folder).mkdir()
    RenderJob(folder=tmp_path / "whole", formats=("npz", "ply"), preview=False).run(
        renderer, mesh, cameras(mesh), "m"
    )

    old = tmp_path / "cut" / "m_001_front.ply"
    old.write_bytes(b"old")
    scenes, upload = [], renderer.upload
    monkeypatch.setattr(renderer, "upload", lambda mesh: scenes.append(upload(mesh)) or scenes[-1])
    written, replace = [], Path.replace

    def stop_at_the_fifth(self, target):
        if len(written) == 4:
            raise error
        written.append(target)
        return replace(self, target)

    monkeypatch.setattr(Path, "replace", stop_at_the_fifth)
    with pytest.raises(KeyboardInterrupt if error is KeyboardInterrupt else dd.OutputError):
        RenderJob(
            folder=tmp_path / "cut", formats=("npz", "ply"), preview=False, overwrite=True
        ).run(renderer, mesh, cameras(mesh), "m")
    assert [scene.is_released for scene in scenes] == [True]
    assert old.read_bytes() == b"old"
    finished = ["m_000.npz", "m_000_back.ply", "m_000_front.ply", "m_001.npz"]
    assert names(tmp_path / "cut") == [*finished, "m_001_front.ply"]
    for name in finished:
        assert (tmp_path / "cut" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()
