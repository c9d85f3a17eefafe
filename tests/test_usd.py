"""USD files: meshes, instances, materials and limits, against values worked out by hand."""

from __future__ import annotations

import io
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from loaded_meshes import area, loaded, refused, volume
from PIL import Image
from scene_files import USD_CUBE as CUBE
from scene_files import USD_CUBE_FACES as CUBE_FACES
from scene_files import USD_CUBE_POINTS as CUBE_POINTS
from scene_files import USD_ELL as ELL
from scene_files import USD_TEXTURED as TEXTURED

import ddepth_gl as dd

Usd = pytest.importorskip("pxr.Usd", reason="usd-core is not installed")


def usda(folder: Path, body: str, name: str = "a.usda", head: str = 'upAxis = "Z"') -> Path:
    path = folder / name
    path.write_text(f"#usda 1.0\n({head})\n{body}\n")
    return path


@pytest.mark.parametrize("suffix", [".usda", ".usd", ".usdc", ".usdz"])
def test_cube_in_each_form(suffix: str, tmp_path: Path) -> None:
    path = usda(tmp_path, f'def Mesh "Box" {{{CUBE}}}')
    if suffix in (".usdc", ".usd"):
        Usd.Stage.Open(str(path)).Export(str(tmp_path / "b.usdc"))
        path = (tmp_path / "b.usdc").rename(tmp_path / f"b{suffix}")
    elif suffix == ".usdz":
        from pxr import UsdUtils

        assert UsdUtils.CreateNewUsdzPackage(str(path), str(tmp_path / "b.usdz"))
        path = tmp_path / "b.usdz"
    mesh = loaded(path)
    assert len(mesh.faces) == 12
    assert mesh.is_closed
    assert volume(mesh) == pytest.approx(1)
    assert mesh.polygon_id.tolist() == [i // 2 for i in range(12)]
    assert mesh.up == (0, 0, 1)
    assert mesh.object_names == ("Box",)


def test_transforms_mirrors_and_units(tmp_path: Path) -> None:
    body = f"""
def Xform "Group" {{
    double3 xformOp:translate = (10, 0, 0)
    float3 xformOp:scale = (-2, 1, 1)
    uniform token[] xformOpOrder = ["xformOp:translate", "xformOp:scale"]
    def Mesh "Box" {{{CUBE}}}
}}
def Mesh "Left" {{
    uniform token orientation = "leftHanded"
    {CUBE}
}}
"""
    mesh = loaded(usda(tmp_path, body, head='metersPerUnit = 0.01; upAxis = "Y"'))
    assert mesh.up == (0, 1, 0)
    assert volume(mesh, mesh.object_id == 0) == pytest.approx(2)
    assert volume(mesh, mesh.object_id == 1) == pytest.approx(-1)
    first = mesh.vertices[mesh.faces[mesh.object_id == 0]].reshape(-1, 3)
    np.testing.assert_allclose(first.min(axis=0), [8, 0, 0])
    np.testing.assert_allclose(first.max(axis=0), [10, 1, 1])


def test_concave_polygons_and_holes(tmp_path: Path) -> None:
    mesh = loaded(usda(tmp_path, f'def Mesh "L" {{{ELL}}}'))
    assert area(mesh) == pytest.approx(3)
    assert mesh.polygon_id.tolist() == [0] * 4
    mesh = loaded(usda(tmp_path, f'def Mesh "Box" {{ int[] holeIndices = [1] {CUBE}}}'))
    assert area(mesh) == pytest.approx(5)
    assert sorted(set(mesh.polygon_id.tolist())) == [0, 2, 3, 4, 5]


def test_what_is_not_shown(tmp_path: Path) -> None:
    body = f"""
def Mesh "Shown" {{{CUBE}}}
def Xform "Hidden" {{ token visibility = "invisible"
    def Mesh "Box" {{{ELL}}}
}}
def Mesh "Guide" {{ uniform token purpose = "guide" {ELL}}}
def Mesh "Proxy" {{ uniform token purpose = "proxy" {ELL}}}
def Mesh "Render" {{ uniform token purpose = "render" {ELL}}}
over "Undefined" {{
    def Mesh "Box" {{{ELL}}}
}}
class "Class" {{
    def Mesh "Box" {{{ELL}}}
}}
"""
    mesh = loaded(usda(tmp_path, body))
    assert mesh.object_names == ("Shown", "Render")
    assert "prims that are invisible: 1" in mesh.source.left_out


def test_shapes_and_cages_are_told(tmp_path: Path) -> None:
    body = f"""
def Sphere "A" {{}}
def Sphere "B" {{}}
def Mesh "Box" {{{CUBE.replace('"none"', '"catmullClark"')}}}
"""
    path = usda(tmp_path, body)
    with pytest.warns(dd.LeftOutWarning, match="cage is read: 1; shapes of type Sphere: 2"):
        mesh = dd.load_mesh(path)
    assert volume(mesh) == pytest.approx(1)


def test_first_sample_of_what_moves(tmp_path: Path) -> None:
    body = f"""
def Mesh "Box" {{
    double3 xformOp:translate.timeSamples = {{ 5: (1,0,0), 10: (9,0,0) }}
    uniform token[] xformOpOrder = ["xformOp:translate"]
    {CUBE}
}}
"""
    head = "timeCodesPerSecond = 2; startTimeCode = 5; endTimeCode = 10"
    path = usda(tmp_path, body, head=head)
    with pytest.warns(dd.LeftOutWarning, match="leaves out animations: 1$"):
        assert dd.load_mesh(path).bounds[0].tolist() == [1, 0, 0]
    # Half a second later is time code 6, a fifth of the way from 1 to 9.
    np.testing.assert_allclose(loaded(path, pose=(0, 0.5)).bounds[0], [2.6, 0, 0], rtol=1e-6)
    assert loaded(path, pose=(0, 99.0)).bounds[0].tolist() == [9, 0, 0]
    refused(path, r"has one animation, 0, not 'walk'", pose=("walk", 0.0))


@pytest.mark.parametrize("samples", ["", ".timeSamples"])
def test_poses_of_what_does_not_move(samples: str, tmp_path: Path) -> None:
    value = "{ 5: (1,0,0) }" if samples else "(1,0,0)"
    body = f"""
def Mesh "Box" {{
    double3 xformOp:translate{samples} = {value}
    uniform token[] xformOpOrder = ["xformOp:translate"]
    {CUBE}
}}
"""
    path = usda(tmp_path, body)
    assert loaded(path).bounds[0].tolist() == [1, 0, 0]
    for pose in ((0, 5.0), ("walk", 0.0)):
        refused(path, "a.usda: it holds no animation; leave pose out$", pose=pose)


def test_errors_of_openusd_name_the_file(tmp_path: Path) -> None:
    with pytest.raises(dd.MeshError) as caught:
        dd.load_mesh(usda(tmp_path, 'def Mesh "Box" {', "my box.usda"))
    assert str(caught.value).count("my box.usda") == 2
    assert "root.usd" not in str(caught.value)


def test_instances(tmp_path: Path) -> None:
    body = f"""
class "Proto" {{
    def Mesh "Box" {{{CUBE}}}
}}
def Xform "A" (instanceable = true; inherits = </Proto>) {{}}
def Xform "B" (instanceable = true; inherits = </Proto>) {{
    double3 xformOp:translate = (5, 0, 0)
    uniform token[] xformOpOrder = ["xformOp:translate"]
}}
"""
    mesh = loaded(usda(tmp_path, body))
    assert len(mesh.faces) == 24
    assert mesh.bounds.tolist() == [[0, 0, 0], [6, 1, 1]]


def test_point_instancer(tmp_path: Path) -> None:
    body = f"""
def PointInstancer "Many" {{
    rel prototypes = [</Many/P/Box>, </Many/P/Ell>]
    int[] protoIndices = [0, 1, 0, 0]
    point3f[] positions = [(0,0,0), (10,0,0), (20,0,0), (30,0,0)]
    float3[] scales = [(1,1,1), (1,1,1), (2,1,1), (1,1,1)]
    quath[] orientations = [(1,0,0,0), (1,0,0,0), (0.7071,0,0,0.7071), (1,0,0,0)]
    int64[] ids = [1, 2, 3, 4]
    int64[] invisibleIds = [4]
    double3 xformOp:translate = (0, 0, 7)
    uniform token[] xformOpOrder = ["xformOp:translate"]
    def Scope "P" {{
        def Mesh "Box" {{
            double3 xformOp:translate = (0, 3, 0)
            uniform token[] xformOpOrder = ["xformOp:translate"]
            {CUBE}
        }}
        def Mesh "Ell" {{{ELL}}}
    }}
}}
"""
    mesh = loaded(usda(tmp_path, body))
    assert mesh.object_names == ("Box #0", "Ell #1", "Box #2")
    boxes = [mesh.vertices[mesh.faces[mesh.object_id == i]].reshape(-1, 3) for i in range(3)]
    np.testing.assert_allclose(boxes[0].min(axis=0), [0, 3, 7])
    np.testing.assert_allclose(boxes[1].max(axis=0), [12, 2, 7])
    # Scaled by 2 in x, then turned by 90 degrees about z, then moved: y 3..4 becomes x -4..-3.
    np.testing.assert_allclose(boxes[2].min(axis=0), [16, 0, 7], atol=2e-2)
    np.testing.assert_allclose(boxes[2].max(axis=0), [17, 2, 8], atol=2e-2)


def png(color: tuple[int, ...] = (10, 20, 30, 255)) -> bytes:
    file = io.BytesIO()
    Image.new("RGBA", (2, 2), color).save(file, "PNG")
    return file.getvalue()


def test_materials_subsets_and_textures(tmp_path: Path) -> None:
    (tmp_path / "pic.png").write_bytes(png((10, 20, 30, 100)))  # below the threshold
    mesh = loaded(usda(tmp_path, TEXTURED))
    assert len(mesh.faces) == 4
    is_pictured = mesh.texture_id == 0
    assert mesh.polygon_id[is_pictured].tolist() == [1, 1]
    assert mesh.textures[0][0, 0].tolist() == [10, 20, 30, 100]
    assert mesh.samplers[0] == dd.Sampler("mirror", "clamp", "linear")
    assert mesh.alpha_cutoff.tolist() == np.where(is_pictured, 0.5, 0).tolist()
    # 0.2158605 linear is 128 in sRGB.
    np.testing.assert_array_equal(
        mesh.colors[mesh.faces[~is_pictured]].reshape(-1, 4), [[255, 128, 0, 255]] * 6
    )
    corners = mesh.faces[is_pictured].reshape(-1)
    expected = (mesh.vertices[corners][:, :2] - [1, 0]) * [2, 1] + [0, 0.5]
    np.testing.assert_allclose(mesh.uv[corners], expected)


def test_options_of_loading(tmp_path: Path) -> None:
    (tmp_path / "pic.png").write_bytes(png())
    path = usda(tmp_path, TEXTURED)
    mesh = loaded(path, appearance=False)
    assert len(mesh.textures) == 1  # its alpha masks need it
    mesh = loaded(path, appearance=False, alpha="ignore")
    assert mesh.textures == ()
    assert mesh.colors is None
    assert mesh.alpha_cutoff is None
    assert loaded(path, alpha="ignore").alpha_cutoff is None


def test_textures_outside_and_in_packages(tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    (tmp_path / "pic.png").write_bytes(png())
    path = usda(folder, TEXTURED.replace("./pic.png", "../pic.png"))
    with pytest.warns(dd.LeftOutWarning, match="pic.png"):
        assert dd.load_mesh(path).textures == ()
    usda(tmp_path, TEXTURED)
    with zipfile.ZipFile(tmp_path / "p.usdz", "w") as package:
        package.write(tmp_path / "a.usda", "a.usda")
        package.write(tmp_path / "pic.png", "pic.png")
    assert loaded(tmp_path / "p.usdz").textures[0].shape == (2, 2, 4)


def test_textures_beside_another_layer(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "pic.png").write_bytes(png())
    usda(tmp_path / "sub", TEXTURED, "b.usda", 'defaultPrim = "Quads"')
    usda(tmp_path, "", "a.usda", "subLayers = [@./sub/b.usda@]")
    assert loaded(tmp_path / "a.usda").textures[0].shape == (2, 2, 4)


def test_many_layers(tmp_path: Path) -> None:
    usda(tmp_path, f'def Mesh "Box" {{{CUBE}}}', "a.usda", 'defaultPrim = "Box"')
    for i in range(200):
        Usd.Stage.Open(str(tmp_path / "a.usda")).Export(str(tmp_path / f"{i}.usdc"))
    body = "\n".join(f'def "A{i}" (references = @{i}.usdc@) {{}}' for i in range(200))
    assert len(loaded(usda(tmp_path, body)).faces) == 2400


@pytest.mark.parametrize("interpolation", ["constant", "uniform", "vertex", "faceVarying"])
def test_display_colors(interpolation: str, tmp_path: Path) -> None:
    count = {"constant": 1, "uniform": 6, "vertex": 8, "faceVarying": 24}[interpolation]
    values = [(i % 5 / 4, i % 3 / 2, i % 2) for i in range(count)]
    text = ", ".join(map(str, values))
    extra = f'color3f[] primvars:displayColor = [{text}] (interpolation = "{interpolation}")'
    mesh = loaded(usda(tmp_path, f'def Mesh "Box" {{{extra}{CUBE}}}'))
    assert mesh.is_closed
    corner = [int(n) for n in CUBE_FACES.replace(" ", "").split(",")]
    point = np.array(eval(f"[{CUBE_POINTS}]"))
    from ddepth_gl._srgb import srgb_from_linear

    for i in range(24):
        row = {"constant": 0, "uniform": i // 4, "vertex": corner[i], "faceVarying": i}
        faces = mesh.faces[mesh.polygon_id == i // 4].reshape(-1)
        here = (mesh.vertices[faces] == point[corner[i]]).all(axis=1)
        expected = srgb_from_linear(np.array(values[row[interpolation]], np.float64))
        assert here.any()
        assert (mesh.colors[faces[here]][:, :3] == expected).all()


def test_layers_of_the_folder(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    usda(tmp_path / "sub", f'def Mesh "Box" {{{CUBE}}}', "box.usda", 'defaultPrim = "Box"')
    usda(tmp_path, 'def "X" (references = @./sub/box.usda@) {}', "mid.usda", 'defaultPrim = "X"')
    body = """
def "A" (payload = @./mid.usda@) {}
def "B" (references = @sub/box.usda@) {
    double3 xformOp:translate = (5, 0, 0)
    uniform token[] xformOpOrder = ["xformOp:translate"]
}
"""
    mesh = loaded(usda(tmp_path, body))
    assert mesh.bounds.tolist() == [[0, 0, 0], [6, 1, 1]]
    assert mesh.source.side_files_sha256


@pytest.mark.slow
@pytest.mark.parametrize(
    ("reference", "message"),
    [
        (
            "../out.usda",
            r"refers to '\.\./out\.usda', which is not in its folder or texture_roots; fl",
        ),
        ("/etc/out.usda", "which is not in its folder"),
        ("https://a.example/out.usda", "which is not in its folder"),
        ("sub/../../out.usda", "which is not in its folder"),
        ("p.usdz[out.usda]", "which is not in its folder"),
        ("`${X}`", "which is not in its folder"),
        ("./out.abc", "is not a USD layer"),
        ("./missing.usda", "needs 'missing.usda'"),
    ],
)
@pytest.mark.parametrize("arc", ["references", "payload", "subLayers"])
def test_layers_outside(reference: str, message: str, arc: str, tmp_path: Path) -> None:
    folder = tmp_path / "in"
    folder.mkdir()
    usda(tmp_path, f'def Mesh "Box" {{{CUBE}}}', "out.usda", 'defaultPrim = "Box"')
    if arc == "subLayers":
        path = usda(folder, f'def Mesh "Box" {{{CUBE}}}', head=f"subLayers = [@{reference}@]")
    else:
        path = usda(folder, f'def "A" ({arc} = @{reference}@) {{}}')
    refused(path, message)


def box_layer(folder: Path, size: int = 1) -> None:
    """Write the layer t.usda with a box of a size."""
    body = CUBE.replace("1", str(size)) if size > 1 else CUBE
    folder.mkdir(exist_ok=True)
    usda(folder, f'def Mesh "Box" {{{body}}}', "t.usda", 'defaultPrim = "Box"')


@pytest.mark.parametrize("reference", ["../m/t.usda", "../gone/t.usda"])
def test_layers_in_texture_roots(reference: str, tmp_path: Path) -> None:
    box_layer(tmp_path / "m")
    (tmp_path / "in").mkdir()
    path = usda(tmp_path / "in", f'def "A" (references = @{reference}@) {{}}')
    refused(path, "which is not in its folder or texture_roots")
    mesh = dd.load_mesh(path, texture_roots=tmp_path / "m")
    assert mesh.bounds.tolist() == [[0, 0, 0], [1, 1, 1]]
    assert mesh.source is not None
    assert mesh.source.side_files_sha256
    # Nothing else becomes readable.
    (tmp_path / "m/t.usda").rename(tmp_path / "t.usda")
    (tmp_path / "m/t.usda").symlink_to(tmp_path / "t.usda")
    with pytest.raises(dd.MeshError, match="not in its folder or texture_roots"):
        dd.load_mesh(path, texture_roots=tmp_path / "m")


def test_a_layer_of_the_same_name_is_another_one(tmp_path: Path) -> None:
    """Data sets name the layers of all their models alike."""
    for name in ("chair", "table"):
        (tmp_path / name).mkdir()
        usda(
            tmp_path / name,
            f'def Mesh "{name}" {{{CUBE}}}',
            "model.usda",
            f'defaultPrim = "{name}"',
        )
    body = 'def "A" (references = @../chair/model.usda@) {}'
    path = usda(tmp_path / "table", body, "model.usda")
    refused(path, r"refers to '\.\./chair/model\.usda', which is not in its folder")
    assert len(dd.load_mesh(path, texture_roots=tmp_path / "chair").faces) == 12


def test_layers_and_textures_of_a_layer_in_a_texture_root(tmp_path: Path) -> None:
    for folder in ("in", "m", "m/sub"):
        (tmp_path / folder).mkdir()
    Image.new("RGB", (4, 2)).save(tmp_path / "m/sub/pic.png")
    usda(tmp_path / "m/sub", TEXTURED, "b.usda", 'defaultPrim = "Quads"')
    usda(tmp_path / "m", "", "t.usda", "subLayers = [@./sub/b.usda@]")
    path = usda(tmp_path / "in", "", "a.usda", "subLayers = [@../m/t.usda@]")
    (texture,) = dd.load_mesh(path, texture_roots=tmp_path / "m").textures
    assert texture.shape == (2, 4, 4)


def test_layers_of_variants_and_clips(tmp_path: Path) -> None:
    body = """
def "A" (
    variants = { string v = "one" }
    prepend variantSets = "v"
) {
    variantSet "v" = { "one" {} "two" (references = @../out.usda@) {} }
}
"""
    refused(usda(tmp_path, body), "not in its folder")
    clips = f"""
def Mesh "Box" (clips = {{ dictionary default = {{
    asset[] assetPaths = [@/etc/passwd@]
    string primPath = "/Box"
    double2[] active = [(0, 0)]
    double2[] times = [(0, 0)]
}} }}) {{{CUBE}}}
"""
    with pytest.warns(dd.LeftOutWarning, match="value clips: 1"):
        dd.load_mesh(usda(tmp_path, clips))


SECRET = "point3f[] points.timeSamples = { 0: [(0,0,0), (9,0,0), (0,9,0)] }"
TRIANGLE = """
    int[] faceVertexCounts = [3]
    int[] faceVertexIndices = [0, 1, 2]
"""
OWN_POINTS = "point3f[] points = [(0,0,0), (1,0,0), (0,1,0)]"


def clips_in(where: str, secret: Path) -> str:
    """Return a mesh "M" whose points are those of a file, by value clips in some place."""
    clips = f"""clips = {{ dictionary default = {{
        asset[] assetPaths = [@{secret}@]
        asset manifestAssetPath = @{secret}@
        string primPath = "/M"
        double2[] active = [(0, 0)]
        double2[] times = [(0, 0)]
    }} }}"""
    template = f"""clips = {{ dictionary default = {{
        string templateAssetPath = "{secret.parent}/points.#.usda"
        asset manifestAssetPath = @{secret}@
        double templateStartTime = 0
        double templateEndTime = 0
        double templateStride = 1
        string primPath = "/M"
    }} }}"""
    selected = 'variants = { string v = "x" }\n prepend variantSets = "v"\n'
    inner = selected.replace(" v ", " w ").replace('"v"', '"w"')
    return {
        "prim": f'def Mesh "M" (\n{clips}\n) {{{TRIANGLE}}}',
        "template": f'def Mesh "M" (\n{template}\n) {{{TRIANGLE}}}',
        "clipSets": f'def Mesh "M" (\nprepend clipSets = ["default"]\n{clips}\n) {{{TRIANGLE}}}',
        "variant": (
            f'def Mesh "M" (\n{selected}) {{\n{TRIANGLE}\n'
            f'variantSet "v" = {{\n"x" (\n{clips}\n) {{\n}}\n}}\n}}'
        ),
        "variant in a variant": (
            f'def Mesh "M" (\n{selected}) {{\n{TRIANGLE}\nvariantSet "v" = {{\n"x" (\n{inner}\n)'
            f' {{\nvariantSet "w" = {{\n"x" (\n{clips}\n) {{\n}}\n}}\n}}\n}}\n}}'
        ),
        "prim of a variant": (
            f'def Xform "X" (\n{selected}) {{\nvariantSet "v" = {{\n"x" {{\n'
            f'def Mesh "M" (\n{clips}\n) {{\n{TRIANGLE}\n}}\n}}\n}}\n}}'
        ),
        "class": (
            f'class "C" (\n{clips}\n) {{\n}}\ndef Mesh "M" (inherits = </C>) {{\n{TRIANGLE}\n}}'
        ),
        "variant of a class": (
            f'class "C" (\n{selected}) {{\nvariantSet "v" = {{\n"x" (\n{clips}\n) {{\n}}\n}}\n}}\n'
            f'def Mesh "M" (specializes = </C>) {{\n{TRIANGLE}\n}}'
        ),
    }[where]


@pytest.mark.parametrize("form", ["usda", "usdc", "sublayer"])
@pytest.mark.parametrize(
    "where",
    [
        "prim",
        "template",
        "clipSets",
        "variant",
        "variant in a variant",
        "prim of a variant",
        "class",
        "variant of a class",
    ],
)
def test_no_file_is_read_by_value_clips(where: str, form: str, tmp_path: Path) -> None:
    secret = usda(tmp_path, f'def "M" {{\n{SECRET}\n}}', "points.0.usda")
    folder = tmp_path / "in"
    folder.mkdir()
    path = usda(folder, clips_in(where, secret))
    stage = Usd.Stage.Open(str(path))
    prim = stage.GetPrimAtPath("/X/M" if where == "prim of a variant" else "/M")
    seen = prim.GetAttribute("points").Get(Usd.TimeCode.EarliestTime())
    assert seen is not None, "OpenUSD itself reads the file"
    if form == "usdc":
        assert stage.GetRootLayer().Export(str(folder / "b.usdc"))
        path = folder / "b.usdc"
    elif form == "sublayer":
        path = usda(folder, "", "b.usda", "subLayers = [@./a.usda@]")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        with pytest.raises(dd.MeshError, match="holds no faces"):
            dd.load_mesh(path)
    text = clips_in(where, secret).replace(TRIANGLE, TRIANGLE + OWN_POINTS + "\n")
    with pytest.warns(dd.LeftOutWarning, match="value clips: 1"):
        mesh = dd.load_mesh(usda(folder, text, "c.usda"))
    assert mesh.bounds.tolist() == [[0, 0, 0], [1, 1, 0]]


@pytest.mark.parametrize("edit", ["", "prepend ", "append ", "add "])
@pytest.mark.parametrize("arc", ["references", "payload"])
@pytest.mark.parametrize("depth", [0, 1, 2])
def test_layers_outside_in_each_place(arc: str, edit: str, depth: int, tmp_path: Path) -> None:
    secret = usda(tmp_path, f'def Mesh "Box" {{{CUBE}}}', "out.usda", 'defaultPrim = "Box"')
    folder = tmp_path / "in"
    folder.mkdir()
    metadata, body = f"{edit}{arc} = @{secret}@", ""
    for name in ("v", "w")[:depth]:
        body = f'variantSet "{name}" = {{\n"x" (\n{metadata}\n) {{\n{body}\n}}\n}}'
        metadata = f'variants = {{ string {name} = "x" }}\nprepend variantSets = "{name}"'
    path = usda(folder, f'def "A" (\n{metadata}\n) {{\n{body}\n}}')
    assert Usd.Stage.Open(str(path)).GetPrimAtPath("/A").GetTypeName() == "Mesh"
    refused(path, "not in its folder")


@pytest.mark.parametrize(
    "reference",
    [
        "a.usda:SDF_FORMAT_ARGS:/../../out.usda",
        "a.usda:SDF_FORMAT_ARGS:x=1:SDF_FORMAT_ARGS:/../../out.usda",
        "`'../out.usda'`",
        "a.usdz[../out.usda]",
    ],
)
def test_layers_by_odd_paths(reference: str, tmp_path: Path) -> None:
    refused(usda(tmp_path, f'def "A" (references = @{reference}@) {{}}'), "not in its folder")


@pytest.mark.parametrize("keyword", ["def", "over", "class"])
def test_prototypes_that_are_not_drawn_alone(keyword: str, tmp_path: Path) -> None:
    body = f"""
def PointInstancer "Many" {{
    rel prototypes = [</Many/P/Box>]
    int[] protoIndices = [0, 0]
    point3f[] positions = [(0,0,0), (10,0,0)]
    {keyword} "P" {{
        def Xform "Box" {{
            def Mesh "M" {{{CUBE}}}
        }}
    }}
}}
"""
    mesh = loaded(usda(tmp_path, body))
    assert len(mesh.faces) == 24
    assert mesh.bounds.tolist() == [[0, 0, 0], [11, 1, 1]]
    assert mesh.object_names == ("M #0", "M #1")


def test_missing_prototypes_are_told(tmp_path: Path) -> None:
    body = f"""
def PointInstancer "Many" {{
    rel prototypes = [</Many/Box>, </Gone>]
    int[] protoIndices = [0, 1, 1]
    point3f[] positions = [(0,0,0), (10,0,0), (20,0,0)]
    def Mesh "Box" {{{CUBE}}}
}}
"""
    with pytest.warns(dd.LeftOutWarning, match="instances of /Gone, which is missing: 2"):
        assert len(dd.load_mesh(usda(tmp_path, body)).faces) == 12


def test_instances_have_colors_of_their_own(tmp_path: Path) -> None:
    instance = 'def Xform "{}" (instanceable = true; inherits = </C>) {{\n{}\n}}\n'
    colors = {
        "A": "color3f[] primvars:displayColor = [(1, 0, 0)]",
        "B": "color3f[] primvars:displayColor = [(0, 0, 1)]",
        "C1": "",
    }
    body = f'class Xform "C" {{\ndef Mesh "Box" {{{CUBE}}}\n}}\n'
    body += "".join(instance.format(*item) for item in colors.items())
    mesh = loaded(usda(tmp_path, body))
    found = [mesh.colors[mesh.faces[mesh.object_id == i][0, 0]].tolist() for i in range(3)]
    assert found == [[255, 0, 0, 255], [0, 0, 255, 255], [255, 255, 255, 255]]


def test_a_skinned_mesh_is_posed(tmp_path: Path) -> None:
    body = """
def SkelRoot "R" {
    def Skeleton "Skel" (apiSchemas = ["SkelBindingAPI"]) {
        uniform token[] joints = ["a", "a/b"]
        uniform matrix4d[] bindTransforms = [((1,0,0,0),(0,1,0,0),(0,0,1,0),(0,0,0,1)),
                                             ((1,0,0,0),(0,1,0,0),(0,0,1,0),(1,0,0,1))]
        uniform matrix4d[] restTransforms = [((1,0,0,0),(0,1,0,0),(0,0,1,0),(0,0,0,1)),
                                             ((1,0,0,0),(0,1,0,0),(0,0,1,0),(1,0,0,1))]
        rel skel:animationSource = </R/Skel/Anim>
        def SkelAnimation "Anim" {
            uniform token[] joints = ["a/b"]
            float3[] translations = [(1, 0, 0)]
            quatf[] rotations = [(0.70710678, 0, 0, 0.70710678)]
            half3[] scales = [(1, 1, 1)]
        }
    }
    def Mesh "Bar" (apiSchemas = ["SkelBindingAPI"]) {
        int[] faceVertexCounts = [3]
        int[] faceVertexIndices = [0, 1, 2]
        point3f[] points = [(0,0,0), (1,0,0), (3,0,0.5)]
        uniform token subdivisionScheme = "none"
        rel skel:skeleton = </R/Skel>
        int[] primvars:skel:jointIndices = [0, 1, 1] (elementSize = 1; interpolation = "vertex")
        float[] primvars:skel:jointWeights = [1, 1, 1] (elementSize = 1; interpolation = "vertex")
    }
}
"""
    mesh = loaded(usda(tmp_path, body))
    # The second joint, at (1, 0, 0), turns by 90 degrees about z.
    np.testing.assert_allclose(mesh.vertices, [[0, 0, 0], [1, 0, 0], [1, 2, 0.5]], atol=1e-6)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"#usda 1.0\ndef Mesh", "OpenUSD cannot read it|damaged"),
        (b"nonsense", "OpenUSD cannot read it|damaged"),
        (b"PXR-USDC" + bytes(200), "OpenUSD cannot read it|damaged|crashed"),
        (b"PK\3\4" + bytes(50), "not a zip archive"),
        (b"#usda 1.0\n", "holds no faces"),
    ],
)
def test_damage(content: bytes, message: str, tmp_path: Path) -> None:
    path = tmp_path / "a.usd"
    path.write_bytes(content)
    refused(path, message)


def test_wrong_arrays(tmp_path: Path) -> None:
    bad = CUBE.replace("[4,4,4,4,4,4]", "[4,4,4,4,4,5]")
    refused(usda(tmp_path, f'def Mesh "Box" {{{bad}}}'), "polygons of /Box do not match")
    bad = CUBE.replace("0,3,2,1", "0,3,2,99")
    refused(usda(tmp_path, f'def Mesh "Box" {{{bad}}}'), "indices from 0 to 99")
    refused(usda(tmp_path, f'def Mesh "Box" {{{CUBE}}}'), "more than 3 faces", max_faces=3)


def test_packages(tmp_path: Path) -> None:
    path = tmp_path / "p.usdz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as package:
        package.writestr("a.usda", b"#usda 1.0\n" + b" " * 1000)
    refused(path, "compressed, which USDZ forbids")
    with zipfile.ZipFile(path, "w") as package:
        package.writestr("pic.png", png())
    refused(path, "begins with 'pic.png', not with a layer")


def test_without_usd_core(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    hidden = tmp_path / "pxr"
    hidden.mkdir()
    (hidden / "__init__.py").write_text("raise ImportError('no module pxr')")
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    refused(usda(tmp_path, ""), r'reading USD files needs the package pxr.*"ddepth-gl\[usd\]"')
