"""Colors of glTF materials: models, alpha modes, samplers, images, and their URIs."""

import base64
import io

import numpy as np
import pytest
from mesh_files import TETRA, TEXTURE, glb, gltf, gltf_tree, png, put, refused, textured_gltf
from PIL import Image

import ddepth_gl as dd

OTHER = TEXTURE[::-1].copy()
SPECULAR_GLOSSINESS = "KHR_materials_pbrSpecularGlossiness"


def srgb(linear):
    """Return sRGB levels of linear light (IEC 61966-2-1)."""
    x = np.asarray(linear, float)
    return np.rint(255 * np.where(x <= 0.0031308, 12.92 * x, 1.055 * x ** (1 / 2.4) - 0.055))


def load(tmp_path, material, textures=(), images=(), arrays=None, options=None, **tree):
    """Return a tetrahedron with a material; images are PNG contents or images of the tree."""
    uv = np.full((4, 2), 0.25, np.float32)
    given, content = gltf_tree({**TETRA, "TEXCOORD_0": uv, **(arrays or {})}, {"material": 0})
    files = [
        {"uri": "data:image/png;base64," + base64.b64encode(image).decode()}
        if isinstance(image, bytes)
        else image
        for image in images
    ]
    given |= {"materials": [material], "textures": list(textures), "images": files, **tree}
    path = put(tmp_path, "a.gltf", gltf(given, content))
    return dd.load_mesh(path, **(options or {}))


def rgba(alpha):
    """Return the PNG of TEXTURE with alpha values, one a texel."""
    buffer = io.BytesIO()
    levels = np.concatenate((TEXTURE, np.array(alpha, np.uint8).reshape(2, 2, 1)), axis=-1)
    Image.fromarray(levels).save(buffer, "PNG")
    return buffer.getvalue()


def base(alpha=1.0, **material):
    """Return a material with the base color (0.5, 0.25, 0.125) and alpha."""
    return {"pbrMetallicRoughness": {"baseColorFactor": [0.5, 0.25, 0.125, alpha]}, **material}


# Models


def test_specular_glossiness_comes_before_metallic_roughness(tmp_path):
    material = base() | {
        "extensions": {
            SPECULAR_GLOSSINESS: {
                "diffuseFactor": [0.8, 0.1, 0.05, 0.5],
                "diffuseTexture": {"index": 0},
            }
        }
    }
    mesh = load(tmp_path, material, [{"source": 0}], [png(TEXTURE)])
    np.testing.assert_array_equal(mesh.colors[0], [*srgb((0.8, 0.1, 0.05)), 255])
    np.testing.assert_array_equal(mesh.texture[..., :3], TEXTURE)
    white = load(tmp_path, base() | {"extensions": {SPECULAR_GLOSSINESS: {}}})
    assert white.colors is None


def test_specular_glossiness_may_be_required(tmp_path):
    material = {"extensions": {SPECULAR_GLOSSINESS: {"diffuseFactor": [0, 1, 0, 1]}}}
    mesh = load(tmp_path, material, extensionsRequired=[SPECULAR_GLOSSINESS])
    np.testing.assert_array_equal(mesh.colors[0], (0, 255, 0, 255))


LIGHT = {"emissiveFactor": [1, 0.5, 0.25], "emissiveTexture": {"index": 0}}


@pytest.mark.parametrize(
    ("material", "factor", "is_emissive"),
    [
        (LIGHT, (1, 0.5, 0.25), True),
        ({"emissiveFactor": [1, 1, 0]}, (1, 1, 1), None),  # white by default
        (LIGHT | {"pbrMetallicRoughness": {"baseColorFactor": [0, 0, 0, 1]}}, (1, 0.5, 0.25), True),
        (LIGHT | {"pbrMetallicRoughness": {"metallicFactor": 0}}, (1, 0.5, 0.25), True),
        (LIGHT | base(), (0.5, 0.25, 0.125), False),
        (LIGHT | {"emissiveFactor": [0, 0, 0]}, (1, 1, 1), False),
        ({"emissiveTexture": {"index": 0}}, (1, 1, 1), False),  # its factor is black by default
    ],
)
def test_emissive_color_shows_where_there_is_no_other(tmp_path, material, factor, is_emissive):
    if is_emissive is False:
        with pytest.warns(dd.LeftOutWarning, match="textures other than the base color: 1$"):
            mesh = load(tmp_path, material, [{"source": 0}], [png(TEXTURE)])
    else:
        mesh = load(tmp_path, material, [{"source": 0}], [png(TEXTURE)])
        assert mesh.source.left_out == ()
    shown = np.full(3, 255) if mesh.colors is None else mesh.colors[0, :3]
    np.testing.assert_array_equal(shown, srgb(factor))
    assert len(mesh.textures) == bool(is_emissive)


