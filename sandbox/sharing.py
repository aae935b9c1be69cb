"""The jobs of a batch, shared out to several workers as they go."""

import math
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from threading import Condition

from sandbox.pool import Reply

QUICK_S = 0.03
"""What a query of a batch may take at first, seconds; costly ones begin again after all others, for what is left."""
SHARE_S = 0.005
"""How long a worker goes on with one request of a batch, seconds; what is left then is shared out anew."""
MOST_JOBS = 64
"""Jobs of one request."""

Ask = Callable[[Sequence[int], float | None, float], list[Reply]]
"""Asks one worker for the replies to the jobs with these numbers, given the quick_s and share_s of `protocol`."""


class Batch:
    """Jobs that wait for a reply: those in `parts` for a short time at first, `costly` ones alone and last."""

    def __init__(self, count: int, workers: int) -> None:
        self.replies: list[Reply] = [[]] * count
        self._workers = workers
        self._unanswered = count
        self._failed = False
        self._parts: deque[Sequence[int]] = deque()
        self._costly: deque[int] = deque()
        self._changed = Condition()
        self._share(range(count))

    def run(self, ask: Ask) -> list[Reply]:
        """Return the replies to all jobs, in order."""
        with ThreadPoolExecutor(self._workers) as threads:
            for serving in [threads.submit(self._serve, ask) for _ in range(self._workers)]:
                serving.result()
        return self.replies

    def _share(self, places: Sequence[int]) -> None:
        """Put jobs into parts of which each worker gets two."""
        size = max(1, min(MOST_JOBS, len(places) // (2 * self._workers)))
        self._parts.extend(places[start : start + size] for start in range(0, len(places), size))

    def _serve(self, ask: Ask) -> None:
        """Ask one worker until all jobs have their replies, or something else than SQL has failed."""
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._parts or self._costly or self._is_over())
                if self._is_over():
                    return
                quick = bool(self._parts)
                part = self._parts.popleft() if quick else [self._costly.popleft()]
            try:
                replies = ask(part, QUICK_S, SHARE_S) if quick else ask(part, None, math.inf)
            except BaseException:
                with self._changed:
                    self._failed = True
                    self._changed.notify_all()
                raise
            with self._changed:
                self._note(part, replies)
                self._changed.notify_all()

    def _is_over(self) -> bool:
        return self._failed or not self._unanswered

    def _note(self, part: Sequence[int], replies: list[Reply]) -> None:
        waiting = []
        for place, reply in zip(part, replies, strict=True):
            if reply[0] == "later":
                self._costly.append(place)
            elif reply[0] == "waiting":
                waiting.append(place)
            else:
                self.replies[place] = reply
                self._unanswered -= 1
        self._share(waiting)
