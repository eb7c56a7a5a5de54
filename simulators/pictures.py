"""Small generated posters, so that the demo has pictures without anybody's artwork."""

from __future__ import annotations

from functools import lru_cache
import struct
import zlib

WIDTH, HEIGHT = 120, 180


@lru_cache(maxsize=512)
def poster(name: str) -> bytes:
    """Return a PNG, 120 x 180 pixels, with a color gradient and a shape that follow from `name`."""
    seed = zlib.crc32(name.encode())
    top = ((seed >> 16) & 0x7F, (seed >> 8) & 0x7F, 0x40 + (seed & 0x7F))
    bottom = (
        0x60 + ((seed >> 4) & 0x7F),
        0x30 + ((seed >> 12) & 0x5F),
        (seed >> 20) & 0x7F,
    )
    centre_x, centre_y, radius = (
        30 + seed % 60,
        50 + (seed >> 7) % 80,
        18 + (seed >> 11) % 30,
    )
    rows = bytearray()
    for y in range(HEIGHT):
        rows.append(0)
        share = y / HEIGHT
        base = [int(a + (b - a) * share) for a, b in zip(top, bottom, strict=True)]
        for x in range(WIDTH):
            inside = (x - centre_x) ** 2 + (y - centre_y) ** 2 < radius**2
            rows.extend(min(255, c + 70) if inside else c for c in base)
    header = struct.pack(">IIBBBBB", WIDTH, HEIGHT, 8, 2, 0, 0, 0)
    chunks = (
        (b"IHDR", header),
        (b"IDAT", zlib.compress(bytes(rows), 6)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data))
        + kind
        + data
        + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    )
