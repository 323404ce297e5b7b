"""A connection to the node that comes back by itself.

An engine asks for the ``session`` whenever it wants something of the cache. While there is none it
computes; a thread tries to connect in the meantime.
"""

from __future__ import annotations

import logging
import os
import threading
import uuid
from dataclasses import dataclass
from pathlib import Path

from kvasir.client import Client, Space
from kvasir.errors import RefusedError
from kvasir.identity import EngineIdentity, SpaceRequest
from kvasir.protocol import ErrorCode

_BACKOFF_MIN_S = 0.1
_BACKOFF_MAX_S = 5.0
_LOG = logging.getLogger("kvasir")


@dataclass(frozen=True)
class Session:
    """A registered connection. Everything obtained through it is void once it is lost.

    Attributes:
        client: the connection.
        space: the registered namespace.
    """

    client: Client
    space: Space

    @property
    def instance(self) -> str:
        """UUID of this session; the workers of the engine connect with the same one."""
        return self.client.identity.instance


class NodeLink:
    """Keeps a session with the node at a socket. Thread-safe.

    Every session is an instance of its own to the node, so that nothing of a lost one lives on.
    """

    def __init__(
        self,
        socket_path: Path,
        engine: str,
        version: str,
        request: SpaceRequest,
        world: int = 1,
        timeout_s: float = 2.0,
        copies: bool = True,
    ) -> None:
        """Starts connecting and returns at once.

        Args:
            socket_path: ``engine.sock`` in the node's run directory.
            engine: kind of engine.
            version: its version.
            request: the namespace that every session registers.
            world: ranks of the engine.
            timeout_s: limit of each call.
            copies: the engine copies through this connection, so its slab is mapped ahead.
        """
        self._socket_path = socket_path
        self._engine = engine
        self._version = version
        self._request = request
        self._world = world
        self._timeout_s = timeout_s
        self._copies = copies
        self._pid = os.getpid()
        self._changed = threading.Condition()
        self._session: Session | None = None
        self._is_closed = False
        self._complaint = ""
        self.connects = 0
        self._thread = threading.Thread(target=self._run, name="kvasir-link", daemon=True)
        self._thread.start()

    @property
    def session(self) -> Session | None:
        """The open session, or None: then everything is a miss. Never waits."""
        session = self._session
        return session if session is not None and session.client.is_open else None

    def wait(self, timeout_s: float) -> Session | None:
        """Waits for a session, for tools and tests; an engine has no time for it."""
        with self._changed:
            self._changed.wait_for(
                lambda: self.session is not None or self._is_closed, timeout=timeout_s
            )
            return self.session

    def report(self, session: Session, error: BaseException) -> None:
        """Says that a call of a session failed; drops the session if it cannot go on.

        A raised epoch makes its space useless: the next session registers it anew.
        """
        _LOG.warning("KVA-0570 cache call failed, computing instead - cause=%s", error)
        if isinstance(error, RefusedError) and error.code in (
            ErrorCode.STALE_EPOCH,
            ErrorCode.UNKNOWN_SPACE,
        ):
            session.client.close()

    def register(self, request: SpaceRequest) -> None:
        """Leaves the session; all later ones register this namespace."""
        with self._changed:
            self._request = request
            session, self._session = self._session, None
        if session is not None:
            session.client.close()

    def close(self) -> None:
        """Takes leave of the node and ends the thread. May be called twice.

        Does nothing in a forked child.
        """
        if os.getpid() != self._pid:
            return
        with self._changed:
            self._is_closed = True
            self._changed.notify_all()
            session = self._session
        if session is not None:
            session.client.goodbye()
        self._thread.join()

    def _run(self) -> None:
        backoff_s = _BACKOFF_MIN_S
        while not self._is_closed:
            session = self._connect()
            if session is not None:
                backoff_s = _BACKOFF_MIN_S
                self._keep(session)
            with self._changed:
                self._changed.wait_for(lambda: self._is_closed, timeout=backoff_s)
            backoff_s = min(2 * backoff_s, _BACKOFF_MAX_S)

    def _connect(self) -> Session | None:
        identity = EngineIdentity(self._engine, self._version, str(uuid.uuid4()), world=self._world)
        client = None
        try:
            client = Client(self._socket_path, identity, self._timeout_s)
            session = Session(client, client.register(self._request).result())
        except Exception as e:  # whatever it is, the next attempt may succeed
            if client is not None:
                client.close()
            if str(e) != self._complaint:  # once, not at every attempt
                self._complaint = str(e)
                _LOG.warning("KVA-0571 no cache for now, computing instead - cause=%s", e)
            return None
        self._complaint = ""
        self.connects += 1
        return session

    def _keep(self, session: Session) -> None:
        """Offers the session until it is lost, unless another namespace is wanted by now."""
        with self._changed:
            if session.space.request == self._request:
                self._session = session
                self._changed.notify_all()
            else:
                session.client.close()
        if self._copies:
            session.client.slab.populate(lambda: session.client.is_open and not self._is_closed)
        while not session.client.wait_closed(1.0):
            if self._is_closed:
                session.client.goodbye()
        session.client.close()
