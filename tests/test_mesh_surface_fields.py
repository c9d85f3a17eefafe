"""Fields of a mesh that say what its surface is: polygons, samplers, alpha cutoffs."""

import pickle

import numpy as np
import pytest

import ddepth_gl as dd

QUAD = ([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0]], [[0, 1, 2], [0, 2, 3]])
TEXEL = np.zeros((1, 1, 4), np.uint8)
UV = np.zeros((4, 2))


def test_without_them_there_is_no_mask_and_each_face_is_a_polygon():
    mesh = dd.Mesh(*QUAD)
    assert mesh.alpha_cutoff is None
    assert mesh.samplers == ()
    assert mesh.polygon_id.tolist() == [0, 1]
    assert mesh.polygon_id.dtype == np.int64


def test_they_are_kept_read_only_through_transform_and_pickle():
    mesh = dd.Mesh(
        *QUAD, uv=UV, texture=[TEXEL, TEXEL], texture_id=[0, 1],
        samplers=[dd.Sampler("clamp"), dd.Sampler(filter="nearest")],
        alpha_cutoff=[0.0, 0.5], polygon_id=[7, 7],
    )  # fmt: skip
    for each in (mesh, mesh.transformed(np.diag([-1, 1, 1, 1])), pickle.loads(pickle.dumps(mesh))):
        assert each.samplers == (("clamp", "repeat", "linear"), ("repeat", "repeat", "nearest"))
        assert each.alpha_cutoff.tolist() == [0.0, 0.5]
        assert each.alpha_cutoff.dtype == np.float32
        assert each.polygon_id.tolist() == [7, 7]
        for array in (each.alpha_cutoff, each.polygon_id):
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 1


def test_one_sampler_counts_for_all_textures():
    mirror = dd.Sampler("mirror", "mirror")
    mesh = dd.Mesh(*QUAD, uv=UV, texture=[TEXEL, TEXEL], texture_id=[0, 1], samplers=mirror)
    assert mesh.samplers == (mirror, mirror)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"alpha_cutoff": [0.5]}, "alpha_cutoff has shape"),
        ({"alpha_cutoff": [0.5, -1]}, "of face 1 is -1"),
        ({"alpha_cutoff": [np.nan, 0]}, "of face 0 is nan"),
        ({"polygon_id": [0, -1]}, "pass indices from 0"),
        ({"polygon_id": [0.0, 1.0]}, "must hold integers"),
        ({"samplers": dd.Sampler("mirrored")}, "wrap_u of a sampler must be one of repeat, clamp"),
        ({"samplers": dd.Sampler(filter=3)}, "filter of a sampler must be one of linear, nearest"),
        ({"samplers": [dd.Sampler()] * 2}, "with 1 texture;"),
        ({"samplers": ["clamp"]}, "must be a Sampler, or a sequence"),
    ],
)
def test_wrong_ones_are_refused(options, words):
    with pytest.raises(dd.MeshError, match=words):
        dd.Mesh(*QUAD, uv=UV, texture=TEXEL, **options)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"appearance": 2}, "appearance must be True or False"),
        ({"alpha": "blend"}, "alpha must be 'mask' or 'ignore'"),
        ({"blend_cutoff": 0}, "blend_cutoff must be a number above 0"),
        ({"blend_cutoff": "x"}, "blend_cutoff must be a number"),
        ({"pose": 3}, "pose must be .animation, seconds."),
        ({"pose": (0.5, 1)}, "pose must be .animation, seconds."),
        ({"pose": (0, np.inf)}, "pose must be .animation, seconds."),
        ({"texture_roots": 5}, "texture_roots must be folders"),
        ({"max_texture_size": 0}, "max_texture_size must be an integer, at least 1"),
        ({"max_faces": -1}, "max_faces must be an integer of at least 0"),
    ],
)
def test_wrong_options_of_loading_are_refused_before_the_file_is_opened(options, words):
    with pytest.raises(dd.RequestError, match=words):
        dd.load_mesh("missing.obj", **options)
