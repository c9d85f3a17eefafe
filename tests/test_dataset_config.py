"""Settings of data sets: what is read, what is refused and in which words, what --init writes."""

from __future__ import annotations

import json
import re
import subprocess
import sys

import pytest

import ddepth_gl as dd
from ddepth_gl.dataset.config import (
    DatasetConfig,
    PhotosConfig,
    SourcesConfig,
    SplitConfig,
    ViewsConfig,
)
from ddepth_gl.dataset.config_options import SHORT_OPTIONS, config_from_options
from ddepth_gl.dataset.config_text import read_yaml
from ddepth_gl.dataset.entries import MeshEntry
from ddepth_gl.dataset.entry_paths import cameras_of_entry, check_paths


def refused(settings, name="a.yaml"):
    with pytest.raises(dd.DatasetError) as raised:
        DatasetConfig.from_settings(settings, name)
    message = str(raised.value)
    assert "pydantic" not in message
    assert "\n" not in message
    return message


def test_a_file_of_settings(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(
        "sources: {paths: [meshes, 'more/*.glb'], tables: list.csv}\n"
        "views: {count: 12, size: 256, fov_deg: [30, 60], up: -y}\n"
        "store: {depth_tolerance: 1e-5, outputs: [depth, layers]}\n"
        "split: {val: 0.1}\n"
    )
    config = DatasetConfig.from_yaml(path)
    assert config.sources.paths == ("meshes", "more/*.glb")
    assert config.sources.tables == ("list.csv",)  # one text is a list of one
    assert config.views.count == 12
    assert config.views.size == (256, 256)
    assert config.views.fov_deg == (30.0, 60.0)
    assert config.views.up == "-y"
    assert config.store.depth_tolerance == 1e-5  # which YAML 1.1 takes for text
    assert config.store.outputs == ("depth", "layers")
    assert config.split == SplitConfig(train=0.9, val=0.1)
    assert config.photos is None


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"views": {"cuont": 3}}, "a.yaml: views.cuont is unknown; did you mean views.count?"),
        ({"viws": {}}, "a.yaml: viws is unknown; did you mean views?"),
        ({"seed": 4}, "a.yaml: seed is unknown; did you mean views.seed?"),
        (
            {"photos": {"foldr": "x"}},
            "a.yaml: photos.foldr is unknown; did you mean photos.folder?",
        ),
        ({"views": {"q": 1, "sizes": 2}}, "views.q is unknown; known are kind, preset, "),
        ({"views": {"q": 1, "sizes": 2}}, "; views.sizes is unknown; did you mean views.size?"),
        ({3: 4}, "a.yaml: 3 is unknown; known are sources, views"),
    ],
)
def test_unknown_names_are_told_with_the_nearest_one(settings, expected):
    assert expected in refused(settings)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"views": {"count": "many"}}, "views.count is 'many'; give an integer from 1 to 100000"),
        ({"views": {"count": 0}}, "views.count is 0; give an integer from 1 to 100000"),
        ({"views": {"count": True}}, "views.count is True; give an integer from 1 to 100000"),
        ({"views": {"count": 2.5}}, "views.count is 2.5; give an integer from 1 to 100000"),
        ({"views": {"count": None}}, "views.count is None; give an integer from 1 to 100000"),
        (
            {"views": {"fov_deg": "wide"}},
            "views.fov_deg is 'wide'; give a number above 0 or [a number, a number]",
        ),
        ({"views": {"count": 10**23}}, "; give an integer from 1 to 100000"),
        ({"views": {"size": [64]}}, "views.size is [64]; give N or WxH, from 1 to"),
        ({"views": {"size": "512,512"}}, "views.size is '512,512'; give N or WxH, from 1 to"),
        ({"views": {"size": "0x3"}}, "views.size is '0x3'; give N or WxH, from 1 to"),
        ({"views": {"size": 10**9}}, "views.size is 1000000000; give N or WxH, from 1 to"),
        ({"views": {"size": [64.5, 2]}}, "views.size is [64.5, 2]; give N or WxH, from 1 to"),
        ({"views": {"size": True}}, "size is True; give"),
        ({"views": {"size": "1x2x3"}}, "views.size is '1x2x3'; give N or WxH, from 1 to"),
        (
            {"store": {"outputs": ["image"]}},
            "store.outputs is 'image'; give a list of photo, depth",
        ),
        ({"store": {"codec": "zip"}}, "store.codec is 'zip'; give one of packed, deflate, none"),
        ({"store": {"near": float("nan")}}, "store.near is nan; give a number or null"),
        ({"store": {"near": float("inf")}}, "store.near is inf; give a number or null"),
        ({"split": {"val": 2}}, "split.val is 2; give a number from 0 to 1"),
        ({"sources": {"paths": {"a": 1}}}, "sources.paths is {'a': 1}; give a list of texts"),
        ({"sources": {"paths": [3]}}, "sources.paths is 3; give a list of texts"),
        ({"views": 3}, "views is 3; give settings, one name per line"),
        ({"photos": {}}, "photos.folder is missing; give text"),
        ([1], "the whole is [1]; give settings, one name per line"),
        ({"layout": "zip"}, "layout is 'zip'; give one of webdataset, files"),
    ],
)
def test_wrong_types_are_told_in_one_line(settings, expected):
    assert expected in refused(settings)


