"""Rows of a source in blocks that are known again by their content, so that what an earlier import took is not taken apart anew; it understands no row.

A block ends with a row whose own sum says so, wherever it stands: rows that come, change or go cost the blocks that they
are in, and no other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from zlib import crc32

import msgspec

READING = 2
"""Raised whenever rows are read, or trades rebuilt, in another way: what an earlier recio took is then taken again."""
SIZE = 12
"""Bytes of a sum."""
EDGE = 63
"""One row in so many and one ends a block."""
LONGEST = 2_000
"""Rows of one block that are in memory at once."""
_encode = msgspec.msgpack.Encoder(enc_hook=str).encode


@dataclass(frozen=True, slots=True)
class Block:
    rows: list[Sequence[object]]
    sum: bytes


def blocks(rows: Iterable[Sequence[object]], *what: object) -> Iterator[Block]:
    """`what` says as what the rows are read: the same bytes read as another thing are another block."""
    salt = blake2b(_encode((READING, *what)), digest_size=32).digest()
    held: list[Sequence[object]] = []
    summed = blake2b(digest_size=SIZE, key=salt)
    for row in rows:
        held.append(row)
        body = _bytes_of(row)
        summed.update(body)
        if not crc32(body) & EDGE or len(held) >= LONGEST:
            yield Block(held, summed.digest())
            held, summed = [], blake2b(digest_size=SIZE, key=salt)
    if held:
        yield Block(held, summed.digest())


def _bytes_of(row: Sequence[object]) -> bytes:
    try:
        return _encode(row)
    except (UnicodeEncodeError, OverflowError, TypeError, ValueError):
        return repr(row).encode("utf-8", "backslashreplace")


def sums_of(kept: bytes) -> Iterator[bytes]:
    """The sums that were kept one behind the other."""
    return (kept[at : at + SIZE] for at in range(0, len(kept), SIZE))
