"""Contents of small 3MF, COLLADA and USD files."""

from __future__ import annotations

import io
import zipfile

CORE = "http://schemas.microsoft.com/3dmanufacturing/core/2015/02"
MATERIAL = "http://schemas.microsoft.com/3dmanufacturing/material/2015/02"
PRODUCTION = "http://schemas.microsoft.com/3dmanufacturing/production/2015/06"
RELATIONSHIPS = (
    '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">'
    '<Relationship Id="r" Target="/3D/3dmodel.model" '
    'Type="http://schemas.microsoft.com/3dmanufacturing/2013/01/3dmodel"/></Relationships>'
)
# A tetrahedron of volume 1/6, wound outward.
VERTICES = "".join(
    f'<vertex x="{x}" y="{y}" z="{z}"/>' for x, y, z in ((0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1))
)
FACES = ((0, 2, 1), (0, 1, 3), (1, 2, 3), (2, 0, 3))


def mesh_xml(*extra: str) -> str:
    """Return a mesh, with attributes for its triangles."""
    extra = extra or ("",) * 4
    triangles = "".join(
        f'<triangle v1="{a}" v2="{b}" v3="{c}" {more}/>'
        for (a, b, c), more in zip(FACES, extra, strict=True)
    )
    return f"<mesh><vertices>{VERTICES}</vertices><triangles>{triangles}</triangles></mesh>"


def model_xml(resources: str, items: str, attributes: str = 'unit="inch"') -> str:
    return (
        f'<?xml version="1.0"?><model xmlns="{CORE}" xmlns:m="{MATERIAL}" xmlns:p="{PRODUCTION}" '
        f"{attributes}><resources>{resources}</resources><build>{items}</build></model>"
    )


def threemf(model: str | bytes, **files: str | bytes) -> bytes:
    """Return a 3MF with a model, and further files by name."""
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("_rels/.rels", RELATIONSHIPS)
        archive.writestr("3D/3dmodel.model", model)
        for name, data in files.items():
            archive.writestr(name, data)
    return content.getvalue()


SIMPLE_3MF = model_xml(f'<object id="1" name="tetra">{mesh_xml()}</object>', '<item objectid="1"/>')


# With two items, components, colors and a texture.
COLORED_3MF = threemf(
    model_xml(
        '<m:colorgroup id="2"><m:color color="#0000FF"/><m:color color="#102030"/></m:colorgroup>'
        '<m:texture2d id="5" path="/3D/t.png" contenttype="image/png"/>'
        '<m:texture2dgroup id="6" texid="5"><m:tex2coord u="0" v="1"/></m:texture2dgroup>'
        '<object id="1" pid="2" pindex="1">'
        + mesh_xml("", 'pid="2" p1="0" p2="1"', 'pid="6" p1="0"', "")
        + '</object><object id="3"><components><component objectid="1"/><component objectid="1" '
        'transform="-1 0 0 0 1 0 0 0 1 3 0 0"/></components></object>',
        '<item objectid="3"/><item objectid="1" transform="1 0 0 0 1 0 0 0 1 0 9 0"/>',
    )
)

XMLNS = "http://www.collada.org/2005/11/COLLADASchema"
CUBE_POINTS = "0 0 0 1 0 0 1 1 0 0 1 0 0 0 1 1 0 1 1 1 1 0 1 1"
CUBE_FACES = "0 3 2 1 4 5 6 7 0 1 5 4 1 2 6 5 2 3 7 6 3 0 4 7"
POLYLIST = (
    '<polylist count="6" material="m"><input semantic="VERTEX" source="#v" offset="0"/>'
    f"<vcount>4 4 4 4 4 4</vcount><p>{CUBE_FACES}</p></polylist>"
)


def source(name: str, values: str, stride: int = 3) -> str:
    count = len(values.split())
    params = "".join(f'<param name="{"XYZW"[i % 4]}" type="float"/>' for i in range(stride))
    return (
        f'<source id="{name}"><float_array id="{name}-a" count="{count}">{values}</float_array>'
        f'<technique_common><accessor source="#{name}-a" count="{count // stride}" '
        f'stride="{stride}">{params}</accessor></technique_common></source>'
    )


