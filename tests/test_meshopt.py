"""Streams of meshopt against an encoder of the tests, the published examples, and damage."""

import time

import numpy as np
import pytest
from gltf_compressed import meshopt_tree as compressed
from mesh_files import TETRA_FACES, glb, gltf, put, refused
from meshopt_encoder import encode_attributes, encode_indices, encode_triangles, rotated
from shapes import box

import ddepth_gl as dd
from ddepth_gl.errors import MeshError
from ddepth_gl.io.meshes.gltf.meshopt import decode_meshopt


def decoded(stream, mode, count, stride, kind="NONE"):
    entry = {"mode": mode, "count": count, "byteStride": stride, "filter": kind}
    return decode_meshopt(memoryview(stream), entry)


def smooth(rng, count, stride):
    """Bytes with deltas of every size: constant, slow and random columns."""
    steps = rng.integers(-3, 4, (count, stride)) * rng.integers(0, 2, stride)
    steps[:, ::3] *= rng.integers(0, 40, (1, len(range(0, stride, 3))))
    return np.cumsum(steps, axis=0).astype(np.uint8)


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("stride", [4, 12, 64, 256])
@pytest.mark.parametrize("count", [1, 16, 17, 257, 700])
def test_attributes(version, stride, count):
    rng = np.random.default_rng((version, stride, count))
    elements = smooth(rng, count, stride)
    stream = encode_attributes(elements, rng, version)
    assert (decoded(stream, "ATTRIBUTES", count, stride).reshape(-1, stride) == elements).all()


@pytest.mark.parametrize("mode", [0, 1, 2, 2 | 5 << 4, 2 | 15 << 4])
def test_channel_modes(mode):
    rng = np.random.default_rng(mode)
    elements = smooth(rng, 300, 12)
    stream = encode_attributes(elements, rng, 1, [mode, 0, mode])
    assert (decoded(stream, "ATTRIBUTES", 300, 12).reshape(-1, 12) == elements).all()


def test_long_streams_are_decoded_in_parts():
    rng = np.random.default_rng(1)
    elements = np.tile(smooth(rng, 1024, 16), (40, 1))
    stream = encode_attributes(elements, rng, 1, [0, 1, 2, 0])
    assert (decoded(stream, "ATTRIBUTES", len(elements), 16).reshape(-1, 16) == elements).all()


def test_the_example_of_the_specification():
    """16 deltas of 4 bits, as appendix A writes them out."""
    group = bytes.fromhex("175ff0bc77a9210034b5")
    deltas = (-1, -4, -3, 26, -91, 0, -6, 6, -4, -4, 5, -5, 1, -1, 0, 0)
    stream = b"\xa0" + b"\2" + group + 3 * b"\0" + bytes(28) + bytes((7, 9, 9, 9))
    elements = decoded(stream, "ATTRIBUTES", 16, 4).reshape(16, 4)
    assert (elements[:, 0] == (7 + np.cumsum(deltas)) % 256).all()
    assert (elements[:, 1:] == 9).all()


GRID = [
    t
    for y in range(20)
    for x in range(20)
    for a in [21 * y + x]
    for t in ((a, a + 1, a + 21), (a + 1, a + 22, a + 21))
]
SHUFFLED = np.random.default_rng(3).integers(0, 300, (500, 3)).tolist()
FAR = np.random.default_rng(4).integers(0, 2**31, (100, 3)).tolist()


@pytest.mark.parametrize("version", [0, 1])
@pytest.mark.parametrize("faces", [GRID, SHUFFLED, FAR, TETRA_FACES.tolist()])
@pytest.mark.parametrize("stride", [2, 4])
def test_triangles(version, faces, stride):
    stream = encode_triangles([tuple(face) for face in faces], version)
    found = decoded(stream, "TRIANGLES", 3 * len(faces), stride).view(f"<u{stride}").reshape(-1, 3)
    expected = np.array(faces).astype(f"<u{stride}")
    if stride == 4:
        assert rotated(found) == rotated(expected)
    else:  # modulo 2^16: which corner is smallest may change
        assert (np.sort(found) == np.sort(expected)).all()


