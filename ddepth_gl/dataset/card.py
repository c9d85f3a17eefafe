"""The card of a data set: README.md, with the front matter that the Hugging Face hub reads."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from .._packages import import_needed
from .._text import printable
from ..errors import DatasetError
from ..io.atomic import atomic_write
from .index import SHARDS
from .summary import DatasetSummary, summarize

__all__ = [
    "CARD",
    "LEFT_OUT_TITLE",
    "PREVIEW_HTML",
    "PREVIEW_PNG",
    "SETTINGS",
    "truncated_row",
    "write_card",
    "write_settings",
]

CARD = "README.md"
SETTINGS = "dataset.yaml"
PREVIEW_PNG = "preview.png"
PREVIEW_HTML = "preview.html"

_NOTES = "<!-- Lines below this one stay when the card is written again. -->"

# Identifiers of the hub that meshes carry; see
# https://huggingface.co/docs/hub/repositories-licenses. Without a version none is meant.
_HUB_LICENSES = frozenset(
    [
        *("apache-2.0", "mit", "unlicense", "wtfpl", "cc", "cc0-1.0", "pddl", "odc-by", "odbl"),
        *("cc-by-2.0", "cc-by-2.5", "cc-by-3.0", "cc-by-4.0", "cc-by-sa-3.0", "cc-by-sa-4.0"),
        *("cc-by-nc-2.0", "cc-by-nc-3.0", "cc-by-nc-4.0", "cc-by-nd-4.0", "cc-by-nc-nd-3.0"),
        *("cc-by-nc-nd-4.0", "cc-by-nc-sa-2.0", "cc-by-nc-sa-3.0", "cc-by-nc-sa-4.0"),
        *("gpl-2.0", "gpl-3.0", "lgpl-3.0", "agpl-3.0", "bsd-2-clause", "bsd-3-clause", "other"),
        "unknown",
    ]
)
_MAX_ROWS = 50  # of a table
_DOCS = "https://github.com/ddepth-gl/ddepth_gl/blob/main/docs"
LEFT_OUT_TITLE = "In mesh files, and not in the samples"


def write_settings(
    folder: str | os.PathLike[str], settings: Mapping[str, Any], versions: Mapping[str, str]
) -> None:
    """Write ``dataset.yaml``: the settings, from which ``ddepth dataset`` makes the same samples.

    Args:
        folder: of the data set.
        settings: of all groups, ready for JSON.
        versions: of the renderer and the packages; they stand in a comment.

    Raises:
        DatasetError: PyYAML is not installed.
        OutputError: the file cannot be written.
    """
    yaml = import_needed("yaml", "writing settings", DatasetError, "dataset")
    lines = ["# The settings of this data set. It was rendered with:"]
    lines += [f"#   {printable(f'{name}: {versions[name]}')}" for name in sorted(versions)]
    text = yaml.safe_dump(dict(settings), sort_keys=False, allow_unicode=True)
    with atomic_write(Path(folder) / SETTINGS) as file:
        file.write(("\n".join(lines) + "\n" + text).encode("utf-8"))


def write_card(
    folder: str | os.PathLike[str], name: str | None = None, into: Path | None = None
) -> None:
    """Write ``README.md`` from the index: counts, licenses, failures, and how to read the samples.

    Where the tables of sources had a column of licenses, its values are counted, and become the
    license of the card if the hub knows each of them. The same data set has the same card. What
    people wrote below the last line of the earlier card stays below it.

    Args:
        folder: of the data set.
        name: of the data set; None takes that of the folder.
        into: folder that has the index, and gets the card; None for that of the data set.

    Raises:
        DatasetError: the index is missing or cannot be read, or PyYAML is not installed.
        OutputError: the file cannot be written.
    """
    root = Path(folder)
    yaml = import_needed("yaml", "the card", DatasetError, "dataset")
    summary = summarize(root, into)
    title = printable(root.resolve().name if name is None else name)
    has_tars = any((root / SHARDS / f"{each}.tar").is_file() for each in summary.shard_splits)
    front = yaml.safe_dump(_front_matter(title, summary, has_tars), sort_keys=False)
    body = "\n".join(_body(root, title, summary, has_tars))
    content = f"---\n{front}---\n\n{body}\n\n{_NOTES}\n".encode() + _notes(root)
    with atomic_write((into or root) / CARD) as file:
        file.write(content)


def _notes(root: Path) -> bytes:
    """Return what people added to the card that is there."""
    try:
        card = (root / CARD).read_bytes()
    except FileNotFoundError:
        return b""
    except OSError as error:
        raise DatasetError(f"{root / CARD} cannot be read ({error.strerror})") from error
    # All other text in the card is escaped, so this line is the card's own.
    return card.partition(f"\n{_NOTES}\n".encode())[2]


# Of samples with sheets.npz. The formula is that of docs/dataset.md, which tests run.
_DEPTH = f"""\
### Depth

