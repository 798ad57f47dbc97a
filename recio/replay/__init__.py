"""Recorded sessions run through the daemon's own parsers, books and rules on a virtual clock; it never trades."""
