"""Fixtures: one shared node for what does not harm it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from kvasir import Client, NodeLink
from nodes import Node


@pytest.fixture(scope="session", autouse=True)
def _patience() -> Iterator[None]:
    """A node that has just started, on a busy machine, takes its time to answer."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Client.__init__, "__defaults__", (20.0,))
        patch.setattr(NodeLink.__init__, "__defaults__", (1, 20.0, True))
        yield


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    """A running node; tests use namespaces of their own."""
    shared = Node()
    yield shared
    shared.close()
