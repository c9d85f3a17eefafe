"""Train a small U-Net that predicts both sheets, entry and exit, from one photo.

Usage: python examples/train_double_depth.py [--steps 800] [--dataset FOLDER] [--out out/train]

Takes two to three minutes of CPU time, rendering included: the meshes are made here, and every step
trains on views that were rendered for it. At the end, the network is compared on other meshes with
two guesses that know the true entry. The Chamfer distances of both point clouds are printed, and an
image of some clouds is written. Ctrl-C ends the training early and shows what it has learned so
far. Needs the extra [torch].

With --dataset, it trains on a folder that ``ddepth dataset`` wrote, and tests on its split test.
The network expects meshes in the unit sphere, at a distance of 3, in small images of one size:

    ddepth dataset meshes/ -o set --size 64 --fov 42 --distance 3 --normalize sphere --test 0.1
    python examples/train_double_depth.py --dataset set
"""

from __future__ import annotations

import argparse
import contextlib
import math
import time
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from matplotlib.figure import Figure
from torch import Tensor, nn
from torch.nn import functional
from training_meshes import make_mesh

import ddepth_gl as dd
from ddepth_gl.torch import DoubleDepthDataset, RenderedDataset

SIZE = 64  # pixels
DISTANCE = 3.0  # of the camera from the center of the mesh, which fits into the unit sphere
HELD_OUT = 1_000_000  # first seed of the meshes for testing
PROGRESS_SECONDS = 10.0
MAX_SAMPLES = 1024  # of a data set, for the test and for the guesses
MAX_POINTS = SIZE * SIZE  # of a cloud, for Chamfer distances

Data = RenderedDataset | DoubleDepthDataset


def cameras_around(mesh: dd.Mesh, views: int, seed: int) -> list[dd.Camera]:
    """Return cameras in random directions, up to 60 degrees above and 20 below the mesh."""
    random = np.random.default_rng(seed)
    cameras = []
    for _ in range(views):
        azimuth = random.uniform(0, 2 * math.pi)
        elevation = math.radians(random.uniform(-20, 60))
        eye = DISTANCE * np.array(
            [
                math.cos(azimuth) * math.cos(elevation),
                math.sin(azimuth) * math.cos(elevation),
                math.sin(elevation),
            ]
        )
        cameras.append(dd.Camera.look_at(eye, (0, 0, 0), fov_y_deg=42, width=SIZE, height=SIZE))
    return cameras


class UNet(nn.Module):
    """Photo (B, 4, H, W) in 0..1 to both sheets (B, 2, H, W), depths in mesh units."""

    def __init__(self, channels: Sequence[int] = (32, 64, 96, 128)) -> None:
        super().__init__()
        # Blocks of 2 x 2 pixels become channels: a quarter of the time at the same resolution.
        self.stem = nn.PixelUnshuffle(2)
        wide = (16, *channels)
        self.down = nn.ModuleList(
            block(before, after) for before, after in zip(wide, channels, strict=False)
        )
        self.up = nn.ModuleList(
            block(below + beside, beside)
            for below, beside in zip(channels[:0:-1], channels[-2::-1], strict=True)
        )
        self.head = nn.Sequential(nn.Conv2d(channels[0], 8, 1), nn.PixelShuffle(2))

    def forward(self, photo: Tensor) -> Tensor:
        height, width = photo.shape[-2:]
        # Sides are halved four times.
        x = self.stem(functional.pad(photo, (0, -width % 16, 0, -height % 16)))
        passed = []
        for number, layer in enumerate(self.down):
            x = layer(x if number == 0 else functional.max_pool2d(x, 2))
            passed.append(x)
        for layer, beside in zip(self.up, passed[-2::-1], strict=True):
            x = layer(torch.cat([functional.interpolate(x, scale_factor=2.0), beside], 1))
        entry, thickness = self.head(x)[..., :height, :width].unbind(1)
        entry = entry + DISTANCE
        return torch.stack([entry, entry + functional.softplus(thickness - 1.0)], 1)


