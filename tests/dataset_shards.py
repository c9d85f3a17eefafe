"""Folders as `ddepth dataset` writes them, made by hand: tars of `tarfile`, an index of pyarrow."""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

import ddepth_gl as dd
from ddepth_gl.dataset.entries import sample_key
from ddepth_gl.io.results.npz import write_npz
from ddepth_gl.io.results.png import write_photo
from ddepth_gl.mesh.demo import sphere_mesh

SIZE = 16
Sample = tuple[str, dict[str, bytes], dict[str, Any]]  # key, files by ending, row


def rendered_samples(folder: Path, meshes: int = 6, views: int = 3) -> list[Sample]:
    """Return samples of spheres; the npz files of `write_npz` stay in the folder, by key."""
    samples = []
    with dd.DepthRenderer() as renderer:
        for number in range(meshes):
            mesh = sphere_mesh(40 + 10 * number)
            cameras = dd.Camera.orbit(mesh, views, SIZE + 4, SIZE, seed=number)
            scene = renderer.upload(mesh)
            for view, camera in enumerate(cameras):
                frame = renderer.render(
                    scene, camera, layers=True, attributes=("normal", "face", "object_id")
                )
                key = sample_key(f"s%2F{number}", view, views)
                assert frame.maps is not None
                assert frame.image is not None
                assert frame.layers is not None
                write_npz(folder / f"{key}.npz", frame.maps)
                write_npz(folder / f"{key}.layers.npz", frame.layers)
                write_photo(folder / f"{key}.png", frame.image)
                files = {
                    "photo.png": (folder / f"{key}.png").read_bytes(),
                    "sheets.npz": (folder / f"{key}.npz").read_bytes(),
                    "layers.npz": (folder / f"{key}.layers.npz").read_bytes(),
                    "json": json.dumps({"camera": camera.to_dict(), "view": view}).encode(),
                }
                split = ("train", "val", "test")[number % 3]
                row = {"id": f"s%2F{number}", "view": view, "split": split, "mesh": number}
                samples.append((key, files, row))
    return samples


def write_dataset(folder: Path, samples: list[Sample], shard_sizes: list[int]) -> Path:
    """Write samples into shards of so many, with their index; return the folder."""
    (folder / "shards").mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, Any]] = []
    remaining = iter(samples)
    for number, size in enumerate(shard_sizes):
        shard = f"shard-{number:05d}"
        chosen = [next(remaining) for _ in range(size)]
        path = folder / "shards" / f"{shard}.tar"
        with tarfile.open(path, "w", format=tarfile.PAX_FORMAT) as tar:
            for key, files, _ in chosen:
                for ending, content in files.items():
                    info = tarfile.TarInfo(f"{key}.{ending}")
                    info.size = len(content)
                    tar.addfile(info, io.BytesIO(content))
        places: Mapping[str, tarfile.TarInfo] = {}
        with tarfile.open(path) as tar:
            places = {member.name: member for member in tar}
        for key, files, row in chosen:
            members = {ending: places[f"{key}.{ending}"] for ending in files}
            row = {**row, "shard": shard, "key": key}
            for ending, member in members.items():
                row |= {f"offset.{ending}": member.offset_data, f"size.{ending}": member.size}
            rows.append(row)
    pq.write_table(pa.Table.from_pylist(rows), folder / "index.parquet")
    return folder
