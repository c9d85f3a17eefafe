"""Textures of files: checked when loaded, decoded when first used, reduced, and told if lost."""

import copy
import io
import pickle
import struct
import threading
import warnings
import weakref
import zlib

import numpy as np
import pytest
from mesh_files import (
    TETRA,
    TEXTURE,
    glb,
    gltf,
    gltf_tree,
    png,
    png_bomb,
    put,
    refused,
    textured_gltf,
)
from PIL import Image

import ddepth_gl as dd
from ddepth_gl.io.meshes import textures
from ddepth_gl.io.meshes.textures import EncodedTexture, LostTexture, open_texture
from ddepth_gl.mesh.lazy_texture import LazyTexture

NOISE = np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)


def encoded(pixels, format_name, **options):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format_name, **options)
    return buffer.getvalue()


def told(path):
    """Return what a file lost, from the mesh and from the warning."""
    with pytest.warns(dd.LeftOutWarning) as caught:
        mesh = dd.load_mesh(path)
    (note,) = mesh.source.left_out
    assert [str(each.message) for each in caught] == [f"{path}: {note}"]
    assert mesh.textures == ()
    assert len(mesh.faces) == 4
    return note


@pytest.fixture
def decoded_names(monkeypatch):
    """Names of the textures that were decoded so far."""
    names = []
    decode = textures._decoded

    def spy(texture, *rest):
        names.append(texture.name)
        return decode(texture, *rest)

    monkeypatch.setattr(textures, "_decoded", spy)
    return names


def test_nothing_is_decoded_before_it_is_used(tmp_path, decoded_names, renderer):
    put(tmp_path, "p.png", png(TEXTURE))
    mesh = dd.load_mesh(put(tmp_path, "a.gltf", gltf(*textured_gltf("p.png"))))
    camera = dd.Camera.orbit(mesh, views=1, width=8, height=8)[0]
    assert mesh.texture_sizes == ((2, 2),)
    repr(mesh)
    mesh.report()  # a texture without an alpha channel needs no decoding
    moved = mesh.transformed(np.eye(4))
    with dd.DepthRenderer(renderer.info.engine) as own:
        scene = own.upload(moved)
        own.entry_exit(scene, camera, attributes=("normal", "barycentric", "face"))
        own.peel(scene, camera)
        assert decoded_names == []
        own.shade(scene, camera)
    assert decoded_names == ["p.png"]
    np.testing.assert_array_equal(mesh.textures[0][..., :3], TEXTURE)
    assert mesh.textures[0] is moved.textures[0]
    assert mesh.texture is mesh.textures[0]
    assert not mesh.texture.flags.writeable
    assert decoded_names == ["p.png"]


def test_a_mesh_without_appearance_opens_no_image(tmp_path, monkeypatch):
    tree, content = textured_gltf("p.png", TEXCOORD_1=np.zeros((4, 2), np.float32))
    path = put(tmp_path, "a.gltf", gltf(tree, content))
    monkeypatch.setattr(textures, "open_texture", None)
    monkeypatch.setattr("ddepth_gl.io.meshes.gltf.images.open_texture", None)
    mesh = dd.load_mesh(path, appearance=False)  # there is no p.png, and nobody misses it
    assert (mesh.uv, mesh.colors, mesh.textures, mesh.source.left_out) == (None, None, (), ())
    assert mesh.source.textures_sha256 == ""


def test_without_appearance_the_geometry_is_the_same(tmp_path):
    put(tmp_path, "p.png", png(TEXTURE))
    path = put(tmp_path, "a.gltf", gltf(*textured_gltf("p.png")))
    whole, bare = dd.load_mesh(path), dd.load_mesh(path, appearance=False)
    np.testing.assert_array_equal(whole.vertices, bare.vertices)
    np.testing.assert_array_equal(whole.faces, bare.faces)
    assert whole.source.sha256 == bare.source.sha256
    assert whole.source.side_files_sha256 == bare.source.side_files_sha256 == ""
    assert len(whole.source.textures_sha256) == 64


@pytest.mark.parametrize("is_decoded", [False, True])
def test_pickled_and_copied_meshes_keep_their_textures(tmp_path, is_decoded):
    put(tmp_path, "p.png", png(TEXTURE))
    mesh = dd.load_mesh(put(tmp_path, "a.gltf", gltf(*textured_gltf("p.png"))))
    if is_decoded:
        _ = mesh.textures
    for other in (pickle.loads(pickle.dumps(mesh)), copy.deepcopy(mesh)):
        assert other.texture_sizes == ((2, 2),)
        np.testing.assert_array_equal(other.texture[..., :3], TEXTURE)
        with pytest.raises(ValueError, match="read-only"):
            other.texture[0] = 0


