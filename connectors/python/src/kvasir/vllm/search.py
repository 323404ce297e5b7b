"""Finding the leading chunks of a prompt and getting them into the slab, without ever waiting."""

from __future__ import annotations

import time
from concurrent.futures import Future
from typing import Final

from kvasir.acquisition import Acquisition, LoadedChunk
from kvasir.errors import KvasirError
from kvasir.hashes import run_of
from kvasir.link import NodeLink, Session
from kvasir.protocol import HASH_BYTES, RUN_CHUNKS_MAX, Found
from kvasir.vllm.settings import Settings

_ASK_AGAIN_S = 0.01
"""Between two questions for chunks that were promised."""


class PrefixSearch:
    """LOOKUP, then ACQUIRE of what was found. Owns the acquisition until it is taken."""

    def __init__(
        self,
        link: NodeLink,
        session: Session,
        hashes: bytes,
        settings: Settings,
        promised_tokens: int = 0,
    ) -> None:
        """Sends LOOKUP.

        Args:
            link: is told of failures.
            session: to ask.
            hashes: content hashes of all full chunks of the prompt; not empty.
            settings: limits.
            promised_tokens: leading tokens that another engine is storing: waits for them.
        """
        self._link = link
        self._settings = settings
        self._hashes = hashes
        self._count = min(len(hashes) // HASH_BYTES, RUN_CHUNKS_MAX)
        self._promised = min(promised_tokens // settings.chunk_tokens, self._count)
        self._promise_deadline = time.monotonic() + settings.prefill_wait_s
        self._acquisition: Acquisition | None = None
        self._is_over = False
        self.session: Final = session
        self._asked, self._lookup = self._ask()
        self.first_chunk = 0
        """Index within the prompt of the first chunk of the acquisition."""

    def poll(self, computed_tokens: int) -> int | None:
        """Leading tokens of the prompt that need not be computed, the engine's own included.

        Args:
            computed_tokens: leading tokens that the engine has already.

        Returns:
            At least ``computed_tokens``; None while it is not known.
        """
        if self._is_over:
            return computed_tokens
        if self._acquisition is None:
            found = self._found()
            if found is None:
                return None
            if found * self._settings.chunk_tokens <= computed_tokens:
                return self._end(computed_tokens)
            self.first_chunk = computed_tokens // self._settings.chunk_tokens
            self._acquisition = self.session.client.acquire(
                self.session.space,
                run_of(self._hashes, self._settings.chunk_tokens, self.first_chunk, found),
                self._settings.load_deadline_s,
            )
        if not self._acquisition.is_done:
            return None
        ready = self.first_chunk + len(self._acquisition.chunks)
        if self.first_chunk * self._settings.chunk_tokens > computed_tokens:
            ready = 0  # the engine has lost blocks that it had: there is a gap now
        return max(ready * self._settings.chunk_tokens, computed_tokens)

    def take(self) -> tuple[Acquisition, list[LoadedChunk]] | None:
        """Gives the acquisition away, with its chunks; None if there is none or it is not over."""
        acquisition = self._acquisition
        if self._is_over or acquisition is None or not acquisition.is_done:
            return None
        self._is_over = True
        return acquisition, acquisition.chunks

    def cancel(self) -> None:
        """Gives everything back. May be called at any time, also twice."""
        self._end(0)

    def _found(self) -> int | None:
        """Leading chunks that exist, 0 after a failure; None while it is not known."""
        now = time.monotonic()
        if not self._lookup.done():
            return None if now < self._asked + self._settings.lookup_wait_s else 0
        error = self._lookup.exception()
        if isinstance(error, KvasirError):
            self._link.report(self.session, error)
            return 0
        found = self._lookup.result()
        # A partial answer says nothing of peers; ACQUIRE gives the index more time.
        count = self._count if found.partial else found.found
        if count < self._promised and now < self._promise_deadline:
            if now >= self._asked + _ASK_AGAIN_S:
                self._asked, self._lookup = self._ask()
            return None
        return count

    def _ask(self) -> tuple[float, Future[Found]]:
        """Sends LOOKUP; when, and the answer to come."""
        run = run_of(self._hashes, self._settings.chunk_tokens, 0, self._count)
        return time.monotonic(), self.session.client.lookup(self.session.space, run)

    def _end(self, tokens: int) -> int:
        if not self._is_over:
            self._is_over = True
            if self._acquisition is not None:
                self._acquisition.release()
        return tokens
