"""The window of the viewer: GLFW and Dear ImGui (imgui-bundle) on one OpenGL context."""
