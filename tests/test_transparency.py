"""Alpha of materials in COLLADA and USD files: what cuts holes, and what is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from mesh_files import TEXTURE, png, put
from scene_files import NODE, USD_CUBE, document, geometry, source

import ddepth_gl as dd

BLENDS = "materials that blend (the whole face counts; blend_cutoff cuts): 1"
IGNORED = "materials with alpha masks or blending, ignored on request: 1"
ALPHA = np.dstack((TEXTURE, np.array([[255, 0], [255, 255]], np.uint8)))


def check(path: Path, alpha: int | None, **options: Any) -> None:
    """Check a cube whose only material has this alpha, or that of its texture if None."""
    is_opaque = alpha == 255
    for appearance in (True, False):
        given = {"appearance": appearance, **options}
        if is_opaque:
            mesh = dd.load_mesh(path, **given)
            assert mesh.source.left_out == ()
        else:
            with pytest.warns(dd.LeftOutWarning, match="leaves out materials that blend"):
                mesh = dd.load_mesh(path, **given)
            assert mesh.source.left_out == (BLENDS,)
        assert mesh.alpha_cutoff is None
        assert mesh.bodies.kind.tolist() == ["outward"]
        if appearance and alpha is not None and mesh.colors is not None:
            assert set(mesh.colors[:, 3].tolist()) == {alpha}
        if not appearance:
            assert mesh.colors is None
            assert mesh.textures == ()
        for cutoff in (0.25, 0.75):
            mesh = dd.load_mesh(path, blend_cutoff=cutoff, **given)
            is_cut = alpha is None or alpha / 255 < cutoff
            assert mesh.bodies.kind.tolist() == ["masked" if is_cut else "outward"]
            assert (mesh.alpha_cutoff is not None) == is_cut
            assert mesh.source.left_out == ()
    mesh = dd.load_mesh(path, alpha="ignore", **options)
    assert mesh.alpha_cutoff is None
    assert mesh.source.left_out == (() if is_opaque else (IGNORED,))


# COLLADA


DAE_UV = source("t", "0 0 1 0 1 1 0 1 0 0 1 0 1 1 0 1", 2)
DAE_CUBE = (
    '<polylist count="6" material="m"><input semantic="VERTEX" source="#v" offset="0"/>'
    '<input semantic="TEXCOORD" source="#t" offset="0"/><vcount>4 4 4 4 4 4</vcount>'
    "<p>0 3 2 1 4 5 6 7 0 1 5 4 1 2 6 5 2 3 7 6 3 0 4 7</p></polylist>"
)


def dae(folder: Path, shading: str) -> Path:
    more = (
        '<library_images><image id="i"><init_from>p.png</init_from></image>'
        '<image id="j"><init_from>q.png</init_from></image></library_images>'
        '<library_effects><effect id="e"><profile_COMMON><technique sid="t">'
        f"<lambert>{shading}</lambert></technique></profile_COMMON></effect></library_effects>"
        '<library_materials><material id="m"><instance_effect url="#e"/></material>'
        "</library_materials>"
    )
    text = document(NODE, geometry(DAE_CUBE, more=DAE_UV), more)
    return put(folder, "a.dae", text.encode())


COLORED = "<diffuse><color>1 0 0 1</color></diffuse>"
TEXTURED = '<diffuse><texture texture="i" texcoord="u"/></diffuse>'
LEVEL = "<transparency><float>{}</float></transparency>"
CLEAR = '<transparent opaque="{}"><color>{}</color></transparent>'
# 0.5 of red, 0.25 of green, 1 of blue.
LUMINANCE = 0.5 * 0.212671 + 0.25 * 0.715160 + 0.072169


@pytest.mark.parametrize(
    ("shading", "alpha"),
    [
        ("", 1.0),
        (LEVEL.format(0.5), 0.5),
        (LEVEL.format(0), 0.0),
        (CLEAR.format("A_ONE", "0 0 0 0.5"), 0.5),
        ("<transparent><color>0 0 0 0.5</color></transparent>" + LEVEL.format(0.4), 0.2),
        (CLEAR.format("A_ONE", "0 0 0 1") + LEVEL.format(1), 1.0),
        (CLEAR.format("A_ZERO", "1 1 1 0.5") + LEVEL.format(0.4), 0.8),
        (CLEAR.format("A_ZERO", "1 1 1 0"), 1.0),
        (CLEAR.format("RGB_ZERO", "0 0 0 1") + LEVEL.format(1), 1.0),
        (CLEAR.format("RGB_ZERO", "0.5 0.25 1 1") + LEVEL.format(0.5), 1 - LUMINANCE / 2),
        (CLEAR.format("RGB_ZERO", "1 1 1 1"), 0.0),
        (CLEAR.format("RGB_ONE", "0.5 0.25 1 1") + LEVEL.format(0.5), LUMINANCE / 2),
        (CLEAR.format("RGB_ONE", "1 1 1 0"), 1.0),
    ],
)
@pytest.mark.parametrize("diffuse", [COLORED, TEXTURED])
def test_dae_colors_and_levels(tmp_path: Path, diffuse: str, shading: str, alpha: float) -> None:
    put(tmp_path, "p.png", png(ALPHA))  # its alpha does not count
    check(dae(tmp_path, diffuse + shading), round(255 * alpha))


SAME = '<transparent opaque="A_ONE"><texture texture="i" texcoord="u"/></transparent>'


def test_dae_alpha_of_the_texture(tmp_path: Path) -> None:
    path = dae(tmp_path, TEXTURED + SAME)
    put(tmp_path, "p.png", png(ALPHA))
    check(path, None)
    put(tmp_path, "p.png", png(TEXTURE))  # without alpha: it cannot cut anything
    for options in ({}, {"blend_cutoff": 0.5}):
        mesh = dd.load_mesh(path, **options)
        assert mesh.bodies.kind.tolist() == ["outward"]
        assert mesh.source.left_out == ()
    (tmp_path / "p.png").unlink()
    with pytest.warns(dd.LeftOutWarning, match="lost their texture p.png"):
        mesh = dd.load_mesh(path, blend_cutoff=0.5)
    assert mesh.bodies.kind.tolist() == ["outward"]


@pytest.mark.parametrize("mask", [SAME.replace('"i"', '"j"'), SAME.replace("A_ONE", "RGB_ZERO")])
def test_dae_masks_that_are_not_read(tmp_path: Path, mask: str) -> None:
    put(tmp_path, "p.png", png(ALPHA))
    path = dae(tmp_path, TEXTURED + mask)
    for options, note in (
        ({}, BLENDS),
        ({"blend_cutoff": 0.5}, "masks from textures of their own"),
    ):
        with pytest.warns(dd.LeftOutWarning, match="leaves out ma"):
            mesh = dd.load_mesh(path, **options)
        assert mesh.source.left_out[0].startswith(note)
        assert mesh.bodies.kind.tolist() == ["outward"]
        assert (mesh.textures[0][..., 3] == 255).all()


# USD


def usd(folder: Path, inputs: str) -> Path:
    pytest.importorskip("pxr.Usd", reason="usd-core is not installed")
    textures = "".join(
        f"""
    def Shader "{name}" {{
        uniform token info:id = "UsdUVTexture"
        asset inputs:file = @./{name}.png@
        float3 outputs:rgb
        float outputs:a
    }}"""
        for name in "pq"
    )
    uv = ", ".join(["(0,0)", "(1,0)", "(1,1)", "(0,1)"] * 2)
    text = f"""#usda 1.0
