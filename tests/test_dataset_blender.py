"""Photos of data sets by Blender: settings, the plan, limits and messages; without Blender."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tarfile
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
from dataset_runs import rows
from fake_blender import MEBIBYTES, VERSION, fake_python

import ddepth_gl as dd
from ddepth_gl.dataset.blend_process import PYTHON_VARIABLE, child_pids, is_blender
from ddepth_gl.dataset.child import MeshFailedError, RendererChild
from ddepth_gl.dataset.config import DatasetConfig
from ddepth_gl.dataset.config_options import config_from_options
from ddepth_gl.dataset.decoding import decoded_sample
from ddepth_gl.dataset.entries import MeshEntry
from ddepth_gl.dataset.plan import read_plan
from ddepth_gl.dataset.run import RunOptions, run_dataset

OPTIONS = {"views": 2, "size": 32, "photo": "cycles", "photo_samples": 8}


@pytest.fixture(autouse=True)
def blend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv(PYTHON_VARIABLE, fake_python(tmp_path))
    path = tmp_path / "box.blend"
    path.write_bytes(b"BLENDER")
    return path


def run(path: Path, out: Path, **options):
    config = config_from_options([str(path)], **{**OPTIONS, **options})
    return run_dataset(config, out, RunOptions(workers=1))


def test_photos_and_what_is_said_of_them(blend, tmp_path):
    out = tmp_path / "out"
    assert run(blend, out).is_complete
    found = rows(out / "index.parquet")
    with tarfile.open(out / "shards/shard-00000.tar") as tar:
        contents = {each.name: tar.extractfile(each).read() for each in tar}
    for row in found:
        files = {
            name.removeprefix(f"{row['key']}."): content
            for name, content in contents.items()
            if name.startswith(row["key"])
        }
        assert files["photo.png"].count(b"tEXt") == 0
        sample = decoded_sample(files)
        photo, mask = sample["photo"], ~np.isnan(sample["entry"])
        assert (photo[:, :16] == (200, 100, 50, 255)).all()
        assert not photo[:, 16:].any()
        left = np.arange(32)[None] < 16
        expected = np.count_nonzero(mask & left) / np.count_nonzero(mask | left)
        assert 0.1 < row["mask_iou"] == expected < 0.9
        assert row["warnings"] == ["hair: 1 (box)"]
        about = json.loads(files["json"])
        assert about["photo"] == {"engine": "cycles", "blender": VERSION, "samples": 8}
    assert f"#   blender: {VERSION}\n" in (out / "dataset.yaml").read_text()
    assert "  photo: cycles\n" in (out / "dataset.yaml").read_text()
    assert read_plan(out).versions["blender"] == VERSION
    again = DatasetConfig.from_yaml(out / "dataset.yaml")
    assert again.settings() == read_plan(out).config.settings()


@pytest.mark.slow
def test_other_choices_into_the_same_folder(blend, tmp_path, monkeypatch):
    out = tmp_path / "out"
    run(blend, out)
    for options, difference in (
        ({"photo_samples": 9}, "blender.samples is 8 there and 9 here"),
        (
            {"photo": None, "photo_samples": None},
            "blender.photo is 'cycles' there and 'own' here",
        ),
    ):
        with pytest.raises(dd.DatasetError, match=difference):
            run(blend, out, **options)
    (out / "shards/shard-00000.json").unlink()
    monkeypatch.setenv("FAKE_VERSION", "9.9.10")
    with pytest.raises(dd.DatasetError, match=r"blender is 9\.9\.10, not 9\.9\.9; --allow-mixed"):
        run(blend, out)


def test_data_sets_without_it_keep_their_fingerprint():
    config = DatasetConfig()
    assert config.blender.photo == "own"
    settings = config.settings()
    del settings["blender"]
    assert config.fingerprint() == DatasetConfig(blender={"samples": 3}).fingerprint()
    assert config.fingerprint() != DatasetConfig(blender={"photo": "cycles"}).fingerprint()


REFUSED = {
    "no photo": ({"store": ("depth",)}, "--photo is cycles, but --store has no photo"),
    "photos": ({"photos": "x"}, "--photo has no effect with existing photos"),
    "samples": ({"samples": 3}, "--samples is for our own photos; --photo-samples is"),
    "own": ({"photo": "own"}, "--photo-samples is for photos by Blender; add --photo cycles"),
    "name": ({"photo": "povray"}, "--photo is 'povray'; give one of own, cycles, eevee"),
    "zero": ({"photo_samples": 0}, "--photo-samples is 0; give an integer above 0"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_settings_that_are_refused(name):
    options, expected = REFUSED[name]
    with pytest.raises(dd.DatasetError) as raised:
        config_from_options(["a.blend"], **{**OPTIONS, **options})
    assert expected in str(raised.value)


@pytest.mark.slow
def test_other_meshes_and_engines_are_refused_at_the_start(blend, tmp_path, monkeypatch):
    (tmp_path / "a.ply").touch()
    with pytest.raises(
        dd.DatasetError,
        match=r"^--photo cycles \(blender\.photo\) is for \.blend files, and 1 of 2 meshes are in "
        r"other formats \(.*a\.ply\), whose photos can only be own; leave out",
    ):
        run_dataset(
            config_from_options([str(blend), str(tmp_path / "a.ply")], **OPTIONS),
            tmp_path / "out",
        )
    with pytest.raises(dd.DatasetError, match=r"^--photo eevee: EEVEE needs OpenGL$"):
        run(blend, tmp_path / "out", photo="eevee")
    monkeypatch.setenv(PYTHON_VARIABLE, "/bin/false")
    with pytest.raises(dd.DatasetError, match=r"^--photo cycles: Blender stopped while it started"):
        run(blend, tmp_path / "out")
    assert not (tmp_path / "out").exists() or not list((tmp_path / "out").iterdir())


FAILURES = {
    "error": ("error", "box.blend: cycles does not render here (no memory)"),
    "crash": ("error", "box.blend: Blender stopped while it rendered its photos (SIGABRT); save"),
    "sleep": ("timeout", "(limits.seconds_per_mesh); allow more, or fewer blender.samples of cyc"),
    "memory": ("memory", "rendering takes more than 600 MiB of memory (limits.memory_mb)"),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", FAILURES)
def test_limits_count_for_blender(name, blend, monkeypatch):
    monkeypatch.setenv("FAKE_BLENDER", name)
    options = {"seconds_per_mesh": 2} if name == "sleep" else {}
    config = config_from_options([str(blend)], **OPTIONS, **options)
    kind, message = FAILURES[name]
    memory = 600 * 2**20
    assert memory < MEBIBYTES * 2**20
    with RendererChild(config, memory=memory) as child:
        with pytest.raises(MeshFailedError) as caught:
            list(child.samples(MeshEntry("box", str(blend))))
        assert (caught.value.kind, message in str(caught.value)) == (kind, True), caught.value
        if name == "memory":
            assert child.peak_memory > memory


ENDING = """
import sys, threading
from ddepth_gl.blender.ending import end_with_parent
end_with_parent()
print("ready", flush=True)
threading.Event().wait()
"""


def test_processes_of_blender_end_as_their_pipe_closes():
    with subprocess.Popen(
        [sys.executable, "-c", ENDING], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"ready\n"
        time.sleep(0.1)
        assert process.poll() is None
        process.stdin.close()
        assert process.wait(20) == 1


STARTER = """
import subprocess, sys
process = subprocess.Popen([sys.executable, "-c", sys.argv[1]])
print(process.pid, flush=True)
process.wait()
"""


def test_processes_of_blender_end_with_what_started_them():
    """With a pipe that somebody else holds open, too."""
    with subprocess.Popen(
        [sys.executable, "-c", STARTER, ENDING], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        lines = {process.stdout.readline(), process.stdout.readline()}
        (number,) = lines - {b"ready\n"}
        inner = psutil.Process(int(number))
        os.kill(process.pid, signal.SIGKILL)
        inner.wait(20)


def test_which_processes_are_blender(tmp_path):
    code = "import sys; print('ready', flush=True); sys.stdin.read()"
    arguments = [sys.executable, "-c", code]
    with (
        subprocess.Popen(
            [*arguments, "ddepth_gl.blender.child"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
        ) as like,
        subprocess.Popen(arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as other,
    ):
        for each in (like, other):
            each.stdout.readline()
        assert {like.pid, other.pid} <= set(child_pids(os.getpid()))
        assert is_blender(like.pid)
        assert not is_blender(other.pid)
        for each in (like, other):
            each.stdin.close()
    assert not is_blender(like.pid)
    assert like.pid not in child_pids(os.getpid())
