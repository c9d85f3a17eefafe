"""KTX 2.0 textures with Basis Universal: files written by hand, levels, damage, and no decoder."""

import base64
import struct
import sys

import numpy as np
import pytest
from mesh_files import TEXTURE, check_texture, glb, png, put, textured_gltf

import ddepth_gl as dd
from ddepth_gl.errors import LeftOutWarning, MeshError
from ddepth_gl.io.meshes.ktx2 import decode_ktx2, ktx2_header, why_ktx2_is_not_read

basisu = pytest.importorskip("opengl_basisu", reason="has no wheel for this machine")

QUARTERS = np.array([[(255, 0, 0), (0, 255, 0)], [(0, 0, 255), (255, 255, 0)]], np.uint8)
# 8 x 8 texels: QUARTERS, the last with alpha 51, encoded as ETC1S by Basis Universal
ETC1S = base64.b64decode(
    "q0tUWCAyMLsNChoKAAAAAAEAAAAIAAAACAAAAAAAAAAAAAAAAQAAAAEAAAABAAAAaAAAADwAAACkAAAAJAAAAMgAAAAAAAAAjwAAAAAAAABXAQAAAAAAAAQAAAAAAAAAAAAAAAAAAAA8AAAAAAAAAAIAOACjAQIAAwMAAAgIAAAAAAAAAAA/AAAAAAAAAAAA/////0AAPw8AAAAAAAAAAP////8fAAAAS1RYd3JpdGVyAEJhc2lzIFVuaXZlcnNhbCAyLjEwAAAGAAIALgAAAAkAAAAwAAAAAAAAAAAAAAAAAAAAAgAAAAIAAAACAAAAIMCUAAAAAAAQ5A0TF8BEAAAAAAAAckEAmAAAAAAAAEAIACYAAAAAAAAQwI8mGayqqqpSVVVVBQDBRAAAAAAAAPLfJ4gBMAVAAAAAAIBkGAGiBgwAAACCBtHoCQQAEwAAAAAAAAggAJsO0A8="
)


def solid_block(color):
    """Return a UASTC block of one RGBA color: mode 8, whose 5-bit code is 0x17."""
    bits = 0x17
    for k, value in enumerate(color):
        bits |= int(value) << (5 + 8 * k)
    return bits.to_bytes(16, "little")


def zstd(data):
    """Return a Zstandard frame with one block that is not compressed."""
    assert len(data) < 256
    return (
        b"\x28\xb5\x2f\xfd"
        + bytes((0x20, len(data)))
        + (len(data) << 3 | 1).to_bytes(3, "little")
        + data
    )


def uastc(levels, *, alpha=False, scheme=0, **changed):
    """Return a KTX 2.0 file of UASTC.

    Args:
        levels: colors of the blocks of each level, (rows, columns, 4).
        alpha: whether the descriptor says that there is alpha.
        scheme: 0, or 2 for Zstandard.
        changed: other values of the header.
    """
    descriptor = struct.pack("<IIHHBBBBIII", 44, 0, 2, 40, 166, 1, 2, 0, 0x0303, 16, 0)
    descriptor += struct.pack("<HBBIII", 0, 127, 3 if alpha else 0, 0, 0, 2**32 - 1)
    height, width = (4 * n for n in np.shape(levels[0])[:2])
    fields = {
        "vk_format": 0, "type_size": 1, "width": width, "height": height, "depth": 0, "layers": 0,
        "faces": 1, "level_count": len(levels), "scheme": scheme,
    } | changed  # fmt: skip
    start = 80 + 24 * len(levels)
    head = struct.pack("<9I4I2Q", *fields.values(), start, len(descriptor), 0, 0, 0, 0)
    body = [b"".join(map(solid_block, np.reshape(level, (-1, 4)))) for level in levels]
    stored = [zstd(each) if scheme == 2 else each for each in body]
    content = descriptor + bytes(-(start + len(descriptor)) % 16)
    index = {}
    for k in reversed(range(len(levels))):  # the smallest comes first
        index[k] = struct.pack("<3Q", start + len(content), len(stored[k]), len(body[k]))
        content += stored[k] + bytes(-len(stored[k]) % 16)
    entries = b"".join(index[k] for k in range(len(levels)))
    return b"\xabKTX 20\xbb\r\n\x1a\n" + head + entries + content


