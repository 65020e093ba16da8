"""Sizes and offsets of the structs, one a line: `mynah_config 64`, `mynah_config.size 0 4` (offset, size).

    python -m mynah.layout

The library is not needed for it.
"""

from __future__ import annotations

from collections.abc import Iterator

from mynah._structs import STRUCTS


def lines() -> Iterator[str]:
    """Every struct with its size in bytes, and each of its fields with its offset and size in bytes."""
    import ctypes

    for name, struct in STRUCTS.items():
        yield f"{name} {ctypes.sizeof(struct)}"
        for field, *_ in struct._fields_:
            place = getattr(struct, field)
            yield f"{name}.{field} {place.offset} {place.size}"


if __name__ == "__main__":
    print("\n".join(lines()))