`entry` and `exit` are (height, width) float32: z in the camera frame (x right, y down, z forward;
row 0 is the top row), in units of the mesh as it was placed (`placement` in `json`). NaN is a miss.
Frames and units of all arrays are in `json` and in {_DOCS}/conventions.md

As tensors, with ddepth_gl and torch:

```py
from ddepth_gl.torch import DoubleDepthDataset

depth = DoubleDepthDataset(".", outputs=("depth",))[0]["depth"]  # (2, height, width): entry, exit
```

With NumPy alone, `sheets` being the opened `sheets.npz`. Arrays named `entry` and `exit` are plain
depth. `entry_packed` and `exit_packed` hold differences of neighbors:

```py
d = np.stack(sheets["entry_packed"], -1).view("<u4")[..., 0] - np.uint32(0x808080)
entry = d.cumsum(-1, "<u4").cumsum(-2, "<u4").view("<f4")
```

`ddepth_gl.dataset.decoding.decoded_sample` returns all arrays of a sample's files."""


def _front_matter(title: str, summary: DatasetSummary, has_tars: bool) -> dict[str, Any]:
    front: dict[str, Any] = {
        "pretty_name": title,
        **_license(summary),
        "task_categories": ["depth-estimation", "image-to-3d"],
        "tags": ["double-depth", "layered-depth", "3d", "synthetic", "ddepth_gl"],
        "size_categories": [_size_category(summary.samples)],
    }
    if has_tars:
        front["tags"].insert(0, "webdataset")
        files = [{"split": split, "path": paths} for split, paths in _split_files(summary).items()]
        front["configs"] = [{"config_name": "default", "data_files": files}]
    return front


def _split_files(summary: DatasetSummary) -> dict[str, list[str]]:
    """Return the tars of each split, or all as "all" if a shard has samples of several."""
    if any(len(splits) > 1 for splits in summary.shard_splits.values()):
        return {"all": [f"{SHARDS}/*.tar"]}
    if len(summary.splits) == 1:
        return {_hub_split(next(iter(summary.splits))): [f"{SHARDS}/*.tar"]}
    files: dict[str, list[str]] = {}
    for shard, (split,) in sorted(summary.shard_splits.items()):
        files.setdefault(_hub_split(split), []).append(f"{SHARDS}/{shard}.tar")
    return files


def _hub_split(split: str) -> str:
    return "validation" if split == "val" else re.sub(r"\W", "_", split)


def _license(summary: DatasetSummary) -> dict[str, Any]:
    values = {value for counter in summary.licenses.values() for value in counter}
    if not values - {""}:
        return {"license": "unknown"}
    known = sorted({re.sub(r"[\s_]+", "-", value.strip().lower()) for value in values})
    if not _HUB_LICENSES.issuperset(known):
        return {"license": "other", "license_name": "of-each-mesh"}
    return {"license": known[0] if len(known) == 1 else known}


def _size_category(samples: int) -> str:
    """Return the hub's name of a size."""
    limits = ((3, "1K"), (4, "10K"), (5, "100K"), (6, "1M"), (7, "10M"), (8, "100M"), (9, "1B"))
    below = "n"
    for digits, name in limits:
        if samples < 10**digits:
            return f"n<{name}" if below == "n" else f"{below}<n<{name}"
        below = name
    return "n>1B"