def test_a_base_color_texture_is_shown_instead_of_emission(tmp_path):
    material = {
        "emissiveFactor": [1, 1, 1],
        "pbrMetallicRoughness": {"baseColorTexture": {"index": 0}, "baseColorFactor": [0, 0, 0, 1]},
    }
    mesh = load(tmp_path, material, [{"source": 0}], [png(TEXTURE)])
    assert len(mesh.textures) == 1
    np.testing.assert_array_equal(mesh.colors[0], (0, 0, 0, 255))


def test_vertex_colors_multiply_base_colors_and_not_emission(tmp_path):
    tint = np.array([(0.5, 0.5, 0.5, 1)] * 4, np.float32)
    mesh = load(tmp_path, base(), arrays={"COLOR_0": tint})
    np.testing.assert_array_equal(mesh.colors[0, :3], srgb((0.25, 0.125, 0.0625)))
    black = {"pbrMetallicRoughness": {"baseColorFactor": [0, 0, 0, 1]}}
    light = {"emissiveFactor": [0.5, 0.5, 0]}
    mesh = load(tmp_path, light | black, arrays={"COLOR_0": tint})
    np.testing.assert_array_equal(mesh.colors[0, :3], srgb((0.5, 0.5, 0)))
    mesh = load(tmp_path, light, arrays={"COLOR_0": tint})
    np.testing.assert_array_equal(mesh.colors[0, :3], srgb((0.5, 0.5, 0.5)))
    with pytest.warns(dd.LeftOutWarning, match="textures other than the base color: 1$"):
        mesh = load(tmp_path, LIGHT, [{"source": 0}], [png(TEXTURE)], arrays={"COLOR_0": tint})
    np.testing.assert_array_equal(mesh.colors[0, :3], srgb((0.5, 0.5, 0.5)))
    assert mesh.textures == ()


@pytest.mark.parametrize("mode", ["MASK", "BLEND"])
def test_alpha_of_an_emissive_texture_does_not_count(tmp_path, mode):
    for alpha, cutoff in ((1, None), (0.3, 0.5)):
        black = {"pbrMetallicRoughness": {"baseColorFactor": [0, 0, 0, alpha]}, "alphaMode": mode}
        options = {"blend_cutoff": 0.5}
        mesh = load(tmp_path, LIGHT | black, [{"source": 0}], [rgba([0] * 4)], options=options)
        assert (mesh.texture[..., 3] == 255).all()
        found = None if mesh.alpha_cutoff is None else mesh.alpha_cutoff[0]
        assert found == cutoff


# Alpha


@pytest.mark.parametrize(
    ("mode", "options", "cutoff"),
    [
        ({}, {}, None),
        ({"alphaMode": "OPAQUE", "alphaCutoff": 0.7}, {"blend_cutoff": 0.4}, None),
        ({"alphaMode": "MASK"}, {}, 0.5),
        ({"alphaMode": "MASK", "alphaCutoff": 0.75}, {"blend_cutoff": 0.4}, 0.75),
        ({"alphaMode": "MASK", "alphaCutoff": 1.5}, {}, 1.5),
        ({"alphaMode": "MASK", "alphaCutoff": 0}, {}, None),
        ({"alphaMode": "MASK"}, {"alpha": "ignore"}, None),
        ({"alphaMode": "BLEND"}, {"blend_cutoff": 0.4}, 0.4),
        ({"alphaMode": "BLEND"}, {"blend_cutoff": 0.4, "alpha": "ignore"}, None),
    ],
)
@pytest.mark.parametrize("appearance", [True, False])
def test_alpha_modes(tmp_path, mode, options, cutoff, appearance):
    """The cutoff of every face; without appearance, what masks need is read and no more."""
    material = base(alpha=0.3) | mode
    material["pbrMetallicRoughness"]["baseColorTexture"] = {"index": 0}
    image = rgba([255, 128, 100, 0])
    options = {**options, "appearance": appearance}
    mesh = load(tmp_path, material, [{"source": 0}], [image], options=options)
    if cutoff is None:
        assert mesh.alpha_cutoff is None
    else:
        np.testing.assert_array_equal(mesh.alpha_cutoff, np.full(4, cutoff, np.float32))
    is_read = appearance or cutoff is not None
    assert (len(mesh.textures), mesh.uv is not None) == (is_read, is_read)
    if is_read:
        is_opaque = mode.get("alphaMode", "OPAQUE") == "OPAQUE"
        wanted = [255] * 4 if is_opaque else [255, 128, 100, 0]
        np.testing.assert_array_equal(mesh.texture[..., 3].ravel(), wanted)
        assert mesh.colors[0, 3] == (255 if is_opaque else 76)