def test_all_faults_are_told_at_once():
    message = refused({"views": {"count": 0, "seed": "x"}, "store": {"codec": "zip"}})
    assert message.count("; give ") == 3
    message = refused(
        {
            "viws": {},
            "views": {"fov": 3, "fov_deg": 200, "seed": -1, "up": "w"},
            "store": {"near": 2, "far": 1, "outputs": []},
            "photos": {"foldr": "x"},
        }
    )
    for name in ("viws", "views.fov", "photos.foldr"):
        assert f"{name} is unknown" in message
    for text in ("views.fov_deg must be", "views.seed must be", "views.up must be"):
        assert text in message
    assert "store.outputs and layouts are empty" in message
    assert "store.near (2) must be below far (1)" in message
    assert "missing" not in message


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"views": {"fov_deg": [60, 30]}}, "views.fov_deg"),
        ({"views": {"kind": "file", "preset": "lari", "file": "c.json"}}, "views."),
        ({"views": {"file": "c.json"}}, "views.file"),
        ({"views": {"kind": "file"}}, "of the mesh; or sources.cameras_column"),
        ({"sources": {"cameras_column": "c"}}, "sources.cameras_column is for views.kind file"),
        ({"views": {"up": "w"}}, "views.up"),
        ({"normalization": {"up": "auto"}}, "normalization.up"),
        ({"split": {"train": 0.5, "val": 0.2}}, "split.train + val + test is 0.7; the fractions"),
        (
            {"split": {"val": 0.9, "test": 0.3}},
            "split.val + split.test is 1.2; give at most 1, as train is the rest",
        ),
        (
            {"views": {"preset": "lari", "elevation_deg": 10}},
            "views.elevation_deg: directions of a cube hardly ever have an elevation from 10 to 10",
        ),
        ({"store": {"outputs": []}}, "store.outputs and layouts are empty; name at least one"),
        ({"store": {"near": 2, "far": 1}}, "store.near (2) must be below far (1)"),
        (
            {"store": {"codec": "png16", "depth_tolerance": 0.1}},
            "store.depth_tolerance has no effect on codec png16",
        ),
        (
            {"loading": {"alpha": "ignore", "blend_cutoff": 0.5}},
            "loading.blend_cutoff has no effect with alpha: ignore",
        ),
        (
            {"photos": {"folder": "x"}, "views": {"preset": "zero123"}},
            "views.preset has no effect with photos",
        ),
    ],
)
def test_contradictions_are_found(settings, expected):
    message = refused(settings)
    assert expected in message
    assert "views.views" not in message


