"""Letting go of a node that greets but keeps failing, and coming back to it.

A node that is not there costs an engine nothing. One that takes calls and does not answer them in
time, or answers with errors, costs a time limit each: after a few faults in a row nobody asks it
any more, until a single call, after a pause, finds it well again.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

FAULTS_MAX = 3
"""Faults in a row after which the engine detaches."""

PAUSE_MIN_S = 1.0
"""First pause; each call that fails at its end doubles the next one."""

PAUSE_MAX_S = 60.0
"""Longest pause."""

_LOG = logging.getLogger("kvasir")


class Attachment:
    """Says whether to ask the node. Thread-safe, never waits."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        """Begins attached.

        Args:
            clock: seconds, never going back.
        """
        self._clock = clock
        self._lock = threading.Lock()
        self._faults = 0
        self._pause_s = PAUSE_MIN_S
        self._retry_at: float | None = None

    def may_ask(self) -> bool:
        """May this call go to the node? Its outcome must then be told."""
        with self._lock:
            if self._retry_at is None:
                return True
            now = self._clock()
            if now < self._retry_at:
                return False
            self._retry_at = now + self._pause_s  # the others wait for this one's outcome
            return True

    def on_success(self) -> None:
        """The node has done what it was asked."""
        with self._lock:
            is_back = self._retry_at is not None
            self._faults = 0
            self._pause_s = PAUSE_MIN_S
            self._retry_at = None
        if is_back:
            _LOG.warning("KVA-0578 attached to the node again")

    def on_fault(self) -> None:
        """The node has failed."""
        with self._lock:
            self._faults += 1
            if self._faults < FAULTS_MAX:
                return
            if self._retry_at is not None:
                self._pause_s = min(2 * self._pause_s, PAUSE_MAX_S)
            self._retry_at = self._clock() + self._pause_s
            faults, pause_s = self._faults, self._pause_s
        _LOG.warning(
            "KVA-0577 detached from a node that keeps failing - faults=%d pauseSeconds=%g; "
            "see the warnings before and the node's log",
            faults,
            pause_s,
        )