def test_blending_without_a_cutoff_is_told(tmp_path):
    text = r"materials that blend \(the whole face counts; blend_cutoff cuts\): 1"
    with pytest.warns(dd.LeftOutWarning, match=text):
        mesh = load(tmp_path, base(0.3, alphaMode="BLEND"))
    assert mesh.alpha_cutoff is None
    assert mesh.colors[0, 3] == 76


def test_alpha_of_vertices_counts_for_masks_only(tmp_path):
    tint = np.array([(1, 1, 1, 0.2)] * 4, np.float32)
    assert load(tmp_path, base(), arrays={"COLOR_0": tint}).colors[0, 3] == 255
    masked = load(tmp_path, base(alphaMode="MASK"), arrays={"COLOR_0": tint})
    assert masked.colors[0, 3] == 51
    assert masked.alpha_cutoff[0] == 0.5


def test_a_mask_that_cuts_nothing_is_none(tmp_path):
    """Exporters write MASK for many opaque materials; their faces keep counting by facing."""
    material = base(alpha=0.6, alphaMode="MASK")
    material["pbrMetallicRoughness"]["baseColorTexture"] = {"index": 0}
    mesh = load(tmp_path, material, [{"source": 0}], [png(TEXTURE)])
    assert mesh.alpha_cutoff is None


@pytest.mark.parametrize(
    ("levels", "alpha", "is_cut"),
    [([255] * 4, 1, False), ([128] * 4, 1, False), ([127] * 4, 1, True), ([200] * 4, 0.6, True)],
)
def test_masks_whose_texels_cut_nothing_are_none(tmp_path, levels, alpha, is_cut):
    material = base(alpha=alpha, alphaMode="MASK")
    material["pbrMetallicRoughness"]["baseColorTexture"] = {"index": 0}
    mesh = load(tmp_path, material, [{"source": 0}], [rgba(levels)])
    assert (mesh.alpha_cutoff is not None) == is_cut


def test_a_texture_without_its_coordinates_cuts_nothing_and_is_told(tmp_path):
    material = base(alphaMode="MASK")
    material["pbrMetallicRoughness"]["baseColorTexture"] = {"index": 0, "texCoord": 1}
    with pytest.warns(dd.LeftOutWarning, match="4 faces lost their texture .*: no texture coord"):
        mesh = load(tmp_path, material, [{"source": 0}], [rgba([0] * 4)])
    assert (mesh.alpha_cutoff, mesh.textures) == (None, ())


def test_data_uris_without_padding(tmp_path):
    image = png(TEXTURE) + b"!"  # 3 n + 1 or 3 n + 2 bytes, one of these with padding
    for data in (image, image + b"!", image + b"!!"):
        uri = "data:image/png;base64," + base64.b64encode(data).decode().rstrip("=")
        material = {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}
        mesh = load(tmp_path, material, [{"source": 0}], [{"uri": uri}])
        np.testing.assert_array_equal(mesh.texture[..., :3], TEXTURE)


def test_one_image_of_an_opaque_and_a_masked_material(tmp_path):
    image = rgba([255, 128, 100, 0])
    tree, content = textured_gltf(image)
    masked = {**tree["materials"][0], "alphaMode": "MASK"}
    tree["materials"].append(masked)
    primitive = tree["meshes"][0]["primitives"][0]
    tree["meshes"][0]["primitives"].append({**primitive, "material": 1})
    mesh = dd.load_mesh(put(tmp_path, "a.glb", glb(tree, content)))
    opaque, cut = mesh.textures
    assert (opaque[..., 3] == 255).all()
    np.testing.assert_array_equal(cut[..., 3].ravel(), [255, 128, 100, 0])
    np.testing.assert_array_equal(mesh.texture_id, np.repeat([0, 1], 4))
    np.testing.assert_array_equal(mesh.alpha_cutoff, np.repeat(np.float32([0, 0.5]), 4))


