"""The command `ddepth dataset`: options, exit statuses, and what it prints."""

from __future__ import annotations

import io
import json
import os
import re
import sys
import time
from pathlib import Path

import pytest
import typer
from dataset_runs import rows, use_fakes
from fake_child import VIEWS
from typer.testing import CliRunner

from ddepth_gl._text import size_text
from ddepth_gl.cli import dataset_progress
from ddepth_gl.cli.main import app
from ddepth_gl.dataset.claims import claimed
from ddepth_gl.dataset.config import DatasetConfig
from ddepth_gl.dataset.plan import read_plan
from ddepth_gl.dataset.progress import Counts, Progress
from ddepth_gl.dataset.shard import MeshDone
from ddepth_gl.dataset.storage import LocalStorage


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    use_fakes(monkeypatch)
    monkeypatch.chdir(tmp_path)
    for name in ("SLURM_PROCID", "JOB_COMPLETION_INDEX", "AWS_BATCH_JOB_ARRAY_INDEX"):
        monkeypatch.delenv(name, raising=False)
    files("meshes", *"abcd")
    return tmp_path


def files(folder, *names):
    Path(folder).mkdir(exist_ok=True)
    for name in names:
        Path(folder, f"{name}.ply").touch()


def ddepth(*arguments):
    return CliRunner().invoke(app, ["dataset", *map(str, arguments)])


RUN = ("meshes", "-o", "out", "--views", 4, "--size", 64, "--workers", 1)


