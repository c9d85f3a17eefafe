"""Mesh files of every format: what `load_mesh` reads and what it refuses."""

import io
import os
import struct

import imageio.v3 as iio
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mesh_files import (
    PRISM_POLYGONS,
    PRISM_VERTICES,
    PRISM_VOLUME,
    PYRAMID_POLYGONS,
    PYRAMID_VERTICES,
    SMALL_FILES,
    TETRA,
    TETRA_FACES,
    TETRA_VERTICES,
    TEXTURE,
    ascii_stl,
    check_texture,
    glb,
    gltf,
    gltf_tree,
    load_or_refuse,
    obj,
    off,
    ply,
    png,
    put,
    refused,
    textured_gltf,
    textured_obj,
)
from meshes import bad_files, good

from ddepth_gl.errors import MeshError
from ddepth_gl.io.meshes.read import load_mesh
from ddepth_gl.mesh.mesh import Mesh

# Formats


@pytest.mark.parametrize("name", SMALL_FILES)
@pytest.mark.parametrize("upper", [False, True])
def test_reads_every_format(tmp_path, name, upper):
    stem, suffix = name.split(".")
    mesh = load_mesh(
        put(tmp_path, f"{stem}.{suffix.upper()}" if upper else name, SMALL_FILES[name])
    )
    assert isinstance(mesh, Mesh)
    assert mesh.name == stem
    assert len(mesh.faces) == 4
    assert mesh.is_oriented
    assert mesh.volume == pytest.approx(1 / 6)
    np.testing.assert_array_equal(mesh.vertices[mesh.faces], TETRA_VERTICES[TETRA_FACES])
    assert mesh.colors is None
    assert mesh.uv is None
    assert len(mesh.object_names) == 1


def test_accepts_a_string(tmp_path):
    assert len(load_mesh(str(put(tmp_path, "a.obj", obj()))).faces) == 4


@pytest.mark.parametrize(
    ("vertices", "polygons", "count", "volume"),
    [
        (PYRAMID_VERTICES, PYRAMID_POLYGONS, 6, 4 / 3),
        (PRISM_VERTICES, PRISM_POLYGONS, 16, PRISM_VOLUME),
        (PRISM_VERTICES, PRISM_POLYGONS[::-1], 16, PRISM_VOLUME),
    ],
)
@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("a.obj", obj),
        ("a.off", off),
        ("a.ply", lambda v, p: ply("ascii", v, p)),
        ("a.ply", lambda v, p: ply("binary_little_endian", v, p)),
        ("a.ply", lambda v, p: ply("binary_big_endian", v, p, extra=True)),
    ],
)
def test_polygons_become_triangles(tmp_path, name, write, vertices, polygons, count, volume):
    mesh = load_mesh(put(tmp_path, name, write(vertices, polygons)))
    assert len(mesh.faces) == count
    assert mesh.is_oriented
    assert mesh.volume == pytest.approx(volume, rel=1e-6)


@pytest.mark.parametrize(
    "write",
    [obj, off, *(lambda v, p, w=w: ply(w, v, p) for w in ("ascii", "binary_little_endian"))],
)
@pytest.mark.parametrize("corners", [4, 5])
def test_polygons_of_one_size(tmp_path, write, corners):
    vertices = PRISM_VERTICES[:corners] - (0, 0, 1)
    vertices = np.concatenate((vertices, vertices[:1] + np.float32((0, 0, 2))))
    polygons = [tuple(range(corners)), tuple(reversed(range(corners)))]
    name = {obj: "a.obj", off: "a.off"}.get(write, "a.ply")
    mesh = load_mesh(put(tmp_path, name, write(vertices, polygons)))
    assert len(mesh.faces) == 2 * (corners - 2)
    assert mesh.is_closed


def test_binary_ply_whose_sizes_average_out(tmp_path):
    # 4 + 3 + 5 indices take the space of three quads. Read as quads they would be nonsense.
    polygons = [(0, 1, 2, 3), (0, 1, 2), (0, 1, 2, 3, 4)]
    mesh = load_mesh(put(tmp_path, "a.ply", ply("binary_little_endian", PRISM_VERTICES, polygons)))
    wanted = [(0, 1, 2), (0, 2, 3), (0, 1, 2), (0, 1, 2), (0, 2, 3), (0, 3, 4)]
    np.testing.assert_array_equal(mesh.faces, wanted)


