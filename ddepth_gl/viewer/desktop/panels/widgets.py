"""Widgets that the panels share: fields with a label, rows of buttons, choices."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager

from imgui_bundle import imgui

from ..style import CHOSEN, FAINT, FONT_SIZE, Color

__all__ = [
    "PLACES", "button", "button_row", "choice", "colored_text", "field", "heading", "packed",
    "remember", "small_font",
    "tooltip",
]  # fmt: skip

_LABEL_WIDTH = 6.4  # heights of the font
# Where widgets are, by name: (x, y, width, height) in points. For tests, which press them.
PLACES: dict[str, tuple[float, float, float, float]] = {}


def remember(name: str) -> None:
    """Note where the last widget is."""
    low, high = imgui.get_item_rect_min(), imgui.get_item_rect_max()
    PLACES[name] = low.x, low.y, high.x - low.x, high.y - low.y


def heading(title: str, *, is_open: bool = True) -> bool:
    """Draw the heading of a part of the panel; return whether the part is unfolded."""
    flags = imgui.TreeNodeFlags_.default_open if is_open else imgui.TreeNodeFlags_.none
    imgui.dummy((0, 2))
    opened = imgui.collapsing_header(title, flags)
    remember(title)
    return bool(opened)


def field(label: str) -> None:
    """Draw a label; the next widget stands beside it and has the rest of the line."""
    imgui.align_text_to_frame_padding()
    imgui.text_colored(FAINT, label)
    imgui.same_line(_LABEL_WIDTH * imgui.get_font_size())
    imgui.set_next_item_width(-1)


def choice(label: str, value: str, options: Mapping[str, str] | Sequence[str]) -> str | None:
    """Draw a field with a list; return what was chosen, None if nothing was.

    Args:
        label: name of the field.
        value: what is chosen now.
        options: values, or values with what to show for them.
    """
    texts = options if isinstance(options, Mapping) else {each: each for each in options}
    field(label)
    chosen = None
    is_open = imgui.begin_combo(f"##{label}", texts.get(value, value))
    remember(label)
    if is_open:
        for option, text in texts.items():
            if imgui.selectable(text, option == value)[0]:
                chosen = option
            remember(f"{label}:{option}")
        imgui.end_combo()
    return chosen


def button(label: str, *, is_chosen: bool = False, width: float = 0.0, tip: str = "") -> bool:
    """Draw a button, in another color if it is chosen; return whether it was pressed."""
    with _colors(CHOSEN if is_chosen else {}):
        is_pressed = imgui.button(label, (width, 0))
    remember(label)
    if tip:
        tooltip(tip)
    return bool(is_pressed)


def button_row(
    name: str,
    options: Mapping[str, str],
    chosen: str | None,
    columns: int,
    tips: Mapping[str, str] = {},
) -> str | None:
    """Draw buttons of equal width in rows; return the one that was pressed.

    Args:
        name: of the buttons together; others may have the same labels.
        options: values and their labels.
        chosen: the value that is chosen now.
        columns: buttons in a row.
        tips: text shown under the cursor, by value.
    """
    pressed = None
    gap = imgui.get_style().item_inner_spacing.x
    width = (imgui.get_content_region_avail().x - (columns - 1) * gap) / columns
    imgui.push_id(name)
    for number, (option, label) in enumerate(options.items()):
        if number % columns:
            imgui.same_line(0, gap)
        if button(label, is_chosen=option == chosen, width=width, tip=tips.get(option, "")):
            pressed = option
        remember(f"{name}:{option}")
    imgui.pop_id()
    return pressed


def tooltip(text: str) -> None:
    """Explain the last widget while the cursor rests on it."""
    if imgui.is_item_hovered(imgui.HoveredFlags_.for_tooltip) and imgui.begin_tooltip():
        imgui.push_text_wrap_pos(22 * imgui.get_font_size())
        imgui.text_unformatted(text)
        imgui.pop_text_wrap_pos()
        imgui.end_tooltip()


def colored_text(color: Color, text: str) -> None:
    """Draw wrapped text in a color."""
    with _colors({"text": color}):
        imgui.push_text_wrap_pos(0.0)
        imgui.text_unformatted(text)
        imgui.pop_text_wrap_pos()


def packed(color: Sequence[float]) -> int:
    """Return a color as draw lists take it, from 4 numbers 0 to 1 or 3 bytes."""
    if len(color) == 3:
        red, green, blue = map(int, color)
        return 0xFF << 24 | blue << 16 | green << 8 | red
    return int(imgui.color_convert_float4_to_u32(list(color)))


@contextmanager
def _colors(colors: Mapping[str, Color]) -> Iterator[None]:
    for name, color in colors.items():
        imgui.push_style_color(getattr(imgui.Col_, name), color)
    yield
    if colors:
        imgui.pop_style_color(len(colors))


@contextmanager
def small_font() -> Iterator[None]:
    """Use a smaller font."""
    imgui.push_font(None, 0.87 * FONT_SIZE)
    yield
    imgui.pop_font()
