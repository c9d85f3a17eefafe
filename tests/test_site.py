"""The site of `make docs`: no warnings, links that lead somewhere, all public names."""

from __future__ import annotations

import html
import importlib.util
import inspect
import os
import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

import ddepth_gl

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PACKAGES = ("sphinx", "myst_parser", "furo")
API = "\n".join(page.read_text("utf-8") for page in sorted((DOCS / "api").glob("*.md")))


def needs_sphinx():
    missing = [name for name in PACKAGES if importlib.util.find_spec(name) is None]
    if missing:
        pytest.skip(f"{', '.join(missing)} missing: pip install -e '.[docs]'")


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """Build the site with the options of `make docs`; return its folder."""
    needs_sphinx()
    folder = tmp_path_factory.mktemp("site")
    [line] = re.findall(r"-m sphinx (.*)", (ROOT / "Makefile").read_text("utf-8"))
    options = line.replace("out/site-cache", str(folder / "cache"))
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "sphinx",
            *options.replace("out/site", str(folder / "site")).split(),
        ],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert (done.returncode, done.stderr) == (0, "")
    return folder / "site"


def pages(site):
    return {path: path.read_text("utf-8") for path in site.rglob("*.html")}


@pytest.mark.slow
def test_every_page_is_built(site):
    for page in DOCS.rglob("*.md"):
        assert (site / page.relative_to(DOCS).with_suffix(".html")).exists(), page


@pytest.mark.slow
def test_links_and_images_lead_somewhere(site):
    texts = pages(site)
    names = {path: set(re.findall(r'\b(?:id|name)="(.*?)"', text)) for path, text in texts.items()}
    links = 0
    for path, text in texts.items():
        for link in re.findall(r'\b(?:href|src)="(.*?)"', text):
            parts = urlsplit(html.unescape(link))
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            assert target.exists(), f"{path.relative_to(site)}: {link}"
            if parts.fragment and target in names:
                assert parts.fragment in names[target], f"{path.relative_to(site)}: {link}"
            links += 1
    assert links > 1000


@pytest.mark.slow
def test_attributes_that_share_a_text_have_entries_of_their_own(site):
    text = (site / "api/cameras.html").read_text("utf-8")
    assert "<strong>width</strong> -- image size in pixels" in text
    # What napoleon makes of `width, height: ...` under Attributes is "height (width,)".
    for path in (site / "api").glob("*.html"):
        assert not re.findall(r"<em>,</em>\) --", path.read_text("utf-8")), path


@pytest.mark.slow
def test_public_names_have_entries(site):
    entries = set()
    for text in pages(site).values():
        entries |= set(re.findall(r'<dt class="sig[^>]* id="(.*?)"', text))
    assert {f"ddepth_gl.{name}" for name in ddepth_gl.__all__ if name != "__version__"} <= entries
    for method in ("DepthRenderer.render_many", "DepthMaps.points", "DepthLayers.dense"):
        assert f"ddepth_gl.{method}" in entries


def test_public_names_are_on_one_page_of_the_api():
    named = re.findall(r"^\.\. auto\w+:: ddepth_gl\.(\w+)$", API, re.M)  # in docs/api/*.md
    assert sorted(named) == sorted(set(ddepth_gl.__all__) - {"__version__"})


def commands():
    sys.path.insert(0, str(DOCS / "extensions"))
    try:
        from generated_pages import command_sections
    finally:
        sys.path.pop(0)
    return command_sections()


def test_commands_and_their_options_are_described():
    sections = commands()
    assert re.findall(r"^## ddepth (\S+)", sections, re.M)[:2] == ["render", "view"]
    rows = re.findall(r"^\| `(.*?)` \|(.*)\|$", sections, re.M)
    assert len(rows) > 100
    for names, meaning in rows:
        assert meaning.strip(), f"{names} has no help text"
    assert dict(rows)["--skip-existing"].startswith(" Skip views whose files are all there, of ")
    assert dict(rows)["--near <float>"] == " Drop crossings nearer than this depth. "


def test_commands_are_those_of_the_application():
    """Each parameter of a command's function is a row of its section."""
    from ddepth_gl.cli.main import app

    sections = re.split(r"^## ddepth ", commands(), flags=re.M)[1:]
    assert len(sections) == len(app.registered_commands)
    for section, info in zip(sections, app.registered_commands, strict=True):
        assert section.split()[0] == info.callback.__name__.replace("_", "-")
        rows = re.findall(r"^\| `(.*?)` \|", section, re.M)
        assert rows[-1] == "--help"
        parameters = set(inspect.signature(info.callback).parameters)
        assert len(rows) - 1 == len(parameters - {"context"})  # typer's, no option
