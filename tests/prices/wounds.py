"""Small wounds for recorded messages."""

from __future__ import annotations

import random


def mangled(seed: bytes, dice: random.Random) -> bytes:
    """The message with one to three of its bytes changed, lost or put in."""
    raw = bytearray(seed)
    for _ in range(dice.randint(1, 3)):
        at = dice.randrange(len(raw))
        new = bytes(dice.randrange(256) for _ in range(dice.randint(0, 2)))
        raw[at : at + dice.randint(0, 3)] = new
    return bytes(raw)
