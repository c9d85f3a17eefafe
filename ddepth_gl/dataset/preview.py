"""The preview of a data set: a contact sheet as PNG, and one static page with what went wrong."""

from __future__ import annotations

import base64
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

from .._checks import printable
from ..errors import DatasetError
from ..io.atomic import atomic_write
from .card import LEFT_OUT_TITLE, PREVIEW_HTML, PREVIEW_PNG, truncated_row, write_card
from .entries import unescaped_id
from .index import FAILURES, INDEX, index_rows, rows_at
from .preview_images import Pixels, contact_sheet, png_content, sample_image
from .summary import DatasetSummary, summarize

__all__ = ["PREVIEW_HTML", "write_preview"]

_SAMPLES = 48
_EXTREMES = 6
_MAX_FAILURES = 1_000
# Columns of the index, and what is worth a look: their largest or smallest values.
_WORTH_A_LOOK = (
    ("coverage", False, "smallest coverage"),
    ("odd_share", True, "most rays with an odd number of crossings"),
    ("equal_share", True, "most pixels whose entry and exit are equal"),
    ("truncated_share", True, "most pixels that max_layers cut short"),
    ("mask_iou", False, "masks that fit their photos least"),
)
_CAPTION = ("coverage", "depth_min", "depth_max", "layers", "surfaces", "mask_iou")


@dataclass(frozen=True)
class _Tile:
    """A sample on the page: its row of the index, and its images side by side."""

    row: Mapping[str, Any]
    pixels: Pixels


def write_preview(folder: str | os.PathLike[str]) -> list[Path]:
    """Write ``preview.png``, a contact sheet, and ``preview.html`` beside the index.

    The sheet has the photo, the entry and the exit of samples that are spread evenly over the
    index. The page also has those with the most conspicuous facts, the warnings, and the meshes
    that failed. It is one file without scripts; all text of the data set is escaped. The card is
    written again, with the sheet on it.

    Args:
        folder: of the data set, a local one with its index.

    Returns:
        Both files.

    Raises:
        DatasetError: the index is missing or damaged, a sample cannot be read, or a package is
            missing.
        OutputError: a file cannot be written.
    """
    if "://" in os.fspath(folder):
        raise DatasetError(f"{os.fspath(folder)} is not a local folder; copy the data set first")
    root = Path(folder)
    summary = summarize(root)
    chosen, extremes = _chosen_rows(root, summary.samples)
    tiles = [_Tile(row, sample_image(root, row)) for row in chosen]
    sections = {
        title: [_Tile(row, sample_image(root, row)) for row in rows]
        for title, rows in extremes.items()
    }
    png = root / PREVIEW_PNG
    with atomic_write(png) as file:
        file.write(png_content(contact_sheet([tile.pixels for tile in tiles])))
    page = root / PREVIEW_HTML
    text = "".join(_page(root, summary, tiles, sections))
    with atomic_write(page) as file:
        file.write(text.encode("utf-8"))
    write_card(root)
    return [png, page]


