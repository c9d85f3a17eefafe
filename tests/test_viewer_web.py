"""The viewer in the browser without one: addresses, threads, cameras, drawings and texts."""

from __future__ import annotations

import dataclasses
import http.client
import math
import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
import xml.etree.ElementTree as ElementTree
from importlib import import_module
from types import SimpleNamespace

import numpy as np
import pytest
from programs import ROOT
from shapes import box, merged

import ddepth_gl as dd
from ddepth_gl.viewer.clouds import SOLID_COLOR
from ddepth_gl.viewer.orbit import STANDARD_VIEWS, Orbit
from ddepth_gl.viewer.probe import Probe, ProbeCrossing
from ddepth_gl.viewer.session import Session
from ddepth_gl.viewer.state import ViewerState
from ddepth_gl.viewer.web import addresses, texts
from ddepth_gl.viewer.web.drawing import MISS_DEPTH, draw, with_marks
from ddepth_gl.viewer.web.page_cameras import PageCameras
from ddepth_gl.viewer.web.page_world import PageWorld
from ddepth_gl.viewer.web.render_thread import RenderThread
from ddepth_gl.viewer.web.requests import Requests
from ddepth_gl.viewer.web.section_chart import section_svg

MESH = box((1.0, 2.0, 3.0), (2.0, 4.0, 6.0))
EYES = ((9.0, -9.0, 9.0), (-7.0, 8.0, 3.0))


# Addresses


@pytest.fixture
def taken_port():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def test_a_port_in_use_is_named(taken_port):
    with pytest.raises(dd.ViewerError, match=f"port {taken_port} .*in use.*another port"):
        addresses.free_port("127.0.0.1", taken_port)


def test_without_a_port_the_next_free_one_is_taken(taken_port, monkeypatch):
    monkeypatch.setattr(addresses, "DEFAULT_PORT", taken_port)
    assert taken_port < addresses.free_port("127.0.0.1") < taken_port + 100
    monkeypatch.setattr(addresses, "_TRIED_PORTS", 1)
    with pytest.raises(dd.ViewerError, match="choose a port"):
        addresses.free_port("127.0.0.1")


def test_port_0_is_any():
    assert addresses.free_port("127.0.0.1", 0) > 0


@pytest.mark.parametrize("port", [-1, 65536, 1.5, "80", True])
def test_what_is_no_port(port):
    with pytest.raises(dd.RequestError, match="port must be an integer from 0 to 65535"):
        addresses.free_port("127.0.0.1", port)


@pytest.mark.parametrize("host", ["no such host", "", "192.0.2.1", None])
def test_hosts_of_others(host):
    with pytest.raises(dd.ViewerError) as caught:
        addresses.free_port(host, 0)
    assert "\n" not in str(caught.value)


def test_who_reaches_an_address():
    assert addresses.is_local("127.0.0.1")
    assert addresses.is_local("localhost")
    assert not addresses.is_local("0.0.0.0")
    (note,) = addresses.notes_on("0.0.0.0", 8080)
    assert "without a password" in note
    assert addresses.url_of("0.0.0.0", 8080) == f"http://{socket.gethostname()}:8080"
    (note,) = addresses.notes_on("127.0.0.1", 8080)
    assert f"ssh -L 8080:127.0.0.1:8080 {socket.gethostname()}" in note
    assert addresses.url_of("127.0.0.1", 8080) == "http://127.0.0.1:8080"
    assert addresses.url_of("::1", 8080) == "http://[::1]:8080"


def test_without_viser(tmp_path):
    code = (
        "import sys; sys.modules['viser'] = None\n"
        "import ddepth_gl as dd\n"
        "from ddepth_gl.viewer.web.server import WebViewer\n"
        "try: WebViewer(dd.demo_mesh())\n"
        "except dd.ViewerError as error: print(error)"
    )
    ended = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, env={"PYTHONPATH": str(ROOT)},
        capture_output=True, text=True,
    )  # fmt: skip
    assert re.search(r'viser.*pip install "ddepth-gl\[web\]"\n$', ended.stdout), ended.stderr


# Who may connect


