"""Plots of results: their arrays, thinned for the eye, and the way to matplotlib.

``plot`` is imported inside functions only: matplotlib is imported with the first plot.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from .._checks import is_integer, shown
from .._packages import import_needed
from ..camera.camera import Camera
from ..errors import DDepthError, OutputError, RequestError
from .sections import section_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..plot.figures import LayerPlots
    from ..plot.panels import Panel
    from .depth_layers import DepthLayers
    from .depth_maps import DepthMaps
    from .frame import Frame

__all__ = [
    "check_matplotlib",
    "notebook_png",
    "plot_frame",
    "plot_layers",
    "plot_maps",
    "plot_section",
]

_QUANTITIES = {
    "entry": "entry depth",
    "exit": "exit depth",
    "thickness": "thickness",
    "entry_distance": "entry distance",
    "exit_distance": "exit distance",
}
_PANEL_PIXELS = 384  # of the longer side of a panel
_MAX_LAYERS = 20  # panels that a figure has room for


def check_matplotlib() -> None:
    """Import matplotlib, which is an optional dependency.

    Raises:
        OutputError: it is not installed.
    """
    import_needed("matplotlib", "drawing plots", OutputError, "cli")


def _thinning(camera: Camera, pixels: int) -> int:
    """Return the step at which an image is drawn so that its longer side has 1 to 2 times `pixels`.

    More would be slow, and the eye would not see it.
    """
    return max(1, max(camera.height, camera.width) // pixels)


def _thinned(maps: DepthMaps, step: int) -> DepthMaps:
    """Return every step-th row and column of both sheets, with the camera of those pixels."""
    if step == 1:
        return maps
    camera, K = maps.camera, np.array(maps.camera.K)
    K[0, :2] /= step
    K[1, 1] /= step
    K[:2, 2] = (K[:2, 2] - 0.5) / step + 0.5  # pixel k of the result is pixel k * step
    entry, exit_ = (
        np.ascontiguousarray(sheet[::step, ::step]) for sheet in (maps.entry, maps.exit)
    )
    thin = Camera(
        K, camera.camera_from_world, entry.shape[1], entry.shape[0], camera.is_orthographic
    )
    return replace(maps, entry=entry, exit=exit_, camera=thin, attributes={})


def _map_panels(
    maps: DepthMaps,
    quantities: Sequence[str],
    cmap: object = None,
    vmin: object = None,
    vmax: object = None,
) -> list[Panel]:
    """Return a panel for each quantity. Depths share one scale, and so do distances."""
    from ..plot.color_scales import (
        DEPTH_MAP,
        THICKNESS_MAP,
        checked_color_map,
        checked_limits,
        value_range,
    )
    from ..plot.panels import Panel

    step = _thinning(maps.camera, _PANEL_PIXELS)
    thin = _thinned(maps, step)
    values = {name: getattr(thin, name) for name in quantities}
    panels = []
    for name, image in values.items():
        if name == "thickness":
            limits = value_range(image, np.zeros(int(thin.mask.any())))
        else:
            kind = name.removeprefix("entry").removeprefix("exit")
            limits = value_range(*(getattr(thin, f"{sheet}{kind}") for sheet in ("entry", "exit")))
        default = THICKNESS_MAP if name == "thickness" else DEPTH_MAP
        panels.append(
            Panel(
                _QUANTITIES[name],
                image,
                step,
                (maps.camera.height, maps.camera.width),
                checked_color_map(default if cmap is None else cmap),
                checked_limits(limits, vmin, vmax),
            )
        )
    return panels


def plot_maps(
    maps: DepthMaps,
    quantities: object,
    ax: object,
    figure: object,
    cmap: object,
    vmin: object,
    vmax: object,
    title: object,
) -> Figure:
    """Return a figure of maps, see `DepthMaps.plot`."""
    check_matplotlib()
    from ..plot.figures import panels_figure

    names = (quantities,) if isinstance(quantities, str) else quantities
    if not (
        isinstance(names, (list, tuple))
        and names
        and all(isinstance(name, str) and name in _QUANTITIES for name in names)
        and len(set(names)) == len(names)
    ):
        raise RequestError(
            f"quantities must be one or several of {', '.join(_QUANTITIES)}, each once, "
            f"not {shown(quantities)}"
        )
    return panels_figure(_map_panels(maps, names, cmap, vmin, vmax), ax, figure, title)


def layer_image(layers: DepthLayers, layer: int, step: int) -> npt.NDArray[np.float32]:
    """Return (h, w) float32: depths of one layer at every step-th row and column; NaN is a miss.

    Only the crossings of those pixels are read, so the memory depends on the result's size alone.

    Args:
        layers: of the whole image.
        layer: counted from 0.
        step: in pixels.
    """
    height, width = layers.camera.height, layers.camera.width
    pixel = np.arange(0, height, step)[:, None] * width + np.arange(0, width, step)
    crossing = layers.offsets[pixel] + layer
    is_there = crossing < layers.offsets[pixel + 1]
    image = np.full(pixel.shape, np.nan, dtype=np.float32)
    image[is_there] = layers.depth[crossing[is_there]]
    return image


def _layer_plots(
    layers: DepthLayers,
    shown_layers: int,
    pixels: int,
    cmap: object = None,
    vmin: object = None,
    vmax: object = None,
) -> LayerPlots:
    """Return the panels of the first layers, on the scale of all of them, and the count map."""
    from ..plot.color_scales import DEPTH_MAP, checked_color_map, checked_limits, value_range
    from ..plot.counts import CountMap
    from ..plot.figures import LayerPlots
    from ..plot.panels import Panel

    count, step = layers.count, _thinning(layers.camera, pixels)
    color_map = checked_color_map(DEPTH_MAP if cmap is None else cmap)
    limits = checked_limits(value_range(layers.depth), vmin, vmax)
    panels = [
        Panel(
            f"layer {layer + 1}",
            layer_image(layers, layer, step),
            step,
            (layers.camera.height, layers.camera.width),
            color_map,
            limits,
            f"{np.count_nonzero(count > layer):,} px",
        )
        for layer in range(shown_layers)
    ]
    more = max(0, int(count.max(initial=0)) - shown_layers)
    return LayerPlots(panels, more, CountMap(count, layers.truncated))


def _slots(layers: DepthLayers, slots: int) -> int:
    """Return how many layers to draw; if there are more, the last slot says so."""
    total = max(1, int(layers.count.max(initial=0)))  # one empty panel if there is no layer
    return total if total <= slots else slots - 1


def plot_layers(
    layers: DepthLayers,
    max_layers: object,
    ax: object,
    figure: object,
    cmap: object,
    vmin: object,
    vmax: object,
    title: object,
) -> Figure:
    """Return a figure of layers, see `DepthLayers.plot`."""
    check_matplotlib()
    from ..plot.figures import layers_figure
    from ..plot.given_axes import checked_axes

    if max_layers is None:
        number = _slots(layers, 6) if ax is None else len(checked_axes(ax, None, figure)) - 1
    elif is_integer(max_layers) and 0 <= max_layers <= _MAX_LAYERS:
        number = int(max_layers)
    else:
        raise RequestError(
            f"max_layers must be an integer from 0 to {_MAX_LAYERS}, or None, "
            f"not {shown(max_layers)}"
        )
    return layers_figure(
        _layer_plots(layers, number, _PANEL_PIXELS, cmap, vmin, vmax), ax, figure, title
    )


def plot_section(
    layers: DepthLayers, row: object, column: object, ax: object, figure: object, title: object
) -> Figure:
    """Return a figure of a cross-section, see `DepthLayers.plot_section`."""
    check_matplotlib()
    from ..plot.figures import section_figure

    return section_figure(section_of(layers, row, column), ax, figure, title)


def _photo_panel(photo: npt.NDArray[np.uint8], step: int) -> Panel:
    """Return the panel of an image with straight alpha, on white."""
    from PIL import Image

    from ..plot.panels import Panel

    averaged = min(step, 3)
    skipped = step // averaged  # a few pixels in each direction are enough for smooth edges
    step = skipped * averaged
    thin = Image.fromarray(np.ascontiguousarray(photo[::skipped, ::skipped]))
    # Colors multiplied with alpha can be averaged, and leave the rest of each pixel to white.
    colors = np.asarray(thin.convert("RGBa").reduce(averaged))
    on_white = colors[..., :3] + (255 - colors[..., 3:])
    return Panel("photo", on_white, step, (photo.shape[0], photo.shape[1]))


def plot_frame(
    frame: Frame, row: object = None, figure: object = None, title: object = None
) -> Figure:
    """Return a figure of everything in a frame, see `ddepth_gl.preview`."""
    check_matplotlib()
    from ..plot.figures import preview_figure

    if row is not None and frame.layers is None:
        raise RequestError("row has no effect without layers; render the frame with layers=True")
    panels, plots = [], None
    if frame.image is not None:
        panels.append(_photo_panel(frame.image, _thinning(frame.camera, _PANEL_PIXELS)))
    if frame.maps is not None:
        panels += _map_panels(frame.maps, ("entry", "exit", "thickness"))
    if frame.layers is not None:
        plots = _layer_plots(frame.layers, _slots(frame.layers, 8), _PANEL_PIXELS // 2)
        plots = replace(plots, section=section_of(frame.layers, row))
    if not panels and plots is None:
        raise RequestError("the frame is empty: it holds no image, no maps and no layers")
    return preview_figure(panels, plots, figure, title)


def notebook_png(draw: Callable[[], Figure]) -> bytes | None:
    """Return a figure as PNG for Jupyter; None, for the text alone, if it cannot be drawn.

    Args:
        draw: returns the figure.
    """
    try:
        figure = draw()
    except DDepthError:  # no matplotlib, or nothing to draw
        return None
    from ..plot.page import png

    return png(figure)
