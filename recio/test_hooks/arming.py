"""Reads "<name>:<nth>" of an environment variable that arms a hook, and counts down to it; it never acts by itself."""

from __future__ import annotations

import difflib
from collections.abc import Collection
from dataclasses import dataclass

from recio.errors import BadConfig


@dataclass(slots=True)
class Armed:
    """A hook that acts the `left`-th time its name is reached from now on."""

    name: str
    left: int

    def is_due(self, name: str) -> bool:
        """Counts one more arrival at `name`; True at the one that was asked for and ever after."""
        if self.name == name:
            self.left -= 1
        return self.name == name and self.left <= 0


def armed_by(
    variable: str, asked: str | None, names: Collection[str], *, simulated: bool, does: str, example: str
) -> Armed | None:
    """What `variable` asks for. Raises BadConfig outside the simulated environment, or if it names nothing."""
    if not asked:
        return None
    if not simulated:
        raise BadConfig(
            f'{variable} = {asked!r} {does} on purpose and is for kalshi.environment = "sim" only: unset it'
        )
    name, _, nth = asked.partition(":")
    if name not in names:
        near = difflib.get_close_matches(name, names, n=1, cutoff=0.0)
        raise BadConfig(f"{variable} names {name!r}; the nearest one is {near[0]}")
    if nth and (not nth.isdecimal() or int(nth) < 1):
        raise BadConfig(f"{variable} counts to {nth!r}: write a whole number from 1 on, as in {example}")
    return Armed(name=name, left=int(nth or 1))
