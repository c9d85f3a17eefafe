"""The error tree: everything that ddepth_gl raises on purpose, and its one category of warnings.

::

    DDepthError
     ├── MeshError           (ValueError)    a mesh, or the file it came from, cannot be used
     ├── CameraError         (ValueError)    a camera, or the file it came from, cannot be used
     ├── ContextError        (RuntimeError)  no OpenGL context, or one that cannot serve the call
     │    ├── ContextClosedError             used after close() or release()
     │    └── InteropError      (BufferError)  another library cannot import a result on the GPU
     ├── ShaderError         (RuntimeError)  a shader is missing or does not compile
     ├── DeviceMemoryError   (MemoryError)   the device or the driver ran out of memory
     ├── RequestError        (ValueError)    an argument has a value that is not allowed
     │    └── NotAskedForError (AttributeError) a result lacks an attribute that was not requested
     ├── OutputError         (ValueError)    a result, or a file of one, cannot be written or read
     ├── DatasetError        (ValueError)    a data set cannot be made, continued or read
     └── ViewerError         (RuntimeError)  the viewer has no display, no window or no port

Each class is also a subclass of the builtin in parentheses, so plain ``except ValueError`` works.
A message is one line that names what was given, what was expected and what to do.

`LeftOutWarning` (UserWarning) tells what a file holds and ddepth_gl does not use.
"""

from __future__ import annotations

from ._text import printable

__all__ = [
    "CameraError",
    "ContextClosedError",
    "ContextError",
    "DDepthError",
    "DatasetError",
    "DeviceMemoryError",
    "InteropError",
    "LeftOutWarning",
    "MeshError",
    "NotAskedForError",
    "OutputError",
    "RequestError",
    "ShaderError",
    "ViewerError",
]


class DDepthError(Exception):
    """Base class of every error that ddepth_gl raises on purpose.

    A message may quote a file or its name; characters that cannot be printed become spaces.
    """

    def __init__(self, message: str) -> None:
        super().__init__(printable(message))


class MeshError(DDepthError, ValueError):
    """A mesh, or the file it came from, cannot be used."""


class CameraError(DDepthError, ValueError):
    """A camera, or the file it came from, cannot be used."""


class ContextError(DDepthError, RuntimeError):
    """There is no OpenGL context, or it cannot serve the call."""


class ContextClosedError(ContextError):
    """A renderer or scene was used after it was closed or released."""


class InteropError(ContextError, BufferError):
    """Another library cannot import a result on the GPU."""


class ShaderError(DDepthError, RuntimeError):
    """A shader is missing or does not compile; the message names file and line."""


class DeviceMemoryError(DDepthError, MemoryError):
    """The device or the driver ran out of memory; the message names what to reduce."""


class RequestError(DDepthError, ValueError):
    """An argument has a value that is not allowed."""


class NotAskedForError(RequestError, AttributeError):
    """A result lacks an attribute of crossings that was not requested.

    As an AttributeError it works with `hasattr` and with the default value of `getattr`.
    """


class OutputError(DDepthError, ValueError):
    """A result cannot be written as requested, or the file it was written to cannot be read."""


class DatasetError(DDepthError, ValueError):
    """A data set cannot be made, continued or read; the message names the file or the setting."""


class ViewerError(DDepthError, RuntimeError):
    """The viewer cannot show anything: no display, an unusable window, a port in use."""


class LeftOutWarning(UserWarning):
    """A file holds something that ddepth_gl does not use; the message says what, and how many.

    ``warnings.simplefilter("ignore", dd.LeftOutWarning)`` silences it,
    ``warnings.simplefilter("error", dd.LeftOutWarning)`` refuses such files.
    """
