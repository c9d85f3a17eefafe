"""PLY files, read back by the parser below and by trimesh."""

from __future__ import annotations

import numpy as np
import pytest
import trimesh
from crossings import ATTRIBUTES, crossings_of, layers_of, random_layers, real_layers, real_mesh
from oracle import encode_srgb
from shapes import box, peel, sphere, sphere_sagitta

import ddepth_gl as dd
from ddepth_gl.io.results.ply import coordinate_type, write_mesh, write_ply
from ddepth_gl.io.results.point_clouds import sheet_normals, write_layer_clouds
from ddepth_gl.jobs.render import RenderJob

NUMPY = {"float": "<f4", "double": "<f8", "uchar": "u1", "int": "<i4"}
GEOREFERENCED = np.array([5e6, -3e6, 2e5])


def read(path):
    """Return the vertex columns, and the faces or None, of a little-endian binary PLY."""
    data = path.read_bytes()
    header, body = data.split(b"end_header\n", 1)
    lines = header.decode("ascii").splitlines()
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    elements: list[tuple[str, int, list[str]]] = []
    for line in lines[2:]:
        word, *rest = line.split()
        if word == "comment":
            continue
        if word == "element":
            elements.append((rest[0], int(rest[1]), []))
        elif word != "comment":
            assert word == "property"
            elements[-1][2].append(" ".join(rest))
    name, count, properties = elements[0]
    assert name == "vertex"
    row = np.dtype(
        [(column, NUMPY[kind]) for kind, column in (line.split() for line in properties)]
    )
    vertices = np.frombuffer(body, row, count)
    rest = body[count * row.itemsize :]
    if len(elements) == 1:
        assert rest == b""
        return vertices, None
    name, count, properties = elements[1]
    assert (name, properties) == ("face", ["list uchar int vertex_indices"])
    faces = np.frombuffer(rest, np.dtype([("corners", "u1"), ("index", "<i4", 3)]))
    assert len(faces) == count
    assert (faces["corners"] == 3).all()
    return vertices, faces["index"]


def columns(rows, *names):
    return np.stack([rows[name] for name in names], 1)


def clouds(renderer, mesh, camera, folder, surfaces="oriented"):
    """Return (points, normals) of the front and the back cloud that a job writes."""
    RenderJob(folder=folder, formats=("ply",), surfaces=surfaces, preview=False).run(
        renderer, mesh, [camera], "m"
    )
    result = []
    for sheet in ("front", "back"):
        rows, faces = read(folder / f"m_000_{sheet}.ply")
        assert faces is None
        result.append((columns(rows, "x", "y", "z"), columns(rows, "nx", "ny", "nz")))
    return result


def test_the_clouds_of_a_sphere(renderer, tmp_path):
    radius, rings, sides, center = 0.8, 60, 90, np.array([0.3, -0.2, 0.1])
    mesh = sphere(radius, rings, sides, center)
    camera = dd.Camera.look_at((2.5, 1, 1.2), (0.2, 0, 0), width=60, height=45)
    sagitta = sphere_sagitta(radius, rings, sides)
    maps = dd.double_depth(mesh, camera)
    for sheet, (points, normals) in enumerate(clouds(renderer, mesh, camera, tmp_path)):
        assert len(points) == maps.mask.sum() > 300
        assert points.dtype == np.float32
        np.testing.assert_array_equal(points, maps.points()[sheet])
        radii = np.linalg.norm(points - center, axis=1)
        assert radii.max() <= radius + 1e-6
        assert radii.min() >= radius - sagitta - 1e-6
        np.testing.assert_allclose(np.linalg.norm(normals, axis=1), 1.0, atol=1e-6)
        toward_camera = ((camera.center - points) * normals).sum(1)
        assert (toward_camera > 0 if sheet == 0 else toward_camera < 0).all()
        # A face normal deviates by at most the angle that the corners of the face subtend.
        away = ((points - center) / radii[:, None] * normals).sum(1)
        assert away.min() > np.cos(2 * np.hypot(np.pi / rings, 2 * np.pi / sides))