def block(before: int, after: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (before, after):
        layers += [
            nn.Conv2d(channels, after, 3, padding=1, bias=False), nn.BatchNorm2d(after), nn.SiLU()
        ]  # fmt: skip
    return nn.Sequential(*layers)


def as_input(photo: Tensor) -> Tensor:
    """Return photos as floats, channels last in memory, which the CPU likes best."""
    return (photo.float() / 255.0).contiguous(memory_format=torch.channels_last)


def error(predicted: Tensor, target: Tensor) -> Tensor:
    """Return the mean absolute error over the pixels that have a target; NaN is a miss."""
    has_target = ~target.isnan()
    return (predicted - target)[has_target].abs().mean()


def train(data: Data, steps: int, batch: int, workers: int) -> UNet:
    """Return a network after so many steps; rendered views are new in every pass."""
    return fit(((each["photo"], each["depth"]) for each in batches(data, steps, batch, workers)),
               steps)  # fmt: skip


def fit(pairs: Iterable[tuple[Tensor, Tensor]], steps: int, seed: int = 0) -> UNet:
    """Return a network that was trained on so many batches of photos and sheets.

    Ctrl-C returns the network as it is then.
    """
    torch.manual_seed(seed)
    net = UNet()
    net.to(memory_format=torch.channels_last)
    optimizer = torch.optim.AdamW(net.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 3e-3, total_steps=steps)
    start = told = time.monotonic()
    step = 0
    try:
        for step, (photo, sheets) in enumerate(pairs, 1):
            loss = error(net(as_input(photo)), sheets)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            now = time.monotonic()
            if step in (1, steps) or now - told >= PROGRESS_SECONDS:
                told = now
                print(f"step {step} of {steps}: error {loss:.4f}, {now - start:.0f} s", flush=True)
    except KeyboardInterrupt:
        print(f"interrupted after {step} of {steps} steps; the results so far:", flush=True)
    net.eval()
    return net


def batches(data: Data, steps: int, batch: int, workers: int) -> Iterator[dict[str, Tensor]]:
    """Yield so many batches, epoch after epoch."""
    stream = data.stream(seed=1, mix=8)
    loader = torch.utils.data.DataLoader(
        stream,
        batch_size=batch,
        drop_last=True,
        num_workers=workers,
        persistent_workers=workers > 0,
        multiprocessing_context="spawn" if workers else None,
    )
    if stream.samples_per_epoch < batch * max(1, workers):
        raise SystemExit(
            f"{stream.samples_per_epoch} samples are too few for batches of {batch} from "
            f"{max(1, workers)} workers; use a smaller --batch, or more meshes or views"
        )
    done = epoch = 0
    while done < steps:
        stream.set_epoch(epoch)
        for sample in loader:
            yield sample
            done += 1
            if done == steps:
                return
        epoch += 1


class Scores(NamedTuple):
    """Errors of predicted sheets, in percent of the diameter of the unit sphere.

    Attributes:
        entry, exit: mean absolute error over the pixels of the object.
        front, back: Chamfer distance of the clouds, mean over views.
    """

    entry: float
    exit: float
    front: float
    back: float


def camera_of(sample: dict[str, Any], view: int) -> dd.Camera:
    height, width = sample["mask"][view].shape
    return dd.Camera(sample["K"][view], sample["camera_from_world"][view], width, height)


def clouds(sheets: Tensor, sample: dict[str, Any], view: int) -> tuple[Tensor, Tensor]:
    """Return entry and exit points, (N, 3), of one view at the pixels of the mask."""
    camera = camera_of(sample, view)
    mask = sample["mask"][view].numpy()
    pixels = camera.pixel_centers()[mask]
    entry, exit_ = (
        torch.from_numpy(camera.unproject(pixels, sheet.numpy()[mask])).float()
        for sheet in sheets[view]
    )
    return entry, exit_


def chamfer(a: Tensor, b: Tensor) -> float:
    """Return the mean distance to the nearest point of the other cloud, both ways."""
    return float(to_nearest(b, a) + to_nearest(a, b)) / 2


def to_nearest(a: Tensor, b: Tensor) -> Tensor:
    """Return the mean distance of points to the nearest of another cloud.

    Of large clouds, `MAX_POINTS` points ask: all distances would take gigabytes.
    """
    some = a[:: -(-len(a) // MAX_POINTS)]
    # A product of matrices would be inexact.
    nearest = [
        torch.cdist(part, b, compute_mode="donot_use_mm_for_euclid_dist").min(1).values
        for part in some.split(512)
    ]
    return torch.cat(nearest).mean()


def scores(sheets: Tensor, sample: dict[str, Any]) -> Scores:
    """Return the errors of predicted sheets (B, 2, H, W)."""
    mask = sample["mask"]
    wrong = (sheets - sample["depth"]).abs()
    distances = []
    for view in range(len(mask)):
        if mask[view].any():
            pairs = zip(clouds(sheets, sample, view), clouds(sample["depth"], sample, view),
                        strict=True)  # fmt: skip
            distances.append([chamfer(*pair) for pair in pairs])
    front, back = np.mean(distances, 0)
    entry, exit_ = wrong[:, 0][mask].mean(), wrong[:, 1][mask].mean()
    return Scores(*(50 * float(each) for each in (entry, exit_, front, back)))


def predicted(net: UNet, photo: Tensor) -> Tensor:
    """Return the sheets of photos, in small batches."""
    with torch.no_grad():
        return torch.cat([net(as_input(part)) for part in photo.split(32)])


def guesses(seen: dict[str, Tensor], sample: dict[str, Any]) -> dict[str, Tensor]:
    """Return sheets of two guesses that know the true entry and the statistics of training data."""
    entry = sample["depth"][:, 0]
    thickness = seen["depth"][:, 1] - seen["depth"][:, 0]
    mean_exit = seen["depth"][:, 1].nanmean(0)
    mean_exit = torch.where(mean_exit.isnan(), seen["depth"][:, 1].nanmean(), mean_exit)
    return {
        "true entry + constant thickness": torch.stack([entry, entry + thickness.nanmedian()], 1),
        "true entry, mean exit": torch.stack([entry, mean_exit.expand_as(entry)], 1),
    }


def draw(path: Path, sheets: Tensor, sample: dict[str, Any], views: Sequence[int]) -> None:
    """Write photos beside the true and the predicted clouds, seen from 60 degrees to the right."""
    figure = Figure((9, 3 * len(views)), layout="constrained")
    titles = ["photo", "true: entry blue, exit red", "predicted"]
    for row, view in enumerate(views):
        photo = figure.add_subplot(len(views), 3, 3 * row + 1)
        photo.imshow(sample["photo"][view].permute(1, 2, 0).numpy())
        plots: list[Any] = [photo]
        eye = camera_of(sample, view).center
        for column, each in ((2, sample["depth"]), (3, sheets)):
            axes: Any = figure.add_subplot(len(views), 3, 3 * row + column, projection="3d")
            entry, exit_ = clouds(each, sample, view)
            axes.scatter(*entry.T.numpy(), s=2, color="tab:blue")
            axes.scatter(*exit_.T.numpy(), s=2, color="tab:red")
            axes.view_init(20, math.degrees(math.atan2(eye[1], eye[0])) + 60)
            axes.set(xlim=(-1, 1), ylim=(-1, 1), zlim=(-1, 1), box_aspect=(1, 1, 1))
            plots.append(axes)
        for title, plot in zip(titles, plots, strict=True):
            plot.set_axis_off()
            plot.set_title(title if row == 0 else "")
    figure.savefig(path, dpi=110)


def one_batch(data: Data) -> dict[str, Any]:
    """Return the samples of a data set, at most `MAX_SAMPLES`, read or rendered in this process."""
    some = torch.utils.data.Subset(data, range(0, len(data), -(-len(data) // MAX_SAMPLES)))
    (batch,) = torch.utils.data.DataLoader(some, batch_size=len(some))
    return dict(batch)


def data_sets(options: argparse.Namespace) -> tuple[Data, Data]:
    """Return the data to train on and the data to test on: of a folder, or rendered meanwhile."""
    if options.dataset is not None:
        folder = options.dataset
        return DoubleDepthDataset(folder, split="train"), DoubleDepthDataset(folder, split="test")
    seeds = range(options.meshes), range(HELD_OUT, HELD_OUT + options.test_meshes)
    meshes, others = ([make_mesh(seed) for seed in each] for each in seeds)
    return (
        RenderedDataset(meshes, 4, SIZE, cameras=cameras_around),
        RenderedDataset(others, 2, SIZE, cameras=cameras_around, seed=1),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--steps", type=int, default=800)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--meshes", type=int, default=256, help="for training")
    parser.add_argument("--test-meshes", type=int, default=32)
    parser.add_argument("--dataset", metavar="FOLDER", help="of ddepth dataset; see above")
    parser.add_argument("--workers", type=int, default=1, help="processes that render or read")
    parser.add_argument("--out", type=Path, default=Path("out/train"))
    options = parser.parse_args()

    data, test = data_sets(options)
    net = train(data, options.steps, options.batch, options.workers)
    with contextlib.ExitStack() as stack:
        for each in (data, test):
            if isinstance(each, RenderedDataset):
                stack.enter_context(each)
        sample, seen = one_batch(test), one_batch(data)

    sheets = predicted(net, sample["photo"])
    rows = {"U-Net": sheets, **guesses(seen, sample)}
    print(f"errors on {len(sheets)} images of other meshes, in percent of the diameter:")
    print(f"{'':32}{'entry':>8}{'exit':>8}{'Chamfer entry':>15}{'Chamfer exit':>14}")
    for name, guess in rows.items():
        s = scores(guess, sample)
        print(f"{name:32}{s.entry:8.2f}{s.exit:8.2f}{s.front:15.2f}{s.back:14.2f}")

    options.out.mkdir(parents=True, exist_ok=True)
    torch.save(net.state_dict(), options.out / "unet.pt")
    draw(options.out / "clouds.png", sheets, sample, range(0, min(len(sheets), 10), 2))
    print(f"wrote {options.out / 'clouds.png'} and {options.out / 'unet.pt'}")


if __name__ == "__main__":
    main()