def geometry(polygons: str = POLYLIST, points: str = CUBE_POINTS, more: str = "") -> str:
    return (
        f'<geometry id="g" name="box"><mesh>{source("p", points)}{more}'
        f'<vertices id="v"><input semantic="POSITION" source="#p"/></vertices>{polygons}'
        "</mesh></geometry>"
    )


INSTANCE = '<instance_geometry url="#g"/>'
NODE = f'<node id="n" name="Box">{INSTANCE}</node>'


def document(nodes: str = NODE, geometries: str = "", more: str = "", axis: str = "Z_UP") -> str:
    return (
        f'<?xml version="1.0"?><COLLADA xmlns="{XMLNS}" version="1.4.1"><asset>'
        f'<unit name="inch" meter="0.0254"/><up_axis>{axis}</up_axis></asset>{more}'
        f"<library_geometries>{geometries or geometry()}</library_geometries>"
        f'<library_visual_scenes><visual_scene id="s">{nodes}</visual_scene>'
        '</library_visual_scenes><scene><instance_visual_scene url="#s"/></scene></COLLADA>'
    )


EFFECTS = """
<library_images><image id="i"><init_from>{}</init_from></image></library_images>
<library_effects>
<effect id="e1"><profile_COMMON><technique sid="t"><lambert>
<diffuse><color>1 0.5 0 1</color></diffuse>
<transparent opaque="A_ONE"><color>1 1 1 1</color></transparent>
<transparency><float>0.25</float></transparency></lambert></technique></profile_COMMON></effect>
<effect id="e2"><profile_COMMON>
<newparam sid="su"><surface type="2D"><init_from>i</init_from></surface></newparam>
<newparam sid="sa"><sampler2D><source>su</source><wrap_s>MIRROR</wrap_s><wrap_t>CLAMP</wrap_t>
</sampler2D></newparam>
<technique sid="t"><phong><diffuse><texture texture="sa" texcoord="UVB"/></diffuse></phong>
</technique></profile_COMMON></effect></library_effects>
<library_materials><material id="m1"><instance_effect url="#e1"/></material>
<material id="m2"><instance_effect url="#e2"/></material></library_materials>
"""
TWO_QUADS = (
    '<polylist count="1" material="a"><input semantic="VERTEX" source="#v" offset="0"/>'
    "<vcount>4</vcount><p>0 1 2 3</p></polylist>"
    '<polylist count="1" material="b"><input semantic="VERTEX" source="#v" offset="0"/>'
    '<input semantic="TEXCOORD" source="#t0" offset="1" set="0"/>'
    '<input semantic="TEXCOORD" source="#t1" offset="1" set="1"/>'
    "<vcount>4</vcount><p>4 0 5 1 6 2 7 3</p></polylist>"
)
BOUND = (
    '<node><instance_geometry url="#g"><bind_material><technique_common>'
    '<instance_material symbol="a" target="#m1"/><instance_material symbol="b" target="#m2">'
    '<bind_vertex_input semantic="UVB" input_semantic="TEXCOORD" input_set="1"/>'
    "</instance_material></technique_common></bind_material></instance_geometry></node>"
)


def textured(image: str = "my%20pic.png") -> str:
    more = source("t0", "9 9 9 9 9 9 9 9", 2) + source("t1", "0 0 1 0 1 1 0 2", 2)
    return document(BOUND, geometry(TWO_QUADS, more=more), EFFECTS.format(image))


SKIN = f"""
<library_controllers><controller id="c"><skin source="#g">
<bind_shape_matrix>1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1</bind_shape_matrix>
<source id="j"><Name_array id="ja" count="2">one two</Name_array></source>
{source("b", "1 0 0 0 0 1 0 0 0 0 1 0 0 0 0 1  1 0 0 -1 0 1 0 0 0 0 1 0 0 0 0 1", 16)}
{source("w", "1 0.5", 1)}
<joints><input semantic="JOINT" source="#j"/>
<input semantic="INV_BIND_MATRIX" source="#b"/></joints>
<vertex_weights count="3"><input semantic="JOINT" source="#j" offset="0"/>
<input semantic="WEIGHT" source="#w" offset="1"/>
<vcount>1 1 2</vcount><v>0 0  1 0  0 1 1 1</v></vertex_weights></skin></controller>
</library_controllers>
"""


