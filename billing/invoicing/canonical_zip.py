"""ZIP files with one spelling: equal contents give equal bytes, so that any changed byte of the container shows.

Stored without compression (no bombs), names in order, no dates, no extra fields, no comment. Any ZIP tool opens them.
"""

import re
import struct
from collections.abc import Iterator, Mapping
from zlib import crc32

MAX_BYTES = 256 * 1024 * 1024
MAX_FILES = 64
_NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,79}")
_LOCAL = struct.Struct("<4s5H3L2H")
_CENTRAL = struct.Struct("<4s6H3L5H2L")
_END = struct.Struct("<4s4H2LH")
_VERSION, _DATE = 20, 0x0021
_LOCAL_SIGN, _CENTRAL_SIGN, _END_SIGN = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"


class NotPackable(ValueError):
    """The files are too many or too large, or a name is not plain."""


def pack(files: Mapping[str, bytes]) -> bytes:
    """The one ZIP of `files`."""
    if len(files) > MAX_FILES or sum(map(len, files.values())) > MAX_BYTES:
        raise NotPackable(f"at most {MAX_FILES} files and {MAX_BYTES} bytes fit into a bundle")
    if bad := [name for name in files if not _NAME.fullmatch(name)]:
        raise NotPackable(f"{bad[0]!r} is no plain file name")
    return b"".join(piece for _, piece in _pieces(files))


def unpack(data: bytes) -> tuple[dict[str, bytes], list[str]]:
    """The files of a ZIP that `pack` made, as far as they can be read, and where `data` is not what it should be."""
    if len(data) > MAX_BYTES + MAX_FILES * 1024:
        return {}, [f"the file is larger than {MAX_BYTES} bytes: refused"]
    files: dict[str, bytes] = {}
    problem = _read_locals(data, files)
    if problem:
        return files, [problem]
    spelled = b"".join(piece for _, piece in _pieces(files))
    return files, [] if spelled == data else [_first_difference(data, spelled, files)]


def _read_locals(data: bytes, files: dict[str, bytes]) -> str | None:
    """Read file after file into `files`; what stopped it before the directory, if anything."""
    at, last = 0, "the beginning"
    while data[at : at + 4] == _LOCAL_SIGN:
        if len(files) == MAX_FILES or at + _LOCAL.size > len(data):
            return f"byte {at}: too many files, or a cut header, after {last}"
        *_, size, full, name_length, extra_length = _LOCAL.unpack_from(data, at)
        begin = at + _LOCAL.size + name_length
        name = data[at + _LOCAL.size : begin].decode("ascii", "replace")
        if extra_length or size != full or begin + size > len(data) or not _NAME.fullmatch(name) or name in files:
            return f"byte {at}: the container's header of the file after {last} is damaged"
        files[name] = data[begin : begin + size]
        at, last = begin + size, name
    if data[at : at + 4] not in (_CENTRAL_SIGN, _END_SIGN):
        return f"byte {at}: the container is damaged after {last}"
    return None


def _first_difference(data: bytes, spelled: bytes, files: Mapping[str, bytes]) -> str:
    offset = next(
        (at for at, (found, wanted) in enumerate(zip(data, spelled, strict=False)) if found != wanted),
        min(len(data), len(spelled)),
    )
    end = 0
    for place, piece in _pieces(files):
        end += len(piece)
        if offset < end:
            return f"byte {offset} is not what the rest of the file says: {place}"
    return f"byte {offset}: there is something after the container's end"


def _pieces(files: Mapping[str, bytes]) -> Iterator[tuple[str, bytes]]:
    """The container's bytes, each piece with what it is."""
    offset, places = 0, []
    for name in sorted(files):
        content, raw = files[name], name.encode("ascii")
        fields = (_VERSION, 0, 0, 0, _DATE, crc32(content), len(content), len(content))
        header = _LOCAL.pack(_LOCAL_SIGN, *fields, len(raw), 0) + raw
        places.append(_CENTRAL.pack(_CENTRAL_SIGN, _VERSION, *fields, len(raw), 0, 0, 0, 0, 0, offset) + raw)
        offset += len(header) + len(content)
        yield f"container's header of {name} (its name, length or check sum)", header
        yield f"content of {name}", content
    for name, place in zip(sorted(files), places, strict=True):
        yield f"container's directory entry of {name}", place
    length = sum(map(len, places))
    yield "container's end", _END.pack(_END_SIGN, 0, 0, len(files), len(files), length, offset, 0)
