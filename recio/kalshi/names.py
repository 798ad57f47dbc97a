"""Refuses bodies of the venue with texts that no row of ours can hold; it changes none and never looks at what they mean.

One such text would break every statement it is part of, for as long as the venue shows it.
"""

from __future__ import annotations

import msgspec

from recio.texts import writable
from recio.units import UnitError

LONGEST_NAME = 400
"""Characters: an index of PostgreSQL takes 2,700 bytes, and the venue's own names have less than a hundred."""


def insist_on_writable(body: object) -> None:
    """Raises UnitError naming the field. Only the fields that were decoded are looked at, and of names their length too."""
    if not isinstance(body, msgspec.Struct):
        return
    for field in body.__struct_fields__:
        value = getattr(body, field)
        if isinstance(value, str) and (why := _reason_to_refuse(field, value)):
            raise UnitError(f"{field} {writable(value[:40])!r} {why}")


def is_name(text: str) -> bool:
    """Whether a row can hold it as a name."""
    return not _reason_to_refuse("id", text)


def _reason_to_refuse(field: str, text: str) -> str:
    if writable(text) != text:
        return "has a sign that no text of ours can hold"
    is_named = field == "id" or field.endswith(("_id", "ticker"))
    return f"is longer than {LONGEST_NAME} characters" if is_named and len(text) > LONGEST_NAME else ""
