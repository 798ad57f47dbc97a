"""Sockets that lose what comes, as a network does: the system drops each packet with bytes in it before it is confirmed."""

from __future__ import annotations

import ctypes
import socket
import struct
from pathlib import Path

ATTACH, DETACH = 26, 27
"""SO_ATTACH_FILTER and SO_DETACH_FILTER of Linux; no rights are needed for them."""
LONGEST_HEADER = 100
"""Bytes of a packet that carries nothing but its headers, at most."""
_INSTRUCTIONS = (
    (0x80, 0, 0, 0),  # its length
    (0x25, 0, 1, LONGEST_HEADER),  # longer than that:
    (0x06, 0, 0, 0),  # lost
    (0x06, 0, 0, 0xFFFF_FFFF),  # else as ever
)


def deafen(each: socket.socket) -> None:
    """A listening one hands it on to whatever it accepts."""
    program = b"".join(struct.pack("=HBBI", *one) for one in _INSTRUCTIONS)
    kept = ctypes.create_string_buffer(program)
    each.setsockopt(socket.SOL_SOCKET, ATTACH, struct.pack("@HP", len(_INSTRUCTIONS), ctypes.addressof(kept)))


def hear(each: socket.socket) -> None:
    each.setsockopt(socket.SOL_SOCKET, DETACH, 0)


def unconfirmed(port: int) -> bool:
    """Whether the system still holds bytes that a socket of this port was given and nobody has confirmed."""
    for line in Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]:
        fields = line.split()
        if int(fields[1].partition(":")[2], 16) == port and int(fields[4].partition(":")[0], 16):
            return True
    return False