def test_triangles_written_by_hand():
    """Every kind of code, worked out from the text of the specification."""
    table = bytes((0x00, 0x12)) + bytes(14)
    codes = (0xF0, 0x00, 0x11, 0x0D, 0x0E, 0x0F, 0xF1, 0xFE, 0xFF, 0xFE)
    data = bytes((20, 0x0F, 4, 0xF1, 2, 3, 0x00))
    expected = [
        (0, 1, 2),  # three new ones; edges, the last first: 02 21 10
        (0, 2, 3),  # edge 02 and a new one; edges 03 32 02
        (3, 2, 2),  # the edge before, 32, and the vertex before the last, 2
        (3, 2, 2**32 - 1),  # the last edge, 3 2, and the one below `last`, 0
        (3, 2**32 - 1, 0),  # ... the one above
        (3, 0, 10),  # ... one in full, 10 above `last`
        (4, 10, 0),  # from the table: new, the last vertex, the one before
        (5, 6, 12),  # in full: new, new, 2 above `last`
        (13, 11, 12),  # in full: 1 above `last`, 2 below that, and the last vertex before
        (0, 1, 2),  # and a restart
    ]
    stream = bytes((0xE1, *codes)) + data + table
    found = decoded(stream, "TRIANGLES", 30, 4).view("<u4").reshape(-1, 3).tolist()
    assert [tuple(face) for face in found] == expected


@pytest.mark.parametrize("stride", [2, 4])
def test_indices(stride):
    rng = np.random.default_rng(stride)
    indices = (
        np.cumsum(rng.integers(-9, 10, 500)) % 5000 + 30_000 * rng.integers(0, 2, 500)
    ).tolist()
    found = decoded(encode_indices(indices, rng), "INDICES", 500, stride).view(f"<u{stride}")
    assert found.tolist() == indices


def test_the_numbers_of_the_specification():
    """Varints of appendix A: 0x7f, 0x201 and 0x1fd005, as deltas of two running indices."""
    stream = bytes((0xD1, 0x7C, 0x81, 0x04, 0xFF, 0xA0, 0x05)) + bytes(4)
    # 0x7c: +31 of the first. 0x201: +128 of the second. 0x1507f (from ff a0 05): -0x5420 of it
    assert decoded(stream, "INDICES", 3, 4).view("<u4").tolist() == [
        31,
        128,
        (128 - 0x5420) % 2**32,
    ]


def octahedral(vectors, bits):
    """Return the two octahedral components of unit vectors, as integers of this many bits."""
    x, y, z = (vectors / np.abs(vectors).sum(axis=1, keepdims=True)).T
    folded = np.where(z < 0, (1 - np.abs(y)) * np.copysign(1, x), x)
    folded_y = np.where(z < 0, (1 - np.abs(x)) * np.copysign(1, y), y)
    return np.rint(np.stack((folded, folded_y), axis=1) * (2 ** (bits - 1) - 1))


