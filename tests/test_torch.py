"""Data sets for PyTorch: values against `load_npz` and the renderer, samples against counting."""

from __future__ import annotations

import multiprocessing
import pickle
import re
import subprocess
import sys
from pathlib import Path

import imageio.v3 as iio
import numpy as np
import pytest

torch = pytest.importorskip("torch", reason="data sets for training need torch, extra [torch]")
pytest.importorskip("pyarrow", reason="data sets need pyarrow, extra [dataset]")

# ruff: noqa: E402  imports after the checks that their packages are there
from dataset_shards import SIZE, rendered_samples, write_dataset
from shapes import box
from torch.utils.data import DataLoader

import ddepth_gl as dd
from ddepth_gl.mesh.demo import sphere_mesh
from ddepth_gl.torch import DoubleDepthDataset, DoubleDepthStream, RenderedDataset

ALL = (
    "photo", "depth", "distance", "thickness", "points", "normal", "face", "object_id", "layers",
)  # fmt: skip
WORKERS = [(0, None), (2, "fork"), (2, "spawn")]


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dataset")
    (folder / "npz").mkdir()
    samples = rendered_samples(folder / "npz")
    return write_dataset(folder / "out", samples, [3, 6, 1, 8]), folder / "npz", samples


def test_repr(made):
    dataset = DoubleDepthDataset(made[0], outputs=("photo", "depth"), split="train")
    assert repr(dataset) == (
        f"<DoubleDepthDataset of {len(dataset)} samples of split train in {made[0]}: photo, depth>"
    )
    assert " samples in " in repr(DoubleDepthDataset(made[0]))


def as_tuple(sample):
    return sample["index"], float(sample["depth"].nansum())


def index_of(sample):
    return sample["index"]


def mesh_and_view(sample):
    return sample["mesh"], sample["view"], float(sample["depth"].nansum())


def check_shapes(sample, layers):
    size = SIZE, SIZE + 4
    expected = {
        "photo": ((4, *size), torch.uint8),
        "depth": ((2, *size), torch.float32),
        "distance": ((2, *size), torch.float32),
        "thickness": (size, torch.float32),
        "points": ((2, 3, *size), torch.float32),
        "normal": ((2, 3, *size), torch.float32),
        "face": ((2, *size), torch.int64),
        "object_id": ((2, *size), torch.int32),
        "layers": ((layers, *size), torch.float32),
        "count": (size, torch.int32),
        "mask": (size, torch.bool),
        "K": ((3, 3), torch.float64),
        "camera_from_world": ((4, 4), torch.float64),
    }
    found = {
        name: (tuple(value.shape), value.dtype)
        for name, value in sample.items()
        if torch.is_tensor(value)
    }
    assert found == expected
    assert all(value.is_contiguous() for value in sample.values() if torch.is_tensor(value))
    assert sample["is_orthographic"] is False


def check_values(sample, photo, maps, layers):
    def equal(name, *expected):
        np.testing.assert_array_equal(sample[name].numpy(), np.squeeze(np.stack(expected)))

    equal("photo", photo.transpose(2, 0, 1))
    equal("depth", maps.entry, maps.exit)
    equal("distance", maps.entry_distance, maps.exit_distance)
    equal("thickness", maps.thickness)
    equal("mask", maps.mask)
    equal("normal", *(each.transpose(2, 0, 1) for each in (maps.entry_normal, maps.exit_normal)))
    equal("face", maps.entry_face, maps.exit_face)
    equal("object_id", maps.entry_object_id, maps.exit_object_id)
    equal("count", layers.count)
    equal("layers", layers.dense("depth", len(sample["layers"])))
    equal("K", maps.camera.K)
    equal("camera_from_world", maps.camera.camera_from_world)
    for side, cloud in enumerate(maps.points()):
        points = sample["points"][side].numpy()
        np.testing.assert_array_equal(points.transpose(1, 2, 0)[maps.mask], cloud)
        sheet = (maps.entry, maps.exit)[side]
        np.testing.assert_array_equal(np.isnan(points), np.stack([np.isnan(sheet)] * 3))