def with_alpha(colors, alpha=255):
    return np.concatenate((colors, np.full((*colors.shape[:2], 1), alpha)), axis=2)


def enlarged(colors):
    return colors.repeat(4, axis=0).repeat(4, axis=1)


@pytest.mark.parametrize("scheme", [0, 2])
@pytest.mark.parametrize("alpha", [51, 255])
def test_uastc(scheme, alpha):
    colors = with_alpha(QUARTERS, alpha)
    file = uastc([colors], alpha=alpha < 255, scheme=scheme)
    assert ktx2_header(file) == ((8, 8), 1, alpha < 255)
    (texels,) = decode_ktx2([file])
    assert (texels == enlarged(colors)).all()


def test_etc1s():
    assert ktx2_header(ETC1S) == ((8, 8), 1, True)
    (texels,) = decode_ktx2([ETC1S])
    colors = with_alpha(QUARTERS)
    colors[1, 1, 3] = 51
    assert (texels.shape, texels.dtype) == ((8, 8, 4), np.uint8)
    assert np.abs(texels.astype(int) - enlarged(colors)).max() <= 10


def test_several_textures_at_once():
    red, blue = (uastc([with_alpha(QUARTERS[i : i + 1, :1])]) for i in (0, 1))
    first, second = decode_ktx2([red, blue])
    assert (first[0, 0].tolist(), second[0, 0].tolist()) == ([255, 0, 0, 255], [0, 0, 255, 255])


@pytest.mark.parametrize(
    ("max_size", "size", "color"),
    [
        (None, 16, 1),
        (100, 16, 1),
        (16, 16, 1),
        (9, 16, 1),
        (8, 8, 2),
        (5, 8, 2),
        (4, 4, 3),
        (1, 4, 3),
    ],
)
def test_levels(max_size, size, color):
    """The smallest level that is large enough is decoded; each has a color of its own."""
    levels = [np.full((n, n, 4), 50 * k, np.uint8) for k, n in ((1, 4), (2, 2), (3, 1))]
    (texels,) = decode_ktx2([uastc(levels, alpha=True)], max_size)
    assert texels.shape == (size, size, 4)
    assert (texels == 50 * color).all()


GOOD = uastc([with_alpha(QUARTERS)])


@pytest.mark.parametrize(
    "data",
    [
        b"",
        GOOD[:12],
        GOOD[:79],
        GOOD[:90],
        GOOD[:120],
        b"\x89PNG\r\n\x1a\n" + GOOD[8:],
        uastc([with_alpha(QUARTERS)], vk_format=43),
        uastc([with_alpha(QUARTERS)], width=0),
        uastc([with_alpha(QUARTERS)], height=0),
        uastc([with_alpha(QUARTERS)], depth=4),
        uastc([with_alpha(QUARTERS)], layers=3),
        uastc([with_alpha(QUARTERS)], faces=6),
        uastc([with_alpha(QUARTERS)], level_count=9),
        uastc([with_alpha(QUARTERS)], scheme=3),
        GOOD[:48] + bytes(4) + GOOD[52:],  # no descriptor
        GOOD[:116] + b"\1" + GOOD[117:],  # another color model
    ],
)
def test_other_files_have_no_header(data):
    assert ktx2_header(data) is None
    with pytest.raises(MeshError, match="not KTX2 with Basis Universal; convert it to PNG"):
        decode_ktx2([data])