@pytest.mark.parametrize(("dtype", "bits"), [("i1", 8), ("i1", 6), ("<i2", 16), ("<i2", 11)])
def test_octahedral_filter(dtype, bits):
    rng = np.random.default_rng(bits)
    vectors = rng.normal(size=(200, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    encoded = np.zeros((200, 4), dtype)
    encoded[:, :2] = octahedral(vectors, bits)
    encoded[:, 2] = 2 ** (bits - 1) - 1
    encoded[:, 3] = np.arange(200) % 128
    stride = 4 * encoded.itemsize
    stream = encode_attributes(encoded.view(np.uint8).reshape(200, stride), rng, 1)
    found = decoded(stream, "ATTRIBUTES", 200, stride, "OCTAHEDRAL").view(dtype).reshape(-1, 4)
    assert (found[:, 3] == encoded[:, 3]).all()
    unit = found[:, :3] / (2.0 ** (8 * encoded.itemsize - 1) - 1)
    # A step of the encoding moves a vector by at most 2 of it (half a step in each of two axes, the
    # map stretches by at most sqrt(3)), and one of the result by half of that.
    step = 1 / (2.0 ** (bits - 1) - 1)
    assert np.abs(unit - vectors).max() <= 2 * step + 1 / (2.0 ** (8 * encoded.itemsize - 1) - 1)


def test_quaternion_filter():
    rng = np.random.default_rng(0)
    rotations = rng.normal(size=(200, 4))
    rotations /= np.linalg.norm(rotations, axis=1, keepdims=True)
    largest = np.abs(rotations).argmax(axis=1)
    rotations *= np.sign(rotations[np.arange(200), largest])[:, None]
    bits = 13
    one = 2 ** (bits - 1) - 1
    encoded = np.zeros((200, 4), "<i2")
    for k in range(3):
        others = rotations[np.arange(200), (largest + 1 + k) % 4]
        encoded[:, k] = np.rint(others * np.sqrt(2) * one)
    encoded[:, 3] = (one & ~3) | largest
    stream = encode_attributes(encoded.view(np.uint8).reshape(200, 8), rng, 0)
    found = decoded(stream, "ATTRIBUTES", 200, 8, "QUATERNION").view("<i2").reshape(-1, 4) / 32767
    # The largest is at least 1/2, so it changes by at most 3 times what the others do.
    assert np.abs(found - rotations).max() <= 3 * (0.5 / one / np.sqrt(2) + 1 / 32767)


def test_exponential_filter():
    values = np.array([(0, 1.5, -3.25), (2**-90, 2.0**80, -(2.0**-20))], "<f4")
    mantissas, exponents = np.frexp(values.astype(np.float64))
    encoded = (exponents - 22).astype(np.int64) << 24 | (mantissas * 2**22).astype(
        np.int64
    ) & 0xFFFFFF
    stream = encode_attributes(
        encoded.astype("<u4").view(np.uint8).reshape(2, 12), np.random.default_rng(0), 1
    )
    found = decoded(stream, "ATTRIBUTES", 2, 12, "EXPONENTIAL").view("<f4").reshape(2, 3)
    assert (found == values).all()


@pytest.mark.parametrize(("dtype", "bits"), [("u1", 8), ("u1", 5), ("<u2", 16), ("<u2", 12)])
def test_color_filter(dtype, bits):
    rng = np.random.default_rng(bits)
    largest = 2**bits - 1
    y, co, cg, a = rng.integers(-largest, largest + 1, (4, 20_000))
    # As the decoder undoes YCoCg in integers. All three must fit into `bits`.
    exact = np.stack((y + co - cg, y + cg, y - co - cg), axis=1)
    fits = np.flatnonzero(((exact >= 0) & (exact <= largest)).all(axis=1) & (y >= 0))[:100]
    y, co, cg, a, exact = y[fits], co[fits], cg[fits], abs(a[fits]), exact[fits]
    encoded = np.stack((y, co, cg, a >> 1 | 1 << (bits - 1)), axis=1).astype(dtype)
    stride = 4 * encoded.itemsize
    stream = encode_attributes(encoded.view(np.uint8).reshape(100, stride), rng, 1)
    found = decoded(stream, "ATTRIBUTES", 100, stride, "COLOR").view(dtype).reshape(-1, 4)
    scale = np.iinfo(np.dtype(dtype)).max / largest
    assert np.abs(found[:, :3] - exact * scale).max() <= 0.5001
    assert np.abs(found[:, 3] - a * scale).max() <= scale + 0.5  # one bit less


# Files


@pytest.mark.parametrize("extension", ["EXT_meshopt_compression", "KHR_meshopt_compression"])
@pytest.mark.parametrize("fallback", [True, False])
def test_a_compressed_file(tmp_path, extension, fallback):
    mesh = dd.load_mesh(put(tmp_path, "a.glb", glb(*compressed(extension, fallback=fallback))))
    assert mesh.bounds.tolist() == [[0, 0, 0], [1, 2, 3]]
    assert (mesh.is_closed, mesh.is_oriented, len(mesh.faces)) == (True, True, 12)


def with_plain_file(folder, tree, mesh):
    plain = mesh.vertices.astype("<f4").tobytes() + mesh.faces.astype("<u4").tobytes()
    put(folder, "plain.bin", plain)
    tree["buffers"][1]["uri"] = "plain.bin"
    del tree["extensionsRequired"]


def test_plain_data_are_not_read_while_decoding_works(tmp_path):
    tree, content = compressed()
    tree["buffers"][1]["uri"] = "not there.bin"
    mesh = dd.load_mesh(put(tmp_path, "a.glb", glb(tree, content)))
    assert mesh.bounds.tolist() == [[0, 0, 0], [1, 2, 3]]


def test_plain_data_replace_damaged_streams(tmp_path):
    mesh = box((0, 0, 0), (1, 2, 3))
    tree, content = compressed(mesh=mesh)
    content = b"\0" + content[1:]
    refused(put(tmp_path, "a.glb", glb(tree, content)), "its header is not that of attributes")
    with_plain_file(tmp_path, tree, mesh)
    assert dd.load_mesh(put(tmp_path, "a.glb", glb(tree, content))).bounds[1].tolist() == [1, 2, 3]
    (tmp_path / "plain.bin").unlink()
    refused(tmp_path / "a.glb", "its header is not that of attributes")


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"count": 10**9}, "declares .* bytes in a file with"),
        ({"count": 0}, "declares 0 x"),
        ({"count": True}, "declares True x"),
        ({"mode": "ROWS"}, "mode ROWS"),
        ({"filter": "BLUR"}, "filter BLUR"),
        ({"filter": "OCTAHEDRAL"}, "12 bytes of mode ATTRIBUTES, filter OCTAHEDRAL"),
        ({"byteStride": 6}, "6 bytes"),
        ({"byteStride": 260}, "260 bytes"),
        ({"count": 9}, "decodes to 108; export it again"),
        ({"byteOffset": 10**6}, "outside its buffer"),
        ({"byteOffset": -4}, "outside its buffer"),
        ({"buffer": 1}, "buffer 1 has no data"),
        ({"buffer": 7}, r"buffers\[7\] of 2"),
        ({"byteLength": 1}, "too few for 8 elements"),
        ({"count": "8"}, "declares 8 x"),
    ],
)
def test_false_claims(tmp_path, entry, message):
    tree, content = compressed()
    tree["bufferViews"][0]["extensions"]["EXT_meshopt_compression"].update(entry)
    refused(put(tmp_path, "a.glb", glb(tree, content)), message)


