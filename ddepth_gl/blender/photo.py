"""Photos by Cycles or EEVEE: the scene as its settings say, from its own camera."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

from .._checks import checked_choice, one_line
from ..errors import OutputError, RequestError

__all__ = ["PHOTOS", "Photo", "render_photo", "set_engine"]

Photo = Literal["own", "cycles", "eevee"]
PHOTOS = ("own", "cycles", "eevee")
# Before 5.0, and since.
_EEVEE = ("BLENDER_EEVEE_NEXT", "BLENDER_EEVEE")


def render_photo(
    scene: Any, path: Path, engine: str, *, samples: int | None = None, alpha: bool = True
) -> None:
    """Render the current frame of a scene to an 8-bit PNG file with Blender's own engine.

    Nodes of the compositor and the sequencer do not count: they change more than the image, and
    may write files.

    Args:
        scene: a ``bpy.types.Scene``; its settings are as before afterwards.
        path: path of the file; it is complete or not there.
        engine: "cycles" or "eevee".
        samples: samples per pixel; None for those of the scene.
        alpha: whether the background is transparent.

    Raises:
        RequestError: the engine cannot render here; EEVEE needs OpenGL for itself.
        OutputError: the file cannot be written.
    """
    import bpy

    checked_choice("photo", engine, PHOTOS[1:])
    render, image = scene.render, scene.render.image_settings
    settings = [
        *((render, name, False) for name in ("use_compositing", "use_sequencer", "use_multiview")),
        (render, "use_stamp", False),
        (render, "film_transparent", alpha),
        (render, "use_overwrite", True),
        (image, "color_mode", "RGBA"),
        (image, "color_depth", "8"),
    ]
    if samples is not None:
        owner, name = (
            (scene.cycles, "samples")
            if engine == "cycles"
            else (
                scene.eevee,
                "taa_render_samples",
            )
        )
        settings.append((owner, name, samples))
    names = ("engine", "filepath", "use_file_extension")
    kept = [(render, name, getattr(render, name)) for name in names]
    kept += [(image, name, getattr(image, name)) for name in ("file_format",)]
    if hasattr(image, "media_type"):
        kept.insert(0, (image, "media_type", image.media_type))
        image.media_type = "IMAGE"
    kept += [(owner, name, getattr(owner, name)) for owner, name, _ in settings]
    temporary = path.with_name(f".{path.name}.part.png")
    try:
        set_engine(render, engine)
        image.file_format = "PNG"
        for owner, name, value in settings:
            setattr(owner, name, value)
        render.filepath, render.use_file_extension = str(temporary.absolute()), False
        bpy.ops.render.render(write_still=True, scene=scene.name)
        temporary.write_bytes(_without_texts(temporary.read_bytes()))
        temporary.replace(path)
    except RuntimeError as error:
        raise RequestError(
            f"{engine} does not render here ({one_line(error, 160)}); use --photo own"
        ) from None
    except OSError as error:
        raise OutputError(
            f"{path} cannot be written ({error.strerror}); check the folder"
        ) from None
    finally:
        temporary.unlink(missing_ok=True)
        for owner, name, value in kept:
            setattr(owner, name, value)


def _without_texts(png: bytes) -> bytes:
    """Return a PNG file without its texts: times and paths, which differ every time."""
    kept, start = [png[:8]], 8
    while start < len(png):
        end = start + 12 + int.from_bytes(png[start : start + 4], "big")
        if png[start + 4 : start + 8] not in (b"tEXt", b"zTXt", b"iTXt", b"tIME"):
            kept.append(png[start:end])
        start = end
    return b"".join(kept)


def set_engine(render: Any, engine: str) -> None:
    """Choose Blender's engine for a scene's renders.

    Args:
        render: ``render`` of the scene.
        engine: "cycles" or "eevee".

    Raises:
        RequestError: this Blender has none of that name.
    """
    for name in ("CYCLES",) if engine == "cycles" else _EEVEE:
        try:
            render.engine = name
        except TypeError:
            continue
        return
    raise RequestError(f"this Blender has no engine {engine}; enable its add-on, or use another")