def status_of(port, host, **headers):
    """Return status of a request for a WebSocket or for the page."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    connection.putrequest("GET", "/", skip_host=True)
    for name, value in {"Host": host, **headers}.items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders()
    status = connection.getresponse().status
    connection.close()
    return status


def upgrade(origin=None):
    return {
        "Upgrade": "websocket", "Connection": "Upgrade", "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "AAAAAAAAAAAAAAAAAAAAAA==", "Origin": origin,
        "Sec-WebSocket-Protocol": f"viser-v{import_module('viser').__version__}",
    }  # fmt: skip


def test_pages_of_other_servers_are_refused_before_they_get_anything():
    pytest.importorskip("viser")
    from ddepth_gl.viewer.web.server import WebViewer

    with WebViewer(MESH, port=0) as viewer:
        port = int(viewer.url.rpartition(":")[2])
        own = f"127.0.0.1:{port}"
        assert status_of(port, own) == 200
        for host, origin, status in (
            (own, None, 101),
            (own, f"http://{own}", 101),
            ("localhost:8123", "http://localhost:8123", 101),  # a tunnel
            (f"[::1]:{port}", f"http://[::1]:{port}", 101),
            (own, "http://evil.example", 403),
            (own, "null", 403),
            (f"evil.example:{port}", f"http://evil.example:{port}", 403),  # DNS rebinding
            (f"127.0.0.1.evil.example:{port}", f"http://127.0.0.1.evil.example:{port}", 403),
            ("", None, 403),
        ):
            assert status_of(port, host, **upgrade(origin)) == status, (host, origin)
        assert status_of(port, "evil.example") == 403


def test_hosts_by_which_a_server_may_be_called():
    from ddepth_gl.viewer.web.guard import is_own_origin, may_be_host

    assert may_be_host("workstation:8080", "workstation", is_local=True)
    assert may_be_host("anything", "0.0.0.0", is_local=False)
    for header in (None, "evil.example", "[", "a:b", "8.8.8.8", "localhost.evil.example"):
        assert not may_be_host(header, "127.0.0.1", is_local=True), header
    assert not is_own_origin("http://[", "127.0.0.1")


def messages_of(raw):
    """Return the messages that viser packed together."""
    size, packed = (int.from_bytes(raw[start : start + 8], "little") for start in (0, 8))
    unpacked = import_module("zstandard").ZstdDecompressor().decompress(raw[16 : 16 + packed], size)
    return import_module("msgspec.msgpack").decode(unpacked)["messages"]


@pytest.mark.slow
def test_an_end_does_not_wait_for_a_client_and_bad_messages_are_no_news(tmp_path):
    pytest.importorskip("viser")
    msgpack = import_module("msgspec.msgpack")
    name = os.fsdecode(b"\xff\xfe.ply")
    dd.write_ply(tmp_path / name, MESH.vertices, faces=MESH.faces)
    command = [sys.executable, "-m", "ddepth_gl", "view", name, "--web", "--port", "0"]
    with subprocess.Popen(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    ) as process:  # fmt: skip
        try:
            port = int(re.search(rb"http://127.0.0.1:(\d+)", process.stdout.readline())[1])
            connect = import_module("websockets.sync.client").connect
            protocol = f"viser-v{import_module('viser').__version__}"

            def opened():
                return connect(
                    f"ws://127.0.0.1:{port}", subprotocols=[protocol], max_size=None,
                    compression=None,
                )  # fmt: skip

            camera = {
                "type": "ViewerCameraMessage", "wxyz": (1.0, 0, 0, 0), "position": (3.0, 0, 1.0),
                "fov": 0.7, "near": 0.01, "far": 100.0, "image_height": 30, "image_width": 40,
                "look_at": (0.0, 0, 0), "up_direction": (0.0, 0, 1.0),
            }  # fmt: skip
            for raw in (b"\xff", "text", msgpack.encode({"type": "Nope"}), msgpack.encode([1])):
                with opened() as client:
                    client.send(raw)
                    time.sleep(0.1)
            with opened() as client:  # its name is no obstacle for the page
                client.send(msgpack.encode(camera))
                end = time.monotonic() + 30.0
                while not any(
                    each["type"] == "BackgroundImageMessage"
                    for each in messages_of(client.recv(30))
                ):
                    assert time.monotonic() < end
            inf = math.inf
            for change in (
                {"position": (inf, 0.0, 0.0)}, {"position": (0.0, 0.0, 0.0)}, {"fov": 9.0},
                {"position": (1e300, 0.0, 0.0)}, {"fov": math.nan}, {"image_width": "a"},
            ):  # fmt: skip
                with opened() as client:
                    client.send(msgpack.encode(camera))
                    time.sleep(0.2)
                    client.send(msgpack.encode(camera | change))
                    time.sleep(0.2)
            # A client that does not answer.
            silent = socket.create_connection(("127.0.0.1", port))
            lines = [
                "GET / HTTP/1.1", f"Host: 127.0.0.1:{port}",
                *(f"{key}: {value}" for key, value in upgrade().items() if value),
            ]  # fmt: skip
            silent.sendall("\r\n".join([*lines, "", ""]).encode())
            assert b"101" in silent.recv(100)
            time.sleep(1.0)
            start = time.monotonic()
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=30)
            seconds = time.monotonic() - start
            silent.close()
        finally:
            process.kill()
    assert (process.returncode, errors) == (0, b"")
    assert seconds < 6.0  # 10 s are those of websockets


# Cameras


def handle_of(camera):
    """Return a camera as viser reports it."""
    values = dict(zip(("position", "look_at", "up_direction", "fov"), camera, strict=True))
    return SimpleNamespace(**{name: np.array(value) for name, value in values.items()})


@pytest.mark.parametrize("up", [(0, 0, 1), (0, 1, 0), (0, 0, -1), (0.3, -0.5, 0.8)])
@pytest.mark.parametrize("elevation_deg", [-89.99, -30.0, 0.0, 25.0, 89.0])
def test_the_camera_of_the_page_is_that_of_the_orbit(up, elevation_deg):
    """The page looks at what the image shows: the same rays, up to rounding."""
    orbit = dataclasses.replace(
        Orbit.framing(MESH, up), azimuth_deg=123.4, elevation_deg=elevation_deg, fov_deg=33.0,
        target=(1.0, 2.5, 4.0),
    )  # fmt: skip
    world = PageWorld.around(orbit)
    camera = world.camera_of(orbit)
    # By hand, as three.js does: z toward the eye, x to the right, y up.
    position, look_at, upward, fov = (np.array(each, float) for each in camera)
    backward = (position - look_at) / np.linalg.norm(position - look_at)
    right = np.cross(upward, backward)
    right /= np.linalg.norm(right)
    expected = orbit.camera(640, 480)
    rotation = np.stack([right, np.cross(right, backward), -backward])
    np.testing.assert_allclose(expected.camera_from_world[:3, :3], rotation, atol=1e-9)
    np.testing.assert_allclose(
        expected.center, position * world.radius + np.array(world.center), atol=1e-12
    )
    assert expected.K[1, 1] == pytest.approx(240.0 / math.tan(fov / 2.0))
    # And back.
    returned = world.orbit_of(handle_of(camera), orbit)
    assert returned.azimuth_deg == pytest.approx(123.4, abs=1e-7)
    assert returned.elevation_deg == pytest.approx(elevation_deg, abs=1e-9)
    assert returned.target == pytest.approx(orbit.target)
    assert returned.distance == pytest.approx(orbit.distance)
    assert returned.fov_deg == pytest.approx(33.0)
    np.testing.assert_allclose(
        returned.camera(640, 480).camera_from_world, expected.camera_from_world, atol=1e-9
    )


@pytest.mark.parametrize("side", STANDARD_VIEWS)
def test_standard_views_survive_the_page(side):
    orbit = Orbit.framing(MESH).seen_from(side)
    world = PageWorld.around(orbit)
    returned = world.orbit_of(handle_of(world.camera_of(orbit)), orbit)
    poses = [each.camera(64, 64).camera_from_world for each in (orbit, returned)]
    np.testing.assert_allclose(*poses, atol=3e-4)  # from the top, not straight down


def test_cameras_that_no_orbit_shows_are_left_out():
    far = np.eye(4)
    far[:3, 3] = 1e200
    good = [dd.Camera.look_at(eye, (1.5, 3, 4.5), width=8, height=6) for eye in EYES]
    odd = dd.Camera(good[0].K, far, 8, 6, name="odd")
    world = PageWorld.around(Orbit.framing(MESH))
    cameras = PageCameras([good[0], odd, good[1]], None, world, MESH)
    assert cameras.step(0) == (good[0], Orbit.from_camera(good[0], MESH), "")
    camera, orbit, left_out = cameras.step(1)
    assert (camera, orbit) == (good[1], Orbit.from_camera(good[1], MESH))
    assert re.fullmatch(r"odd is left out: .*1e\+150 of the origin.*", left_out)
    assert cameras.at(orbit) is good[1]
    assert cameras.at(orbit.turned(0.01, 0.0)) is None
    assert cameras.text(good[1]) == "3 of 3: camera 3, 8 x 6 in the file"
    assert cameras.step(-1)[0] is good[0]
    with pytest.raises(dd.CameraError, match="odd is left out"):
        PageCameras([odd], None, world, MESH).step(0)


@pytest.mark.parametrize("eye", [(0, 0, 9), (0, 0, -9)])
def test_a_camera_at_a_pole_is_shown_although_the_page_keeps_off_it(eye):
    camera = dd.Camera.look_at(eye, (0, 0, 0), (0, 1, 0), width=8, height=6)
    orbit = Orbit.from_camera(camera, MESH)
    world = PageWorld.around(orbit)
    returned = world.orbit_of(world.camera_of(orbit), orbit)
    assert returned.elevation_deg != orbit.elevation_deg
    cameras = PageCameras([camera], (camera, orbit), world, MESH)
    assert cameras.at(returned) is camera


def test_a_page_that_rolls_gets_an_up_of_its_own():
    orbit = Orbit.framing(MESH)
    world = PageWorld.around(orbit)
    position, look_at, _, fov = world.camera_of(orbit)
    camera = orbit.camera(64, 64)
    right, down, _ = camera.camera_from_world[:3, :3]
    rolled_up = math.cos(0.3) * -down + math.sin(0.3) * right
    rolled = world.orbit_of(handle_of((position, look_at, rolled_up, fov)), orbit).camera(64, 64)
    np.testing.assert_allclose(rolled.camera_from_world[1, :3], -rolled_up, atol=1e-9)
    np.testing.assert_allclose(rolled.center, camera.center, atol=1e-9)


# Threads


def test_calls_run_in_one_thread_and_bring_back_errors():
    ended = []
    thread = RenderThread(threading.get_ident, ended.append)
    idents = {thread.call(lambda made: (made, threading.get_ident())) for _ in range(3)}
    ((made, ident),) = idents
    assert made == ident != threading.get_ident()
    with pytest.raises(ZeroDivisionError):
        thread.call(lambda _: 1 // 0)
    assert thread.call(lambda _: 7) == 7  # it goes on
    thread.close()
    thread.close()
    assert ended == [made]
    with pytest.raises(dd.ContextClosedError):
        thread.call(lambda _: 7)


def test_what_cannot_be_made_is_raised():
    with pytest.raises(dd.ContextError, match="no device"):
        RenderThread(lambda: (_ for _ in ()).throw(dd.ContextError("no device")), print)


def test_calls_that_wait_end_with_the_thread():
    thread = RenderThread(lambda: None, lambda _: None)
    started, may_end = threading.Event(), threading.Event()
    errors = []

    def first():
        thread.call(lambda _: (started.set(), may_end.wait(30)))

    def second():
        try:
            thread.call(lambda _: None)
        except dd.ContextClosedError as error:
            errors.append(error)

    threads = [threading.Thread(target=each) for each in (first, second)]
    threads[0].start()
    assert started.wait(30)
    threads[1].start()
    while not thread._calls:
        pass
    closing = threading.Thread(target=thread.close)
    closing.start()
    while not thread._is_closed:
        pass
    may_end.set()
    for each in (*threads, closing):
        each.join(30)
        assert not each.is_alive()
    assert len(errors) == 1


def test_a_slow_client_gets_the_newest_and_does_not_delay_others():
    requests = Requests()
    may_end, ended = threading.Event(), threading.Event()
    served, failures = [], []

    def slow():
        served.append("slow 0")
        assert may_end.wait(30)

    requests.submit("slow", "image", slow, failures.append)
    for number in range(1, 100):
        requests.submit("slow", "image", lambda n=number: served.append(f"slow {n}"), print)
    for number in range(20):  # while the other one waits
        done = threading.Event()
        requests.submit("quick", "image", done.set, failures.append)
        assert done.wait(30), number
    may_end.set()
    requests.submit("quick", "image", ended.set, failures.append)
    assert ended.wait(30)
    while not requests.is_idle:
        pass
    assert served == ["slow 0", "slow 99"]
    assert not failures
    requests.close()


def test_requests_of_a_client_that_is_gone_are_dropped():
    requests = Requests()
    may_end, served = threading.Event(), []
    requests.submit("a", "image", lambda: may_end.wait(30), print)
    requests.submit("a", "image", lambda: served.append("a"), print)
    requests.discard("a")
    may_end.set()
    requests.close()
    requests.close()
    assert not served


def test_errors_of_requests_are_one_line(caplog):
    requests, lines = Requests(), []

    def fail(error):
        raise error

    requests.submit("a", "1", lambda: fail(dd.RequestError("no such layer")), lines.append)
    while not requests.is_idle:
        pass
    requests.submit("a", "2", lambda: fail(KeyError("x\ny")), lines.append)
    while not requests.is_idle:
        pass
    assert lines[0] == "no such layer"
    assert lines[1].startswith("unexpected KeyError: ")
    assert "\n" not in lines[1]
    assert "unexpected error in the viewer" in caplog.text
    requests.submit("a", "3", lambda: fail(OSError("gone")), lambda line: fail(ValueError(line)))
    while not requests.is_idle:
        pass
    requests.close()
    assert "cannot be shown" in caplog.text


# Drawings


@pytest.fixture
def nested():
    """A box inside a hollow one."""
    return merged(box((-1, -1, -1), (1, 1, 1)), box((2, -0.5, -0.5), (3, 0.5, 0.5)))


@pytest.mark.parametrize("mode", ["photo", "exit", "layer", "layer_count", "thickness"])
def test_drawings_have_the_depth_of_what_they_show(renderer, nested, mode):
    session = Session(renderer, nested)
    state = ViewerState.framing(nested, mode=mode, layer=1, highlight_odd=mode == "layer_count")
    drawing = draw(session, state, 60, 40, True)
    np.testing.assert_array_equal(drawing.colors, session.image(state, 60, 40)[..., :3])
    maps = renderer.entry_exit(session.scene, state.camera_for(60, 40))
    layers = renderer.peel(session.scene, state.camera_for(60, 40))
    expected = {
        "exit": maps.exit,
        "layer": layers.dense("depth", max_layers=2)[1],
    }.get(mode, maps.entry)
    np.testing.assert_array_equal(
        drawing.depth, np.where(np.isnan(expected), np.float32(MISS_DEPTH), expected)
    )
    has_layers = mode in ("layer", "layer_count")
    assert drawing.layers == (layers.count.max() if has_layers else None)
    assert (drawing.limits is None) == (mode == "photo")
    assert draw(session, state, 60, 40, False).depth is None
    session.release()


def test_marks_show_pin_and_section():
    state = ViewerState.framing(MESH, pin=(20, 10), section=((0.5, 26.5), (39.5, 26.5)))
    colors = np.full((30, 40, 3), 7, np.uint8)
    marked = with_marks(colors, state, 1.0)
    assert (marked[26] == 255).all()
    assert (marked[10, 20] == 7).all()  # the pixel itself stays visible
    assert (marked[10, 24] == 255).all()
    assert (marked[6, 20] == 255).all()
    assert (colors == 7).all()
    small = with_marks(colors[:15, :20], dataclasses.replace(state, pin=None), 0.5)
    assert (small[13] == 255).all()
    plain = ViewerState.framing(MESH)
    assert with_marks(colors, plain, 1.0) is colors


def rectangles(svg, color):
    """Return x, upper y, width, lower y of the rectangles of a color."""
    root = ElementTree.fromstring(svg)
    (path,) = (each for each in root.iter("path") if each.get("fill") == color)
    numbers = re.findall(r"M(\S+) (\S+)h(\S+)V(\S+)h-\S+z", path.get("d"))
    return np.array(numbers, float).reshape(-1, 4)


def test_the_section_is_drawn_where_the_solid_is(renderer, nested):
    session = Session(renderer, nested)
    state = ViewerState.framing(nested, section=((0.5, 20.5), (59.5, 20.5)))
    section = session.section(state, 60, 40)
    svg = section_svg(section)
    drawn = rectangles(svg, f"rgb{SOLID_COLOR}")
    assert len(drawn) == len(section.solid) > 10
    low, high = section.depth_range
    top, bottom, left, right = 24, 280 - 34, 46, 390 - 8
    expected = top + (section.solid - low) / (high - low) * (bottom - top)
    np.testing.assert_allclose(drawn[:, [1, 3]], expected, atol=0.06)
    np.testing.assert_allclose(
        drawn[:, 0], left + section.solid_ray / 60 * (right - left), atol=0.006
    )
    assert "solid" in svg
    away = dataclasses.replace(state.orbit, target=(100.0, 100.0, 100.0))
    empty = session.section(dataclasses.replace(state, orbit=away), 60, 40)
    assert "no crossing" in section_svg(empty)
    long = session.section(
        dataclasses.replace(state, section=((0, 500.5), (2000, 500.5))), 2000, 900
    )
    assert len(rectangles(section_svg(long), f"rgb{SOLID_COLOR}")) < 1000
    session.release()


# Texts


def test_names_from_files_are_escaped():
    crossing = ProbeCrossing(1.0, 1.25, True, 3, 0, "<img src=x onerror=alert(1)>", 1, (0, 0, 0))
    probe = Probe(
        (4, 5), (crossing,), 1.0, math.nan, math.nan, 0.5, (0, 0, 0), (0, 0, 1), ((1, 2),)
    )
    html = texts.probe_text(probe)
    assert "<img" not in html
    assert "&lt;img" in html
    for text in ("pixel (4, 5)", "1.25", "none", "1 to 2", "front"):
        assert text in html
    for html in (texts.plain_text("<script>"), texts.note("<script>")):
        assert "<script>" not in html
    assert "meets nothing" in texts.probe_text(dataclasses.replace(probe, crossings=()))
    many = dataclasses.replace(probe, crossings=(crossing,) * 150)
    assert "and 50 more" in texts.probe_text(many)


def test_a_probe_says_what_is_inside(renderer, nested):
    session = Session(renderer, nested)
    state = ViewerState.framing(nested)
    state.orbit = dataclasses.replace(
        state.orbit, azimuth_deg=90.0, elevation_deg=0.0, is_orthographic=True, target=(0, 0, 0)
    )
    # From the right: one unit of the small box, a gap of one, two units of the large one.
    probe = session.probe(state, 61, 61, 30, 30)
    lengths = probe.inside_lengths
    assert [each is None for each in lengths] == [False, True, False, True]
    assert (lengths[0], lengths[2]) == (pytest.approx(1.0), pytest.approx(2.0))
    html = texts.probe_text(probe)
    assert "inside</th>" in html
    assert "<td>1</td></tr>" in html
    assert "<td>2</td></tr>" in html
    line = texts.probe_line(probe)
    assert f"pixel (30, 30): entry {probe.entry:.6g}, exit {probe.exit:.6g}, thickness 4" in line
    assert "meets nothing" in texts.probe_line(dataclasses.replace(probe, crossings=()))
    # A ray that starts inside has no crossing where its first piece begins.
    inside = dataclasses.replace(probe, crossings=probe.crossings[1:], inside=((0.0, 0.5),))
    assert inside.inside_lengths == (None, None, None)
    session.release()