def test_constructing_a_config_raises_the_same_error():
    with pytest.raises(dd.DatasetError, match=r"^views\.count is 0; give an integer from 1 to"):
        DatasetConfig(views={"count": 0})
    with pytest.raises(dd.DatasetError, match=r"^viws is unknown; did you mean views\?$"):
        DatasetConfig(viws={})
    with pytest.raises(
        dd.DatasetError, match=r"^views\.cout is unknown; did you mean views\.count"
    ):
        DatasetConfig(views={"cout": 1})
    assert DatasetConfig(views=ViewsConfig(count=3)).views.count == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("views: [", "is not YAML"),
        ("views:\n  count: 1\n  count: 2\n", "line 3 gives 'count' again"),
        ("a: &x [1]\nb: *x\n", "line 2 has an alias"),
        ("views: !!python/object/apply:os.system [x]\n", "is not YAML"),
        ("[" * 5000, "is not YAML"),
        ("views: \x07\n", "is not YAML"),
        ("sources: 2026-13-45\n", "is not YAML"),
        ("? [a, b]\n: 3\n", "is not YAML"),
    ],
)
def test_yaml_that_is_refused(tmp_path, text, expected):
    path = tmp_path / "a.yaml"
    path.write_text(text)
    with pytest.raises(dd.DatasetError, match=re.escape(expected)) as raised:
        DatasetConfig.from_yaml(path)
    assert str(path) in str(raised.value)


def test_files_that_cannot_be_settings(tmp_path):
    with pytest.raises(dd.DatasetError, match=r"No such file.*--init"):
        DatasetConfig.from_yaml(tmp_path / "none.yaml")
    with pytest.raises(dd.DatasetError, match="not a regular file"):
        DatasetConfig.from_yaml(tmp_path)
    large = tmp_path / "large.yaml"
    large.write_text("#" * (1 << 20) + "\n")
    with pytest.raises(dd.DatasetError, match="put long lists"):
        DatasetConfig.from_yaml(large)
    empty = tmp_path / "empty.yaml"
    empty.write_text("# nothing\n")
    assert DatasetConfig.from_yaml(empty) == DatasetConfig()


def test_init_text_has_all_settings_at_their_defaults():
    text = DatasetConfig.init_text()
    assert DatasetConfig.from_settings(read_yaml(text, "init")) == DatasetConfig()
    # Settings have no blank behind their #, comments have one.
    given = re.sub(r"^( *)#(?=\w)", r"\1", text, flags=re.MULTILINE)
    settings = read_yaml(given, "init")
    expected = json.loads(DatasetConfig().model_dump_json())
    assert expected.pop("photos") is None
    assert settings.pop("photos") == json.loads(PhotosConfig(folder="FOLDER").model_dump_json())
    assert settings == expected
    assert max(map(len, text.splitlines())) <= 100
    comments = [line.strip() for line in text.splitlines() if line.strip().startswith("# ")]
    assert len(comments) >= len(re.findall(r"^ +#\w", text, re.MULTILINE))


def test_a_preset_goes_with_groups_whose_settings_are_commented_out():
    plain = DatasetConfig(views={"preset": "zero123"})
    assert (plain.views.kind, plain.normalization.fit) == ("random", "box")
    text = DatasetConfig.init_text().replace("#preset: null", "preset: zero123")
    assert DatasetConfig.from_settings(read_yaml(text, "init")) == plain
    own = DatasetConfig(views={"preset": "zero123"}, normalization={"up": "z"})
    assert (own.normalization.fit, own.normalization.up) == ("box", "z")


def test_settings_are_what_decides_bytes():
    config = DatasetConfig()
    settings = config.settings()
    assert json.loads(json.dumps(settings)) == settings
    assert "sources" not in settings
    assert "limits" not in settings
    same = DatasetConfig(limits={"seconds_per_mesh": 5}, sources={"paths": "x"})
    assert same.fingerprint() == config.fingerprint()
    assert DatasetConfig(views={"count": 23}).fingerprint() != config.fingerprint()


def test_the_fingerprint_is_the_same_in_another_process():
    code = "from ddepth_gl.dataset.config import *; print(DatasetConfig().fingerprint())"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == DatasetConfig().fingerprint()


