"""Look at a mesh in a window: its photo, first entries, last exits, thickness and single layers.

Usage: python examples/viewer.py [MESH] [--up y] [--view entry] [--screenshot FILE]

    drag       turn                       1  photo
    wheel      zoom                       2  entry      depth where each ray first enters
    [ and ]    previous and next layer    3  exit       depth where it last exits
    R          back to the first view     4  thickness  exit minus entry, along the ray
    S          save the image             5  layer      depth of one crossing after the other
    Esc        quit

The title shows what is under the cursor. --screenshot needs a display, but shows no window.
GLFW owns the window and its OpenGL context; the renderer works in it, see DepthRenderer(context=).
This example is about that; `ddepth view` is the viewer to work with.
"""

import argparse
import math
import sys
from pathlib import Path
from typing import Any

import imageio.v3 as iio
import moderngl
import numpy as np
import numpy.typing as npt

import ddepth_gl as dd

try:
    import glfw
except ImportError:
    sys.exit('viewer: the package glfw is missing; run: pip install "ddepth-gl[viewer]"')

VIEWS = ("photo", "entry", "exit", "thickness", "layer")

# One triangle covers the window. Row 0 of an image is its top row.
VERTEX_SHADER = """
#version 410 core
out vec2 position;
void main() {
    vec2 corner = vec2(gl_VertexID == 1 ? 3.0 : -1.0, gl_VertexID == 2 ? 3.0 : -1.0);
    position = vec2(0.5 + 0.5 * corner.x, 0.5 - 0.5 * corner.y);
    gl_Position = vec4(corner, 0.0, 1.0);
}
"""
FRAGMENT_SHADER = """
#version 410 core
in vec2 position;
uniform bool is_photo;
uniform sampler2D image;  // the photo, or one number per pixel, NaN for a miss
uniform vec2 limits;      // numbers at both ends of the color map
out vec4 color;
const vec3 background = vec3(0.11, 0.12, 0.14);
vec3 viridis(float x) {  // a polynomial near matplotlib's colors
    return vec3(0.274, 0.006, 0.333) + x * (vec3(0.108, 1.396, 1.387)
        + x * (vec3(-0.327, 0.215, 0.092) + x * (vec3(-4.600, -5.758, -19.292)
        + x * (vec3(6.204, 14.154, 56.656) + x * (vec3(4.752, -13.749, -65.321)
        + x * vec3(-5.432, 4.642, 26.272))))));
}
void main() {
    vec4 value = texture(image, position);
    color = vec4(background, 1.0);
    if (is_photo) {
        color.rgb = mix(background, value.rgb, value.a);
    } else if ((floatBitsToUint(value.r) & 0x7fffffffu) <= 0x7f800000u) {  // as isnan() may lie
        float place = limits.x == limits.y ? 0.5 : (value.r - limits.x) / (limits.y - limits.x);
        color.rgb = viridis(clamp(place, 0.0, 1.0));
    }
}
"""


class Orbit:
    """A camera that looks at the middle of a mesh; `up` is "y", "z" or None for the mesh's own."""

    def __init__(self, mesh: dd.Mesh, up: str | None) -> None:
        low, high = mesh.bounds
        self.target, self.radius = (low + high) / 2, float(np.linalg.norm(high - low)) / 2
        self.up = np.array(mesh.up) if up is None else np.eye(3)["xyz".index(up)]
        right = np.cross(self.up, np.eye(3)[np.abs(self.up).argmax() - 2])
        self.right = right / np.linalg.norm(right)
        self.reset()

    def reset(self) -> None:
        self.azimuth, self.elevation = math.radians(35), math.radians(25)
        self.distance = 2.5 * self.radius

    def turn(self, right: float, down: float) -> None:
        """Turn by angles in radians."""
        self.azimuth -= right
        self.elevation = float(np.clip(self.elevation + down, -1.55, 1.55))

    def zoom(self, steps: float) -> None:
        distance = self.distance * 0.9**steps
        self.distance = float(np.clip(distance, 0.05 * self.radius, 50 * self.radius))

    def camera(self, width: int, height: int) -> dd.Camera:
        ahead = np.cross(self.right, self.up)
        level = math.cos(self.azimuth) * ahead + math.sin(self.azimuth) * self.right
        outward = math.cos(self.elevation) * level + math.sin(self.elevation) * self.up
        eye = self.target + self.distance * outward
        return dd.Camera.look_at(eye, self.target, self.up, width=width, height=height)


