"""Events: input of a GLFW window on its way to Dear ImGui, frame by frame."""

from __future__ import annotations

import os
from collections import Counter, deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

import glfw
from imgui_bundle import imgui

__all__ = ["Events"]

# Kinds of events that add up within a frame. Any other one gets a frame of its own: a slider does
# not follow the pointer in the frame in which the button is released, for example.
_ADDED_UP = ("cursor_pos", "scroll", "char")
_OTHERS = ("window_refresh", "framebuffer_size", "window_content_scale", "window_close")
_MODIFIERS = {"shift": "SHIFT", "ctrl": "CONTROL", "alt": "ALT", "super": "SUPER"}
# Names that differ; see `_keys`.
_NAMES = {
    "left": "left_arrow", "right": "right_arrow", "up": "up_arrow", "down": "down_arrow",
    "kp_decimal": "keypad_decimal", "kp_divide": "keypad_divide", "kp_multiply": "keypad_multiply",
    "kp_subtract": "keypad_subtract", "kp_add": "keypad_add", "kp_enter": "keypad_enter",
    "kp_equal": "keypad_equal", "left_control": "left_ctrl", "right_control": "right_ctrl",
}  # fmt: skip


class Events:
    """Events of a window that wait for their frame.

    Args:
        window: of GLFW.

    Attributes:
        dropped: paths of files that were dropped and not yet taken.
        is_fresh: whether any event came since it was last set to False.
        presses: how often keys were pressed for the frame, if more than once.
    """

    def __init__(self, window: Any) -> None:
        self.dropped: list[Path] = []
        self.is_fresh = True
        self.presses: Counter[imgui.Key] = Counter()
        self._waiting: deque[tuple[str, tuple[Any, ...]]] = deque()
        self._pointer = 0.0, 0.0
        io = imgui.get_io()
        self._forwarded: dict[str, Callable[..., None]] = {
            "cursor_pos": io.add_mouse_pos_event,
            "cursor_enter": self._enter,
            "mouse_button": _press,
            "scroll": io.add_mouse_wheel_event,
            "key": _type,
            "char": io.add_input_character,
            "window_focus": lambda focused: io.add_focus_event(bool(focused)),
        }
        for kind in self._forwarded:
            getattr(glfw, f"set_{kind}_callback")(window, self._keeper(kind))
        for kind in _OTHERS:
            getattr(glfw, f"set_{kind}_callback")(window, self._note)
        # Not by `glfw.set_drop_callback`, which cannot decode names that are not UTF-8.
        parts: Any = glfw
        self._dropper: Any = parts._GLFWdropfun(self._drop)  # kept: GLFW calls it
        parts._glfw.glfwSetDropCallback(window, self._dropper)

    def _keeper(self, kind: str) -> Callable[..., None]:
        def keep(_: object, *values: Any) -> None:
            self.is_fresh = True
            # Dear ImGui repeats keys itself. Each would get a frame of its own, long after release.
            if kind == "key" and values[2] == glfw.REPEAT:
                return
            self._waiting.append((kind, values))
            if kind == "cursor_pos":
                self._pointer = values[0], values[1]

        return keep

    def _note(self, *_: object) -> None:
        self.is_fresh = True

    def _drop(self, _: object, count: int, names: Any) -> None:
        self.is_fresh = True
        self.dropped += [Path(os.fsdecode(names[number])) for number in range(count)]

    def _enter(self, is_inside: int) -> None:
        x, y = self._pointer if is_inside else (-imgui.FLT_MAX, -imgui.FLT_MAX)
        imgui.get_io().add_mouse_pos_event(x, y)

    @property
    def are_waiting(self) -> bool:
        """True if some are left for the next frame."""
        return bool(self._waiting)

    def feed(self) -> None:
        """Tell Dear ImGui the events of the next frame."""
        first = ""
        self.presses.clear()
        while self._waiting:
            kind, values = self._waiting[0]
            if first and not (kind == first and kind in _ADDED_UP):
                break
            first = kind
            self._waiting.popleft()
            self._forwarded[kind](*values)
            if kind == "key" and values[2] == glfw.PRESS:
                self._merge_presses(*values)

    def _merge_presses(self, key: int, scancode: int, _: int, held: int) -> None:
        """Count further presses of a key that wait, and drop them, unless they are text."""
        known = _known_key(key, scancode)
        if known is None or key in _MODIFIER_KEYS or imgui.get_io().want_text_input:
            return
        merged = presses = 0
        for number, (kind, values) in enumerate(self._waiting, start=1):
            if kind == "char":
                continue
            if kind != "key" or values[0] not in (key, *_MODIFIER_KEYS):
                break
            if values[0] == key and values[2] == glfw.PRESS:
                if values[3] != held:
                    break
                merged, presses = number, presses + 1
        for _number in range(merged):
            self._waiting.popleft()
        if presses:
            self.presses[known] = 1 + presses


def _press(button: int, action: int, held: int) -> None:
    """Tell Dear ImGui that a button of the mouse was pressed or released."""
    _hold_modifiers(held)
    if button < 3:
        imgui.get_io().add_mouse_button_event(button, action == glfw.PRESS)


def _type(key: int, scancode: int, action: int, held: int) -> None:
    """Tell Dear ImGui that a key was pressed or released."""
    _hold_modifiers(held, key, action)
    known = _known_key(key, scancode)
    if known is not None:
        imgui.get_io().add_key_event(known, action == glfw.PRESS)


def _known_key(key: int, scancode: int) -> imgui.Key | None:
    """Return Dear ImGui's name of a key; None if it has none."""
    # By what is printed on it, not by its place on a keyboard of the USA.
    name = glfw.get_key_name(key, scancode) if key < glfw.KEY_ESCAPE else None
    printed = ord(name.upper()) if name and len(name) == 1 else key
    return _KEYS.get(printed, _KEYS.get(key))


def _hold_modifiers(held: int, key: int = 0, action: int = 0) -> None:
    """Tell Dear ImGui which modifiers are held.

    Args:
        held: modifiers of the event. On X11, they are those before it.
        key, action: of the event of a key.
    """
    for short, name in _MODIFIERS.items():
        is_held = bool(held & getattr(glfw, f"MOD_{name}"))
        if key and key in (getattr(glfw, f"KEY_{side}_{name}") for side in ("LEFT", "RIGHT")):
            is_held = action != glfw.RELEASE
        imgui.get_io().add_key_event(getattr(imgui.Key, f"mod_{short}"), is_held)


def _keys() -> dict[int, imgui.Key]:
    """Return Dear ImGui's keys by GLFW's, which have the same names but for a few."""
    found = {}
    for constant in dir(glfw):
        if constant.startswith("KEY_"):
            name = constant[4:].lower()
            if name.startswith("kp_"):
                name = _NAMES.get(name, f"keypad{name[3:]}")
            name = _NAMES.get(name, f"_{name}" if name.isdecimal() else name)
            key = getattr(imgui.Key, name, None)
            if key is not None:
                found[getattr(glfw, constant)] = key
    return found


_KEYS = _keys()
_MODIFIER_KEYS = tuple(
    getattr(glfw, f"KEY_{side}_{name}")
    for side in ("LEFT", "RIGHT")
    for name in _MODIFIERS.values()
)