@pytest.mark.parametrize("turned", [False, True])
def test_the_clouds_of_a_box_of_any_winding(renderer, tmp_path, turned):
    mesh = box((-1, -2, -3), (1, 2, 3))
    if turned:
        # Half of the faces are inside out; normals still point outward.
        mesh = dd.Mesh(mesh.vertices, [f[::-1] if i % 2 else f for i, f in enumerate(mesh.faces)])
    camera = dd.Camera.look_at((9, 5, 7), (0, 0, 0), width=40, height=40)
    size = np.array([1.0, 2, 3])
    for side, (points, normals) in zip(
        (1, -1), clouds(renderer, mesh, camera, tmp_path, "any"), strict=True
    ):
        # On the surface one coordinate is that of a face, and none exceeds it.
        ratio = points * side / size
        np.testing.assert_allclose(ratio.max(1), 1.0, atol=1e-6)
        face = ratio.argmax(1)
        assert set(face) == {0, 1, 2}
        clear = np.sort(ratio, 1)[:, 1] < 0.999
        np.testing.assert_allclose(normals[clear], side * np.eye(3)[face[clear]], atol=1e-6)


def test_far_from_the_origin_coordinates_are_float64(renderer, tmp_path):
    mesh = dd.Mesh(box().vertices + GEOREFERENCED, box().faces)
    eye = np.array([4.1, 2.9, 3.3])
    camera = dd.Camera.look_at(eye + GEOREFERENCED, GEOREFERENCED, width=31, height=31)
    (points, _), _ = clouds(renderer, mesh, camera, tmp_path)
    assert points.dtype == np.float64
    np.testing.assert_allclose(np.abs(points - GEOREFERENCED).max(1), 1.0, atol=2e-5)
    # float32 would have rounded to a quarter of a unit.
    assert np.abs(points.astype(np.float32) - points).max() > 0.1
    assert read(tmp_path / "m_000_front.ply")[0].dtype["x"] == np.float64


def test_near_the_origin_coordinates_are_float32(renderer, tmp_path):
    camera = dd.Camera.look_at((4, 3, 3), (0, 0, 0), width=9, height=9)
    (points, _), _ = clouds(renderer, box(), camera, tmp_path)
    assert points.dtype == np.float32


def test_an_empty_image_yields_empty_clouds(renderer, tmp_path):
    camera = dd.Camera.look_at((4, 3, 3), (8, 6, 6), width=9, height=9)
    for points, normals in clouds(renderer, box(), camera, tmp_path):
        assert points.shape == normals.shape == (0, 3)


def test_trimesh_reads_the_clouds(renderer, tmp_path):
    camera = dd.Camera.look_at((4, 3, 3), (0, 0, 0), width=32, height=24)
    ((points, _), _) = clouds(renderer, box(), camera, tmp_path)
    cloud = trimesh.load(tmp_path / "m_000_front.ply")
    assert isinstance(cloud, trimesh.PointCloud)
    np.testing.assert_array_equal(np.asarray(cloud.vertices, np.float32), points)


@pytest.mark.parametrize("shift", [0.0, 5e6])
def test_meshes(tmp_path, shift):
    rng = np.random.default_rng(1)
    shape = sphere(1.0, 6, 9)
    mesh = dd.Mesh(
        shape.vertices + shift,
        shape.faces,
        colors=rng.integers(0, 256, (len(shape.vertices), 4), np.uint8),
    )
    write_mesh(tmp_path / "mesh.ply", mesh)
    rows, faces = read(tmp_path / "mesh.ply")
    assert rows.dtype["x"] == (np.float64 if shift else np.float32)
    np.testing.assert_array_equal(
        columns(rows, "x", "y", "z"), mesh.vertices.astype(rows.dtype["x"])
    )
    np.testing.assert_array_equal(columns(rows, "red", "green", "blue", "alpha"), mesh.colors)
    np.testing.assert_array_equal(faces, mesh.faces)

    theirs = trimesh.load(tmp_path / "mesh.ply", process=False)
    np.testing.assert_array_equal(theirs.faces, mesh.faces)
    np.testing.assert_array_equal(theirs.visual.vertex_colors, mesh.colors)

    ours = dd.load_mesh(tmp_path / "mesh.ply")
    np.testing.assert_array_equal(ours.vertices, columns(rows, "x", "y", "z").astype(float))
    np.testing.assert_array_equal(ours.colors, mesh.colors)
    assert ours.is_oriented