def test_threads_decode_once():
    calls = []
    start = threading.Barrier(8)

    def decode():
        calls.append(1)
        return np.zeros((2, 3, 4), np.uint8)

    texture = LazyTexture((3, 2), decode)
    found = []

    def work():
        start.wait()
        found.append(texture.texels())

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(calls) == 1
    assert all(each is found[0] for each in found)


def test_encoded_bytes_are_freed_after_decoding():
    encoded_bytes = io.BytesIO(b"encoded")  # bytes themselves cannot be watched
    watched = weakref.ref(encoded_bytes)

    def decode(held=encoded_bytes):
        return np.zeros((2, 3, 4), np.uint8)

    texture = LazyTexture((3, 2), decode)
    del encoded_bytes, decode
    assert watched() is not None
    texture.texels()
    assert watched() is None


# A header of DirectX's DDS, then a block of 8 bytes for 4x4 texels.
DDS_OF_BLOCKS = (
    struct.pack("<4s7I44x", b"DDS ", 124, 0x1007, 64, 64, 0, 0, 0)
    + struct.pack("<2I4s5I5I", 32, 4, b"DXT1", 0, 0, 0, 0, 0, 0x1000, 0, 0, 0, 0)
    + bytes(range(256)) * 8
)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("PNG", png(NOISE)),
        ("JPEG", encoded(NOISE, "JPEG")),
        ("WEBP", encoded(NOISE, "WEBP", lossless=True)),
        ("DDS", encoded(NOISE, "DDS")),
        ("DDS of blocks", DDS_OF_BLOCKS),
    ],
)
def test_files_cut_short_are_noticed_and_told(tmp_path, name, data):
    texture = open_texture(data, "p")
    assert isinstance(texture, EncodedTexture)
    assert texture.size == (64, 64)
    lost = open_texture(data[: len(data) // 2], "p")
    assert isinstance(lost, LostTexture)
    assert lost.reason.startswith("damaged (")
    put(tmp_path, "p.img", data[: len(data) // 2])
    note = told(put(tmp_path, "a.gltf", gltf(*textured_gltf("p.img"))))
    assert note.startswith("4 faces lost their texture p.img: damaged (")


@pytest.mark.parametrize("name", ["BMP", "TGA", "TIFF"])
def test_files_cut_short_of_other_formats_raise_when_first_used(tmp_path, decoded_names, name):
    data = encoded(NOISE, name)
    put(tmp_path, "p.img", data)
    path = put(tmp_path, "a.gltf", gltf(*textured_gltf("p.img")))
    np.testing.assert_array_equal(dd.load_mesh(path).texture[..., :3], NOISE)
    decoded_names.clear()
    put(tmp_path, "p.img", data[: len(data) // 2] if name != "TIFF" else data[:-5000] + bytes(4000))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", dd.LeftOutWarning)
        mesh = dd.load_mesh(path)
    assert decoded_names == []
    if mesh.texture_sizes:  # TIFF may have its header at its end
        with pytest.raises(dd.MeshError, match=r"texture 'p\.img' is damaged"):
            _ = mesh.textures


def test_no_image_is_decoded_to_find_damage_if_it_has_many_pixels_a_byte(monkeypatch):
    monkeypatch.setattr(textures, "_texels", None)
    bomb = png(np.zeros((2000, 2000, 3), np.uint8))[:-4]
    assert isinstance(open_texture(bomb, "p"), EncodedTexture)


def test_pixels_are_counted_before_any_image_is_decoded(tmp_path, monkeypatch, decoded_names):
    monkeypatch.setattr(textures, "_MAX_TOTAL_PIXELS", 64 * 64 - 1)
    put(tmp_path, "p.tif", encoded(NOISE, "TIFF"))
    refused(put(tmp_path, "a.gltf", gltf(*textured_gltf("p.tif"))), "more than 4,095 pixels")
    assert decoded_names == []


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_alpha_alone_is_the_alpha_of_the_texels(monkeypatch, mode):
    levels = np.random.default_rng(1).integers(0, 255, (64, 64, 4), np.uint8)
    image = Image.fromarray(levels).convert("LA") if mode == "LA" else Image.fromarray(levels)
    options = {}
    if mode == "P":
        image = Image.fromarray(levels[..., 0]).convert("P")
        options = {"transparency": bytes(range(256))}
    buffer = io.BytesIO()
    image.save(buffer, "PNG", **options)
    wanted = np.asarray(Image.open(buffer).convert("RGBA"))
    texture = open_texture(buffer.getvalue(), "p")
    monkeypatch.setattr(textures, "_STRIP_PIXELS", 64 * 7)
    for limit, bands in ((0, ["A", "RGBA"]), (2**26, ["RGBA"])):
        monkeypatch.setattr(textures, "_MAX_SHARED_PIXELS", limit)
        decoded = []
        decode = textures._decoded

        def spy(*args, decode=decode, decoded=decoded):
            decoded.append(args[-1])
            return decode(*args)

        with monkeypatch.context() as patch:
            patch.setattr(textures, "_decoded", spy)
            ((lazy,), _, _) = textures.distinct_textures([(texture, dd.Sampler())])
            np.testing.assert_array_equal(lazy.alpha(), wanted[..., 3])
            assert lazy.alpha().dtype == np.uint8
            np.testing.assert_array_equal(lazy.texels(), wanted)
            np.testing.assert_array_equal(lazy.alpha(), wanted[..., 3])
        assert decoded == bands


def test_a_flipped_bit_of_a_png_is_noticed():
    data = bytearray(png(NOISE))
    data[len(data) // 2] ^= 1
    assert isinstance(open_texture(bytes(data), "p"), LostTexture)


def test_damage_that_only_decoding_finds_is_an_error_of_the_first_use(tmp_path):
    # A sound PNG by its checksums, whose compressed data is none.
    data = png(NOISE)
    start = data.index(b"IDAT")
    length = int.from_bytes(data[start - 4 : start], "big")
    chunk = b"IDAT" + bytes(length)
    data = data[:start] + chunk + zlib.crc32(chunk).to_bytes(4, "big") + data[start + 8 + length :]
    put(tmp_path, "p.png", data)
    path = put(tmp_path, "a.gltf", gltf(*textured_gltf("p.png")))
    mesh = dd.load_mesh(path)
    pattern = rf"^{path}: its texture 'p.png' is damaged \(.*\); repair it, or load the mesh with"
    for _ in range(2):
        with pytest.raises(dd.MeshError, match=pattern) as error:
            _ = mesh.textures
        assert "\n" not in str(error.value)
    assert dd.load_mesh(path, appearance=False).textures == ()


@pytest.mark.parametrize("size", [(60_000, 60_000), (11_000, 13_000)])
def test_textures_of_too_many_pixels_are_lost(tmp_path, size):
    note = told(put(tmp_path, "a.glb", glb(*textured_gltf(png_bomb(*size)))))
    assert note.startswith("4 faces lost their texture image 0: ")
    assert "pixels" in note


def test_missing_and_too_large_files_are_told(tmp_path):
    path = put(tmp_path, "a.gltf", gltf(*textured_gltf("../images/x.jpg")))
    assert told(path) == (
        "4 faces lost their texture ../images/x.jpg: "
        "file not found in the mesh's folder or texture_roots"
    )
    put(tmp_path, "p.png", png(NOISE))
    put(tmp_path, "a.gltf", gltf(*textured_gltf("p.png")))
    with pytest.warns(dd.LeftOutWarning, match="lost their texture p.png: its side file 'p.png' "):
        dd.load_mesh(path, max_file_bytes=3000)


def test_faces_of_all_instances_are_counted(tmp_path):
    tree, content = textured_gltf("x.ktx2")
    put(tmp_path, "x.ktx2", b"\xabKTX 20\xbb\r\n\x1a\n" + bytes(100))
    tree["nodes"] = [{"mesh": 0}, {"mesh": 0}, {"mesh": 0}]
    tree["scenes"] = [{"nodes": [0, 1, 2]}]
    with pytest.warns(
        dd.LeftOutWarning, match=r"12 faces lost their texture x\.ktx2: format not read$"
    ):
        dd.load_mesh(put(tmp_path, "a.gltf", gltf(tree, content)))


def test_many_pixels_in_all_are_refused_and_reduced(tmp_path, monkeypatch):
    monkeypatch.setattr(textures, "_MAX_TOTAL_PIXELS", 1000)
    put(tmp_path, "p.png", png(NOISE))
    path = put(tmp_path, "a.gltf", gltf(*textured_gltf("p.png")))
    refused(path, "its textures have more than 1,000 pixels; pass max_texture_size to reduce them")
    assert dd.load_mesh(path, max_texture_size=16).texture_sizes == ((16, 16),)


@pytest.mark.parametrize(
    ("shape", "limit", "wanted"),
    [
        ((64, 32), 16, (8, 16)),
        ((64, 64), 64, (64, 64)),
        ((100, 3), 10, (1, 10)),
        ((5, 7), 3, (3, 2)),
    ],
)
@pytest.mark.parametrize("format_name", ["PNG", "JPEG"])
def test_larger_textures_are_reduced(tmp_path, shape, limit, wanted, format_name):
    rng = np.random.default_rng(1)
    data = encoded(rng.integers(0, 256, (*shape, 3)).astype(np.uint8), format_name)
    put(tmp_path, "p.img", data)
    path = put(tmp_path, "a.gltf", gltf(*textured_gltf("p.img")))
    mesh = dd.load_mesh(path, max_texture_size=limit)
    assert mesh.texture_sizes == (wanted,)
    assert mesh.textures[0].shape == (*wanted[::-1], 4)


def test_a_reduced_texel_is_the_mean_of_those_that_it_covers(tmp_path):
    rng = np.random.default_rng(2)
    pixels = rng.integers(0, 256, (32, 64, 3)).astype(np.uint8)
    put(tmp_path, "p.png", png(pixels))
    path = put(tmp_path, "a.gltf", gltf(*textured_gltf("p.png")))
    found = dd.load_mesh(path, max_texture_size=16).texture
    means = pixels.reshape(8, 4, 16, 4, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(
        found[..., :3], means, atol=1.01
    )  # rounded to 8 bits for rows and columns
    assert (found[..., 3] == 255).all()


def test_a_reduced_jpeg_is_close_to_the_mean(tmp_path):
    smooth = np.stack(np.meshgrid(np.arange(256), np.arange(256), [0, 99]), axis=-1)[:, :, 1]
    data = encoded(smooth.astype(np.uint8), "JPEG", quality=98, subsampling=0)
    put(tmp_path, "p.jpg", data)
    path = put(tmp_path, "a.gltf", gltf(*textured_gltf("p.jpg")))
    found = dd.load_mesh(path, max_texture_size=32).texture
    means = smooth.reshape(32, 8, 32, 8, 3).mean(axis=(1, 3))
    np.testing.assert_allclose(found[..., :3], means, atol=4)  # what JPEG loses at this quality


@pytest.mark.parametrize("size", [0, -1, 1.5, "1", True])
def test_max_texture_size_is_checked(tmp_path, size):
    path = put(tmp_path, "a.gltf", gltf(*textured_gltf("p.png")))
    with pytest.raises(dd.RequestError, match="max_texture_size must be"):
        dd.load_mesh(path, max_texture_size=size)


def test_textures_are_shared_by_content_and_kept_apart_by_sampler(tmp_path):
    put(tmp_path, "p.png", png(TEXTURE))
    put(tmp_path, "same.png", png(TEXTURE))
    tree, content = textured_gltf("p.png")
    tree["images"].append({"uri": "same.png"})
    tree["samplers"] = [{"wrapS": 33071}]
    tree["textures"] = [{"source": 0}, {"source": 1}, {"source": 1, "sampler": 0}]
    tree["materials"] = [
        {"pbrMetallicRoughness": {"baseColorTexture": {"index": k}}} for k in range(3)
    ]
    primitive = tree["meshes"][0]["primitives"][0]
    tree["meshes"][0]["primitives"] = [{**primitive, "material": k} for k in range(3)]
    mesh = dd.load_mesh(put(tmp_path, "a.gltf", gltf(tree, content)))
    np.testing.assert_array_equal(mesh.texture_id, np.repeat([0, 0, 1], 4))
    assert mesh.samplers == (dd.Sampler(), dd.Sampler(wrap_u="clamp"))
    assert mesh.textures[0] is mesh.textures[1]


def test_gltf_without_a_texture_is_not_lost(tmp_path):
    assert dd.load_mesh(put(tmp_path, "a.glb", glb(*gltf_tree(TETRA)))).source.left_out == ()
