"""Messages of the library in the words of the command line: options instead of arguments."""

from __future__ import annotations

import re

__all__ = ["in_options"]

_OPTIONS = (
    (r"pass a larger max_faces", "pass a larger --max-faces"),
    (r"pass a larger max_file_bytes", "pass a larger --max-file-mb"),
    (r"pass max_texture_size to reduce", "give --max-texture-size to reduce"),
    (r"folder or texture_roots", "folder or --texture-root"),
    (r"^texture_roots must be", "--texture-root must be"),
    (r"blend_cutoff cuts", "--blend-cutoff cuts"),
    (r"; leave pose out", "; leave --pose out"),
    (r"; pass pose=\(0, seconds\)", "; give --pose 0,SECONDS"),
    (r"; pass pose (an|one)", r"; give --pose \1"),
    (
        r"or load the mesh with appearance=False",
        "or write formats without colors, with --no-preview",
    ),
    (r'surfaces="(\w+)"', r"--surfaces \1"),
    (r"; scale ([-+.e\d]+) fits this image", r"; --png-scale \1 fits this image"),
    (
        r"reduce the image size, pass a small max_layers= or a larger memory_limit= "
        r"\(ddepth render: --size, --max-layers, --memory-limit\)",
        "give a smaller --size, a small --max-layers or a larger --memory-limit",
    ),
    (r"pass (a \w+ )?max_layers=", r"give \1--max-layers"),
    (r"^engine must be", "--engine must be"),
    (r"use engine='(\w+)' or '(\w+)'", r"use --engine \1 or \2"),
)


def in_options(message: str) -> str:
    """Return a message with the options of `ddepth render` where it names arguments of Python."""
    for argument, option in _OPTIONS:
        message = re.sub(argument, option, message)
    return message