def test_stored_values_are_those_of_load_npz(made):
    out, npz, samples = made
    dataset = DoubleDepthDataset(out, ALL, max_layers=3)
    assert len(dataset) == len(samples)
    for number, (key, files, _) in enumerate(samples):
        sample = dataset[number]
        assert (sample["key"], sample["index"]) == (key, number)
        check_shapes(sample, 3)
        check_values(
            sample,
            iio.imread(files["photo.png"]),
            dd.load_npz(npz / f"{key}.npz"),
            dd.load_npz(npz / f"{key}.layers.npz"),
        )
    assert dataset[-1]["index"] == len(samples) - 1


def test_rendered_values_are_those_of_the_renderer():
    meshes = [sphere_mesh(60), box()]
    with RenderedDataset(meshes, 2, (SIZE + 4, SIZE), ALL, max_layers=3, seed=4) as dataset:
        samples = [dataset[number] for number in range(4)]
        again = [dataset[number] for number in range(4)]
    for one, other in zip(samples, again, strict=True):
        for name, value in one.items():
            np.testing.assert_array_equal(np.asarray(value), np.asarray(other[name]))
    assert [(each["mesh"], each["view"]) for each in samples] == [(0, 0), (0, 1), (1, 0), (1, 1)]
    with dd.DepthRenderer() as renderer:
        for sample in samples:
            check_shapes(sample, 3)
            scene = renderer.upload(meshes[sample["mesh"]])
            camera = dd.Camera(sample["K"], sample["camera_from_world"], SIZE + 4, SIZE)
            frame = renderer.render(
                scene, camera, layers=True, attributes=("normal", "face", "object_id")
            )
            check_values(sample, frame.image, frame.maps, frame.layers)


def pairs_of(loader):
    batches = ([each.tolist() for each in batch] for batch in loader)
    return [pair for batch in batches for pair in zip(*batch, strict=True)]


@pytest.mark.slow
@pytest.mark.parametrize(("workers", "method"), WORKERS)
def test_loader_of_stored_samples(made, workers, method):
    dataset = DoubleDepthDataset(made[0], transform=as_tuple)
    options = {"num_workers": workers, "multiprocessing_context": method}
    expected = [dataset[number] for number in range(len(dataset))]
    loader = DataLoader(dataset, batch_size=5, shuffle=True, **options)
    found = pairs_of(loader)
    assert sorted(found) == expected
    loader = DataLoader(dataset.stream(seed=2), batch_size=5, **options)
    found = pairs_of(loader)
    assert sorted(found) == expected
    assert found != expected


@pytest.mark.slow
@pytest.mark.parametrize("even", [False, True])
def test_every_rank_and_worker_reads_its_part(made, even):
    dataset = DoubleDepthDataset(made[0], transform=index_of)
    orders = []
    for epoch in (0, 1):
        found = []
        for rank in range(4):
            stream = dataset.stream(seed=7, rank=rank, world_size=4, even=even, mix=2)
            loader = DataLoader(
                stream, batch_size=None, num_workers=2, multiprocessing_context="fork"
            )
            stream.set_epoch(epoch)
            indices = list(loader)
            assert len(indices) == 4 if even else len(indices) in (4, 5)
            found += indices
        assert len(set(found)) == len(found) == (16 if even else 18)
        orders.append(found)
    assert orders[0] != orders[1]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_persistent_workers_see_the_epoch(made, method):
    stream = DoubleDepthDataset(made[0], transform=index_of).stream(seed=1)
    loader = DataLoader(
        stream,
        batch_size=None,
        num_workers=1,
        persistent_workers=True,
        multiprocessing_context=method,
    )
    found = []
    for epoch in (0, 1, 0):
        stream.set_epoch(epoch)
        found.append(list(loader))
    stream_here = DoubleDepthDataset(made[0], transform=index_of).stream(seed=1)
    for epoch, order in zip((0, 1, 0), found, strict=True):
        stream_here.set_epoch(epoch)
        assert order == list(stream_here)
    assert found[0] == found[2] != found[1]


def test_stream_without_shuffling(made):
    stream = DoubleDepthDataset(made[0], transform=index_of).stream(shuffle=False)
    assert list(stream) == list(range(18))
    assert stream.samples_per_epoch == 18