# Samplers and images


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({}, dd.Sampler()),
        ({"wrapS": 33071}, dd.Sampler("clamp", "repeat", "linear")),
        ({"wrapT": 33648, "wrapS": 10497}, dd.Sampler("repeat", "mirror", "linear")),
        ({"magFilter": 9728, "minFilter": 9729}, dd.Sampler(filter="nearest")),
        ({"magFilter": 9729, "minFilter": 9728}, dd.Sampler()),
        ({"wrapS": 5, "wrapT": "x", "magFilter": None}, dd.Sampler()),
    ],
)
def test_samplers(tmp_path, given, wanted):
    material = {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}
    textures = [{"source": 0, "sampler": 0}]
    mesh = load(tmp_path, material, textures, [png(TEXTURE)], samplers=[given])
    assert mesh.samplers == (wanted,)


def test_a_sampler_that_does_not_exist(tmp_path):
    tree, content = textured_gltf(png(TEXTURE))
    tree["textures"][0]["sampler"] = 3
    refused(put(tmp_path, "a.glb", glb(tree, content)), r"refers to samplers\[3\] of 0")


def image_file(format_name, pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, format_name)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("texture", "shown"),
    [
        ({"source": 0}, TEXTURE),
        ({"source": 1, "extensions": {"EXT_texture_webp": {"source": 2}}}, OTHER),
        ({"source": 0, "extensions": {"MSFT_texture_dds": {"source": 3}}}, TEXTURE),
        ({"extensions": {"MSFT_texture_dds": {"source": 3}}}, OTHER),
        ({"source": 0, "extensions": {"EXT_texture_webp": {"source": 4}}}, TEXTURE),
        ({"source": 4, "extensions": {"MSFT_texture_dds": {"source": 3}}}, OTHER),
        ({"source": 0, "extensions": {"KHR_texture_basisu": {"source": 5}}}, TEXTURE),
    ],
)
def test_images_of_a_texture_are_tried_in_turn(tmp_path, texture, shown):
    webp = io.BytesIO()
    Image.fromarray(OTHER).save(webp, "WEBP", lossless=True)
    images = [png(TEXTURE), png(TEXTURE), webp.getvalue(), image_file("DDS", OTHER)]
    images += [{"uri": "missing.webp"}, {"uri": "missing.ktx2"}]
    material = {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}
    mesh = load(tmp_path, material, [texture], images)
    np.testing.assert_array_equal(mesh.texture[..., :3], shown)
    assert mesh.source.left_out == ()


def test_a_texture_without_an_image_is_none(tmp_path):
    material = {"pbrMetallicRoughness": {"baseColorTexture": {"index": 0}}}
    assert load(tmp_path, material, [{}]).textures == ()


# URIs

PERCENT = "".join(f"%{byte:02x}" for byte in png(TEXTURE))
BASE64 = base64.b64encode(png(TEXTURE)).decode()


@pytest.mark.parametrize(
    "uri",
    [
        f"data:image/png;base64,{BASE64}",
        f"DATA:image/png;BASE64,{BASE64}",
        f"data:;base64,{BASE64}",
        f"data:image/png;charset=utf-8;name=a%20b.png;base64,{BASE64}",
        f"data:image/png,{PERCENT}",
        f"data:,{PERCENT}",
        f"data:image/png;base64,{BASE64.replace('+', '%2B').replace('=', '%3D')}",
    ],
    ids=range(7),
)
def test_data_uris(tmp_path, uri):
    mesh = dd.load_mesh(put(tmp_path, "a.gltf", gltf(*textured_gltf(uri))))
    np.testing.assert_array_equal(mesh.texture[..., :3], TEXTURE)


@pytest.mark.parametrize("uri", ["data:image/png;base64", "data:image/png;base64,A", "data:,"])
def test_bad_data_uris_lose_the_texture(tmp_path, uri):
    with pytest.warns(dd.LeftOutWarning, match="4 faces lost their texture image 0: "):
        dd.load_mesh(put(tmp_path, "a.gltf", gltf(*textured_gltf(uri))))


@pytest.mark.parametrize("name", ["two  blanks.png", " leading.png", "trailing.png ", "a%20b.png"])
@pytest.mark.parametrize("is_encoded", [False, True])
def test_blanks_in_names_belong_to_them(tmp_path, name, is_encoded):
    put(tmp_path, name, png(TEXTURE))
    put(tmp_path, " ".join(name.split()) + ".", b"not it")
    if name != name.strip():
        put(tmp_path, name.strip(), png(OTHER))
    uri = name.replace("%", "%25").replace(" ", "%20") if is_encoded else name
    mesh = dd.load_mesh(put(tmp_path, "a.gltf", gltf(*textured_gltf(uri))))
    np.testing.assert_array_equal(mesh.texture[..., :3], TEXTURE)