def test_options_become_settings():
    config = config_from_options(
        ["a.obj", "b"],
        views=4,
        size="64x32",
        val=0.25,
        fov=None,
        store=["depth"],
        assignments=["store.depth_tolerance=1e-5", "views.fov_deg=[30, 60]"],
    )
    assert config.sources.paths == ("a.obj", "b")
    assert (config.views.count, config.views.size) == (4, (64, 32))
    assert config.views.fov_deg == (30.0, 60.0)
    assert config.split.train == 0.75
    assert config.store.outputs == ("depth",)
    assert config.store.depth_tolerance == 1e-5
    assert config_from_options(["a.obj"], cameras="{stem}.json").views.kind == "file"


def test_options_come_before_a_file_and_sources_replace_its_own(tmp_path):
    path = tmp_path / "a.yaml"
    path.write_text(
        "sources: {paths: [x], id_column: name}\nviews: {count: 3, seed: 7}\nstore: {codec: none}\n"
    )
    config = config_from_options([str(path)], views=5)
    assert config.sources.paths == ("x",)
    assert (config.views.count, config.views.seed, config.store.codec) == (5, 7, "none")
    config = config_from_options([str(path), "y.csv"])
    assert config.sources.paths == ("y.csv",)
    assert config.sources.id_column == "name"


def test_messages_name_the_option_or_the_file(tmp_path):
    with pytest.raises(dd.DatasetError, match=r"^--views is 0; give an integer from 1 to 100000$"):
        config_from_options(["a.obj"], views=0)
    with pytest.raises(
        dd.DatasetError, match=r"^store\.codc is unknown; did you mean store\.codec"
    ):
        config_from_options(["a.obj"], assignments=["store.codc=none"])
    with pytest.raises(dd.DatasetError, match=r"must look like GROUP\.NAME=VALUE"):
        config_from_options(["a.obj"], assignments=["store.codec"])
    path = tmp_path / "a.yaml"
    path.write_text("views: {count: 0}\n")
    with pytest.raises(dd.DatasetError, match=r"a\.yaml: views\.count is 0"):
        config_from_options([str(path)], views=3)
    with pytest.raises(dd.DatasetError, match="must come first"):
        config_from_options(["a.obj", str(path)])


def test_every_option_is_a_setting():
    known = DatasetConfig(photos={"folder": "x"}).model_dump()
    for place in SHORT_OPTIONS.values():
        group, _, name = place.partition(".")
        assert name in known[group] if name else group in known, place


WITHOUT_EFFECT = {
    "samples": (3, ("depth",), "--samples is for photos that are rendered; add photo to --store"),
    "max_layers": (3, ("depth",), "--max-layers is for layers; add layers to --store"),
    "codec": ("none", ("photo", "points"), "--codec is for sheets and layers; add depth or layers"),
    "depth_tolerance": (1e-5, ("photo",), "--depth-tolerance is for sheets and layers; add depth"),
}


@pytest.mark.parametrize("text", ["photos: {folder: {id}/x}", "photos:\n  masks: {photo}.png"])
def test_braces_without_quotes(tmp_path, text):
    path = tmp_path / "set.yaml"
    path.write_text(text)
    with pytest.raises(
        dd.DatasetError, match=r"not YAML \(.*; quote text that begins with a brace"
    ):
        DatasetConfig.from_yaml(path)
    path.write_text("photos: {folder: {id}}")
    with pytest.raises(dd.DatasetError, match=r"give text, with quotes if it begins with a brace"):
        DatasetConfig.from_yaml(path)
    path.write_text('photos: {folder: "{id}", masks: "{photo}_mask.png"}')
    assert DatasetConfig.from_yaml(path).photos.masks == "{photo}_mask.png"


@pytest.mark.parametrize("option", WITHOUT_EFFECT)
def test_options_without_effect_are_refused(option):
    value, outputs, expected = WITHOUT_EFFECT[option]
    with pytest.raises(dd.DatasetError, match=re.escape(expected)):
        config_from_options(["a.obj"], store=list(outputs), **{option: value})
    config_from_options(["a.obj"], store=["photo", "layers"], **{option: value})