def test_rank_of_the_environment(made, monkeypatch):
    dataset = DoubleDepthDataset(made[0], transform=index_of)
    monkeypatch.setenv("RANK", "1")
    monkeypatch.setenv("WORLD_SIZE", "4")
    stream = dataset.stream()
    assert (stream.rank, stream.world_size) == (1, 4)
    assert len(list(stream)) == stream.samples_per_epoch == 18 * 2 // 4 - 18 // 4
    assert dataset.stream(rank=0, world_size=1).samples_per_epoch == 18
    monkeypatch.setenv("RANK", "one")
    with pytest.raises(dd.RequestError, match="RANK must be an integer"):
        dataset.stream()


def _distributed(rank, address, folder, results):
    torch.distributed.init_process_group("gloo", init_method=address, rank=rank, world_size=2)
    stream = DoubleDepthDataset(folder, transform=index_of).stream(seed=5)
    results.put(list(stream))
    torch.distributed.barrier()
    torch.distributed.destroy_process_group()


@pytest.mark.slow
def test_rank_of_torch_distributed(made, tmp_path):
    if not torch.distributed.is_gloo_available():
        pytest.skip("this torch has no gloo")
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    address = f"file://{tmp_path}/rendezvous"
    processes = [
        context.Process(target=_distributed, args=(rank, address, made[0], results))
        for rank in range(2)
    ]
    for process in processes:
        process.start()
    found = [results.get(timeout=100) for _ in processes]
    for process in processes:
        process.join()
    assert [len(each) for each in found] == [9, 9]
    assert sorted(found[0] + found[1]) == list(range(18))


@pytest.mark.slow
def test_rendering_in_workers():
    meshes = [sphere_mesh(faces) for faces in (40, 50, 60)]
    dataset = RenderedDataset(meshes, 2, SIZE, transform=mesh_and_view, cache=1)
    options = {"num_workers": 2, "multiprocessing_context": "spawn"}
    for each in (dataset, dataset.stream(seed=1)):
        loader = DataLoader(each, batch_size=None, **options)
        found = sorted(map(tuple, loader))  # the DataLoader makes lists of tuples
        assert [each[:2] for each in found] == [(m, v) for m in range(3) for v in range(2)]
    with dataset:
        assert found == [dataset[number] for number in range(6)]


@pytest.mark.slow
def test_forked_workers_render_unless_the_parent_did():
    """In a process of its own: this one has used OpenGL."""
    script = (
        "import sys, torch\n"
        "import ddepth_gl as dd\n"
        "from ddepth_gl.torch import RenderedDataset\n"
        "dataset = RenderedDataset([dd.demo_mesh()], 2, 16)\n"
        "loader = torch.utils.data.DataLoader(dataset, num_workers=1, "
        "multiprocessing_context='fork')\n"
        "print(len(list(loader)))\n"
        "dataset[0]\n"
        "try:\n"
        "    list(loader)\n"
        "except dd.ContextError as error:\n"
        "    print('multiprocessing_context=\"spawn\"' in str(error))\n"
    )
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", script],
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (process.stdout.split(), process.stderr) == (["2", "True"], "")


def test_renderer_is_made_late_and_not_pickled():
    dataset = RenderedDataset([box()], 1, SIZE)
    assert dataset._local._renderer is None
    with dataset:
        dataset[0]
        assert dataset._local._renderer is not None
        copy = pickle.loads(pickle.dumps(dataset))
        assert copy._local._renderer is None
        with copy:
            np.testing.assert_array_equal(copy[0]["depth"], dataset[0]["depth"])
    assert dataset._local._renderer is None
    with dataset:  # another renderer
        dataset[0]


def test_few_meshes_stay_on_the_gpu():
    meshes = [sphere_mesh(40), sphere_mesh(60), sphere_mesh(80)]
    with RenderedDataset(meshes, 1, SIZE, cache=2) as dataset:
        first = dataset[0]["depth"]
        scene = dataset._local._uploaded[0].scene
        dataset[1]
        dataset[0]
        dataset[2]
        assert list(dataset._local._uploaded) == [0, 2]
        dataset[1]
        assert not scene.belongs_to(dataset._local.renderer._context) or scene.is_released
        np.testing.assert_array_equal(dataset[0]["depth"], first)