def _chosen_rows(
    root: Path, samples: int
) -> tuple[list[dict[str, Any]], dict[str, list[dict[str, Any]]]]:
    """Return rows that are spread over the index, and those of `_WORTH_A_LOOK` by title."""
    count = min(_SAMPLES, samples)
    spread = [samples * step // count + samples // (2 * count) for step in range(count)]
    best: dict[str, list[tuple[float, int]]] = {}
    columns = [column for column, _, _ in _WORTH_A_LOOK]
    for number, row in enumerate(index_rows(root / INDEX, columns)):
        for column, largest, title in _WORTH_A_LOOK:
            value = row.get(column)
            if isinstance(value, (int, float)) and not (largest and value <= 0.0):
                found = best.setdefault(title, [])
                found.append((-value if largest else value, number))
                if len(found) > 100 * _EXTREMES:
                    found[:] = sorted(found)[:_EXTREMES]
    extremes = {
        title: [number for _, number in sorted(best[title])[:_EXTREMES]]
        for _, _, title in _WORTH_A_LOOK
        if title in best
    }
    rows = rows_at(root / INDEX, {*spread, *(n for numbers in extremes.values() for n in numbers)})
    return [rows[number] for number in spread], {
        title: [rows[number] for number in numbers] for title, numbers in extremes.items()
    }


# The page

_HEAD = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy"
 content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>{title}</title>
<style>
body {{ font: 15px/1.4 sans-serif; margin: 2em auto; max-width: 1500px; padding: 0 1em;
  color: #222; background: #fff; }}
h1 {{ font-size: 1.5em; }} h2 {{ font-size: 1.2em; margin-top: 2em; }}
table {{ border-collapse: collapse; }}
td, th {{ border-bottom: 1px solid #ddd; padding: .2em .8em .2em 0; text-align: left;
  vertical-align: top; overflow-wrap: anywhere; }}
div.tiles {{ display: flex; flex-wrap: wrap; gap: 1em; }}
figure {{ margin: 0; max-width: 400px; }}
figcaption {{ font-size: 12px; overflow-wrap: anywhere; color: #555; }}
</style>
</head>
<body>
"""


def _page(
    root: Path,
    summary: DatasetSummary,
    tiles: Sequence[_Tile],
    sections: Mapping[str, Sequence[_Tile]],
) -> Iterator[str]:
    name = _text(root.resolve().name)
    yield _HEAD.format(title=name)
    yield f"<h1>{name}</h1>\n"
    yield from _table(
        ("", ""),
        [
            ("meshes", f"{summary.meshes:,}"),
            ("samples", f"{summary.samples:,}"),
            ("shards", f"{summary.shards:,}"),
            ("megabytes", f"{summary.bytes / 1e6:,.1f}"),
            ("meshes that failed", f"{summary.failures:,}"),
            ("meshes that are not closed", f"{summary.open_meshes:,}"),
            *([truncated_row(summary)] if summary.has_layers else []),
        ],
    )
    if summary.failures:
        yield "<h2>Failures</h2>\n"
        yield from _failures(root, summary.failures)
    if summary.warnings:
        yield f"<h2>{LEFT_OUT_TITLE}</h2>\n"
        counted = sorted(summary.warnings.items(), key=lambda item: (-item[1], item[0]))
        heading = "what and how much of it in a mesh file", "samples"
        yield from _table(heading, [(text, f"{n:,}") for text, n in counted])
    columns = {title: column for column, _, title in _WORTH_A_LOOK}
    for title, found in sections.items():
        yield f"<h2>Worth a look: {_text(title)}</h2>\n"
        yield from _figures(found, columns[title])
    yield "<h2>Samples: photo, entry, exit</h2>\n"
    yield from _figures(tiles)
    yield "</body>\n</html>\n"


def _failures(root: Path, count: int) -> Iterator[str]:
    rows: list[tuple[str, ...]] = []
    for row in index_rows(root / FAILURES):
        if len(rows) == _MAX_FAILURES:
            break
        rows.append((_id(row.get("id")), str(row.get("kind")), str(row.get("message"))))
    yield from _table(("mesh", "kind", "message"), rows)
    if count > len(rows):
        yield f"<p>... and {count - len(rows):,} more in {FAILURES}</p>\n"


def _table(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> Iterator[str]:
    yield "<table>\n"
    if any(heading):
        yield f"<tr>{''.join(f'<th>{_text(each)}</th>' for each in heading)}</tr>\n"
    for cells in rows:
        texts = "".join(f"<td>{_text(cell)}</td>" for cell in cells)
        yield f"<tr>{texts}</tr>\n"
    yield "</table>\n"


def _figures(tiles: Sequence[_Tile], sorted_by: str = "coverage") -> Iterator[str]:
    names = dict.fromkeys((sorted_by, *_CAPTION))
    yield '<div class="tiles">\n'
    for tile in tiles:
        row = tile.row
        facts = [f"{name} {_number(row[name])}" for name in names if row.get(name) is not None]
        caption = f"{_id(row.get('id'))}, view {row.get('view')}: {', '.join(facts)}"
        image = base64.b64encode(png_content(tile.pixels)).decode("ascii")
        yield f'<figure><img alt="" src="data:image/png;base64,{image}">'
        yield f"<figcaption>{_text(caption)}</figcaption></figure>\n"
    yield "</div>\n"


def _number(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def _id(id: Any) -> str:
    return unescaped_id(str(id))


def _text(text: str) -> str:
    """Return text of unknown origin for a page."""
    return escape(printable(text[:2_000]))