def test_relative_indices_count_from_their_own_line(tmp_path):
    block = obj().decode()
    relative = "\n".join(
        "f " + " ".join(f"-{5 - int(i)}" for i in line.split()[1:]) if line[0] == "f" else line
        for line in block.splitlines()
    )
    moved = relative.replace("v 0.0", "v 5.0").replace("v 1.0", "v 6.0")
    mesh = load_mesh(put(tmp_path, "a.obj", f"{relative}\n{moved}\n".encode()))
    assert len(mesh.faces) == 8
    assert mesh.is_oriented
    assert mesh.volume == pytest.approx(2 / 6)


@pytest.mark.parametrize(
    "edit",
    [
        lambda t: t.replace("\n", "\r\n"),
        lambda t: t.replace("\n", "\r"),
        lambda t: t.replace(" ", "\t"),
        lambda t: "  " + t.replace("\n", "\n   "),
        lambda t: "# Größe\n" + t,
        lambda t: t.replace("f 1 3 2", "f 1 3 \\\n2"),
        lambda t: "\ufeff" + t,
        lambda t: t.rstrip("\n"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_obj_dialects(tmp_path, edit, encoding):
    text = edit(obj().decode()).encode(encoding, "ignore")
    mesh = load_mesh(put(tmp_path, "a.obj", text))
    assert len(mesh.faces) == 4
    assert mesh.is_oriented


def test_objects_of_an_obj(tmp_path):
    text = (
        "o left\n"
        + obj().decode()
        + "o right\n"
        + obj(TETRA_VERTICES + 3, TETRA_FACES + 4).decode()
    )
    mesh = load_mesh(put(tmp_path, "a.obj", text.encode()))
    assert sorted(mesh.object_names) == ["left", "right"]
    left = mesh.faces[mesh.object_id == mesh.object_names.index("left")]
    assert mesh.vertices[left].max() == 1


def test_solids_of_an_stl(tmp_path):
    mesh = load_mesh(put(tmp_path, "a.stl", ascii_stl(("one", "two"))))
    assert sorted(mesh.object_names) == ["one", "two"]
    assert mesh.volume == pytest.approx(2 / 6)


def test_texture_of_an_obj(tmp_path):
    put(tmp_path, "a.mtl", b"newmtl paint\nKd 0.5 0.5 0.5\nmap_Kd p.png\n")
    put(tmp_path, "p.png", png(TEXTURE))
    mesh = load_mesh(put(tmp_path, "a.obj", textured_obj()))
    check_texture(mesh)
    assert mesh.colors is None


@pytest.mark.filterwarnings("ignore::ddepth_gl.LeftOutWarning")
def test_a_missing_or_foreign_texture_is_left_out(tmp_path):
    put(tmp_path, "a.mtl", b"newmtl paint\nmap_Kd gone.png\n")
    assert load_mesh(put(tmp_path, "a.obj", textured_obj())).textures == ()
    put(tmp_path, "gone.png", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n")
    assert load_mesh(tmp_path / "a.obj").textures == ()
    tree, content = textured_gltf("missing.png")
    mesh = load_mesh(put(tmp_path, "a.gltf", gltf(tree, content)))
    assert mesh.textures == ()
    assert mesh.uv is not None


def test_equal_textures_are_stored_once(tmp_path):
    put(tmp_path, "a.mtl", b"newmtl x\nmap_Kd x.png\nnewmtl y\nmap_Kd y.png\nnewmtl z\nKd 1 0 0\n")
    put(tmp_path, "x.png", png(TEXTURE))
    put(tmp_path, "y.png", png(TEXTURE))
    faces = "usemtl x\nf 1/1 3/3 2/2\nusemtl y\nf 1/1 2/2 4/4\nusemtl z\nf 2 3 4\nf 1 4 3\n"
    text = textured_obj().decode().split("f ")[0] + faces
    mesh = load_mesh(put(tmp_path, "a.obj", text.encode()))
    assert len(mesh.textures) == 1
    assert sorted(mesh.texture_id.tolist()) == [-1, -1, 0, 0]
    used = {tuple(mesh.colors[v]) for v in mesh.faces[mesh.texture_id == -1].ravel()}
    assert used == {(255, 0, 0, 255)}
    assert {tuple(mesh.colors[v]) for v in mesh.faces[mesh.texture_id == 0].ravel()} == {(255,) * 4}


def test_colors_of_a_ply(tmp_path):
    colors = np.array([(1, 2, 3), (4, 5, 6), (7, 8, 9), (10, 11, 12)])
    for layout in ("ascii", "binary_little_endian"):
        mesh = load_mesh(put(tmp_path, "a.ply", ply(layout, colors=colors)))
        np.testing.assert_array_equal(mesh.colors[:, :3], colors)


# Refusals


def test_paths_that_are_not_mesh_files(tmp_path):
    refused(tmp_path / "gone.obj", "no such file")
    folder = tmp_path / "folder.obj"
    folder.mkdir()
    refused(folder, "is a directory")
    os.mkfifo(tmp_path / "pipe.obj")
    refused(tmp_path / "pipe.obj", "not a regular file")
    refused(
        put(tmp_path, "a.foo", b"x"), r"\.foo.*\.obj, \.stl, \.ply, \.off, \.glb, \.gltf, \.3mf"
    )
    refused(put(tmp_path, "none", obj()), r"no extension; add that of its format, \.obj, ")
    (tmp_path / "dangling.obj").symlink_to(tmp_path / "gone.obj")
    refused(tmp_path / "dangling.obj", "no such file")
    with pytest.raises(MeshError):
        load_mesh("a\0b.obj")
    with pytest.raises(MeshError, match=r"a b\.obj: there is no such file"):
        load_mesh("a\nb.obj")


@pytest.mark.parametrize("suffix", ["obj", "stl", "ply", "off", "glb", "gltf"])
@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"a",
        b"\0",
        b"\n",
        b"v",
        b"just some text\n" * 30,
        b"OFF",
        b"ply\n",
        b"glTF",
        b"solid\n",
        b"{}",
        b"[1]",
    ],
)
def test_tiny_files_and_files_of_another_kind(tmp_path, suffix, data):
    refused(put(tmp_path, f"a.{suffix}", data), "it is empty" if not data else ".")


@pytest.mark.filterwarnings("ignore::ddepth_gl.LeftOutWarning")
@pytest.mark.parametrize("name", SMALL_FILES)
def test_files_cut_anywhere(tmp_path, name):
    data = SMALL_FILES[name]
    for size in sorted({len(data) // 2, *range(0, len(data) - 2, 7)}):
        path = put(tmp_path, name, data[:size])
        if name.endswith(".obj") and b"\nf" in data[:size]:
            load_or_refuse(path)  # OBJ declares no length: the rest may be a valid mesh
        else:
            refused(path)


@pytest.mark.filterwarnings("ignore::ddepth_gl.LeftOutWarning")
@pytest.mark.parametrize(
    "last", ["f 1 2", "f 1", "f", "v 0.1", "v", "f 1 2 x", "f 1/1/1 2", "v 1 2 3e", "usemtl", "o"]
)
def test_obj_with_a_cut_last_line(tmp_path, last):
    load_or_refuse(put(tmp_path, "a.obj", obj() + last.encode()))


@pytest.mark.parametrize("name", SMALL_FILES)
def test_limits(tmp_path, name):
    path = put(tmp_path, name, SMALL_FILES[name])
    size = len(SMALL_FILES[name])
    refused(
        path, f"{size} bytes, the limit is {size - 1}; .*max_file_bytes", max_file_bytes=size - 1
    )
    refused(path, "3.* the limit.*max_faces|limit is 3.*max_faces", max_faces=3)
    assert len(load_mesh(path, max_file_bytes=size, max_faces=4).faces) == 4


@pytest.mark.parametrize("bad", ["nan", "inf", "-inf", "1e39", "1e400"])
@pytest.mark.parametrize("name", ["a.obj", "a.off", "a.ply", "ascii.stl"])
def test_vertices_that_are_not_finite(tmp_path, name, bad):
    refused(
        put(tmp_path, name, bad.encode().join(SMALL_FILES[name].rsplit(b"1.0", 1))),
        "not finite|cannot be read",
    )


@pytest.mark.parametrize("name", ["a.stl", "little.ply", "a.glb"])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_binary_vertices_that_are_not_finite(tmp_path, name, bad):
    data = SMALL_FILES[name].replace(struct.pack("<f", 1.0), struct.pack("<f", bad), 1)
    assert data != SMALL_FILES[name]
    refused(put(tmp_path, name, data), "not finite in float32")


@pytest.mark.parametrize("name", ["a.obj", "a.off", "a.ply", "little.ply", "a.glb", "a.gltf"])
@pytest.mark.parametrize("index", [4, 100, -1])
def test_indices_that_point_nowhere(tmp_path, name, index):
    faces = TETRA_FACES.copy()
    faces[2, 1] = index
    if name.startswith("a.gl"):
        arrays = {**TETRA, "indices": faces.astype(np.int64).astype(np.uint16).ravel()}
        data = (glb if name == "a.glb" else gltf)(*gltf_tree(arrays))
    else:
        write = {"a.obj": obj, "a.off": off, "a.ply": ply}.get(
            name, lambda **k: ply("binary_little_endian", **k)
        )
        data = write(polygons=faces)
    refused(put(tmp_path, name, data))


@pytest.mark.parametrize("count", [10**9, 10**12, 10**30, -1])
@pytest.mark.parametrize("element", ["vertex", "face"])
@pytest.mark.parametrize("layout", ["ascii", "binary_little_endian", "binary_big_endian"])
def test_ply_counts(tmp_path, layout, element, count):
    data = ply(layout).replace(
        f"element {element} 4".encode(), f"element {element} {count}".encode()
    )
    refused(put(tmp_path, "a.ply", data), "declares|makes no sense")


@pytest.mark.parametrize("size", [0, 1, 2, 200, 2**31, 2**32 - 1])
def test_ply_lists_of_odd_sizes(tmp_path, size):
    data = ply("binary_little_endian").replace(b"list uchar", b"list uint")
    start = data.index(b"end_header\n") + 11 + 48
    load_or_refuse(put(tmp_path, "a.ply", data[:start] + struct.pack("<I3i", size, 0, 1, 2) * 4))


def test_ply_of_points_or_strips(tmp_path):
    points = ply().split(b"element face")[0] + b"end_header\n" + ply().split(b"end_header\n")[1]
    refused(put(tmp_path, "a.ply", points), "no faces")
    strips = ply().replace(b"element face", b"element tristrips")
    assert len(load_mesh(put(tmp_path, "a.ply", strips)).faces) == 4


@pytest.mark.parametrize(
    "counts", ["1000000000000 4 0", "4 1000000000 0", "-4 4 0", "4 -4", "4", "x y z", "4 5 0"]
)
def test_off_counts(tmp_path, counts):
    refused(put(tmp_path, "a.off", off().replace(b"4 4 0", counts.encode())))


def test_off_dialects(tmp_path):
    for data in (
        off().replace(b"OFF\n", b"OFF "),
        b"# a comment\n\n" + off().replace(b"\n", b"  # x\n\n"),
    ):
        assert load_mesh(put(tmp_path, "a.off", data)).is_oriented


@pytest.mark.parametrize("count", [0, 5, 10**9, 2**32 - 1])
def test_stl_counts(tmp_path, count):
    data = SMALL_FILES["a.stl"]
    refused(
        put(tmp_path, "a.stl", data[:80] + struct.pack("<I", count) + data[84:]), "triangles take"
    )


def test_obj_of_lines_or_vertex_zero(tmp_path):
    refused(put(tmp_path, "a.obj", obj(polygons=[]) + b"l 1 2 3\n"), "no faces")
    refused(put(tmp_path, "a.obj", obj() + b"f 0 1 2\n"), "vertex 0")
    refused(put(tmp_path, "a.obj", obj() + b"f -1 -2 -9\n"), "9 lines back")


def test_a_keyboard_interrupt_is_not_caught(tmp_path, monkeypatch):
    def interrupt(*args):
        raise KeyboardInterrupt

    monkeypatch.setattr("ddepth_gl.io.meshes.read.merge_parts", interrupt)
    with pytest.raises(KeyboardInterrupt):
        load_mesh(put(tmp_path, "a.obj", obj()))


def test_no_memory(tmp_path, monkeypatch):
    def full(*args):
        raise MemoryError

    monkeypatch.setattr("ddepth_gl.io.meshes.read.merge_parts", full)
    refused(put(tmp_path, "a.obj", obj()), "not enough memory")


@pytest.mark.parametrize(
    "error", [AssertionError, AttributeError, IndexError, KeyError, TypeError, UnboundLocalError]
)
def test_what_a_parser_stumbles_over_is_not_told(tmp_path, monkeypatch, error):
    def fail(*args):
        raise error("'NoneType' object has no attribute 'shape'")

    monkeypatch.setattr("ddepth_gl.io.meshes.read.merge_parts", fail)
    message = refused(
        put(tmp_path, "a.ply", ply()), "it is damaged or not PLY at all; check or export"
    )
    assert "NoneType" not in message


def test_ply_without_coordinates(tmp_path):
    flat = ply().replace(b"property float z\n", b"", 1)
    refused(put(tmp_path, "a.ply", flat), "its vertices have no property 'z'")


def test_long_messages_are_cut_to_one_line(tmp_path, monkeypatch):
    def fail(*args):
        raise RuntimeError("first line\nsecond line " * 100)

    monkeypatch.setattr("ddepth_gl.io.meshes.read.merge_parts", fail)
    refused(put(tmp_path, "a.obj", obj()), r"RuntimeError: first line second line .*\.\.\.")


@pytest.mark.filterwarnings("ignore::ddepth_gl.LeftOutWarning")
def test_nothing_is_printed(tmp_path, capfd):
    put(tmp_path, "a.mtl", b"newmtl paint\nmap_Kd gone.png\n")
    load_mesh(put(tmp_path, "a.obj", textured_obj()))
    with_texture = ply().replace(b"element vertex", b"comment TextureFile gone.png\nelement vertex")
    load_mesh(put(tmp_path, "a.ply", with_texture))
    assert capfd.readouterr() == ("", "")


@pytest.mark.filterwarnings("ignore::ddepth_gl.LeftOutWarning")
@settings(
    max_examples=250,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(
    name=st.sampled_from(sorted(SMALL_FILES)),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=8),
    keep=st.floats(0.2, 1) | st.just(1.0),
)
def test_random_damage_loads_or_is_refused(tmp_path, name, flips, keep):
    data = bytearray(SMALL_FILES[name])
    for where, value in flips:
        data[int(where * len(data))] = value
    load_or_refuse(put(tmp_path, name, bytes(data[: round(len(data) * keep)])))


# Meshes outside the repository


@pytest.mark.filterwarnings("ignore::ddepth_gl.LeftOutWarning")
@pytest.mark.parametrize("path", bad_files())
def test_bad_files(path):
    load_or_refuse(path)


@pytest.mark.parametrize(
    ("name", "faces", "closed"),
    [
        ("spot/spot.obj", 5856, True),
        ("rocker-arm.obj", 20088, True),
        ("homer.obj", 12000, True),
        ("not_convex.obj", 96, True),
        ("multibody.stl", 32, True),
        ("stanford-bunny.obj", 69451, False),
        ("ogre.obj", 124008, False),
        ("suzanne.obj", 968, False),
    ],
)
def test_good_files(name, faces, closed):
    mesh = load_mesh(good(name))
    assert len(mesh.faces) == faces
    assert mesh.is_closed is closed


def test_duck():
    mesh = load_mesh(good("Duck.glb"))
    assert mesh.texture.shape == (512, 512, 4)
    assert (mesh.texture_id == 0).all()
    # The duck is yellow at most of its corners.
    u, v = np.mod(mesh.uv[mesh.faces.ravel()], 1).T
    colors = mesh.texture[((1 - v) * 511).astype(int), (u * 511).astype(int)]
    red, green, blue, _ = np.median(colors, axis=0)
    assert red > green > 150 > 50 > blue


def test_milk_truck():
    mesh = load_mesh(good("CesiumMilkTruck.glb"))
    assert mesh.object_names == ("Cesium_Milk_Truck", "Wheels", "Wheels")
    assert mesh.texture.shape == (2048, 2048, 4)
    bounds = [mesh.vertices[mesh.faces[mesh.object_id == i]].reshape(-1, 3) for i in range(3)]
    body, rear, front = ((b.min(axis=0), b.max(axis=0)) for b in bounds)
    wheels = sorted((rear, front), key=lambda b: b[0][0])
    np.testing.assert_allclose(wheels[0][1] - wheels[0][0], wheels[1][1] - wheels[1][0], atol=1e-5)
    assert wheels[0][1][0] < wheels[1][0][0]  # one axle behind the other
    for low, high in wheels:
        assert body[0][0] < low[0] < high[0] < body[1][0]  # both under the body
        assert low[1] == pytest.approx(0.0, abs=0.01)  # and on the ground
        assert high[1] < body[1][1] / 2


def test_spot_has_its_texture():
    mesh = load_mesh(good("spot/spot.obj"))
    assert mesh.texture.shape == (1024, 1024, 4)
    assert mesh.uv.shape == (len(mesh.vertices), 2)
    expected = iio.imread(io.BytesIO(good("spot/spot_texture.png").read_bytes()))
    np.testing.assert_array_equal(mesh.texture[..., :3], expected[..., :3])