def test_views_depend_on_seed_and_epoch():
    def poses(dataset):
        return [tuple(dataset[number]["camera_from_world"].ravel().tolist()) for number in (0, 3)]

    with RenderedDataset([box(), box()], 2, SIZE, seed=1) as dataset:
        first = poses(dataset)
        dataset.set_epoch(1)
        second = poses(dataset)
        dataset.set_epoch(0)
        assert poses(dataset) == first
    with RenderedDataset([box(), box()], 2, SIZE, seed=2) as other:
        assert len({*first, *second, *poses(other)}) == 6
        other.stream().set_epoch(3)
        assert other._epoch.value == 3


def one_camera(mesh, views, seed):
    camera = dd.Camera.look_at((3, 0, 0), (0, 0, 0), width=SIZE, height=SIZE)
    return [camera] * views


def moved(mesh):
    return dd.Mesh(mesh.vertices + np.array([0.5, 0, 0]), mesh.faces)


def test_cameras_preparation_and_files(tmp_path):
    mesh = sphere_mesh(60)
    dd.write_ply(tmp_path / "a.ply", mesh.vertices, faces=mesh.faces)
    dataset = RenderedDataset(
        [tmp_path / "a.ply", mesh], 1, SIZE, ("depth",), cameras=one_camera, prepare=moved
    )
    with dataset, dd.DepthRenderer() as renderer:
        maps = renderer.entry_exit(renderer.upload(moved(mesh)), one_camera(mesh, 1, 0)[0])
        for number in (0, 1):
            np.testing.assert_array_equal(dataset[number]["depth"][1], maps.exit)


def no_cameras(mesh, views, seed):
    return []


def test_arguments_that_cannot_be_used(made, tmp_path):
    for arguments, words in (
        ({"meshes": []}, "meshes must be"),
        ({"meshes": "a.ply"}, "meshes must be"),
        ({"views": 0}, "views must be"),
        ({"size": 0}, "size must be"),
        ({"size": (1, 2, 3)}, "size must be"),
        ({"outputs": ()}, "outputs must be"),
        ({"outputs": "photo"}, "outputs must be"),
        ({"outputs": ("photo", "mesh")}, "outputs must be"),
        ({"seed": -1}, "seed must be"),
        ({"samples": 1000}, "samples must be"),
        ({"samples": 2, "outputs": ("depth",)}, "samples= has no effect"),
        ({"cache": 0}, "cache must be"),
        ({"tensors": "tpu"}, "tensors must be"),
    ):
        with pytest.raises(dd.RequestError, match=words):
            RenderedDataset(**{"meshes": [box()], **arguments})
    missing = RenderedDataset([tmp_path / "missing.ply"], 1)
    with missing, pytest.raises(dd.MeshError, match="missing"):
        missing[0]
    with RenderedDataset([box()], 1, SIZE, cameras=no_cameras) as dataset:
        with pytest.raises(dd.CameraError, match="must return 1 cameras of 16x16, not"):
            dataset[0]
        for index in (1, -2):
            with pytest.raises(IndexError):
                dataset[index]
    stored = DoubleDepthDataset(made[0])
    for arguments, words in (
        ({"seed": "x"}, "seed must be"),
        ({"mix": 0}, "mix must be"),
        ({"shuffle": 1}, "shuffle must be"),
        ({"even": None}, "even must be"),
        ({"rank": 1}, "belong together"),
        ({"rank": 2, "world_size": 2}, "rank must be from 0 to 1"),
    ):
        with pytest.raises(dd.RequestError, match=words):
            stored.stream(**arguments)
    for epoch in (-1, 1.5, None):
        with pytest.raises(dd.RequestError, match="epoch must be"):
            stored.stream().set_epoch(epoch)
    with pytest.raises(IndexError):
        stored[18]


