"""`show`: a mesh or results, to look at in a notebook, or in a browser from a program."""

from __future__ import annotations

import os
import sys
import tempfile
import webbrowser
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Any

from .._checks import checked_count, checked_flag, shown
from .._packages import import_needed, pip_command
from ..errors import OutputError, RequestError
from ..mesh.mesh import Mesh
from ..renderer import DepthRenderer
from ..results.depth_layers import DepthLayers
from ..results.depth_maps import DepthMaps
from ..results.frame import Frame
from .orbit import Orbit

__all__ = ["Shown", "show"]

_PICTURE_SIZE = (640, 480)
_MAX_HEIGHT = 10_000


class Shown:
    """A page or picture that `show` shows, until it is closed; a context manager.

    Attributes:
        url: address of the page; empty for a picture.
        path: file of the picture; None for a page, and in notebooks.
    """

    def __init__(self, viewer: Any = None, path: Path | None = None) -> None:
        self._viewer = viewer
        self.url: str = "" if viewer is None else viewer.url
        self.path = path
        self._show_again: Callable[[], None] = lambda: None
        self._shown_in: object = None  # cell of the notebook

    def wait(self, seconds: float | None = None) -> bool:
        """Return True once it is closed, or False after some seconds."""
        return self._viewer is None or bool(self._viewer.wait(seconds))

    def close(self) -> None:
        """End the page and free what it had; a picture stays. Idempotent."""
        if self._viewer is not None:
            self._viewer.close()

    def __enter__(self) -> Shown:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Shown {self.url or self.path or 'picture'}>"

    def _ipython_display_(self) -> None:
        """Show it again as the value of a cell; not in the cell that has shown it already."""
        if self._shown_in != _current_cell():
            self._show_again()

    def _show_in_notebook(self, show_it: Callable[[], object]) -> Shown:
        """Show it below the cell, now and as the value of later ones."""

        def show_again() -> None:
            self._shown_in = _current_cell()
            if self._viewer is not None and self._viewer.wait(0.0):
                print(f"{self!r} is closed; show it again with dd.show")
            else:
                show_it()

        self._show_again = show_again
        show_again()
        return self


def show(
    what: Mesh | DepthMaps | DepthLayers | Frame, *, height: int = 620, wait: bool | None = None
) -> Shown:
    """Show a mesh or results: in 3-D if viser is installed, else as a picture.

    In a notebook, the page of ``ddepth view --web`` appears below the cell: of a mesh with all that
    can be rendered of it, of results their points. It is served from this process, on 127.0.0.1,
    until `Shown.close` or the end of the process. In a program, the page is served until Ctrl-C,
    and opened in the browser if there is a display; in an interactive session the prompt returns at
    once. Without viser, notebooks show a picture, and elsewhere it goes into a file.

    Args:
        what: a Mesh, DepthMaps, DepthLayers or Frame.
        height: of the frame in the notebook, in pixels.
        wait: in a program, whether to return only after Ctrl-C; None to wait unless there is a
            prompt.

    Returns:
        A Shown, to close the page.

    Raises:
        RequestError: `what` is something else, or a frame without maps and layers.
        OutputError: neither viser nor matplotlib is installed.
        DDepthError: a mesh cannot be rendered here.
    """
    if not isinstance(what, (Mesh, DepthMaps, DepthLayers, Frame)):
        raise RequestError(
            f"show takes a Mesh, DepthMaps, DepthLayers or a Frame, not {shown(what)}"
        )
    height = checked_count("height", height, _MAX_HEIGHT)
    waits = not _has_prompt() if wait is None else checked_flag("wait", wait)
    notebook = _notebook_display()
    if not _has_viser():
        return _show_picture(what, notebook)
    viewer = _viewer_of(what)
    if viewer is None:
        return _show_picture(what, notebook)
    shown_page = Shown(viewer)
    if notebook is not None:
        frame = _FrameInNotebook(viewer.url, height, viewer.notes)
        shown_page._show_in_notebook(lambda: notebook(frame))
    else:
        _show_outside(shown_page, waits)
    return shown_page


