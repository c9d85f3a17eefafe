"""`ddepth dataset`: images a second, where the time goes, and what people use now.

The command renders photo and both depths of 24 views of the benchmark meshes, with one worker and
with two. In turns with it:

* *alone*: as many processes as workers, each with its part of the meshes, run the steps of a worker
  one after the other and time each: load, prepare (cameras, upload, bodies), render (with
  read-back), encode, write (tar and its hash, fsync);
* *start*: the command for a pixel of a mesh of 20 faces for each worker: interpreters, imports,
  contexts, index; images a second are without it;
* the command with one sample a pixel instead of 2x2;
* the peers of dataset_peers.py, and the command with the same outputs. What they wrote must agree
  with what the command wrote. Their starts are left out, too.

CPU seconds are those of a command and all its processes; other programs on the machine change
them little. The least of the rounds counts.

    pip install ".[bench]"
    python benchmarks/dataset.py [--size N ...] [--views N] [--meshes FOLDER] [--rounds N]
                                 [--pyrender PYTHON] [--write]

pyrender needs older packages than this one. `--pyrender` is a Python that has it:
``python -m venv V && V/bin/pip install pyrender imageio "numpy<2" "trimesh<4.6"``.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Annotated, Any, NamedTuple

import typer
from cases import MESHES, MeshesOption, RoundsOption
from dataset_steps import STEPS
from dataset_ways import Cost, Ways, make_meshes
from tables import WriteOption, describe_machine, markdown_table, report

import ddepth_gl as dd

WORKERS = (1, 2)
ONE_SAMPLE = "one sample a pixel"
MAX_DIFFERING = 1e-3  # of all covered pixels: rays that meet an edge count on either side


class Peer(NamedTuple):
    """A peer of dataset_peers.py.

    Attributes:
        name: of the peer there.
        title: what it writes.
        options: of the command, for the same outputs.
    """

    name: str
    title: str
    options: tuple[str, ...]


PEERS = (
    Peer("Open3D", "two casts, 16-bit PNG", ("--store", "depth", "--codec", "png16")),
    Peer("trimesh + embreex", "all hits, compressed NPZ", ("--store", "depth")),
    Peer("pyrender", "photo", ("--store", "photo")),
)


class Measured(NamedTuple):
    """What was measured at one size.

    Attributes:
        size: width and height of the images in pixels.
        images: number of images of each way.
        costs: least by way: number of workers, name of a peer, or "ours, " and that; without the
            start.
        starts: least by number of workers or name of a peer.
        steps: least by number of workers, then by step.
        peers: those that were measured, with the fraction of pixels that differ.
        kilobytes, decode_ms: of a sample.
    """

    size: int
    images: int
    costs: dict[Any, Cost]
    starts: dict[Any, Cost]
    steps: dict[int, dict[str, Cost]]
    peers: dict[Peer, float]
    kilobytes: float
    decode_ms: float


def available(ways: Ways) -> dict[Peer, float]:
    """Return the peers that work, and at how many pixels they differ; print why others do not."""
    ways.command(1, "1")
    found = {}
    for peer in PEERS:
        try:
            ways.peer(peer.name)
        except (OSError, RuntimeError) as error:
            print(f"{peer.name} is left out: {error}", file=sys.stderr)
            continue
        found[peer] = ways.differing(peer.name)
        if found[peer] > MAX_DIFFERING:
            raise SystemExit(f"{peer.name} differs at {found[peer]:.3%} of the pixels")
    return found


def measure(ways: Ways, peers: dict[Peer, float], rounds: int) -> Measured:
    """Return the least costs of all ways, which take turns."""
    calls: dict[Any, Callable[[], Cost]] = {}
    for workers in WORKERS:
        calls[f"start, {workers}"] = partial(ways.start, workers)
        calls[workers] = partial(ways.command, workers, str(workers))
        calls[f"alone, {workers}"] = partial(ways.alone, workers)
    calls[ONE_SAMPLE] = partial(ways.command, WORKERS[-1], ONE_SAMPLE, "--samples", "1")
    for peer in peers:
        ours = f"ours, {peer.name}"
        calls[f"start, {peer.name}"] = partial(ways.peer_start, peer.name)
        calls[peer.name] = partial(ways.peer, peer.name)
        calls[ours] = partial(ways.command, WORKERS[-1], ours, *peer.options)
    turns: dict[Any, list[Cost]] = {way: [] for way in calls}
    for _ in range(rounds):
        for way, call in calls.items():
            turns[way].append(call())
            print(way, *(f"{each:.2f}" for each in turns[way][-1]), file=sys.stderr, flush=True)
    costs = {way: Cost.least(each) for way, each in turns.items()}
    starts = {way: costs.get(f"start, {way}", costs[f"start, {WORKERS[-1]}"]) for way in costs}
    return Measured(
        ways.size,
        ways.images(),
        {way: cost.without(starts[way]) for way, cost in costs.items()},
        starts,
        {
            workers: {
                step: Cost.least(Cost(*each[step]) for each in ways.steps[workers])
                for step in STEPS
            }
            for workers in WORKERS
        },
        peers,
        ways.sample_size() / 1e3,
        1e3 * ways.decode_seconds(),
    )


def throughput_table(results: list[Measured]) -> str:
    """Return the table of images a second, and of times over those of rendering and encoding."""
    rows = []
    for result in results:
        for workers in WORKERS:
            cost, steps = result.costs[workers], result.steps[workers]
            wall, cpu = (
                sum(steps[step][index] for step in ("render", "encode")) for index in (0, 1)
            )
            start = result.starts[workers]
            rows.append(
                [
                    *(result.size, workers),
                    *(f"{result.images / seconds:.1f}" for seconds in cost),
                    *(f"{cost.wall / (wall / workers):.2f}", f"{cost.cpu / cpu:.2f}"),
                    *(f"{start.wall:.1f}", f"{start.cpu:.1f}"),
                    *(f"{result.kilobytes:.0f}", f"{result.decode_ms:.1f}"),
                ]
            )
        cost = result.costs[ONE_SAMPLE]
        cells = [f"{result.images / seconds:.1f}" for seconds in cost]
        rows.append([result.size, f"{WORKERS[-1]}, {ONE_SAMPLE}", *cells, *[""] * 6])
    headings = ["size", "workers", "images/s", "per CPU second", "time / alone", "CPU time / alone"]
    headings += ["start, s", "CPU s", "KB a sample", "decode, ms"]
    return markdown_table(headings, rows)


def share_table(results: list[Measured]) -> str:
    """Return the table of the CPU time of each step, and what is left."""
    rows = []
    for result in results:
        for workers in WORKERS:
            total = result.costs[workers].cpu
            shares = {step: cost.cpu for step, cost in result.steps[workers].items()}
            shares["rest"] = total - sum(shares.values())
            cells = [
                f"{1e3 * cpu / result.images:.1f} ({cpu / total:.0%})" for cpu in shares.values()
            ]
            rows.append([result.size, workers, *cells])
    return markdown_table(["size", "workers", *STEPS, "rest"], rows)


def peer_table(results: list[Measured]) -> str:
    """Return the table of the peers' CPU times over the command's, with the same outputs."""
    rows = []
    for result in results:
        for peer, differing in result.peers.items():
            theirs, ours = (result.costs[way].cpu for way in (peer.name, f"ours, {peer.name}"))
            cells = [f"{result.images / cpu:.1f}" for cpu in (theirs, ours)]
            cells += [f"{theirs / ours:.1f}", f"{differing:.3%}"]
            rows.append([peer.name, peer.title, result.size, *cells])
    headings = ["peer", "writes", "size", "images per CPU second", "ours", "CPU time / ours"]
    return markdown_table([*headings, "pixels that differ"], rows)


def main(
    size: Annotated[list[int] | None, typer.Option(help="256 and 512 by default.")] = None,
    views: Annotated[int, typer.Option(help="Of each mesh.")] = 24,
    meshes: MeshesOption = MESHES,
    rounds: RoundsOption = 3,
    pyrender: Annotated[str, typer.Option(help="Python that has pyrender.")] = sys.executable,
    write: WriteOption = False,
) -> None:
    """Measure `ddepth dataset` and what people use now."""
    results = []
    with tempfile.TemporaryDirectory() as folder:
        sources = Path(folder, "meshes")
        sources.mkdir()
        make_meshes(sources, meshes)
        for each in size or (256, 512):
            peers = available(Ways(sources, min(2, views), each, pyrender))
            results.append(measure(Ways(sources, views, each, pyrender), peers, rounds))
    with dd.DepthRenderer() as renderer:
        machine = describe_machine(renderer.info)
    parts = [
        f"{machine}; {results[0].images // views} meshes, {views} views; least of {rounds} rounds.",
        throughput_table(results),
        "CPU milliseconds an image, and share of the command's without its start:",
        share_table(results),
    ]
    if any(result.peers for result in results):
        parts += [f"With the same outputs, ours with {WORKERS[-1]} workers:", peer_table(results)]
    report("data sets", "\n\n".join(parts), write)


if __name__ == "__main__":
    typer.run(main)