def test_outputs_that_are_not_stored(made, tmp_path):
    samples = [
        (key, {name: files[name] for name in ("photo.png", "json")}, row)
        for key, files, row in made[2]
    ]
    out = write_dataset(tmp_path / "photos", samples, [18])
    assert DoubleDepthDataset(out, ["photo"])[0]["photo"].shape == (4, SIZE, SIZE + 4)
    with pytest.raises(dd.DatasetError, match="no file for the output depth, but photo"):
        DoubleDepthDataset(out)


def test_sheets_on_a_gpu_need_one():
    with dd.DepthRenderer() as renderer:
        has_cuda = renderer.info.cuda_index is not None and torch.cuda.is_available()
    with RenderedDataset([box()], 2, SIZE, ALL[:2], tensors="gpu") as on_gpu:
        if not has_cuda:
            with pytest.raises(dd.ContextError, match='tensors="gpu" needs an NVIDIA GPU'):
                on_gpu[0]
            return
        with RenderedDataset([box()], 2, SIZE, ALL[:2]) as on_cpu:
            for number in range(2):
                for name, value in on_cpu[number].items():
                    other = on_gpu[number][name]
                    if torch.is_tensor(value):
                        assert other.is_cuda
                        np.testing.assert_array_equal(other.cpu(), value)


@pytest.mark.parametrize("outputs", [("depth",), ALL[:2], ("photo",), ("depth", "thickness")])
def test_tensors_of_a_gpu_are_those_of_the_cpu(monkeypatch, outputs):
    """With the CPU in the part of the GPU; DLPack itself needs one, see above."""
    from ddepth_gl.torch import rendered

    taken = []

    def from_dlpack(image):
        taken.append(image)
        return torch.from_numpy(image.numpy())

    monkeypatch.setattr(rendered, "_gpu_of", lambda renderer: torch.device("cpu"))
    monkeypatch.setattr(torch, "from_dlpack", from_dlpack)
    with (
        RenderedDataset([box()], 2, SIZE, outputs, tensors="gpu") as on_gpu,
        RenderedDataset([box()], 2, SIZE, outputs) as on_cpu,
    ):
        for number in range(2):
            expected, found = on_cpu[number], on_gpu[number]
            assert set(found) == set(expected)
            for name, value in expected.items():
                np.testing.assert_array_equal(np.asarray(found[name]), np.asarray(value))
    assert len(taken) == (4 if outputs in (("depth",), ALL[:2]) else 0)


@pytest.mark.parametrize("page", ["docs/python.md", "docs/dataset.md"])
def test_code_of_the_documentation(made, page):
    text = (Path(__file__).parents[1] / page).read_text(encoding="utf-8")
    (block,) = [each for each in re.findall(r"```py\n(.*?)```", text, re.S) if "DataLoader" in each]
    block = block.replace("num_workers=4", "num_workers=0").replace(", persistent_workers=True", "")
    names = {"torch": torch, "dataset": DoubleDepthDataset(made[0])}
    exec(block.replace('"out/sofas"', repr(str(made[0]))), names)
    assert names["batch"]["depth"].shape == (2, 2, SIZE, SIZE + 4)


def test_import_needs_torch():
    """Without torch, the rest of the package works, and the error says what to install."""
    script = (
        "import sys\n"
        "sys.modules['torch'] = None\n"
        "import ddepth_gl.dataset.reading\n"
        "try:\n"
        "    import ddepth_gl.torch\n"
        "except Exception as error:\n"
        "    print(type(error).__name__, error)\n"
    )
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert process.stdout.startswith("DatasetError ddepth_gl.torch needs the package torch")
    assert "ddepth-gl[torch]" in process.stdout


def test_torch_is_not_imported_by_others():
    script = (
        "import sys, ddepth_gl.dataset.reading, ddepth_gl.dataset.arrays, ddepth_gl.renderer\n"
        "print('torch' in sys.modules, 'pyarrow' in sys.modules)\n"
    )
    process = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert process.stdout.split() == ["False", "False"], process.stderr


def test_stream_of_nothing(made):
    import pyarrow.compute as pc

    empty = DoubleDepthDataset(made[0], where=pc.field("view") > 9)
    assert isinstance(empty.stream(), DoubleDepthStream)
    assert (len(empty), list(empty.stream())) == (0, [])
