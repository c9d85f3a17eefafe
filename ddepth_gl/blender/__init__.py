"""Scenes of Blender: meshes, cameras and runs, for Python with bpy and for Blender itself."""
