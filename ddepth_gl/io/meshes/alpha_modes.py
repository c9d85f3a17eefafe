"""Alpha of materials: what can cut holes, and the texts about alpha that does not count."""

from __future__ import annotations

from collections.abc import Iterator

from .options import LoadOptions
from .textures import EncodedTexture, TextureOfPart

__all__ = ["alpha_notes", "effective_cutoff"]


def effective_cutoff(cutoff: float, lowest_alpha: float, texture: TextureOfPart) -> float:
    """Return an alpha cutoff; 0 if no point of the faces can be below it.

    Args:
        cutoff: alpha cutoff of the material.
        lowest_alpha: lowest alpha of the colors of its faces, in 0..1.
        texture: its texture; None also if the faces have no texture coordinates.
    """
    has_alpha = isinstance(texture, EncodedTexture) and texture.has_alpha
    return 0.0 if lowest_alpha >= cutoff and not has_alpha else cutoff


def alpha_notes(options: LoadOptions, masked: int, blending: int) -> Iterator[tuple[str, bool]]:
    """Yield what is told of materials whose alpha does not count, with their number.

    Args:
        options: options of `load_mesh`.
        masked: number of materials with an alpha mask.
        blending: number of materials that blend.

    Yields:
        The text, and whether to warn of it.
    """
    if options.alpha == "ignore":
        if masked + blending:
            text = "materials with alpha masks or blending, ignored on request"
            yield f"{text}: {masked + blending}", False
    elif blending and options.blend_cutoff is None:
        yield f"materials that blend (the whole face counts; blend_cutoff cuts): {blending}", True
