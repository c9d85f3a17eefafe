"""Keys and mouse of the viewer's window; help, documentation and the window share this table."""

from __future__ import annotations

from dataclasses import dataclass

from .modes import MODES

__all__ = ["KEYS", "MOUSE", "Key", "keys_text"]


@dataclass(frozen=True)
class Key:
    """A key and what it does.

    Attributes:
        key: its name: a character, or "Escape", "Home", "F1", "Left", ...; with "Ctrl+" or "Shift+"
            in front where they are held.
        action: name of the action, for the window.
        text: description.
    """

    key: str
    action: str
    text: str


KEYS: tuple[Key, ...] = (
    *(
        Key(str(number), f"mode:{mode.name}", mode.label)
        for number, mode in enumerate(MODES.values(), start=1)
    ),
    Key("[", "layer:previous", "previous layer"),
    Key("]", "layer:next", "next layer"),
    Key("H", "home", "the first view"),
    Key("F", "fit", "fit the mesh into the image"),
    Key("X", "view:right", "from the right; with Shift from the left"),
    Key("Shift+X", "view:left", "from the left"),
    Key("Y", "view:front", "from the front; with Shift from the back"),
    Key("Shift+Y", "view:back", "from the back"),
    Key("Z", "view:top", "from above; with Shift from below"),
    Key("Shift+Z", "view:bottom", "from below"),
    Key("I", "view:iso", "from the front, right and above"),
    Key("P", "projection", "perspective or parallel rays"),
    Key("M", "place", "the image, or the mould view"),
    Key("O", "odd", "highlight pixels with an odd number of crossings"),
    Key("C", "section", "draw a section line with the next drag"),
    Key(",", "camera:previous", "previous camera of --cameras"),
    Key(".", "camera:next", "next camera of --cameras"),
    Key("N", "mesh:next", "next mesh of the command line"),
    Key("S", "save", "save the image"),
    Key("Left", "turn:left", "turn to the left"),
    Key("Right", "turn:right", "turn to the right"),
    Key("Up", "turn:up", "turn up"),
    Key("Down", "turn:down", "turn down"),
    Key("+", "zoom:in", "zoom in"),
    Key("-", "zoom:out", "zoom out"),
    Key("Tab", "panels", "show or hide the panels"),
    Key("F1", "help", "these keys"),
    Key("Escape", "release", "drop the pin or the section"),
    Key("Q", "quit", "quit"),
)

MOUSE: tuple[tuple[str, str], ...] = (
    ("drag", "turn"),
    ("drag with the right or middle button, or with Shift", "pan"),
    ("wheel, or two fingers", "zoom"),
    ("click", "pin the probe"),
    ("double click", "turn around the point under the cursor"),
    ("drop a file", "open it"),
)


def keys_text() -> str:
    """Return the keys and what they do, one per line."""
    rows = [(each.key, each.text) for each in KEYS if not each.key.startswith("Shift+")]
    rows += MOUSE
    width = max(len(key) for key, _ in rows)
    return "\n".join(f"{key.ljust(width)}  {text}" for key, text in rows)