# A skin, and a geometry without one.
SKINNED_DAE = document(
    '<node id="r" sid="one" type="JOINT"><node sid="two" type="JOINT"><rotate>0 0 1 90</rotate>'
    '</node></node><node><instance_controller url="#c"><skeleton>#r</skeleton>'
    f"</instance_controller></node><node><translate>0 0 5</translate>{INSTANCE}</node>",
    geometry(
        '<triangles count="1"><input semantic="VERTEX" source="#v" offset="0"/><p>0 1 2</p>'
        "</triangles>",
        "0 0 0 2 0 0 3 0 1",
    ),
    SKIN,
)

USD_CUBE_POINTS = "(0,0,0), (1,0,0), (1,1,0), (0,1,0), (0,0,1), (1,0,1), (1,1,1), (0,1,1)"
USD_CUBE_FACES = "0,3,2,1, 4,5,6,7, 0,1,5,4, 1,2,6,5, 2,3,7,6, 3,0,4,7"
USD_CUBE = f"""
    int[] faceVertexCounts = [4,4,4,4,4,4]
    int[] faceVertexIndices = [{USD_CUBE_FACES}]
    point3f[] points = [{USD_CUBE_POINTS}]
    uniform token subdivisionScheme = "none"
"""
# An L: concave, of area 3.
USD_ELL = """
    int[] faceVertexCounts = [6]
    int[] faceVertexIndices = [0,1,2,3,4,5]
    point3f[] points = [(0,0,0), (2,0,0), (2,1,0), (1,1,0), (1,2,0), (0,2,0)]
    uniform token subdivisionScheme = "none"
"""


USD_MATERIALS = """
def Material "Red" {
    token outputs:surface.connect = </Red/S.outputs:surface>
    def Shader "S" {
        uniform token info:id = "UsdPreviewSurface"
        color3f inputs:diffuseColor = (1, 0.2158605, 0)
        token outputs:surface
    }
}
def Material "Pic" {
    token outputs:surface.connect = </Pic/S.outputs:surface>
    def Shader "S" {
        uniform token info:id = "UsdPreviewSurface"
        color3f inputs:diffuseColor.connect = </Pic/T.outputs:rgb>
        float inputs:opacity.connect = </Pic/T.outputs:a>
        float inputs:opacityThreshold = 0.5
        token outputs:surface
    }
    def Shader "T" {
        uniform token info:id = "UsdUVTexture"
        asset inputs:file = @./pic.png@
        token inputs:wrapS = "mirror"
        token inputs:wrapT = "clamp"
        float2 inputs:st.connect = </Pic/X.outputs:result>
        float3 outputs:rgb
        float outputs:a
    }
    def Shader "X" {
        uniform token info:id = "UsdTransform2d"
        float2 inputs:in.connect = </Pic/R.outputs:result>
        float2 inputs:scale = (2, 1)
        float2 inputs:translation = (0, 0.5)
        float2 outputs:result
    }
    def Shader "R" {
        uniform token info:id = "UsdPrimvarReader_float2"
        string inputs:varname = "uv"
        float2 outputs:result
    }
}
"""


USD_TEXTURED = f"""
{USD_MATERIALS}
def Mesh "Quads" (apiSchemas = ["MaterialBindingAPI"]) {{
    rel material:binding = </Red>
    int[] faceVertexCounts = [4, 4]
    int[] faceVertexIndices = [0,1,2,3, 1,4,5,2]
    point3f[] points = [(0,0,0), (1,0,0), (1,1,0), (0,1,0), (2,0,0), (2,1,0)]
    uniform token subdivisionScheme = "none"
    float2[] primvars:uv = [(0,0), (1,0), (1,1), (0,1)] (interpolation = "faceVarying")
    int[] primvars:uv:indices = [0,1,2,3, 0,1,2,3]
    def GeomSubset "S" (apiSchemas = ["MaterialBindingAPI"]) {{
        uniform token elementType = "face"
        uniform token familyName = "materialBind"
        int[] indices = [1]
        rel material:binding = </Pic>
    }}
}}
"""