def test_a_run_and_its_rerun():
    done = ddepth(*RUN)
    assert (done.exit_code, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    assert lines[0].startswith(f"out: {4 * VIEWS} images of 4 meshes in ")
    assert "images/s" in lines[0]
    assert "shards are there" in lines[0]
    assert lines[1].startswith("a mesh took ")
    again = ddepth(*RUN)
    assert again.exit_code == 0
    assert again.stdout.startswith("out: nothing to render; ")
    assert ddepth("-o", "out").exit_code == 0


def test_meshes_whose_up_direction_is_assumed():
    files("meshes", "e")
    Path("meshes/e.ply").rename("meshes/e.glb")
    line = "z up was assumed for 4 meshes, whose formats (OBJ, STL, PLY, OFF) do not say it; if"
    assert line in ddepth(*RUN).stdout
    assert "z up" not in ddepth(*RUN).stdout  # nothing was rendered
    assert "z up" not in ddepth(*RUN, "-o", "other", "--up", "y").stdout
    turned = ("--set", "normalization.up=z", "--set", "normalization.mesh_up=y")
    assert "z up" not in ddepth(*RUN, "-o", "turned", *turned).stdout
    assert line in ddepth(*RUN, "-o", "half", *turned[:2]).stdout
    assert line in ddepth(*RUN, "--dry-run").stdout


def test_times_of_one_mesh():
    files("one", "a")
    assert "the mesh took " in ddepth("one", *RUN[1:]).stdout
    status = ddepth("--status", "out").stdout
    assert "the mesh took " in status
    assert "p99" not in status


def test_json():
    done = ddepth(*RUN, "--json")
    report = json.loads(done.stdout)
    assert report["is_complete"] is True
    assert (report["meshes"], report["images"], report["failures"]) == (4, 4 * VIEWS, 0)
    assert report["seconds_p99"] >= report["seconds_p50"] > 0
    assert report["peak_memory"] > 2**20
    assert set(report) == keys_of_the_page()
    status = json.loads(ddepth("--status", "out", "--json").stdout)
    others = {"is_complete", "claimed", "seconds", "assumed_up"}
    assert set(status) == set(report) - others | {"claims", "is_index_current"}


def keys_of_the_page():
    page = Path(__file__).parents[1].joinpath("docs/dataset.md").read_text("utf-8")
    table = page.partition("### Results as JSON")[2].partition("\n\n`--status`")[0]
    cells = re.findall(r"^\| (`.*?) \|", table, re.M)
    return set(re.findall(r"`(\w+)`", " ".join(cells)))


def test_meshes_that_fail_are_named():
    files("meshes", "error_x", "exit_x")
    done = ddepth(*RUN)
    assert done.exit_code == 3
    assert "ddepth: error: error_x%2Eply: x.ply is no mesh\n" in done.stderr
    assert "exit_x%2Eply: the renderer process ended with exit status 3\n" in done.stderr
    assert "2 meshes failed, see out/failures.parquet; --retry" in done.stdout
    assert len(rows(Path("out/failures.parquet"))) == 2
    again = ddepth(*RUN)  # they still failed
    assert again.exit_code == 3
    assert again.stdout.startswith("out: nothing to render without --retry; ")
    assert ddepth(*RUN, "--retry").exit_code == 3


def test_shards_with_other_processes():
    with claimed(LocalStorage(Path("out")), "shard-00000"):
        done = ddepth(*RUN)
        assert done.exit_code == 4
        assert (
            "1 shard is with other processes; if they were lost, run the command again in ten "
            "minutes\n"
        ) in done.stdout
        assert ddepth("-o", "out", "--finish").exit_code == 0
        verified = ddepth("--verify", "out")
        assert verified.exit_code == 1
        assert "1 shard not finished; run the command again\n" in verified.stdout
        status = ddepth("--status", "out")
        assert re.search(r"shard-00000: process .* last sign of life \d s ago\n", status.stdout)
    assert ddepth(*RUN).exit_code == 0


def test_status_of_a_lost_machine():
    ddepth(*RUN)
    claim = Path("out/claims/shard-00000")
    claim.write_text('{"host": "lost", "pid": 7, "token": "x"}')
    os.utime(claim, (time.time() - 1200,) * 2)
    line = "shard-00000: process 7 on lost, last sign of life 20 min ago"
    assert f"{line}\n" in ddepth("--status", "out").stdout
    assert json.loads(ddepth("--status", "out", "--json").stdout)["claims"] == [line]


def test_status():
    ddepth(*RUN)
    done = ddepth("--status", "out")
    assert done.exit_code == 0
    assert "4 of 4 meshes are done: 12 images" in done.stdout
    assert "index" not in done.stdout
    values = json.loads(ddepth("--status", "out", "--json").stdout)
    assert (values["meshes"], values["images"], values["claims"]) == (4, 12, [])
    Path("out/index.parquet").unlink()
    with claimed(LocalStorage(Path("out")), "shard-00000"):
        assert "; the run merges it at its end" in ddepth("--status", "out").stdout
    assert "--finish merges it" in ddepth("--status", "out").stdout
    assert ddepth("-o", "out", "--finish").exit_code == 0
    assert "index" not in ddepth("--status", "out").stdout
    missing = ddepth("--status", "none")
    assert missing.exit_code == 1
    assert "not a data set" in missing.stderr
    assert not Path("none").exists()


def test_settings_from_a_file():
    assert ddepth("--init", "set.yaml").exit_code == 0
    assert ddepth("--init", "set.yaml").stderr == (
        "ddepth: error: set.yaml exists; give --init another name\n"
    )
    text = Path("set.yaml").read_text()
    assert "# " in text
    assert ddepth("set.yaml", "meshes", "-o", "out", "--views", 4, "--workers", 1).exit_code == 0
    config = read_plan("out").config
    assert config.views.count == 4
    assert config.views.size == DatasetConfig().views.size


OPTIONS = {
    ("--views", "7"): ("views", "count", 7),
    ("--size", "64x32"): ("views", "size", (64, 32)),
    ("--kind", "fibonacci"): ("views", "kind", "fibonacci"),
    ("--preset", "zero123"): ("views", "preset", "zero123"),
    ("--seed", "5"): ("views", "seed", 5),
    ("--fov", "50"): ("views", "fov_deg", 50),
    ("--fov", "30,60"): ("views", "fov_deg", (30, 60)),
    ("--elevation=-10,45",): ("views", "elevation_deg", (-10, 45)),
    ("--distance", "2.5"): ("views", "distance", 2.5),
    ("--elevation", "20"): ("views", "elevation_deg", 20),
    ("--up", "-y"): ("views", "up", "-y"),
    ("--ortho",): ("views", "orthographic", True),
    ("--normalize", "box"): ("normalization", "fit", "box"),
    ("--store", "photo,depth,normal"): ("store", "outputs", ("photo", "depth", "normal")),
    ("--layouts", "xray,lari"): ("store", "layouts", ("xray", "lari")),
    ("--codec", "deflate"): ("store", "codec", "deflate"),
    ("--depth-tolerance", "1e-5"): ("store", "depth_tolerance", 1e-5),
    ("--samples", "3"): ("store", "samples", 3),
    ("--max-layers", "9", "--store", "layers"): ("store", "max_layers", 9),
    ("--surfaces", "any"): ("store", "surfaces", "any"),
    ("--val", "0.25"): ("split", "val", 0.25),
    ("--test", "0.25"): ("split", "test", 0.25),
    ("--layout", "files"): (None, "layout", "files"),
    ("--seconds-per-mesh", "9"): ("limits", "seconds_per_mesh", 9),
    ("--memory-mb", "900"): ("limits", "memory_mb", 900),
    ("--set", "shards.meshes=2"): ("shards", "meshes", 2),
}


@pytest.mark.parametrize("option", OPTIONS, ids=" ".join)
def test_options_become_settings(option, monkeypatch):
    given = []

    def run(config, output, options, **_others):
        given.append((config, output, options))
        raise KeyboardInterrupt

    monkeypatch.setattr("ddepth_gl.dataset.run.run_dataset", run)
    assert ddepth("meshes", "-o", "out", *option).exit_code == 130
    group, name, value = OPTIONS[option]
    config = given[0][0]
    assert getattr(config if group is None else getattr(config, group), name) == value


def test_options_of_the_run(monkeypatch):
    given = []

    def run(_config, output, options, **_others):
        given.append((output, options))
        raise KeyboardInterrupt

    monkeypatch.setattr("ddepth_gl.dataset.run.run_dataset", run)
    ddepth(
        *("meshes", "-o", "s3://bucket/set", "--workers", 3, "--rank", 1, "--world-size", 2),
        *("--executor", "ray", "--address", "auto", "--engine", "raster", "--device", "software"),
        *("--allow-mixed", "--extend", "--retry"),
    )
    output, options = given[0]
    assert output == "s3://bucket/set"
    assert (options.workers, options.rank, options.world_size) == (3, 1, 2)
    assert (options.executor, options.address) == ("ray", "auto")
    assert (options.engine, options.device) == ("raster", "software")
    assert options.allow_mixed
    assert options.extend
    assert options.retry


ERRORS = {
    ("meshes",): "the data set needs a folder; give -o OUT",
    ("-o", "out", "--views", "3"): "--views needs sources",
    ("-o", "out", "--set", "a.b=1"): "--set needs sources",
    ("-o", "out"): "plan.parquet",
    ("meshes", "-o", "out", "--workers", "0"): "--workers must be at least 1, not 0",
    ("meshes", "-o", "out", "--executor", "dask"): "--executor must be local or ray, not 'dask'",
    ("meshes", "-o", "out", "--address", "auto"): "add --executor ray",
    ("meshes", "-o", "out", "--executor", "ray", "--device", "0"): "--device has no effect",
    ("meshes", "-o", "out", "--rank", "1"): "--rank needs --world-size",
    ("meshes", "-o", "meshes/a.ply"): "is a file; give a folder",
    ("meshes", "--dry-run", "--finish"): "--dry-run and --finish exclude each other",
    ("--status", "out", "meshes"): "--status reads a data set, so meshes has no effect",
    ("--verify", "out", "--views", "3"): "--verify reads a data set, so --views has no effect",
    ("--init", "i.yaml", "--set", "views.count=3"): "--init writes the defaults, so --set has no",
    ("--init", "i.yaml", "-o", "out"): "--init writes the defaults, so -o has no effect",
    ("meshes", "-o", "out", "--cameras", "no.json"): "views.file: no.json does not exist; check",
    ("meshes", "-o", "out", "--photos", "no"): "photos.folder: no does not exist; check",
    ("--dry-run",): "--dry-run needs sources",
    ("meshes", "-o", "out", "--views", "-3"): "--views",
    ("nothing", "-o", "out"): "nothing",
    ("meshes", "-o", "out", "--fov", "wide"): "--fov must look like N, not 'wide'",
    ("meshes", "-o", "out", "--distance", "1,2,3"): "--distance must look like MIN,MAX",
}


# Options that an action has no use for; the action comes first.
UNUSED = [
    *[("--init i.yaml", each) for each in ("--json", "--workers 2", "--preview", "--engine auto")],
    *[("--status out", each) for each in ("--workers 2", "--preview", "--device 0", "meshes")],
    *[("--verify out", each) for each in ("--retry", "--preview", "--allow-mixed", "-o x")],
    *[
        ("--finish -o out", each)
        for each in ("--retry", "--extend", "meshes", "--rank 0", "--device 0", "--allow-mixed")
    ],
    *[
        ("--dry-run meshes -o out", each)
        for each in ("--preview", "--retry", "--rank 0", "--executor ray")
    ],
]


@pytest.mark.parametrize(("action", "option"), UNUSED, ids=" ".join)
def test_options_that_an_action_has_no_use_for(action, option):
    done = ddepth(*action.split(), *option.split())
    assert done.exit_code == 1
    first, name = action.split()[0], option.split()[0]
    assert done.stderr.startswith(f"ddepth: error: {first} ")
    assert done.stderr.endswith(f", so {name} has no effect; leave it out\n")
    assert done.stderr.count("\n") == 1


def test_actions_exclude_each_other():
    error = ddepth("--verify", "out", "--status", "out").stderr
    assert error == ("ddepth: error: --status and --verify exclude each other; give one of them\n")


@pytest.mark.parametrize(
    "option",
    ["--views 3", "--fov 40", "--seed 1", "--distance 2", "--elevation 10", "--ortho"],
)
def test_options_of_views_that_come_from_files(option):
    Path("photos").mkdir()
    Path("cameras.json").write_text("{}")
    name = option.split()[0]
    for source, what in (("--photos", "photos"), ("--cameras", "cameras.json")):
        done = ddepth("meshes", "-o", "out", source, what, *option.split())
        assert done.exit_code == 1
        assert done.stderr.count("\n") == 1
        assert f"({source})" in done.stderr
        assert f"so {name} has no effect; leave it out" in done.stderr
    for name in ("--size", "--kind", "--up"):
        value = {"--size": "64", "--kind": "random", "--up": "y"}[name]
        done = ddepth("meshes", "-o", "out", "--photos", "photos", name, value)
        assert f"so {name} has no effect; leave it out" in done.stderr


def test_finish_as_json():
    ddepth(*RUN)
    values = json.loads(ddepth("-o", "out", "--finish", "--json").stdout)
    assert (values["shards"], values["meshes"], values["is_index_current"]) == (4, 4, True)


@pytest.mark.parametrize("arguments", ERRORS, ids=" ".join)
def test_errors_are_one_line(arguments):
    done = ddepth(*arguments)
    assert done.exit_code == 1
    assert done.stderr.count("\n") == 1
    assert done.stderr.startswith("ddepth: error: ")
    assert ERRORS[arguments] in done.stderr
    assert not Path("out").exists()


def test_help_has_all_choices():
    command = typer.main.get_command(app).commands["dataset"]
    helps = {parameter.name: parameter.help for parameter in command.params}
    for name, group, field in (
        ("kind", "views", "kind"),
        ("preset", "views", "preset"),
        ("store", "store", "outputs"),
        ("layouts", "store", "layouts"),
        ("codec", "store", "codec"),
    ):
        model = type(getattr(DatasetConfig(), group))
        choices = re.findall(r"'(\w+)'", str(model.model_fields[field].annotation))
        assert len(choices) > 4
        assert [word for word in choices if not re.search(rf"\b{word}\b", helps[name])] == []


def test_another_engine_than_the_plans_is_told():
    ddepth(*RUN)
    done = ddepth(*RUN, "--engine", "raster")
    assert done.exit_code == 1
    assert "out was begun with the engine compute" in done.stderr
    assert ddepth(*RUN, "--engine", "compute").exit_code == 0


# Not pydantic: newer versions of typer need it themselves.
@pytest.mark.parametrize("package", ["yaml", "pyarrow", "fsspec", "psutil"])
def test_a_missing_package_is_named(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    done = ddepth(*RUN)
    assert done.exit_code == 1
    assert done.stderr.startswith(f"ddepth: error: ddepth dataset needs the package {package}")
    assert done.stderr.endswith('; run pip install "ddepth-gl[dataset]"\n')


def test_other_settings_into_the_same_folder():
    ddepth(*RUN)
    done = ddepth(*RUN[:3], "--views", 5, "--size", 64)
    assert done.exit_code == 1
    assert "views.count is 4 there and 5 here" in done.stderr


@pytest.mark.parametrize("name", ["README.md", "dataset.yaml", "index.parquet", "preview.png"])
def test_files_of_the_user_stay(name):
    Path("out").mkdir()
    Path("out", name).write_text("mine")
    done = ddepth(*RUN)
    assert done.exit_code == 1
    assert done.stderr == f"ddepth: error: out/{name} is not of a data set; give another -o\n"
    assert [path.name for path in Path("out").iterdir()] == [name]
    assert Path("out", name).read_text() == "mine"


def test_other_files_of_the_user_are_no_hindrance():
    Path("out").mkdir()
    Path("out/notes.txt").write_text("mine")
    assert ddepth(*RUN).exit_code == 0
    assert Path("out/notes.txt").read_text() == "mine"


def test_lines_below_the_card_stay():
    ddepth(*RUN)
    card = Path("out/README.md")
    with card.open("a") as file:
        file.write("\nTaken for the paper.\n")
    before = card.read_bytes()
    assert ddepth("-o", "out", "--finish").exit_code == 0
    assert card.read_bytes() == before
    card.write_bytes(before.replace(b"| meshes |", b"| cats |"))  # above them, nothing stays
    assert ddepth("-o", "out", "--finish").exit_code == 0
    assert card.read_bytes() == before


def test_a_preview_of_other_samples_is_removed():
    ddepth(*RUN)
    for name in ("preview.png", "preview.html"):
        Path("out", name).write_text("of before")
    assert ddepth("-o", "out", "--finish").exit_code == 0  # nothing has changed
    assert Path("out/preview.html").exists()
    assert "preview.png" in Path("out/README.md").read_text()
    files("more", "e")
    extended = ddepth("more", *RUN[1:], "--extend")
    assert extended.exit_code == 0, extended.stderr
    assert not list(Path("out").glob("preview.*"))
    assert "preview.png" not in Path("out/README.md").read_text()


def test_a_folder_that_cannot_be_written():
    done = ddepth("meshes", "-o", "/proc/out", *RUN[3:])
    assert done.exit_code == 1
    assert done.stderr.startswith("ddepth: error: /proc/out")
    assert done.stderr.count("\n") == 1


def test_dry_run():
    done = ddepth("meshes", "--dry-run", "--views", 4, "--size", 64)
    assert done.exit_code == 0, done.stderr
    assert "4 meshes" in done.stdout
    values = json.loads(ddepth("meshes", "--dry-run", "--views", 4, "--json").stdout)
    assert values["meshes"] == 4
    assert values["bytes"] > 4 * 3 * 96000
    assert values["seconds"] > 0


def test_a_dry_run_of_several_ranks():
    files("meshes", *"efghijkl")
    run = ("meshes", "--dry-run", "--workers", 1, "--json", "--set", "shards.min_per_worker=1")
    shards = [
        json.loads(ddepth(*run, *more).stdout)["shards"] for more in ((), ("--world-size", 6))
    ]
    assert shards == [1, 6]
    assert "--world-size must be at least 1" in ddepth(*run, "--world-size", 0).stderr


def test_extending_with_the_settings_that_it_has():
    assert ddepth(*RUN, "--elevation", "0,60").exit_code == 0
    files("more", "e")
    refused = ddepth("more", *RUN[1:], "--extend")
    line = "ddepth dataset out/dataset.yaml MORE -o out --extend"
    assert f"; {line} takes the settings that it has\n" in refused.stderr
    done = ddepth(*line.replace("MORE", "more").split()[2:])
    assert done.exit_code == 0, done.stderr
    assert len(read_plan("out").entries()) == 5


class Terminal(io.StringIO):
    def isatty(self):
        return True


def worked_progress():
    progress = Progress()
    progress.begin(shards=1, all_shards=4, all_meshes=8, pending_meshes=6)
    progress.add_mesh(MeshDone("a", 4, 10_000, 0.5))
    progress.add_mesh(MeshDone("b", 0, 0, 0.5, "no luck"))
    return progress


@pytest.mark.parametrize("stream", [io.StringIO, Terminal])
def test_progress_is_shown(monkeypatch, stream):
    err = stream()
    monkeypatch.setattr(sys, "stderr", err)
    monkeypatch.setattr(dataset_progress, "_LINE_SECONDS", 0.05)
    monkeypatch.setattr(dataset_progress, "_BAR_SECONDS", 0.05)
    with dataset_progress.shown_progress(worked_progress()):
        time.sleep(0.6)
    shown = err.getvalue()
    assert "1/4 shards, 4/8 meshes" in shown
    assert "1 failed" in shown
    if not err.isatty():
        assert all("shards" in line for line in shown.splitlines())


def test_counts():
    counts = Counts(meshes=3, failures=1, images=12, seconds=2.0, pending_meshes=10)
    assert counts.images_per_second == 6
    assert counts.seconds_left == 3
    assert Counts().seconds_left is None
    assert Counts().images_per_second == 0
    progress = worked_progress()
    progress.add_shard(5, 2)
    assert progress.counts().shards == 2
    assert progress.counts().pending_meshes == 4
    assert progress.mesh_seconds == [0.5]
    assert progress.failures == ["b: no luck"]


@pytest.mark.parametrize(
    ("size", "text"), [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (123_456_789, "123 MB")]
)
def test_sizes(size, text):
    assert size_text(size) == text


@pytest.mark.parametrize(
    ("seconds", "text"), [(0, "0 s"), (89, "89 s"), (90, "2 min"), (7200, "2.0 h")]
)
def test_durations(seconds, text):
    assert dataset_progress.duration_text(seconds) == text