(upAxis = "Z")
def Material "M" {{
    token outputs:surface.connect = </M/S.outputs:surface>
    def Shader "S" {{
        uniform token info:id = "UsdPreviewSurface"
        {inputs}
        token outputs:surface
    }}
    {textures}
}}
def Mesh "Box" (apiSchemas = ["MaterialBindingAPI"]) {{
    rel material:binding = </M>
    texCoord2f[] primvars:st = [{uv}] (interpolation = "vertex")
    {USD_CUBE}
}}
"""
    return put(folder, "a.usda", text.encode())


USD_COLOR = "color3f inputs:diffuseColor = (1, 0, 0)\n"
USD_TEXTURE = "color3f inputs:diffuseColor.connect = </M/p.outputs:rgb>\n"
USD_MASK = "float inputs:opacity.connect = </M/p.outputs:a>\n"
USD_THRESHOLD = "float inputs:opacityThreshold = {}\n"


@pytest.mark.parametrize("opacity", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("color", [USD_COLOR, USD_TEXTURE])
def test_usd_opacity(tmp_path: Path, color: str, opacity: float) -> None:
    put(tmp_path, "p.png", png(ALPHA))  # its alpha does not count
    path = usd(tmp_path, color + f"float inputs:opacity = {opacity}")
    check(path, round(255 * opacity))


@pytest.mark.parametrize("threshold", ["", USD_THRESHOLD.format(0.5)])
def test_usd_alpha_of_the_texture(tmp_path: Path, threshold: str) -> None:
    path = usd(tmp_path, USD_TEXTURE + USD_MASK + threshold)
    put(tmp_path, "p.png", png(ALPHA))
    if threshold:
        mesh = dd.load_mesh(path)
        assert mesh.bodies.kind.tolist() == ["masked"]
        assert mesh.alpha_cutoff.tolist() == [0.5] * 12
        assert dd.load_mesh(path, alpha="ignore").source.left_out == (IGNORED,)
    else:
        check(path, None)
    # Nothing can be cut without an alpha in the texture, nor without a texture.
    put(tmp_path, "p.png", png(TEXTURE))
    for options in ({}, {"blend_cutoff": 0.5}, {"blend_cutoff": 0.5, "appearance": False}):
        mesh = dd.load_mesh(path, **options)
        assert mesh.bodies.kind.tolist() == ["outward"]
        assert mesh.source.left_out == ()
    (tmp_path / "p.png").unlink()
    for options in ({}, {"blend_cutoff": 0.5}):
        with pytest.warns(dd.LeftOutWarning, match="lost their texture p.png"):
            mesh = dd.load_mesh(path, **options)
        assert mesh.bodies.kind.tolist() == ["outward"]


@pytest.mark.parametrize(("opacity", "kind"), [(0.0, "masked"), (0.6, "outward"), (1, "outward")])
def test_usd_masks_of_one_opacity(tmp_path: Path, opacity: float, kind: str) -> None:
    text = USD_COLOR + USD_THRESHOLD.format(0.5) + f"float inputs:opacity = {opacity}"
    assert dd.load_mesh(usd(tmp_path, text)).bodies.kind.tolist() == [kind]


def test_usd_masks_that_are_not_read(tmp_path: Path) -> None:
    put(tmp_path, "p.png", png(ALPHA))
    mask = USD_MASK.replace("/p.", "/q.")
    path = usd(tmp_path, USD_TEXTURE + mask + USD_THRESHOLD.format(0.5))
    with pytest.warns(dd.LeftOutWarning, match="masks from textures of their own: 1"):
        assert dd.load_mesh(path).bodies.kind.tolist() == ["outward"]
    path = usd(tmp_path, USD_TEXTURE + mask)
    with pytest.warns(dd.LeftOutWarning, match="materials that blend"):
        dd.load_mesh(path)
