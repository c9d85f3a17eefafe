"""What alpha masks cost: a hedge of leaves with masks, and the same mesh without.

Run: python benchmarks/alpha_masks.py [--engine E] [--size 512] [--leaves 20000] [--repeats 15]

The meshes are rendered in turn in one process, by both engines: all leaves with masks, one in a
hundred, none. Without masks, leaves cover more pixels, and rays cross more of them. Times are
processor time of all threads, which other programs on the machine hardly change.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np

import ddepth_gl as dd


def leaf(size: int = 64) -> np.ndarray:
    """Return a picture of a leaf, (size, size, 4): a lens, transparent around."""
    y, x = (np.indices((size, size)) + 0.5) / size * 2 - 1
    alpha = np.clip((0.8 * (1 - y**2) - np.abs(x)) * size / 4 + 0.5, 0, 1)
    return np.dstack([np.full((size, size, 3), 90), 255 * alpha]).astype(np.uint8)


def hedge(leaves: int, masked: float, seed: int = 0) -> dd.Mesh:
    """Return quads of random place and direction in a box, each with a picture of a leaf.

    Args:
        leaves: number of quads.
        masked: fraction of the leaves that have a mask, at random.
        seed: of the random numbers.
    """
    rng = np.random.default_rng(seed)
    center = rng.uniform((-2, -0.5, -1), (2, 0.5, 1), (leaves, 1, 3))
    frame = np.linalg.qr(rng.normal(size=(leaves, 3, 3)))[0]
    corners = np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    vertices = center + 0.08 * np.einsum("ck,nkx->ncx", corners, frame[:, :2])
    faces = np.array([(0, 1, 2), (0, 2, 3)]) + 4 * np.arange(leaves)[:, None, None]
    return dd.Mesh(
        vertices.reshape(-1, 3),
        faces.reshape(-1, 3),
        uv=np.tile((corners + 1) / 2, (leaves, 1)),
        texture=leaf(),
        alpha_cutoff=np.repeat(0.5 * (rng.random(leaves) < masked), 2),
    )


def milliseconds(call: Callable[[], object]) -> float:
    """Return the processor time of a call, of all threads."""
    start = time.process_time()
    call()
    return 1e3 * (time.process_time() - start)


def main() -> None:
    """Print a table of medians and their ratios."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--engine", nargs="*", default=("raster", "compute"))
    parser.add_argument("--size", type=int, default=512)
    parser.add_argument("--leaves", type=int, default=20_000)
    parser.add_argument("--repeats", type=int, default=15)
    options = parser.parse_args()
    meshes = [hedge(options.leaves, masked) for masked in (1.0, 0.01, 0.0)]
    camera = dd.Camera.look_at(
        (1, -6, 1), (0, 0, 0), fov_y_deg=30, width=options.size, height=options.size
    )
    print("| engine | what | all with masks, ms | 1 %, ms | none, ms | all / none | 1 % / none |")
    print("|---|---|---|---|---|---|---|")
    for engine in options.engine:
        with dd.DepthRenderer(engine=engine) as renderer:
            scenes = [renderer.upload(mesh) for mesh in meshes]
            calls: dict[str, Callable[[dd.Scene], object]] = {
                "sheets": partial(renderer.entry_exit, camera=camera),
                "sheets with faces": partial(
                    renderer.entry_exit, camera=camera, attributes=("face",)
                ),
                "layers": partial(renderer.peel, camera=camera),
            }
            for what, call in calls.items():
                times: list[list[float]] = [[] for _ in scenes]
                for scene in scenes:
                    call(scene)
                for _ in range(options.repeats):
                    for scene, of_scene in zip(scenes, times, strict=True):
                        of_scene.append(milliseconds(partial(call, scene)))
                masked, mixed, plain = map(statistics.median, times)
                print(
                    f"| {engine} | {what} | {masked:.0f} | {mixed:.0f} | {plain:.0f} "
                    f"| {masked / plain:.1f} | {mixed / plain:.1f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main()