def test_columns_of_the_wrong_shape(tmp_path):
    points = np.zeros((4, 3))
    with pytest.raises(dd.OutputError, match=r"nx ny nz need shape \(4, 3\), not \(3, 3\)"):
        write_ply(tmp_path / "a.ply", points, normals=np.zeros((3, 3)))
    with pytest.raises(dd.OutputError, match="red green blue alpha need shape"):
        write_ply(tmp_path / "a.ply", points, colors=np.zeros((4, 3), np.uint8))
    assert not list(tmp_path.iterdir())


def test_sheet_normals_point_outward():
    face_normals = np.array([[0, 0, 1.0], [0, 1.0, 0]])
    faces = np.array([0, 0, 1])
    toward = np.array([[0.1, 0.2, 0.9], [0.1, 0.2, -0.9], [0, -1.0, 0]])
    expected = [[0, 0, 1], [0, 0, -1], [0, -1, 0]]
    np.testing.assert_array_equal(sheet_normals(face_normals, faces, toward=toward), expected)


# Layers


@pytest.mark.parametrize("orthographic", [False, True])
@pytest.mark.parametrize("attributes", [ATTRIBUTES, ("normal",), ("color",), ("uv",), ()])
def test_the_clouds_of_layers(tmp_path, attributes, orthographic):
    layers = random_layers(1, orthographic, attributes)
    written = write_layer_clouds(tmp_path / "m", layers)
    assert [path.name for path in written] == [f"m_layer{number:02d}.ply" for number in range(1, 6)]
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in written}
    camera, clouds = layers.camera, [read(path)[0] for path in written]
    names = ["x", "y", "z"]
    names += ["nx", "ny", "nz"] * ("normal" in attributes)
    names += ["red", "green", "blue", "alpha"] * ("color" in attributes)
    seen = [0] * len(clouds)
    for row, column, layer, crossing in crossings_of(layers):
        point = clouds[layer][seen[layer]]
        seen[layer] += 1
        ray = np.array([(column + 0.5 - camera.K[0, 2]) / camera.K[0, 0],
                        (row + 0.5 - camera.K[1, 2]) / camera.K[1, 1], 1.0])  # fmt: skip
        depth = float(layers.depth[crossing])
        in_camera = [ray[0], ray[1], depth] if orthographic else ray * depth
        pose = camera.camera_from_world
        # Coordinates below 8 are rounded by at most half of 2**-21.
        np.testing.assert_allclose(
            [point["x"], point["y"], point["z"]],
            pose[:3, :3].T @ (in_camera - pose[:3, 3]),
            atol=2.0**-21,
        )
        if "normal" in attributes:
            assert [point["nx"], point["ny"], point["nz"]] == layers.normal[crossing].tolist()
        if "color" in attributes:
            *rgb, alpha = (float(value) for value in layers.color[crossing])
            found = [int(point[name]) for name in names[-4:]]
            assert found == [
                *(round(255 * encode_srgb(value)) for value in rgb),
                round(255 * alpha),
            ]
    assert seen == [len(cloud) for cloud in clouds] == [(layers.count > n).sum() for n in range(5)]
    for cloud in clouds:
        assert list(cloud.dtype.names) == names
        assert cloud.dtype["x"] == np.float32


@pytest.mark.parametrize("count", [np.zeros((4, 3), int), [[0]]])
def test_no_crossing_yields_one_empty_cloud(tmp_path, count):
    (path,) = write_layer_clouds(tmp_path / "m", layers_of(count, np.random.default_rng(2)))
    assert path.name == "m_layer01.ply"
    rows, faces = read(path)
    assert (len(rows), faces) == (0, None)
    assert rows.dtype.names == ("x", "y", "z", "nx", "ny", "nz", "red", "green", "blue", "alpha")


def test_a_single_pixel_of_many_layers(tmp_path):
    layers = layers_of([[102]], np.random.default_rng(3))
    written = write_layer_clouds(tmp_path / "m", layers)
    assert (written[0].name, written[-1].name, len(written)) == (
        "m_layer01.ply",
        "m_layer102.ply",
        102,
    )
    assert all(len(read(path)[0]) == 1 for path in written)
    assert len({read(path)[0].dtype for path in written}) == 1


