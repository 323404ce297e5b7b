"""Fixtures: one shared node for what does not harm it."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from nodes import Node


@pytest.fixture(scope="session")
def node() -> Iterator[Node]:
    """A running node; tests use namespaces of their own."""
    shared = Node()
    yield shared
    shared.close()
