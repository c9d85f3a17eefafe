"""The float64 reference: every pixel's ray against every face, from geometry alone.

It shares no code with the package and uses none of a rasterizer's techniques: no snapping to a
grid, no fill rule, no depth buffer, no clipping. A ray meets a face where three triple products
agree in sign, and the depth there is the depth of the face's plane. The code is slow and meant to
be read.

Frames and units
----------------
The camera frame is OpenCV's: x right, y down, z forward. Depth is camera z in mesh units. Pixel
(row, column) is sampled at image coordinates (u, v) = (column + 0.5, row + 0.5). All numbers are
float64.

How a renderer is compared with the reference
---------------------------------------------
A correct renderer may move the projection of each vertex slightly: it rounds to float32 and snaps
positions to a fraction of a pixel. `margin`, in pixels, bounds that movement. All the rest follows
from two facts about a triangle whose corners move by at most `margin`:

* A point deeper inside than `margin` stays inside; a point farther outside than `margin` stays
  outside.
* Where the moved triangle covers a point, its depth equals the depth of the original triangle's
  plane at some point of the original triangle within `margin`.

So each candidate, a pair of a pixel and a face, has a *clearance* and an interval [low, high]. The
clearance tells whether the face certainly, possibly or certainly not covers the pixel. The interval
holds the depths that a correct renderer may return. A pixel is *stable* if nothing uncertain can
change its answer; a renderer must match the depth there. All other pixels form the *band*; there, a
renderer must stay within the intervals. `check` states the exact rules.
"""

from .alpha_masks import AlphaMask, MaskTexture
from .candidates import Candidates, find_candidates
from .colors import encode_srgb, linear_from_srgb, linear_rgba, texture_at
from .comparison import Report, check
from .geometry import View
from .hit_attributes import Attributes, attributes
from .layers import AllCrossings, all_crossings
from .sheets import Reference, Sheet, reference
from .smooth_normals import corner_normals

__all__ = [
    "AllCrossings",
    "AlphaMask",
    "Attributes",
    "Candidates",
    "MaskTexture",
    "Reference",
    "Report",
    "Sheet",
    "View",
    "all_crossings",
    "attributes",
    "check",
    "corner_normals",
    "encode_srgb",
    "find_candidates",
    "linear_from_srgb",
    "linear_rgba",
    "reference",
    "texture_at",
]
