"""OpenGL without a display: EGL devices, contexts, shaders, CUDA interoperability."""