def test_damage_raises_nothing_but_mesh_errors():
    rng = np.random.default_rng(0)
    outcomes = set()
    for case in range(12):
        damaged = bytearray((ETC1S, GOOD)[case % 2])
        for at in rng.integers(12, len(damaged), 3):
            damaged[at] ^= 1 << rng.integers(8)
        try:
            decode_ktx2([bytes(damaged)])
            outcomes.add("array")
        except MeshError as error:
            outcomes.add("error")
            assert "\n" not in str(error)  # noqa: PT017
    assert "error" in outcomes
    with pytest.raises(MeshError, match="a KTX2 texture of it is damaged"):
        decode_ktx2([GOOD[:-16]])


def test_without_the_decoder_the_reason_names_the_extra(monkeypatch):
    assert why_ktx2_is_not_read() is None
    monkeypatch.setitem(sys.modules, "opengl_basisu", None)
    assert why_ktx2_is_not_read() == 'KTX2 is read with pip install "ddepth-gl[compressed]"'


# Files


def textured(folder, image, *, fallback=None):
    """A GLB with a KTX2 texture, and another image for readers that cannot decode it."""
    tree, content = textured_gltf(image)
    tree["images"][0]["mimeType"] = "image/ktx2"
    tree["extensionsUsed"] = ["KHR_texture_basisu"]
    entry = {"extensions": {"KHR_texture_basisu": {"source": 0}}}
    if fallback is None:
        tree["extensionsRequired"] = ["KHR_texture_basisu"]
    else:
        uri = "data:image/png;base64," + base64.b64encode(fallback).decode()
        tree["images"].append({"uri": uri})
        entry["source"] = 1
    tree["textures"] = [entry]
    return put(folder, "a.glb", glb(tree, content))


def test_a_file_with_a_texture(tmp_path):
    mesh = dd.load_mesh(textured(tmp_path, uastc([with_alpha(QUARTERS)])))
    assert mesh.texture_sizes == ((8, 8),)
    assert (mesh.textures[0] == enlarged(with_alpha(QUARTERS))).all()


def test_textures_are_reduced(tmp_path):
    """A level of the right size is taken as it is; otherwise the next larger one is reduced."""
    levels = [np.full((n, n, 4), 50 * k, np.uint8) for k, n in ((1, 4), (2, 2), (3, 1))]
    path = textured(tmp_path, uastc(levels))
    for size, color in ((8, 100), (6, 100), (4, 150), (3, 150)):
        (texels,) = dd.load_mesh(path, max_texture_size=size).textures
        assert texels.shape == (size, size, 4)
        assert (texels[..., :3] == color).all()


def test_a_plain_image_beside_it_is_preferred(tmp_path):
    path = textured(tmp_path, uastc([with_alpha(QUARTERS)]), fallback=png(TEXTURE))
    check_texture(dd.load_mesh(path))


def test_without_the_decoder_the_texture_is_left_out(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "opengl_basisu", None)
    path = textured(tmp_path, uastc([with_alpha(QUARTERS)]))
    with pytest.warns(
        LeftOutWarning, match=r"lost their texture .*: format not read; KTX2 is read"
    ):
        assert dd.load_mesh(path).textures == ()
    path = textured(tmp_path, uastc([with_alpha(QUARTERS)]), fallback=png(TEXTURE))
    check_texture(dd.load_mesh(path))


def test_other_ktx2_files_are_left_out(tmp_path):
    path = textured(tmp_path, uastc([with_alpha(QUARTERS)], vk_format=43))
    with pytest.warns(LeftOutWarning, match="lost their texture .*: format not read"):
        assert dd.load_mesh(path).textures == ()
    path = textured(tmp_path, uastc([with_alpha(QUARTERS)], width=2**15, height=2**15))
    with pytest.warns(LeftOutWarning, match="32768 x 32768 pixels, more than"):
        assert dd.load_mesh(path).textures == ()


def test_damage_is_told_when_the_texture_is_used(tmp_path):
    mesh = dd.load_mesh(textured(tmp_path, uastc([with_alpha(QUARTERS)])[:-16]))
    with pytest.raises(MeshError, match=r"a\.glb: its texture .* is damaged"):
        mesh.textures  # noqa: B018
