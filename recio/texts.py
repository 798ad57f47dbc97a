"""Texts from outside as a row can hold them; it knows nothing of what they say."""

from __future__ import annotations


def writable(text: str) -> str:
    """With a question mark for each sign that PostgreSQL takes in no text: NUL, and halves of a pair that stand alone."""
    return "".join("?" if each == "\0" or "\ud800" <= each <= "\udfff" else each for each in text)
