"""Keys: from Dear ImGui's names to the actions of `keys.KEYS`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from imgui_bundle import imgui

from ..keys import KEYS
from .actions import perform

if TYPE_CHECKING:
    from .viewer import Viewer

__all__ = ["handle_keys"]

_NAMES = {
    "[": ("left_bracket",), "]": ("right_bracket",), ",": ("comma",), ".": ("period",),
    "+": ("equal", "keypad_add"), "-": ("minus", "keypad_subtract"), "Left": ("left_arrow",),
    "Right": ("right_arrow",), "Up": ("up_arrow",), "Down": ("down_arrow",),
    "PageUp": ("page_up",), "PageDown": ("page_down",),
}  # fmt: skip
# As in Blender and MeshLab, besides the table's. The digits of the number pad are views there.
_ALSO = {
    "keypad1": "view:front", "keypad3": "view:right", "keypad7": "view:top",
    "keypad5": "projection", "home": "fit", "keypad_decimal": "fit",
}  # fmt: skip
_REPEATED = ("turn", "zoom", "layer", "camera")


def handle_keys(viewer: Viewer) -> None:
    """Perform the actions of the keys that were pressed, unless a text field has the keyboard."""
    io = imgui.get_io()
    if io.want_text_input:
        return
    for key, shift, ctrl, action in _BINDINGS:
        is_repeated = action.partition(":")[0] in _REPEATED
        if (
            (io.key_shift, io.key_ctrl) == (shift, ctrl)
            and not (io.key_alt or io.key_super)
            and imgui.is_key_pressed(key, is_repeated)
        ):
            for _ in range(viewer.window.events.presses[key] or 1):
                perform(viewer, action)


def _bindings() -> list[tuple[Any, bool, bool, str]]:
    """Return keys of Dear ImGui with Shift and Ctrl, and their actions."""
    found = []
    for each in KEYS:
        *held, name = each.key.split("+") if len(each.key) > 1 else [each.key]
        for other in _NAMES.get(name, (f"_{name}" if name.isdecimal() else name.lower(),)):
            key = getattr(imgui.Key, other)
            found.append((key, "Shift" in held, "Ctrl" in held, each.action))
            if name == "+":  # Shift+= on many keyboards
                found.append((key, True, False, each.action))
    found += [(getattr(imgui.Key, key), False, False, action) for key, action in _ALSO.items()]
    return found


_BINDINGS = _bindings()