def test_layers_far_from_the_origin(renderer, tmp_path):
    mesh = dd.Mesh(box().vertices + GEOREFERENCED, box().faces)
    camera = dd.Camera.look_at(
        GEOREFERENCED + np.array([4.1, 2.9, 3.3]), GEOREFERENCED, width=31, height=31
    )
    layers = peel(renderer, mesh, camera)
    written = write_layer_clouds(tmp_path / "m", layers)
    assert len(written) == 2
    for path in written:
        rows, _ = read(path)
        assert rows.dtype["x"] == np.float64
        points = columns(rows, "x", "y", "z") - GEOREFERENCED
        np.testing.assert_allclose(np.abs(points).max(1), 1.0, atol=2e-5)


def test_layers_that_cannot_be_written(tmp_path):
    with pytest.raises(dd.OutputError, match=r"missing/m_layer01\.ply cannot be written"):
        write_layer_clouds(tmp_path / "missing" / "m", random_layers(4))


def test_layers_of_an_earlier_run_are_removed(tmp_path):
    others = [
        "m_layer3.ply",
        "m_layer03.ply.bak",
        "m_layer.ply",
        "am_layer03.ply",
        "m_layer003.ply",
    ]
    others += ["m_front.ply", "m2_layer03.ply", "m_000_layer03.ply", "M_layer03.ply"]
    for name in others:
        (tmp_path / name).write_bytes(b"theirs")
    (tmp_path / "m_layer155.ply").mkdir()
    write_layer_clouds(tmp_path / "m", layers_of([[102]], np.random.default_rng(3)))
    (tmp_path / "m_layer04.ply").unlink()  # a gap; files with higher numbers are removed too
    write_layer_clouds(tmp_path / "m", layers_of([[2]], np.random.default_rng(3)))
    left = {path.name for path in tmp_path.iterdir()}
    assert left == {*others, "m_layer155.ply", "m_layer01.ply", "m_layer02.ply"}
    assert all((tmp_path / name).read_bytes() == b"theirs" for name in others)


def test_a_name_is_not_a_pattern(tmp_path):
    (tmp_path / "mx_layer07.ply").write_bytes(b"theirs")
    write_layer_clouds(tmp_path / "m.", layers_of([[2]], np.random.default_rng(3)))
    assert (tmp_path / "mx_layer07.ply").exists()


def test_trimesh_reads_the_layers_of_a_real_peel(renderer, tmp_path):
    layers = real_layers(renderer)
    written = write_layer_clouds(tmp_path / "m", layers)
    assert len(written) == layers.count.max() >= 6
    mesh = real_mesh()
    for number, (path, points) in enumerate(zip(written, layers.points(), strict=True)):
        cloud = trimesh.load(path)
        np.testing.assert_array_equal(np.asarray(cloud.vertices, np.float32).reshape(-1, 3), points)
        # Colors are rounded to 8-bit sRGB levels; normals are those of the mesh.
        here = layers.layer == number
        levels = np.array(
            [
                [*(round(255 * encode_srgb(v)) for v in rgb), round(255 * a)]
                for *rgb, a in layers.color[here].tolist()
            ]
        )
        np.testing.assert_array_equal(np.asarray(cloud.colors).reshape(-1, 4), levels)
        rows, _ = read(path)
        np.testing.assert_allclose(
            columns(rows, "nx", "ny", "nz"),
            mesh.face_normals()[layers.face[here]],
            atol=10 * 2.0**-25,
        )
        # The attribute position is the same point, computed again in double precision. Depths of
        # up to 5 and points deviate by at most the contract's 2e-6 of the depth, and by 1/128
        # pixel across the ray at a rim.
        footprint = layers.camera.pixel_footprint(layers.depth[here].astype(float))
        off = np.linalg.norm(points - layers.position[here], axis=1)
        assert np.median(off) < 2e-6 * 5
        assert (off < 2e-6 * 5 + footprint).all()


@pytest.mark.parametrize(
    ("points", "kind"),
    [
        (np.zeros((0, 3)), np.float32),
        (np.array([[0, 0, 0], [1.0, 0, 0]]), np.float32),
        (np.array([[7.9, 0, 0], [8.9, 0, 0]]), np.float32),  # steps of 2**-20 = 0.95e-6 at 8.9
        (np.array([[16.5, 0, 0], [17.5, 0, 0]]), np.float64),  # 1.9e-6
        (np.array([[3.0, 0, 0]]), np.float64),  # no extent at all
    ],
)
def test_when_float32_is_not_enough(points, kind):
    assert coordinate_type(points) is kind
