"""How many steps one call of the training program takes."""

from __future__ import annotations

#: Seconds that a call may last: until it returns, neither Ctrl-C nor a checkpoint has its turn.
SECONDS = 1.0

#: A call may take so many times the steps of the one before.
GROWTH = 8


class ChunkSize:
    """So many steps that a call lasts about a second: few at first, and then as the calls before it tell.

    How an epoch is cut into calls changes no result: the program is the same, its first and last step are values.

    >>> size = ChunkSize()
    >>> size.steps  # the program is compiled in this call, which says nothing about the next
    1
    >>> size.took(1, 3.0); size.took(1, 0.01); size.took(8, 0.08); size.steps
    64
    >>> size.took(64, 0.64); size.steps
    100
    """

    def __init__(self) -> None:
        self.steps = 1

    def took(self, steps: int, seconds: float) -> None:
        """Take note that a call of so many steps lasted so long."""
        self.steps = max(1, min(GROWTH * max(self.steps, steps), round(SECONDS * steps / max(seconds, 1e-9))))
