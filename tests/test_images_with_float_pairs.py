"""Images whose shaders compute with pairs of floats: the tests of those with doubles, unchanged."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from conftest import ENGINES
from test_analytic import (  # noqa: F401
    test_an_open_sheet,
    test_box,
    test_camera_inside_a_box,
    test_orthographic_rays_that_start_inside_a_box,
    test_sheets_a_millionth_apart,
    test_sphere,
    test_torus,
)
from test_coverage import (  # noqa: F401
    test_a_fan_of_2000_faces_has_no_hole,
    test_closed_meshes_have_both_sheets_or_neither,
    test_coincident_faces_are_ordered_by_index,
    test_entry_is_never_beyond_exit,
    test_faces_without_area_cover_nothing,
    test_grids_have_no_hole,
)
from test_peel_oracle import test_camera_inside_the_mesh as test_layers_inside_the_mesh  # noqa: F401
from test_peel_oracle import test_random_closed_meshes as test_layers_of_closed_meshes  # noqa: F401
from test_position_and_scale import (  # noqa: F401
    test_a_mesh_far_from_the_origin,
    test_scaling_by_a_power_of_two_is_exact,
    test_tiny_and_huge_meshes,
)
from test_sheets_oracle import (  # noqa: F401
    test_camera_inside_the_mesh,
    test_faces_equal_the_oracle,
    test_large_faces_that_cross_the_camera_plane,
    test_orthographic_rays_that_start_inside_the_mesh,
    test_random_closed_meshes,
)

import ddepth_gl as dd

pytestmark = pytest.mark.slow  # test_float_pairs.py has faster tests of the same


@pytest.fixture(scope="module", params=ENGINES)
def shared_renderer(request: pytest.FixtureRequest) -> Iterator[dd.DepthRenderer]:
    """Renderers that prefer pairs, in place of those of conftest.py."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DDEPTH_FLOAT_PAIRS", "1")
        renderer = dd.DepthRenderer(engine=request.param)
    with renderer:
        yield renderer
