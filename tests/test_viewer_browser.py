"""The page of the viewer in headless Chromium: what it shows, answers and saves."""

from __future__ import annotations

import gc
import http.client
import re
import signal
import subprocess
import sys
import threading
import time
import weakref
import zipfile

import numpy as np
import pytest
from PIL import Image
from programs import ROOT, wait_until
from shapes import box, merged, sphere
from web_page import WebPage

import ddepth_gl as dd
from ddepth_gl.viewer.clouds import BACK_COLOR, FRONT_COLOR
from ddepth_gl.viewer.coloring import BACKGROUND, colored
from ddepth_gl.viewer.orbit import Orbit
from ddepth_gl.viewer.session import Session
from ddepth_gl.viewer.state import ViewerState

pytest.importorskip("viser", reason="no viser: pip install viser")
from ddepth_gl.viewer.web.server import WebViewer

pytestmark = [
    pytest.mark.slow,
    # From packages that Chromium's driver and viser bring.
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@pytest.fixture(scope="module")
def mesh():
    """Two spheres and a box, with names; a ray crosses up to three of them."""
    parts = (
        sphere(1.0, 24, 48),
        sphere(0.6, 24, 48, center=(2.0, 0.3, 0.2)),
        box((-3, -1, -1), (-1.5, 1, 0.5)),
    )
    joined = merged(*parts)
    ids = np.repeat(np.arange(3), [len(part.faces) for part in parts])
    return dd.Mesh(
        joined.vertices, joined.faces, object_id=ids, object_names=("ball", "small ball", "box"),
        name="three",
    )  # fmt: skip


@pytest.fixture
def viewer(mesh):
    with WebViewer(mesh, port=0) as viewer:
        yield viewer


@pytest.fixture
def open_page(viewer, tmp_path):
    """Return a function that opens the viewer in another browser."""
    pages = []

    def open_one(**options):
        page = WebPage(viewer.url, tmp_path, **options)
        pages.append(page)
        wait_until(lambda: len(viewer.pages) == len(pages), "client")
        settle(viewer)
        return page

    yield open_one
    for page in pages:
        page.close()


def settle(viewer, seconds=0.6):
    """Wait until everything was served for a while, and give the browser time to draw it."""
    quiet = time.monotonic()
    end = quiet + 90.0
    while time.monotonic() - quiet < seconds:
        assert time.monotonic() < end
        if not viewer.requests.is_idle or any(page.is_moving for page in viewer.pages):
            quiet = time.monotonic()
        time.sleep(0.02)
    time.sleep(0.5)


def truth(mesh, state, size):
    """Return the values and colors of a state, by a renderer of the test's own."""
    with dd.DepthRenderer() as renderer:
        session = Session(renderer, mesh)
        return session.values(state, *size), session.image(state, *size)[..., :3]


def differing(image, expected):
    """Return the share of pixels that differ by more than rounding in the browser."""
    return (np.abs(image.astype(int) - expected.astype(int)).max(axis=-1) > 1).mean()


def assert_shows(page, expected):
    """Wait until the canvas shows an image, in all pixels beside the shadow of the controls."""
    part = np.s_[:, : expected.shape[1] - 32]
    last = [1.0]

    def look():
        last[0] = differing(page.canvas()[part], expected[part])
        return not last[0]

    try:
        wait_until(look, "image", limit=20.0)
    except pytest.fail.Exception:
        pytest.fail(f"{last[0]:.2%} of the canvas are wrong")


def section_charts(page):
    """Return the charts of the section that can be seen, all from one moment."""
    return page.driver.execute_script(
        "return [...document.querySelectorAll('.ddepth-section')]"
        ".filter(each => each.checkVisibility()).map(each => each.outerHTML)"
    )


def test_the_page_shows_answers_and_saves(mesh, viewer, open_page, tmp_path):
    page = open_page()
    (client,) = viewer.pages
    size = client.size
    assert page.canvas_size() == size

    def state(**values):
        return ViewerState(orbit=client.state.orbit, mould_orbit=client.state.orbit, **values)

    # The photo, as JPEG.
    _, photo = truth(mesh, state(), size)
    canvas = page.canvas()
    inside = np.any(photo != BACKGROUND, axis=-1)
    assert 0.05 < inside.mean() < 0.9
    assert np.abs(canvas.astype(int) - photo).mean() < 2.0

    # Numbers are shown with exactly the colors of the API.
    page.choose("Show", "Thickness")
    settle(viewer)
    assert_shows(page, truth(mesh, state(mode="thickness"), size)[1])
    assert "exit minus entry along the ray" in page.text()
    page.choose("Show", "Layer")
    settle(viewer)
    first = truth(mesh, state(mode="layer"), size)[1]
    assert_shows(page, first)
    page.slide(0, 1)
    settle(viewer)
    values, second = truth(mesh, state(mode="layer", layer=1), size)
    assert differing(second, first) > 0.05
    assert_shows(page, second)
    page.choose("Colors", "turbo")
    page.check("Range of the image")
    page.enter("To", f"{np.nanmax(values) + 1.0:.2f}")
    settle(viewer)
    assert client.state.color_map == "turbo"
    assert client.state.limits[1] == pytest.approx(np.nanmax(values) + 1.0, abs=0.006)
    assert_shows(page, colored(values, "layer", "turbo", client.state.limits)[..., :3])

    # Turned by the mouse, the page and the image have the same camera.
    before = client.state.orbit
    page.drag(size[0] // 2, size[1] // 2, 150, 40)
    settle(viewer)
    assert abs(client.state.orbit.azimuth_deg - before.azimuth_deg) > 5.0
    camera = client.state.camera_for(*size)
    handle = client.client.camera
    np.testing.assert_allclose(
        camera.center, handle.position * viewer.world.radius + viewer.world.center, atol=1e-9
    )
    w, x, y, z = handle.wxyz
    forward = (2 * (x * z + w * y), 2 * (y * z - w * x), 1 - 2 * (x * x + y * y))
    np.testing.assert_allclose(camera.camera_from_world[2, :3], forward, atol=1e-9)
    assert camera.K[1, 1] == pytest.approx(size[1] / 2 / np.tan(handle.fov / 2))
    values, expected = truth(mesh, client.state, size)
    assert_shows(page, expected)

    # The probe has the values of the API at that pixel.
    rows, columns = np.nonzero(np.isfinite(values))
    column, row = int(np.median(columns)), int(np.median(rows))
    page.click_canvas(column, row)
    wait_until(lambda: client.probe, "probe")
    settle(viewer)
    with dd.DepthRenderer() as renderer:
        scene = renderer.upload(mesh)
        maps = renderer.entry_exit(scene, client.state.camera_for(*size))
        layers = renderer.peel(scene, client.state.camera_for(*size))
    column, row = client.probe.pixel
    assert client.state.pin == (column, row)
    assert client.probe.entry == maps.entry[row, column]
    assert client.probe.exit == maps.exit[row, column]
    first, last = layers.offsets[row * size[0] + column :][:2]
    assert [each.depth for each in client.probe.crossings] == layers.depth[first:last].tolist()
    line = f"pixel ({column}, {row}): entry {client.probe.entry:.6g}, exit"
    assert line in page.text()  # in every tab
    page.tab("Probe")
    text = wait_until(lambda: "crossings" in page.text() or page.find(".ddepth-probe"), "text")
    text = page.find(".ddepth-probe")[0].text
    assert f"pixel ({column}, {row})" in text
    for crossing in client.probe.crossings:
        assert f"{crossing.depth:.6g}" in text
        assert crossing.object_name in text

    # A section along the row of the pin.
    page.tab("Section")
    page.click("Along the row")
    settle(viewer)
    assert client.state.section == ((0.5, row + 0.5), (size[0] - 0.5, row + 0.5))
    drawn = wait_until(lambda: section_charts(page), "a chart of the section")
    assert "solid" in drawn[0]
    page.click_canvas(size[0] - 100, 60, shift=True)
    settle(viewer)
    assert client.state.section[1] == pytest.approx((size[0] - 99.5, 60.5), abs=1.0)
    wait_until(lambda: section_charts(page) not in ([], drawn), "another chart")

    # Files are those of the API.
    page.tab("Save")
    page.click("Image (PNG)")
    with Image.open(page.downloaded(".png")) as image:
        saved = np.asarray(image.convert("RGB"))
    np.testing.assert_array_equal(saved, expected)
    page.click("Arrays (npz)")
    loaded = dd.load_npz(page.downloaded(".npz"))
    np.testing.assert_array_equal(loaded.depth, layers.depth)
    np.testing.assert_array_equal(loaded.offsets, layers.offsets)
    page.click("Camera (JSON)")
    (read,) = dd.load_cameras(page.downloaded(".json"))
    np.testing.assert_allclose(read.camera_from_world, camera.camera_from_world, atol=1e-12)
    page.click("Points (zip of two PLY)")
    with zipfile.ZipFile(page.downloaded(".zip")) as archive:
        assert len(archive.namelist()) == layers.count.max()
    lines = wait_until(lambda: page.find(".ddepth-text"), "lines")[0].text
    assert "renderer.peel(scene, camera)" in lines

    page.tab("Mesh")
    assert "small ball" in wait_until(lambda: page.find(".ddepth-text"), "report")[0].text or (
        "3 bodies" in page.text()
    )
    page.read_logs()
    assert page.messages == []
    addresses = {re.match(r"(blob:)?(\w+:(//[^/]*)?)", url)[0] for url in page.requested}
    port = viewer.url.rpartition(":")[2]
    assert addresses <= {
        "data:", f"blob:http://127.0.0.1:{port}", f"http://127.0.0.1:{port}",
        f"ws://127.0.0.1:{port}",
    }  # fmt: skip


def test_up_sides_angle_and_parallel_rays(mesh, tmp_path):
    state = ViewerState.framing(mesh, (0.0, 1.0, 0.0), mode="entry")
    with WebViewer(mesh, state, port=0) as viewer, WebPage(viewer.url, tmp_path) as page:
        (client,) = wait_until(lambda: viewer.pages, "client")
        settle(viewer)
        assert client.state.orbit.up == (0.0, 1.0, 0.0)
        assert not client.controls.save_camera.disabled
        assert_shows(page, truth(mesh, client.state, client.size)[1])
        for side in ("Left", "Top", "Iso"):
            page.click(side)
            settle(viewer)
            elevation_deg = {"Left": 0.0, "Top": 90.0}.get(side, 35.264)
            assert client.state.orbit.elevation_deg == pytest.approx(elevation_deg, abs=2e-3)
            handle = client.client.camera
            np.testing.assert_allclose(
                client.state.camera_for(*client.size).center,
                handle.position * viewer.world.radius + viewer.world.center,
                atol=1e-3 if side == "Top" else 1e-9,
            )
            assert_shows(page, truth(mesh, client.state, client.size)[1])
            if side == "Top":  # the eye stays, and the image turns
                page.drag(300, 300, 80, 0)
                settle(viewer)
                assert_shows(page, truth(mesh, client.state, client.size)[1])
        height = client.state.orbit.height
        page.slide(0, 3)
        settle(viewer)
        assert client.state.orbit.fov_deg == pytest.approx(43.0)
        assert client.state.orbit.height == pytest.approx(height)
        page.check("Parallel rays")
        settle(viewer)
        assert client.state.orbit.is_orthographic
        assert client.controls.save_camera.disabled
        assert_shows(page, truth(mesh, client.state, client.size)[1])
        distance = client.state.orbit.distance
        page.scroll(300, 300, -300)
        settle(viewer)
        assert client.state.orbit.distance < 0.95 * distance
        assert_shows(page, truth(mesh, client.state, client.size)[1])
        images = []
        show_image = client.scene.show_image

        def record(colors, depth, is_exact, is_photo):
            images.append((colors.shape[1::-1], is_exact, is_photo))
            show_image(colors, depth, is_exact, is_photo)

        client.scene.show_image = record
        page.drag(300, 300, 100, 30)
        settle(viewer)
        assert client.state.orbit.is_orthographic
        assert images[-1] == (client.size, True, False)
        assert all(size <= client.size for size, _, _ in images)
        assert not images[0][1]


def test_another_direction_is_up(mesh, viewer, open_page):
    page = open_page()
    (client,) = viewer.pages
    assert client.state.orbit.up == (0.0, 0.0, 1.0)
    page.choose("Up", "-y")
    settle(viewer)
    assert client.state.orbit.up == (0.0, -1.0, 0.0)
    width, height = client.size
    expected = Orbit.framing(mesh, (0.0, -1.0, 0.0), width / height).camera(width, height)
    found = client.state.camera_for(width, height)
    np.testing.assert_allclose(found.camera_from_world, expected.camera_from_world, atol=1e-9)
    page.choose("Show", "Entry depth")
    settle(viewer)
    assert_shows(page, truth(mesh, client.state, client.size)[1])


def test_a_camera_of_a_file_is_shown_until_it_is_turned(mesh, tmp_path):
    camera = dd.Camera.from_intrinsics(
        [[300, 0, 120], [0, 310, 90], [0, 0, 1]],
        dd.Camera.look_at((5, -4, 3), (0, 0, 0), width=8, height=8).camera_from_world, 260, 200,
    )  # fmt: skip
    orbit = Orbit.from_camera(camera, mesh)
    state = ViewerState(orbit=orbit, mould_orbit=orbit, camera=camera, mode="entry")
    with WebViewer(mesh, state, port=0) as viewer, WebPage(viewer.url, tmp_path) as page:
        (client,) = wait_until(lambda: viewer.pages, "client")
        settle(viewer)
        assert client.state.camera is camera
        assert_shows(page, truth(mesh, client.state, client.size)[1])
        page.drag(300, 300, 100, 30)
        settle(viewer)
        assert client.state.camera is None
        assert_shows(page, truth(mesh, client.state, client.size)[1])


def test_the_first_view_holds_the_mesh_in_a_canvas_of_any_shape(mesh, viewer, open_page):
    for width, height in ((760, 900), (1400, 600)):
        page = open_page(width=width, height=height)
        client = viewer.pages[-1]
        camera = client.state.camera_for(*client.size)
        fractions = camera.project(mesh.vertices)[0] / client.size
        assert (fractions > 0.0).all()
        assert (fractions < 1.0).all()
        assert abs(fractions - 0.5).max() > 0.4
    # Whoever changes the window before anything else sees all of it, too.
    distance, size = client.state.orbit.distance, client.size
    page.driver.set_window_size(760, 900)
    wait_until(lambda: client.size != size, "other size")
    settle(viewer)
    assert client.state.orbit.distance > distance * 1.1
    # The browser draws what the server renders.
    page.choose("Show", "Entry depth")
    settle(viewer)
    assert_shows(page, truth(mesh, client.state, client.size)[1])


def test_a_view_that_was_asked_for_stays_as_it_is(mesh, tmp_path):
    state = ViewerState.framing(mesh)
    state.orbit = state.orbit.zoomed(6.0)
    with WebViewer(mesh, state, port=0) as viewer, WebPage(viewer.url, tmp_path):
        (client,) = wait_until(lambda: viewer.pages, "client")
        settle(viewer)
        assert client.state.orbit.distance == pytest.approx(state.orbit.distance, rel=1e-5)


def test_cameras_of_a_file_are_stepped_through(mesh, tmp_path):
    eyes = ((5, -4, 3), (0, 0, 7), (4, 5, 1))
    ups = ((0, 0, 1), (0, 1, 0), (0.4, 0, 1))  # the second looks straight down, the third rolls
    poses = [
        dd.Camera.look_at(eye, (0, 0, 0), up, width=8, height=8).camera_from_world
        for eye, up in zip(eyes, ups, strict=True)
    ]
    intrinsics = [[300, 0, 120], [0, 310, 90], [0, 0, 1]]
    cameras = [
        dd.Camera(intrinsics, pose, 260, 200, name=name)
        for pose, name in zip(poses, ("<b>one</b>", "", "three"), strict=True)
    ]
    cameras.append(dd.Camera.orthographic((6, 5), poses[0], 240, 200))
    orbit = Orbit.from_camera(cameras[0], mesh)
    state = ViewerState(orbit=orbit, mould_orbit=orbit.beside(), camera=cameras[0], mode="entry")
    with (
        WebViewer(mesh, state, port=0, cameras=cameras) as viewer,
        WebPage(viewer.url, tmp_path) as page,
    ):
        (client,) = wait_until(lambda: viewer.pages, "client")
        settle(viewer)

        def check(number, text):
            settle(viewer)
            assert client.state.camera is cameras[number]
            assert f"{number + 1} of 4: {text}, {cameras[number].width} x 200" in page.text()
            assert_shows(page, truth(mesh, client.state, client.size)[1])

        check(0, "<b>one</b>")
        page.click("Next")
        check(1, "camera 2")
        page.click("Next")
        check(2, "three")
        page.click("Next")
        check(3, "camera 4")
        assert page.control("Parallel rays").is_selected()
        page.click("Next")
        check(0, "<b>one</b>")
        page.click("Previous")
        page.click("Previous")
        check(2, "three")
        # Turned away, the next press returns.
        page.drag(300, 300, 100, 30)
        settle(viewer)
        assert client.state.camera is None
        assert "4 cameras" in page.text()
        page.click("Next")
        check(2, "three")
        # In the mould view, it goes to the image.
        page.choose("View", "Mould, from the side")
        settle(viewer)
        page.click("Next")
        check(3, "camera 4")


def test_pages_of_other_servers_get_nothing(mesh, viewer, tmp_path):
    """A page of the internet may try to look at what this computer serves."""
    with WebViewer(mesh, port=0) as other:
        target = viewer.url.replace("http", "ws")
        with WebPage(other.url, tmp_path, query=f"/?websocket={target}", has_note=False) as page:
            time.sleep(8.0)
            assert viewer.pages == other.pages == []
            assert "Thickness" not in page.text()


def share_of(image, color):
    """Return the share of pixels that have a color, in any light from 0.3 to 1."""
    pixels, color = image.astype(float), np.array(color, float)
    light = pixels @ color / (color @ color)
    away = np.abs(pixels - light[..., None] * color).max(axis=-1)
    return ((away < 3.0) & (light > 0.3) & (light < 1.01)).mean()


def test_the_mould_view(mesh, viewer, open_page):
    page = open_page()
    (client,) = viewer.pages
    orbit = client.state.orbit
    page.tab("Mould")
    page.click("Show the mould view")
    settle(viewer)
    assert client.state.place == "mould"
    page.tab("Image")
    shown = page.canvas()
    assert share_of(shown, FRONT_COLOR) > 0.01
    assert share_of(shown, BACK_COLOR) > 0.002
    width, height = client.size
    page.drag(width // 2, height // 2, 100, 20)
    settle(viewer)
    assert client.state.orbit == orbit  # the rendering camera stays
    assert client.state.mould_orbit != orbit
    page.tab("Mould")
    page.check("Entry points")
    settle(viewer)
    shown = page.canvas()
    assert share_of(shown, FRONT_COLOR) < 0.001
    page.check("Mesh")
    page.check("Points of all layers")
    settle(viewer)
    page.choose("View", "Image")
    settle(viewer)
    _, photo = truth(mesh, ViewerState(orbit=orbit, mould_orbit=orbit), client.size)
    wait_until(lambda: np.abs(page.canvas().astype(int) - photo).mean() < 2.0, "photo")
    page.read_logs()
    assert page.messages == []


def test_depth_composes_the_image_with_what_the_browser_draws(tmp_path):
    """Of points in front of and behind a wall, those in front are seen, beside it all of them."""
    wall = box((-100.0, -1.0, -100.0), (0.0, 1.0, 100.0))
    state = ViewerState.framing(wall)
    state.orbit = state.orbit.seen_from("front")
    with WebViewer(wall, state, port=0) as viewer, WebPage(viewer.url, tmp_path) as page:
        (client,) = wait_until(lambda: viewer.pages, "client")
        settle(viewer)
        # Marks of the test's own, 2 units in front of and behind both faces; and the image with
        # its depth, as if there was a ray.
        marks = {"front": (-3.0, (255, 0, 0)), "behind": (3.0, (0, 255, 0))}
        for name, (y, color) in marks.items():
            points = np.array([(-40.0, y, 30.0), (40.0, y, 30.0)])
            client.scene.show_points(name, points, np.array([color] * 2, np.uint8), 8.0)
        client.probe = viewer.session.probe(client.state, *client.size, 5, 5)
        viewer.loop.call_soon_threadsafe(client.images.draw, False)
        settle(viewer)
        camera = client.state.camera_for(*client.size)
        canvas = page.canvas()
        seen = {}
        for name, (y, color) in marks.items():
            for side, x in (("wall", -40.0), ("beside", 40.0)):
                (column, row), _ = camera.project(np.array([[x, y, 30.0]]))[0][0], None
                found = canvas[int(row), int(column)]
                seen[name, side] = bool((np.abs(found.astype(int) - color) < 40).all())
        assert seen == {
            ("front", "wall"): True,
            ("behind", "wall"): False,
            ("front", "beside"): seen["front", "beside"],
            ("behind", "beside"): seen["behind", "beside"],
        }
        assert seen["front", "beside"] or seen["behind", "beside"]


def test_clients_have_views_of_their_own_and_leave_nothing(mesh, viewer, open_page):
    first, second = open_page(), open_page(width=900, height=700)
    page_of = {page.size[0]: page for page in viewer.pages}
    assert len(page_of) == 2
    ours, other = page_of[max(page_of)], page_of[min(page_of)]
    first.choose("Show", "Entry depth")
    settle(viewer)
    assert (ours.state.mode, other.state.mode) == ("entry", "photo")
    orbit = other.state.orbit
    first.drag(300, 300, 120, 30)
    settle(viewer)
    assert other.state.orbit == orbit
    assert ours.state.orbit != orbit
    assert_shows(first, truth(mesh, ours.state, ours.size)[1])

    # The second is slow: what it asked for does not end. The first one goes on.
    may_end, started = threading.Event(), threading.Event()

    def be_slow():
        started.set()
        may_end.wait(60)

    viewer.requests.submit(other.client.client_id, "image", be_slow, print)
    assert started.wait(30)
    for mode in ("Exit depth", "Thickness"):
        first.choose("Show", mode)
        name = mode.split()[0].lower()
        wait_until(lambda name=name: ours.state.mode == name, mode)
        assert_shows(first, truth(mesh, ours.state, ours.size)[1])
    second.choose("Show", "Thickness")
    wait_until(lambda: other.state.mode == "thickness", "mode")
    may_end.set()
    settle(viewer)
    assert_shows(second, truth(mesh, other.state, other.size)[1])

    second.close()
    wait_until(lambda: viewer.pages == [ours], "end of the other client")
    assert not other.is_open
    left = weakref.ref(page_of.pop(min(page_of)))
    other = None
    wait_until(lambda: gc.collect() is None or left() is None, "end of the page")
    first.choose("Show", "Photo")
    settle(viewer)


def test_bad_requests_are_a_message(mesh, viewer, open_page):
    page = open_page()
    (client,) = viewer.pages
    viewer.loop.call_soon_threadsafe(
        client.images.submit, "bad", lambda: viewer.session.probe(client.state, 10, 10, 10, 10)
    )
    wait_until(lambda: "there is no pixel (10, 10)" in page.text(), "message")
    page.choose("Show", "Entry depth")
    settle(viewer)
    assert_shows(page, truth(mesh, client.state, client.size)[1])


def test_closing_frees_port_and_threads(mesh):
    before = {thread.name for thread in threading.enumerate()}
    viewer = WebViewer(mesh, port=0)
    port = int(viewer.url.rpartition(":")[2])
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", "/")
    assert connection.getresponse().status == 200
    connection.close()
    with pytest.raises(dd.ViewerError, match=f"port {port}"):
        WebViewer(mesh, port=port)
    viewer.close()
    viewer.close()
    assert viewer.wait(0)
    with pytest.raises(ConnectionRefusedError):
        http.client.HTTPConnection("127.0.0.1", port, timeout=5).request("GET", "/")
    names = {thread.name for thread in threading.enumerate()} - before
    assert not [name for name in names if name.startswith("ddepth-")]


def test_the_command(tmp_path):
    path = tmp_path / "part.ply"
    mesh = box()
    dd.write_ply(path, mesh.vertices, faces=mesh.faces)
    command = [sys.executable, "-m", "ddepth_gl", "view", str(path), "--web", "--port"]
    options = {"cwd": ROOT, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen([*command, "0"], **options) as process:
        try:
            line = process.stdout.readline()
            port = re.search(r"http://127\.0\.0\.1:(\d+)", line)[1]
            assert f"ssh -L {port}:127.0.0.1:{port}" in process.stdout.readline()
            taken = subprocess.run([*command, port], **options, timeout=60)
            assert taken.returncode == 1
            assert re.fullmatch(rf"ddepth: error: .*port {port} .*\n", taken.stderr)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (process.returncode, out, err) == (0, "", "")