def test_text_files_hold_compressed_views_as_well(tmp_path):
    tree, content = compressed()
    placeholder = tree["buffers"].pop()
    text = gltf(tree, content)
    assert b'"uri"' in text
    tree["buffers"].append(placeholder)
    assert len(dd.load_mesh(put(tmp_path, "a.gltf", gltf(tree, content))).faces) == 12


@pytest.mark.parametrize(
    ("stream", "mode", "count", "stride", "message"),
    [
        (b"", "ATTRIBUTES", 1, 4, "header"),
        (b"\xa2" + bytes(60), "ATTRIBUTES", 1, 4, "header"),
        (b"\xa0" + bytes(32), "ATTRIBUTES", 1, 4, "too early"),
        (b"\xa0" + bytes(32), "ATTRIBUTES", 10**6, 4, "too few"),
        (b"\xa0" + bytes(4 + 32 + 1), "ATTRIBUTES", 1, 4, "1 bytes are left over"),
        (b"\xa1" + bytes(4 + 24) + b"\3", "ATTRIBUTES", 1, 4, "channel mode"),
        (b"\xa1" + bytes(4 + 24) + b"\x10", "ATTRIBUTES", 1, 4, "channel mode"),
        (b"\xe2" + bytes(60), "TRIANGLES", 3, 4, "header"),
        (b"\xe1" + bytes(16), "TRIANGLES", 3, 4, "too few"),
        (b"\xe1\x00" + bytes(16), "TRIANGLES", 3, 4, "before the first"),
        (b"\xe1\xf1" + b"\0\x10" + bytes(14), "TRIANGLES", 3, 4, "before the first"),
        (b"\xe1\xff" + bytes(16), "TRIANGLES", 3, 4, "too early"),
        (b"\xe1\xff\xff\1\1" + bytes(16), "TRIANGLES", 3, 4, "too early"),
        (b"\xe1\xff\xff" + b"\x80" * 9 + bytes(16), "TRIANGLES", 3, 4, "more than 5 bytes"),
        (b"\xe1\xf0\0" + bytes(16), "TRIANGLES", 3, 4, "1 bytes are left over"),
        (b"\xd2" + bytes(9), "INDICES", 5, 4, "header"),
        (b"\xd1" + bytes(8), "INDICES", 5, 4, "too few"),
        (b"\xd1" + bytes(10), "INDICES", 5, 4, "holds 6 indices instead of 5"),
        (b"\xd1" + b"\x80" * 5 + b"\0" + bytes(4), "INDICES", 1, 4, "more than 5 bytes"),
        (b"\xd1" + b"\0" * 2 + b"\x80" + bytes(4), "INDICES", 2, 4, "instead of 2|too early"),
    ],
)
def test_damaged_streams(stream, mode, count, stride, message):
    with pytest.raises(MeshError, match=message) as caught:
        decoded(stream, mode, count, stride)
    assert "\n" not in str(caught.value)


