"""The training examples with tiny settings, and their parts against numbers by hand."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="the training examples need torch, extra [torch]")

# ruff: noqa: E402  imports after the check that torch is there
from crossings import by_hand

import ddepth_gl as dd

EXAMPLES = Path(__file__).parents[1] / "examples"


@pytest.fixture
def examples(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)
    import train_ablation
    import train_double_depth
    import training_meshes

    return train_double_depth, train_ablation, training_meshes


def run(script, *arguments, folder):
    process = subprocess.run(
        [sys.executable, "-W", "error", EXAMPLES / script, *arguments],
        cwd=folder,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
    )
    assert (process.returncode, process.stderr) == (0, "")
    return process.stdout


@pytest.mark.slow
def test_training(tmp_path):
    text = run(
        "train_double_depth.py",
        *("--steps", "3", "--batch", "4", "--meshes", "8", "--test-meshes", "4"),
        *("--workers", "0", "--out", "out"),
        folder=tmp_path,
    )
    rows = dict(re.findall(r"^(\S.*?) {2,}((?:[ \d.]+)+)$", text, re.M))
    assert set(rows) == {"U-Net", "true entry + constant thickness", "true entry, mean exit"}
    assert all(len(row.split()) == 4 for row in rows.values())
    assert rows["true entry, mean exit"].split()[0] == "0.00"
    assert (tmp_path / "out/clouds.png").stat().st_size > 10_000
    weights = torch.load(tmp_path / "out/unet.pt", weights_only=True)
    assert all(bool(value.isfinite().all()) for value in weights.values())


@pytest.mark.slow
def test_training_on_a_data_set(tmp_path, examples):
    from test_dataset_guide import run as ddepth

    (tmp_path / "meshes").mkdir()
    for seed in range(6):
        mesh = examples[2].make_mesh(seed)
        dd.write_ply(tmp_path / f"meshes/{seed}.ply", mesh.vertices, faces=mesh.faces)
    [command] = re.findall(r"^    (ddepth .*)$", examples[0].__doc__, re.M)
    command = command.replace("0.1", "0.4") + " --views 4 --workers 1"
    ddepth(["-m", "ddepth_gl", *command.split()[1:]], tmp_path)
    text = run(
        "train_double_depth.py",
        *("--dataset", "set", "--steps", "2", "--batch", "4", "--workers", "0", "--out", "out"),
        folder=tmp_path,
    )
    assert "images of other meshes" in text
    assert (tmp_path / "out/clouds.png").stat().st_size > 10_000


def test_an_interrupted_training_tells_what_it_has(examples, monkeypatch, capsys):
    train = examples[0]
    monkeypatch.setattr(train, "UNet", lambda: torch.nn.Conv2d(4, 2, 1))
    monkeypatch.setattr(train, "PROGRESS_SECONDS", 0.0)

    def pairs():
        for _ in range(3):
            yield torch.full((1, 4, 2, 2), 255, dtype=torch.uint8), torch.ones(1, 2, 2, 2)
        raise KeyboardInterrupt

    net = train.fit(pairs(), 10)
    assert not net.training
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        *(f"step {step} of 10" for step in (1, 2, 3)),
        "interrupted after 3 of 10 steps; the results so far",
    ]


@pytest.mark.slow
def test_ablation(tmp_path):
    text = run(
        "train_ablation.py",
        *("--steps", "2", "--batch", "4", "--meshes", "8", "--views", "1", "--test-meshes", "2"),
        folder=tmp_path,
    )
    rows = [line for line in text.splitlines() if line.startswith("| ")][1:]
    assert [row.split(" | ")[0] for row in rows] == [
        "| sum of all back faces", "| no gaps under 1 %", "| exact",
    ]  # fmt: skip
    assert rows[-1].split(" | ")[1] == "0.0 %"


def test_meshes_are_closed_and_in_the_unit_sphere(examples):
    meshes = [examples[2].make_mesh(seed) for seed in range(16)]
    for mesh in meshes:
        assert mesh.is_closed
        assert mesh.bodies.is_solid.all()
        assert np.linalg.norm(mesh.vertices, axis=1).max() <= 1 + 1e-12
    assert len({len(mesh.faces) for mesh in meshes}) > 4
    other = examples[2].make_mesh(5)
    np.testing.assert_array_equal(other.vertices, meshes[5].vertices)


def test_cameras_see_the_whole_unit_sphere(examples):
    train = examples[0]
    for camera in train.cameras_around(None, 8, 3):
        depth = np.cross(*np.eye(3)[:2])  # any unit vector
        pixels, _ = camera.project(np.stack([depth, -depth, *np.eye(3), *-np.eye(3)]))
        assert ((pixels >= 0) & (pixels <= train.SIZE)).all()


def test_exits_of_each_kind(examples):
    """Walls: two thick ones; then one that is thinner than the step."""
    _, ablation, _ = examples
    layers = by_hand([["F1 B2 F3 B4", "F1 B1.01", "F1 B2 F3 B3.01", ""]])
    total, last, exact = (each.ravel() for each in ablation.exits(layers))
    np.testing.assert_allclose(total, [6, 1.01, 5.01, np.nan], rtol=1e-6)
    np.testing.assert_allclose(last, [4, np.nan, 2, np.nan])
    np.testing.assert_allclose(exact, [4, 1.01, 3.01, np.nan], rtol=1e-6)
    wrong = ablation.wrong_share(*(torch.from_numpy(each) for each in (last, exact)))
    assert wrong == pytest.approx(100 * 2 / 3)


def test_chamfer(examples):
    one = torch.tensor([[0.0, 0, 0], [1, 0, 0]])
    assert examples[0].chamfer(one, one) == 0
    assert examples[0].chamfer(one, torch.tensor([[0.0, 2, 0]])) == pytest.approx(
        ((2 + 5**0.5) / 2 + 2) / 2
    )


def test_scores_of_exact_and_shifted_sheets(examples):
    train, _, meshes = examples
    with train.RenderedDataset(
        [meshes.make_mesh(1)], 2, train.SIZE, cameras=train.cameras_around
    ) as data:
        sample = train.one_batch(data)
    assert train.scores(sample["depth"], sample) == (0, 0, 0, 0)
    found = train.scores(sample["depth"] + 0.1, sample)
    assert found[:2] == pytest.approx((5, 5), rel=1e-4)  # 0.1 of a diameter of 2
    assert 0 < found.front <= 5.5


def test_network_shapes(examples):
    net = examples[0].UNet((4, 8))
    sheets = net(torch.rand(2, 4, 16, 24))
    assert sheets.shape == (2, 2, 16, 24)
    assert bool((sheets[:, 1] > sheets[:, 0]).all())
    target = torch.full((2, 2, 16, 24), float("nan"))
    target[0, 0, 0, 0] = 3.0
    error = examples[0].error(sheets, target)
    assert error == (sheets[0, 0, 0, 0] - 3.0).abs()
    error.backward()
    assert all(bool(each.grad.isfinite().all()) for each in net.parameters())


def test_renderer_and_optimizer_in_one_process(examples):
    """See tests/test_triton.py: this crashed."""
    with dd.DepthRenderer():
        torch.optim.AdamW(examples[0].UNet((4, 8)).parameters())


def test_the_network_takes_images_of_any_size(examples):
    """Photos have the sizes of their cameras; sides need not be multiples of 16."""
    net = examples[0].UNet().eval()
    with torch.no_grad():
        sheets = net(torch.rand(1, 4, 30, 41))
    assert sheets.shape == (1, 2, 30, 41)
    assert bool((sheets[:, 1] >= sheets[:, 0]).all())