class Canvas:
    """An image in a texture, and the program that draws it."""

    def __init__(self, gl: Any) -> None:
        self.gl, self.image = gl, gl.texture((1, 1), 4)
        self.program = gl.program(vertex_shader=VERTEX_SHADER, fragment_shader=FRAGMENT_SHADER)
        self.triangle = gl.vertex_array(self.program, [])

    def set(self, pixels: npt.NDArray[Any], limits: tuple[float, float] = (0.0, 1.0)) -> None:
        """Take an image: (H, W, 4) uint8, or (H, W) float32 with the limits of its colors."""
        height, width, *channels = pixels.shape
        self.image.release()
        dtype = "f1" if channels else "f4"
        self.image = self.gl.texture((width, height), 4 if channels else 1, pixels, dtype=dtype)
        self.image.filter = self.gl.NEAREST, self.gl.NEAREST
        self.program["is_photo"], self.program["limits"] = bool(channels), limits

    def draw(self, framebuffer: Any) -> None:
        framebuffer.use()
        self.image.use(0)
        self.triangle.render(vertices=3)


class Viewer:
    """What the window shows, from where, and what is under the cursor."""

    def __init__(self, window: Any, mesh: dd.Mesh, name: str, options: argparse.Namespace) -> None:
        self.window, self.name = window, name
        self.gl: Any = moderngl.get_context()  # the window's, which is current
        self.renderer = dd.DepthRenderer(context=self.gl)
        self.scene = self.renderer.upload(mesh)
        self.orbit, self.canvas = Orbit(mesh, options.up), Canvas(self.gl)
        self.view, self.layer = options.view, 0
        self.is_dragging, self.cursor = False, (-1.0, -1.0)
        self.move()

    def move(self) -> None:
        """Place the camera. The image is rendered later, after all waiting events."""
        # On some screens, a window has more pixels than its size says.
        self.size = tuple(max(pixels, 1) for pixels in glfw.get_framebuffer_size(self.window))
        self.camera = self.orbit.camera(*self.size)
        self.maps: Any = None
        self.peeled: Any = None
        self.is_stale = True

    def layers(self) -> Any:
        self.peeled = self.peeled or self.renderer.peel(self.scene, self.camera)
        return self.peeled

    def render(self) -> None:
        """Render the image of the current view, unless that is done."""
        if not self.is_stale:
            return
        self.maps = self.maps or self.renderer.entry_exit(self.scene, self.camera)
        if self.view == "photo":
            self.canvas.set(self.renderer.shade(self.scene, self.camera))
        elif self.view == "layer":
            layers = self.layers()
            self.layer = min(self.layer, max(int(layers.count.max()) - 1, 0))
            depth = layers.dense("depth", max_layers=self.layer + 1)
            self.canvas.set(depth[-1], limits_of(layers.depth)[::-1])
        elif self.view == "thickness":
            self.canvas.set(self.maps.thickness, (0.0, limits_of(self.maps.thickness)[1]))
        else:  # both in the same colors, near is bright
            limits = limits_of(np.stack([self.maps.entry, self.maps.exit]))[::-1]
            self.canvas.set(getattr(self.maps, self.view), limits)
        self.is_stale = False

    def update(self) -> None:
        """Bring window and title up to date."""
        self.render()
        self.gl.screen.viewport = 0, 0, *self.size
        self.canvas.draw(self.gl.screen)
        glfw.swap_buffers(self.window)
        view = f"layer {self.layer + 1}" if self.view == "layer" else self.view
        glfw.set_window_title(self.window, " | ".join([self.name, view, *self.probe()]))

    def probe(self) -> list[str]:
        """Return what is under the cursor."""
        pixels_per_point = np.divide(self.size, glfw.get_window_size(self.window))
        column, row = np.floor(self.cursor * pixels_per_point).astype(int).tolist()
        if not (0 <= column < self.size[0] and 0 <= row < self.size[1]):
            return []
        found = [f"pixel ({column}, {row})"]
        values = {name: getattr(self.maps, name)[row, column] for name in VIEWS[1:4]}
        found += [f"{name} {value:.6g}" for name, value in values.items() if np.isfinite(value)]
        if not self.is_dragging:  # layers take longer than what is needed to turn
            found.append(f"{self.layers().count[row, column]} crossings")
        return found

    def save(self, path: Path) -> None:
        """Write what the window shows as a PNG file."""
        self.render()
        framebuffer = self.gl.simple_framebuffer(self.size)
        self.canvas.draw(framebuffer)
        pixels = np.frombuffer(framebuffer.read(components=3), np.uint8)
        pixels = pixels.reshape(*self.size[::-1], 3)[::-1]  # OpenGL's row 0 is the bottom
        path.write_bytes(iio.imwrite("<bytes>", pixels, extension=".png"))
        framebuffer.release()
        print(path, flush=True)

    def on_button(self, _: Any, button: int, action: int, modifiers: int) -> None:
        if button == glfw.MOUSE_BUTTON_LEFT:
            self.is_dragging = action == glfw.PRESS

    def on_cursor(self, _: Any, x: float, y: float) -> None:
        if self.is_dragging:
            angle = math.pi / glfw.get_window_size(self.window)[1]  # per point
            self.orbit.turn((x - self.cursor[0]) * angle, (y - self.cursor[1]) * angle)
            self.move()
        self.cursor = x, y

    def on_scroll(self, _: Any, right: float, up: float) -> None:
        self.orbit.zoom(up)
        self.move()

    def on_key(self, _: Any, key: int, scancode: int, action: int, modifiers: int) -> None:
        if action == glfw.RELEASE:
            return
        if key in range(glfw.KEY_1, glfw.KEY_1 + len(VIEWS)):
            self.view = VIEWS[key - glfw.KEY_1]
        elif key in (glfw.KEY_LEFT_BRACKET, glfw.KEY_RIGHT_BRACKET):
            step = 0 if self.view != "layer" else 1 if key == glfw.KEY_RIGHT_BRACKET else -1
            self.view, self.layer = "layer", max(self.layer + step, 0)
        elif key == glfw.KEY_R:
            self.orbit.reset()
            self.move()
        elif key == glfw.KEY_S:
            number = self.layer + 1 if self.view == "layer" else ""
            try:
                self.save(Path(f"{self.name}_{self.view}{number}.png"))
            except OSError as error:
                print(f"viewer: {error}", file=sys.stderr)
        elif key == glfw.KEY_ESCAPE:
            glfw.set_window_should_close(self.window, True)
        self.is_stale = True

    def run(self) -> None:
        """Show the window until it is closed."""
        glfw.set_mouse_button_callback(self.window, self.on_button)
        glfw.set_cursor_pos_callback(self.window, self.on_cursor)
        glfw.set_scroll_callback(self.window, self.on_scroll)
        glfw.set_key_callback(self.window, self.on_key)
        glfw.set_framebuffer_size_callback(self.window, lambda *_: self.move())
        while not glfw.window_should_close(self.window):
            self.update()
            glfw.wait_events()