def _body(root: Path, title: str, summary: DatasetSummary, has_tars: bool) -> Iterator[str]:
    yield from (f"# {_cell(title)}", "")
    yield from (
        "Photos and exact double depth of meshes: where the ray of each pixel first enters and "
        "last exits. Rendered with ddepth_gl.",
        "",
    )
    if (root / PREVIEW_PNG).is_file():
        yield from (f"![Some samples]({PREVIEW_PNG})", "")
    sizes = ", ".join(f"{width} x {height}" for width, height in sorted(summary.sizes)[:5])
    yield from _table(
        "What it holds",
        ("", ""),
        [
            ("meshes", f"{summary.meshes:,}"),
            ("samples (views)", f"{summary.samples:,}"),
            *((f"samples of split {name}", f"{n:,}") for name, n in sorted(summary.splits.items())),
            ("image sizes", sizes + (", ..." if len(summary.sizes) > 5 else "")),
            ("shards", f"{summary.shards:,}, {summary.bytes / 1e6:,.1f} MB"),
            *(
                [("most layers of a pixel", f"{summary.max_layers:,}")]
                if summary.max_layers
                else []
            ),
            ("meshes that are not closed", f"{summary.open_meshes:,}"),
            *([truncated_row(summary)] if summary.has_layers else []),
            ("meshes that failed", f"{summary.failures:,}"),
        ],
    )
    for column, counter in summary.licenses.items():
        yield from _table(f"Meshes by {_cell(column)}", (column, "meshes"), _counted(counter))
    if summary.failures:
        yield from _table("Failures", ("kind", "meshes"), _counted(summary.failure_kinds))
    if summary.warnings:
        heading = "what and how much of it in a mesh file", "samples"
        yield from _table(LEFT_OUT_TITLE, heading, _counted(summary.warnings))
    yield from _usage(has_tars, summary.columns)
    yield from (f"Columns of `index.parquet`: {', '.join(map(_code, summary.columns))}.", "")
    yield f"The settings are in `{SETTINGS}`, meshes that failed and why in `failures.parquet`."


def truncated_row(summary: DatasetSummary) -> tuple[str, str]:
    """Return the row of a table about layers that were cut short."""
    return "samples with truncated layers", f"{summary.truncated:,}"


def _usage(has_tars: bool, columns: Sequence[str]) -> Iterator[str]:
    yield from ("## How to read it", "")
    if has_tars:
        yield "A sample is the files of one key in a tar (WebDataset); the key is `ID_VIEW`."
    else:
        yield "A sample is the files `shards/SHARD/ID/VIEW.*`."
    yield from ("", "```python", "import pyarrow.parquet as pq", "")
    yield 'index = pq.read_table("index.parquet")  # one row per sample: camera, coverage, ...'
    if has_tars:
        yield from ("", "import webdataset as wds", "")
        yield 'samples = wds.WebDataset("shards/shard-00000.tar", shardshuffle=False)'
        yield 'for sample in samples.decode("rgba"):'
        yield '    print(sample["__key__"], list(sample))'
        yield "    break"
    yield from ("```", "")
    if "offset.sheets.npz" in columns:
        yield from (_DEPTH, "")
    yield from (f"The guide to all files and columns: {_DOCS}/dataset.md", "")


def _counted(counter: Counter[str]) -> list[tuple[str, str]]:
    ordered = sorted(counter.items(), key=lambda item: (-item[1], item[0]))
    rows = [(value or "(none)", f"{number:,}") for value, number in ordered[:_MAX_ROWS]]
    rest = sum(number for _, number in ordered[_MAX_ROWS:])
    return [*rows, ("(others)", f"{rest:,}")] if rest else rows


def _table(title: str, heading: tuple[str, str], rows: list[tuple[str, str]]) -> Iterator[str]:
    yield from (f"## {title}", "", f"| {_cell(heading[0])} | {_cell(heading[1])} |", "|---|---:|")
    yield from (f"| {_cell(name)} | {_cell(value)} |" for name, value in rows)
    yield ""


def _cell(text: str) -> str:
    """Return text of unknown origin as Markdown that shows it, markup included."""
    short = printable(text if len(text) <= 200 else text[:199] + "\N{HORIZONTAL ELLIPSIS}")
    return re.sub(r"([\\`*_{}\[\]#|~$!])", r"\\\1", escape(short, quote=False))


def _code(text: str) -> str:
    return f"`{re.sub(r'[^A-Za-z0-9_.%+-]', ' ', text)[:100]}`"
