"""Facts of the index against closed forms: boxes and sheets whose numbers are known."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from shapes import box, inside_out, merged

import ddepth_gl as dd
from ddepth_gl.dataset.facts import FACTS, mesh_facts, view_facts

# Looks down the z axis from z = 5, 16 pixels per unit.
POSE = np.array([[1.0, 0, 0, 0], [0, -1, 0, 0], [0, 0, -1, 5], [0, 0, 0, 1]])
CAMERA = dd.Camera.orthographic(4.0, POSE, 64, 64)


def sheet(z: float = 0.0, half: float = 1.0) -> dd.Mesh:
    corners = [[-half, -half, z], [half, -half, z], [half, half, z], [-half, half, z]]
    return dd.Mesh(corners, [[0, 1, 2], [0, 2, 3]])


def facts_of(renderer, mesh, layers=True, max_layers=None):
    scene = renderer.upload(mesh)
    frame = renderer.render(
        scene, CAMERA, image=False, layers=layers, max_layers=max_layers if layers else None
    )
    scene.release()
    facts = {**view_facts(frame.maps, frame.layers), **mesh_facts(mesh, ("a note",))}
    assert set(facts) == set(FACTS)
    return facts


def test_a_box(renderer):
    assert facts_of(renderer, box()) == {
        "coverage": 0.25,  # 2 of 4 units
        "depth_min": 4.0,
        "depth_max": 6.0,
        "equal_share": 0.0,
        "layers": 2,
        "odd_share": 0.0,
        "truncated_share": 0.0,
        "surfaces": "oriented",
        "closed": True,
        "two_sided_share": 0.0,
        "warnings": ["a note"],
    }


def test_an_open_sheet(renderer):
    facts = facts_of(renderer, sheet())
    assert (facts["depth_min"], facts["depth_max"]) == (5.0, 5.0)
    assert (facts["equal_share"], facts["odd_share"], facts["layers"]) == (1.0, 1.0, 1)
    assert (facts["surfaces"], facts["closed"], facts["two_sided_share"]) == ("any", False, 1.0)


def test_a_box_in_front_of_a_larger_sheet(renderer):
    # The sheet is behind the box and twice as wide, but for an edge of half a pixel or less.
    facts = facts_of(renderer, merged(box(), sheet(-2.0, 1.5)))
    covered, behind = 32 * 32, 48 * 48
    assert facts["coverage"] == behind / 64**2
    assert facts["depth_max"] == 7.0
    assert facts["equal_share"] == pytest.approx((behind - covered) / behind, abs=1e-15)
    assert facts["layers"] == 3
    assert facts["odd_share"] == 1.0
    assert facts["surfaces"] == "mixed"
    assert facts["two_sided_share"] == round(9.0 / (9.0 + 24.0), 9)


def test_crossings_that_were_cut(renderer):
    # Two boxes one behind the other in half of the pixels, a single one elsewhere.
    small = box((-0.5, -1.0, -4.0), (0.5, 1.0, -3.0))
    facts = facts_of(renderer, merged(box(), small), max_layers=3)
    assert facts["truncated_share"] == 0.5
    assert facts["odd_share"] == 0.0  # of the pixels that were not cut
    assert facts["layers"] == 3


def test_layers_that_were_not_rendered(renderer):
    facts = facts_of(renderer, box(), layers=False)
    assert (facts["layers"], facts["odd_share"], facts["truncated_share"]) == (None, None, None)


def test_nothing_in_the_image(renderer):
    far_away = dd.Mesh(box().vertices + 100.0, box().faces)
    facts = facts_of(renderer, far_away)
    assert facts["coverage"] == 0.0
    assert facts["layers"] == 0
    for name in ("depth_min", "depth_max", "equal_share", "odd_share", "truncated_share"):
        assert facts[name] is None


def test_the_share_of_area_does_not_depend_on_how_faces_are_cut():
    inward = inside_out(box((2.0, -1.0, -1.0), (4.0, 1.0, 1.0)))
    assert mesh_facts(merged(box(), inward), ())["two_sided_share"] == 0.5


def test_the_docs_have_the_same_sentences():
    page = " ".join(Path("docs/dataset.md").read_text().split())
    for name, sentence in FACTS.items():
        assert f"| `{name}` | {sentence} |" in page