def limits_of(image: npt.NDArray[np.float32]) -> tuple[float, float]:
    """Return the smallest and the largest number of an image."""
    values = image[~np.isnan(image)]
    return (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)


def open_window(title: str, is_visible: bool) -> Any:
    """Return a window whose OpenGL context is current."""
    glfw.ERROR_REPORTING = "ignore"
    if glfw.init():
        glfw.window_hint(glfw.CONTEXT_VERSION_MAJOR, 4)
        glfw.window_hint(glfw.CONTEXT_VERSION_MINOR, 1)  # drivers return the newest that they have
        glfw.window_hint(glfw.OPENGL_PROFILE, glfw.OPENGL_CORE_PROFILE)
        glfw.window_hint(glfw.OPENGL_FORWARD_COMPAT, True)
        glfw.window_hint(glfw.VISIBLE, is_visible)
        if window := glfw.create_window(900, 700, title, None, None):
            glfw.make_context_current(window)
            return window
    reason: Any = glfw.get_error()[1]
    raise OSError(f"GLFW opens no window ({reason.decode()})")


def main() -> None:
    parser = argparse.ArgumentParser(description="Look at a mesh in a window.")
    parser.add_argument("mesh", nargs="?", type=Path, help="mesh file; by default the demo mesh")
    parser.add_argument("--up", choices=("y", "z"), help="axis that points up; see Mesh.up")
    parser.add_argument("--view", choices=VIEWS, default="photo", help="what to show first")
    parser.add_argument("--screenshot", type=Path, metavar="FILE", help="write a PNG file and quit")
    options = parser.parse_args()
    name = options.mesh.stem.encode(errors="replace").decode() if options.mesh else "demo"
    try:
        mesh = dd.load_mesh(options.mesh) if options.mesh else dd.demo_mesh()
        viewer = Viewer(open_window(name, not options.screenshot), mesh, name, options)
        with viewer.renderer:  # closed before its window
            if options.screenshot:
                viewer.save(options.screenshot)
            else:
                viewer.run()
    except (dd.DDepthError, OSError, KeyboardInterrupt) as error:
        sys.exit(f"viewer: {str(error) or 'interrupted'}")
    finally:
        glfw.terminate()


if __name__ == "__main__":
    main()