STREAMS = []
for seed, (kind_, stride_) in enumerate(
    [("NONE", 12), ("OCTAHEDRAL", 8), ("QUATERNION", 8), ("EXPONENTIAL", 4), ("COLOR", 4)]
):
    random = np.random.default_rng(seed)
    for version_ in (0, 1):
        rows = smooth(random, 100, stride_)
        STREAMS.append(
            (encode_attributes(rows, random, version_), "ATTRIBUTES", 100, stride_, kind_)
        )
STREAMS.append((encode_triangles([tuple(t) for t in GRID]), "TRIANGLES", 3 * len(GRID), 4, "NONE"))
STREAMS.append((encode_triangles([tuple(t) for t in SHUFFLED]), "TRIANGLES", 1500, 2, "NONE"))
STREAMS.append((encode_indices(list(range(99)), random), "INDICES", 99, 2, "NONE"))


@pytest.mark.parametrize("case", range(len(STREAMS)))
def test_damage_raises_nothing_but_mesh_errors(case):
    stream, mode, count, stride, kind = STREAMS[case]
    rng = np.random.default_rng(case)
    outcomes = set()
    for _ in range(300):
        damaged = bytearray(stream)
        for at in rng.integers(0, len(damaged), rng.integers(1, 4)):
            damaged[at] ^= 1 << rng.integers(8)
        if rng.random() < 0.3:
            del damaged[rng.integers(0, len(damaged)) :]
        elements = count if rng.random() < 0.7 else int(rng.integers(1, 4 * count)) * 3
        try:
            result = decoded(bytes(damaged), mode, elements, stride, kind)
        except MeshError:
            outcomes.add("error")
        else:
            assert (result.dtype, result.size) == (np.uint8, elements * stride)
            outcomes.add("array")
    assert "error" in outcomes


def test_large_triangle_lists_are_fast():
    faces = [(a, a + 1, a + 2) for a in range(100_000)]
    stream = encode_triangles(faces)
    start = time.process_time()
    found = decoded(stream, "TRIANGLES", 300_000, 4).view("<u4").reshape(-1, 3)
    assert time.process_time() - start < 5  # 0.05 s as measured
    assert rotated(found[:100]) == rotated(faces[:100])
