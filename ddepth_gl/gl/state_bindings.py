"""The objects that are bound in a context, as entries to save and restore."""

from __future__ import annotations

from collections.abc import Iterator
from ctypes import POINTER, c_int, c_int64, c_ssize_t, c_uint

from .state_access import Entry, Reader, StateAccess, Values, joined

__all__ = ["binding_entries"]

# What passes use at most: texture units 0 to 15, which OpenGL guarantees, shader storage buffers
# 0 to 7 and uniform buffer 0.
_TEXTURE_UNITS, _STORAGE_BUFFERS, _UNIFORM_BUFFERS = 16, 8, 1
_MAX_TEXTURE_UNITS = 0x8872

# Binding points of buffers, and the query of each.
_BUFFERS = {
    0x8892: 0x8894,  # GL_ARRAY_BUFFER
    0x88EB: 0x88ED,  # GL_PIXEL_PACK_BUFFER
    0x88EC: 0x88EF,  # GL_PIXEL_UNPACK_BUFFER
    0x8A11: 0x8A28,  # GL_UNIFORM_BUFFER
    0x8F36: 0x8F36,  # GL_COPY_READ_BUFFER
    0x8F37: 0x8F37,  # GL_COPY_WRITE_BUFFER
}
_BUFFERS_43 = {
    0x90D2: 0x90D3,  # GL_SHADER_STORAGE_BUFFER
    0x90EE: 0x90EF,  # GL_DISPATCH_INDIRECT_BUFFER
}
_PIXEL_BUFFERS = (0x88EB, 0x88EC)
# Target, and the queries of name, start and size at an index.
_UNIFORM = (0x8A11, 0x8A28, 0x8A29, 0x8A2A)
_STORAGE = (0x90D2, 0x90D3, 0x90D4, 0x90D5)

_TEXTURE0, _ACTIVE_TEXTURE, _SAMPLER_BINDING = 0x84C0, 0x84E0, 0x8919
_TEXTURES = {0x0DE1: 0x8069, 0x8C2A: 0x8C2C}  # GL_TEXTURE_2D, GL_TEXTURE_BUFFER: their queries
# Vertex, fragment, geometry and both tessellation shaders.
_STAGES = (0x8B31, 0x8B30, 0x8DD9, 0x8E88, 0x8E87)
_SUBROUTINE_LOCATIONS = 0x8E47  # GL_ACTIVE_SUBROUTINE_UNIFORM_LOCATIONS


def binding_entries(access: StateAccess) -> list[Entry]:
    """Return the entries of a context, in an order in which they can be restored."""
    groups = (_buffers, _objects, _textures)
    return [entry for group in groups for entry in group(access)]


def _buffers(access: StateAccess) -> Iterator[Entry]:
    indexed, targets = [(_UNIFORM, _UNIFORM_BUFFERS)], dict(_BUFFERS)
    if access.version >= 430:
        indexed.append((_STORAGE, _STORAGE_BUFFERS))
        targets |= _BUFFERS_43
    for block, count in indexed:
        for index in range(count):
            yield _indexed_buffer(access, *block, index)
    # After these, as binding to an index also binds to the target.
    for target, query in targets.items():
        bind = access.setter("glBindBuffer", [c_uint, c_uint], target)
        yield Entry(access.reader(query), bind, (0,) if target in _PIXEL_BUFFERS else None)


def _indexed_buffer(
    access: StateAccess, target: int, name: int, start: int, size: int, index: int
) -> Entry:
    types = [c_uint, c_uint, c_uint]
    bind = access.setter("glBindBufferBase", types, target, index)
    bind_range = access.setter("glBindBufferRange", [*types, c_ssize_t, c_ssize_t], target, index)

    def write(buffer: int, first: int, count: int) -> None:
        if count:
            bind_range(buffer, first, count)
        else:  # the whole buffer, or none
            bind(buffer)

    read = access.indexed_reader
    return Entry(
        joined(read(name, index), *(read(number, index, 1, c_int64) for number in (start, size))),
        write,
    )


def _objects(access: StateAccess) -> Iterator[Entry]:
    read, setter = access.reader, access.setter
    for target, query in ((0x8CA9, 0x8CA6), (0x8CA8, 0x8CAA)):  # to draw to, and to read from
        yield Entry(read(query), setter("glBindFramebuffer", [c_uint, c_uint], target))
    yield Entry(read(0x8CA7), setter("glBindRenderbuffer", [c_uint, c_uint], 0x8D41))
    yield Entry(read(0x85B5), setter("glBindVertexArray", [c_uint]))
    yield _program(access)


def _program(access: StateAccess) -> Entry:
    """Return the entry of the current program and its subroutines, which a change resets."""
    read_program = access.reader(0x8B8D)
    use = access.function("glUseProgram", None, c_uint)
    array = c_uint * 1
    get_stage = access.function("glGetProgramStageiv", None, c_uint, c_uint, c_uint, POINTER(c_int))
    get_subroutine = access.function("glGetUniformSubroutineuiv", None, c_uint, c_int, array)

    def read() -> Values:
        (program,) = read_program()
        subroutines = []
        for stage in _STAGES if program else ():
            count = c_int()
            get_stage(program, stage, _SUBROUTINE_LOCATIONS, count)
            indices = []
            for location in range(count.value):
                index = array()
                get_subroutine(stage, location, index)
                indices.append(index[0])
            if indices:
                subroutines.append((stage, indices))
        return program, subroutines

    def write(program: int, subroutines: list[tuple[int, list[int]]]) -> None:
        use(0)  # what remains if the program was deleted while it was current
        use(program)
        for stage, indices in subroutines:
            values = (c_uint * len(indices))(*indices)
            types = [c_uint, c_int, type(values)]
            access.setter("glUniformSubroutinesuiv", types)(stage, len(indices), values)

    return Entry(read, write)


def _textures(access: StateAccess) -> Iterator[Entry]:
    # moderngl binds textures to the last unit when it creates them.
    units = [*range(_TEXTURE_UNITS), access.number(_MAX_TEXTURE_UNITS) - 1]
    activate = access.function("glActiveTexture", None, c_uint)
    bind = access.function("glBindTexture", None, c_uint, c_uint)
    bind_sampler = access.function("glBindSampler", None, c_uint, c_uint)
    read_active = access.reader(_ACTIVE_TEXTURE)

    def of_all_units(read: Reader) -> Reader:
        def read_units() -> Values:
            values: list[int] = []
            (active,) = read_active()
            for unit in units:
                activate(_TEXTURE0 + unit)
                values += read()
            activate(active)
            return tuple(values)

        return read_units

    def bind_samplers(*names: int) -> None:
        for unit, name in zip(units, names, strict=True):
            bind_sampler(unit, name)

    def bind_textures(*names: int) -> None:
        remaining = iter(names)
        for unit in units:
            activate(_TEXTURE0 + unit)
            for target in _TEXTURES:
                bind(target, next(remaining))

    samplers = access.reader(_SAMPLER_BINDING)
    yield Entry(of_all_units(samplers), bind_samplers, (0,) * len(units))
    textures = joined(*map(access.reader, _TEXTURES.values()))
    yield Entry(of_all_units(textures), bind_textures)
    yield Entry(read_active, activate)
