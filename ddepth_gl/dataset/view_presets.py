"""Presets: the cameras of published work, as settings of the groups `views` and `normalization`.

The numbers are those of the scripts that the works published; each preset names its source. All
scripts scale the longest side of the scene's bounding box to 1 and center the box at the origin,
which the cameras look at. Distances here are in longest sides, so they are the published ones with
and without `normalization`. Blender's world has z up and turns glTF files on import, so elevations
are about the mesh's up direction; ``sensor_width = 32`` with ``lens = 35`` is a field of view of
2 atan(16 / 35) = 49.13 degrees. Lights and materials are not part of a preset, and the random
numbers are our own.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

__all__ = ["LENS_35_DEG", "NORMALIZATION", "PRESETS"]

LENS_35_DEG = 49.13434264120263  # 2 atan(16 / 35), the same digits on every machine

# Of all presets: the longest side of the box becomes 1, its center the origin.
NORMALIZATION: Mapping[str, Any] = MappingProxyType({"fit": "box"})

_BLENDER = {"distance_in": "sides", "size": (512, 512), "fov_deg": LENS_35_DEG}

# Cameras anywhere in a shell, in the directions of points in a cube.
_SHELL = {**_BLENDER, "kind": "random", "density": "cube", "distance": (1.5, 2.2), "count": 12}

PRESETS: Mapping[str, Mapping[str, Any]] = MappingProxyType(
    {
        # Xiang et al., "Structured 3D Latents", 2024: the views that features are taken from.
        # github.com/microsoft/TRELLIS, dataset_toolkits/render.py, utils.py and
        # blender_script/render.py: 150 views, radius 2, 40 degrees, 512 pixels; a Hammersley set
        # with random offsets, three quarters of it above the horizon.
        "trellis": {
            "kind": "hammersley",
            "upper_share": 0.75,
            "count": 150,
            "fov_deg": 40.0,
            "distance": 2.0,
            "distance_in": "sides",
            "size": (512, 512),
        },
        # The same work: the images that condition the generator. dataset_toolkits/render_cond.py:
        # 24 views, 1024 pixels, fields of view of 10 to 70 degrees from distances that show the
        # sphere around the unit cube, uniform in the inverse square of the distance.
        "trellis_cond": {
            "kind": "hammersley",
            "upper_share": 0.75,
            "count": 24,
            "fov_deg": (10.0, 70.0),
            "fov_spacing": "inverse_square",
            "distance": None,
            "distance_in": "sides",
            "size": (1024, 1024),
        },
        # Liu et al., "Zero-1-to-3", 2023. github.com/cvlab-columbia/zero123,
        # objaverse-rendering/scripts/blender_script.py: radius 1.5 to 2.2, all elevations,
        # 512 pixels. The released renders, and its training, have 12 views (the script's default
        # is 8).
        "zero123": _SHELL,
        # Deitke et al., "Objaverse", 2022. github.com/allenai/objaverse-rendering,
        # scripts/blender_script.py: 12 views in a circle at a distance of 1.2, 60 degrees from the
        # vertical, 512 pixels. Images of cubes are cropped at their corners.
        "objaverse": {
            **_BLENDER,
            "kind": "turntable",
            "count": 12,
            "elevation_deg": 30.0,
            "distance": 1.2,
        },
        # Deitke et al., "Objaverse-XL", 2023. github.com/allenai/objaverse-xl,
        # scripts/rendering/blender_script.py: as Zero123, 12 views.
        "objaverse_xl": _SHELL,
        # Li et al., "LaRI", 2025. github.com/ruili3/lari, dataset_curation/
        # ldi_distributed_objaverse.py and objaverse/zero123_blender_script.py: as Zero123, 12 views
        # from the upper half.
        "lari": {**_SHELL, "elevation_deg": (0.0, 90.0)},
    }
)