class _FrameInNotebook:
    """A page in the output of a cell."""

    def __init__(self, url: str, height: int, notes: list[str]) -> None:
        self._url, self._height, self._notes = url, height, notes

    def _repr_html_(self) -> str:
        return (
            f'<iframe src="{self._url}" width="100%" height="{self._height}" '
            f'style="border:0" allowfullscreen></iframe>'
            f'<div style="font-size:smaller;opacity:0.7"><a href="{self._url}">{self._url}</a>; '
            f"{'; '.join(self._notes)}</div>"
        )

    def __repr__(self) -> str:
        return f"viewer at {self._url}"


def _viewer_of(what: Mesh | DepthMaps | DepthLayers | Frame) -> Any:
    """Return the page of a mesh or of results; None for a frame with nothing but an image."""
    if isinstance(what, Mesh):
        from .web.server import WebViewer

        return WebViewer(what)
    from .web.results_page import ResultViewer

    if isinstance(what, Frame) and what.maps is None and what.layers is None:
        return None
    return ResultViewer(what)


def _notebook_display() -> Callable[[object], None] | None:
    """Return what shows an object below the cell; None outside of a notebook."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    # Notebooks have a kernel; the IPython of a terminal has none.
    if shell is None or getattr(shell, "kernel", None) is None:
        return None
    display: Callable[[object], None] = import_needed(
        "IPython.display", "showing in a notebook", OutputError
    ).display
    return display


def _current_cell() -> object:
    """Return the number of the cell that runs; None outside of IPython."""
    ipython = sys.modules.get("IPython")
    return getattr(None if ipython is None else ipython.get_ipython(), "execution_count", None)


def _has_prompt() -> bool:
    """Return whether Python is used by hand, in a terminal."""
    return hasattr(sys, "ps1") or bool(sys.flags.interactive)


def _has_viser() -> bool:
    """Return whether viser is installed."""
    try:
        import_module("viser")
    except ImportError:
        return False
    return True


def _show_outside(page: Shown, waits: bool) -> None:
    """Tell the address, open it where there is a display, and wait for Ctrl-C if `waits`."""
    try:
        print(f"{page.url}, until {'Ctrl-C' if waits else 'close()'}", flush=True)
        # Elsewhere, a browser of the terminal would take it over.
        has_display = os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY")
        if sys.platform == "darwin" or has_display:
            webbrowser.open(page.url)
        if waits:
            page.wait()
    except KeyboardInterrupt:
        page.close()
        if not waits:
            raise


def _show_picture(
    what: Mesh | DepthMaps | DepthLayers | Frame, notebook: Callable[[object], None] | None
) -> Shown:
    """Show a picture in the notebook, or write it to a file."""
    result = _rendered(what) if isinstance(what, Mesh) else what
    if notebook is not None:
        return Shown()._show_in_notebook(lambda: notebook(result))
    content = result._repr_png_()
    if content is None:
        is_empty = isinstance(result, Frame) and all(
            each is None for each in (result.image, result.maps, result.layers)
        )
        if not is_empty:
            import_needed(
                "matplotlib",
                "a picture without viser",
                OutputError,
                "cli",
                f"; for a page in 3-D, {pip_command('web')}",
            )
        raise RequestError("the frame is empty: render it with an image, maps or layers")
    descriptor, name = tempfile.mkstemp(prefix="ddepth-", suffix=".png")
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    print(f"{name}: a picture; for a page in 3-D, run {pip_command('web')}", flush=True)
    return Shown(path=Path(name))


def _rendered(mesh: Mesh) -> Frame:
    """Return image and maps of a whole mesh."""
    width, height = _PICTURE_SIZE
    camera = Orbit.framing(mesh, aspect=width / height).camera(width, height)
    with DepthRenderer() as renderer:
        return renderer.render(renderer.upload(mesh), camera)
