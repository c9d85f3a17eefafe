// depth_of(window_z): camera-frame z of a fragment, in mesh units, from its window depth.
// The one inverse of ddepth_gl/engines/raster.py's DepthEncoding; keep the two together.
//   perspective:  window_z = near / z   (reversed, infinite far plane)
//   orthographic: window_z = z / range
uniform float depth_scale;  // near or range, in mesh units

float depth_of(float window_z) {
#if PERSPECTIVE
    return depth_scale / window_z;
#else
    return depth_scale * window_z;
#endif
}
