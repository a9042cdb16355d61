"""The checksum over a file's structure, which stands after HDF5's part of the file (docs/format.md, The seal)."""
from __future__ import annotations

import os
import struct
import zlib

MAGIC = b"etastar seal 2\n\0"
SIZE = 128
CHUNK = 1 << 20


def damage(path: str) -> str | None:
    """What is wrong with the structure; None where it is whole, or has no seal. OSError where it cannot be read."""
    with open(path, "rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size < 2 * SIZE:
            return None
        file.seek(size - 2 * SIZE)
        both = file.read(2 * SIZE)
        copies = [both[:SIZE], both[SIZE:]]
        marked = [seal for seal in copies if seal.startswith(MAGIC)]
        if not marked:
            return None
        for seal in marked:
            length, complete, finished, *extents, structure, own = struct.unpack("<16x13Q2I", seal)
            if own == zlib.crc32(seal[:-4]) and length == size - 2 * SIZE:
                changing = [(complete, 1), (finished, 8), *zip(extents[::2], extents[1::2])]
                return None if _checksum(file, length, changing) == structure else "its structure does not match its checksum"
    return "its seal does not match its checksum"


def _checksum(file, length: int, changing: list[tuple[int, int]]) -> int:
    """CRC-32 of the first `length` bytes without the stretches (offset, size)."""
    crc = at = 0
    for start, size in [*sorted(changing), (length, 0)]:
        file.seek(at)
        while at < start:
            data = file.read(min(CHUNK, start - at))
            if not data:
                return -1
            crc = zlib.crc32(data, crc)
            at += len(data)
        at = max(at, start + size)
    return crc
