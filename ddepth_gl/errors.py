"""The error tree: everything that ddepth_gl raises on purpose.

::

    DDepthError
     ├── MeshError           (ValueError)    a mesh, or the file it came from, cannot be used
     ├── CameraError         (ValueError)    a camera, or the file it came from, cannot be used
     ├── ContextError        (RuntimeError)  no OpenGL context, or one that cannot serve the call
     │    ├── ContextClosedError             used after close()
     │    └── InteropError      (BufferError)  another library cannot take a result over on the device
     ├── ShaderError         (RuntimeError)  a shader is missing or does not compile
     ├── DeviceMemoryError   (MemoryError)   the device or the driver ran out of memory
     ├── RequestError        (ValueError)    an argument is not one of those allowed
     │    └── NotAskedForError (AttributeError) an attribute of crossings that the result does not have
     └── OutputError         (ValueError)    a result cannot be written as asked

Each class is also a subclass of the builtin in parentheses, so plain ``except ValueError`` works.
A message is one line that names what was given, what was expected and what to do.
"""

from __future__ import annotations

__all__ = [
    "CameraError",
    "ContextClosedError",
    "ContextError",
    "DDepthError",
    "DeviceMemoryError",
    "InteropError",
    "MeshError",
    "NotAskedForError",
    "OutputError",
    "RequestError",
    "ShaderError",
]


class DDepthError(Exception):
    """Base of every error raised on purpose by ddepth_gl."""


class MeshError(DDepthError, ValueError):
    """A mesh, or the file it came from, cannot be used."""


class CameraError(DDepthError, ValueError):
    """A camera, or the file it came from, cannot be used."""


class ContextError(DDepthError, RuntimeError):
    """There is no OpenGL context, or it cannot serve the call."""


class ContextClosedError(ContextError):
    """A renderer or scene was used after it was closed or released."""


class InteropError(ContextError, BufferError):
    """A result cannot be handed to another library on the device."""


class ShaderError(DDepthError, RuntimeError):
    """A shader is missing or does not compile; the message names file and line."""


class DeviceMemoryError(DDepthError, MemoryError):
    """The device or the driver ran out of memory; the message names what to reduce."""


class RequestError(DDepthError, ValueError):
    """An argument is not one of those allowed."""


class NotAskedForError(RequestError, AttributeError):
    """An attribute of crossings that the result does not have; `hasattr` and `getattr` expect this type."""


class OutputError(DDepthError, ValueError):
    """A result cannot be written as asked."""
