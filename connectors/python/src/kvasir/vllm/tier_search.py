"""Which keys the cluster has, asked for all requests of a step at once, without ever waiting."""

from __future__ import annotations

import time
from collections.abc import Iterable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass

from kvasir.errors import KvasirError
from kvasir.hashes import GROUP_TOKENS
from kvasir.link import NodeLink, Session
from kvasir.protocol import HASH_BYTES, RUN_CHUNKS_MAX, Found, Run

CHUNK_TOKENS = GROUP_TOKENS
"""What the node is told a chunk holds.

The engine does not say where in its prompt a chunk lies, so that the index group it belongs to
cannot be known. Chunks as long as a group are each a group of their own, and any list of them
is a run.
"""

_KEY_BYTES = HASH_BYTES + 4
"""A block hash and the number of a KV cache group."""


def is_key(key: bytes) -> bool:
    """Does the key name a chunk? Not if the engine's block hashes are not SHA-256."""
    return len(key) == _KEY_BYTES


def run_of_keys(keys: Sequence[bytes]) -> Run:
    """The chunks that the keys name, in this order."""
    hashes = [bytes(key[:HASH_BYTES]) for key in keys]
    return Run(0, hashes[0], b"".join(hashes))


@dataclass
class _Asked:
    request_id: str
    keys: list[bytes]
    session: Session
    found: Future[Found]
    deadline: float


class KeySearch:
    """Answers by request and key. A request asks for its keys in the order of its prompt."""

    def __init__(self, link: NodeLink, wait_s: float) -> None:
        """Starts without questions.

        Args:
            link: to the node.
            wait_s: longest wait for an answer; then it is a miss.
        """
        self._link = link
        self._wait_s = wait_s
        self._answers: dict[str, dict[bytes, bool | None]] = {}
        self._new: dict[str, list[bytes]] = {}
        self._asked: list[_Asked] = []

    def __len__(self) -> int:
        return len(self._new) + len(self._asked)

    def answer(self, request_id: str, key: bytes) -> bool | None:
        """Does the cluster have the key? None: ask again in the next step."""
        answers = self._answers.setdefault(request_id, {})
        if key not in answers:
            if self._link.session is None or not is_key(key):
                return False
            answers[key] = None
            self._new.setdefault(request_id, []).append(key)
        elif answers[key] is None:
            self._take()
        return answers[key]

    def send(self) -> None:
        """Asks for the keys that have become known since the last call."""
        self._take()
        session = self._link.session
        for request_id, keys in self._new.items():
            self._settle(request_id, keys[RUN_CHUNKS_MAX:], 0)
            asked = keys[:RUN_CHUNKS_MAX]
            if session is None:
                self._settle(request_id, asked, 0)
                continue
            found = session.client.lookup(session.space, run_of_keys(asked))
            deadline = time.monotonic() + self._wait_s
            self._asked.append(_Asked(request_id, asked, session, found, deadline))
        self._new.clear()

    def miss(self, keys: Iterable[bytes]) -> None:
        """These keys could not be loaded: nobody shall try again."""
        for key in keys:
            for answers in self._answers.values():
                if key in answers:
                    answers[key] = False

    def forget(self, request_id: str) -> None:
        """The request has ended."""
        self._answers.pop(request_id, None)
        self._new.pop(request_id, None)

    def _take(self) -> None:
        """Takes the answers that have come, and those that are late."""
        now = time.monotonic()
        for asked in list(self._asked):
            if not asked.found.done() and now < asked.deadline:
                continue
            self._asked.remove(asked)
            self._settle(asked.request_id, asked.keys, self._found(asked))

    def _found(self, asked: _Asked) -> int:
        if not asked.found.done():
            return 0
        error = asked.found.exception()
        if isinstance(error, KvasirError):
            self._link.report(asked.session, error)
            return 0
        return asked.found.result().found

    def _settle(self, request_id: str, keys: Sequence[bytes], found: int) -> None:
        answers = self._answers.get(request_id)
        if answers is not None:
            answers.update((key, i < found) for i, key in enumerate(keys))