def test_samples_of_photos_that_exist_have_no_effect():
    with pytest.raises(dd.DatasetError, match=r"--samples is for photos that are rendered"):
        config_from_options(["a.obj"], photos="x", samples=3)
    with pytest.raises(dd.DatasetError, match=r"^--min-iou is for existing photos; add --photos"):
        config_from_options(["a.obj"], min_iou=0.3)
    assert config_from_options(["a.obj"], photos="x", min_iou=0.3).photos.min_iou == 0.3


def test_messages_name_both_options_of_a_sum():
    with pytest.raises(dd.DatasetError, match=r"^--val \+ --test is 1.2; give at most 1"):
        config_from_options(["a.obj"], val=0.9, test=0.3)


def test_camera_files_and_photos_that_are_nowhere_are_told(tmp_path):
    entries = [MeshEntry(str(number), f"/{number}.obj") for number in range(3)]
    (tmp_path / "1.json").touch()
    for settings, expected in (
        ({"views": {"kind": "file", "file": "none.json"}}, "views.file: none.json does not exist;"),
        (
            {"views": {"kind": "file", "file": "none/{id}.json"}},
            "views.file: none/0.json does not exist, nor any other of the first 3 meshes; check",
        ),
        ({"photos": {"folder": "none"}}, "photos.folder: none does not exist; check the path"),
    ):
        with pytest.raises(dd.DatasetError, match=re.escape(expected)):
            check_paths(DatasetConfig(**settings), entries)
    check_paths(DatasetConfig(views={"kind": "file", "file": f"{tmp_path}/{{id}}.json"}), entries)
    own = [MeshEntry("0", "/0.obj", cameras="/c.json")]
    check_paths(DatasetConfig(views={"kind": "file", "file": "none.json"}), own)


def test_camera_files_from_a_column_alone(tmp_path):
    path = tmp_path / "transforms.json"
    dd.save_cameras(path, [dd.Camera.look_at((0, -3, 0), (0, 0, 0), width=8, height=8)])
    config = DatasetConfig(sources={"cameras_column": "cameras"}, views={"kind": "file"})
    with_one, without = MeshEntry("0", "/0.obj", cameras=str(path)), MeshEntry("1", "/1.obj")
    check_paths(config, [with_one, without])
    assert len(cameras_of_entry(config.views, with_one)) == 1
    with pytest.raises(dd.CameraError, match=r"^1 has no camera file in sources.cameras_column;"):
        cameras_of_entry(config.views, without)


def test_a_camera_file_for_all_meshes_is_read_before_the_run(tmp_path):
    """Otherwise each mesh fails because of it."""
    entries = [MeshEntry(str(number), f"/{number}.obj") for number in range(3)]
    path = tmp_path / "transforms.json"
    config = DatasetConfig(views={"kind": "file", "file": str(path)})
    path.write_text('{"K": 3}')
    expected = f"views.file, for all meshes: {path}: has neither 'frames' nor image ids"
    with pytest.raises(dd.DatasetError, match=re.escape(expected)):
        check_paths(config, entries)
    of_each = DatasetConfig(views={"kind": "file", "file": f"{tmp_path}/{{stem}}.json"})
    (tmp_path / "0.json").write_text('{"K": 3}')
    check_paths(of_each, entries)  # the other meshes may have good ones
    dd.save_cameras(path, [dd.Camera.look_at((0, -3, 0), (0, 0, 0), width=8, height=8)])
    check_paths(config, entries)


def test_no_comment_of_a_setting_is_a_fragment():
    groups = [field.annotation for field in DatasetConfig.model_fields.values()]
    settings = [
        setting
        for group in [*groups, PhotosConfig]
        if hasattr(group, "model_fields")
        for setting in group.model_fields.values()
    ]
    assert len(settings) > 60
    for setting in settings:
        assert setting.description
        assert not re.match(r"(of|from|per|above|within|along|null)\b", setting.description)


def test_tables_with_other_columns_are_not_joined():
    first = SourcesConfig(tables=["a.csv"])
    assert first.joined(SourcesConfig(tables=["b.csv"])).tables == ("a.csv", "b.csv")
    with pytest.raises(dd.DatasetError, match="need the same columns, not"):
        first.joined(SourcesConfig(tables=["b.csv"], path_column="mesh"))
