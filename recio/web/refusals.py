"""What is answered to whom nothing is done for: the HTTP status and the reason in words; it answers nobody itself."""

from __future__ import annotations


class NotAsked(Exception):
    """The request is not one that is carried out: nothing was done. `status` is the HTTP status to answer with.

    `wait`: host seconds after which to ask again, where that may help.
    """

    def __init__(self, status: int, why: str, wait: float = 0.0) -> None:
        super().__init__(why)
        self.status = status
        self.wait = wait
