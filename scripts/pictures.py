"""What the scripts that draw pictures share: their command line, colors and clouds."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from matplotlib.figure import Figure

import ddepth_gl as dd

ROOT = Path(__file__).parents[1]
BLUE, ORANGE, GRAY, INK = "#195aaa", "#de6e14", "#8c8c8c", "#282828"

Picture = TypeVar("Picture")


def chosen(description: str | None, pictures: Mapping[str, Picture]) -> list[tuple[Picture, Path]]:
    """Return the pictures that the command line names, by default all, with the file of each.

    Args:
        description: of the script, for --help.
        pictures: how to draw each picture, by its name.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(pictures))
    parser.add_argument("--out", type=Path, default=ROOT / "docs/images")
    options = parser.parse_args()
    return [(pictures[name], options.out / f"{name}.png") for name in options.names or pictures]


def save_figures(description: str | None, pictures: Mapping[str, Callable[[], Figure]]) -> None:
    """Draw the chosen figures."""
    for draw, path in chosen(description, pictures):
        draw().savefig(path, metadata={"Software": None})


def draw_clouds(axes: Any, maps: dd.DepthMaps, view: dd.Camera, size: float) -> None:
    """Draw the points of both sheets as a camera sees them: entries blue, exits orange.

    Args:
        axes: of matplotlib.
        maps: both sheets.
        view: the camera that sees them.
        size: of a point, as in `Axes.scatter`.
    """
    front, back = maps.points()
    colors = np.repeat([BLUE, ORANGE], [len(front), len(back)])
    image, depth = view.project(np.concatenate([front, back]))
    order = np.argsort(-depth)
    axes.scatter(*image[order].T, s=size, c=colors[order], linewidths=0)
    axes.set(xlim=(0, view.width), ylim=(view.height, 0), aspect="equal")
