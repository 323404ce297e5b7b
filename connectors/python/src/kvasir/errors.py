"""What can go wrong between an engine and its node.

To an engine every ``KvasirError`` means the same: a miss, compute instead.
"""

from __future__ import annotations


class KvasirError(Exception):
    """Base of all errors of this package."""


class NodeUnavailableError(KvasirError):
    """There is no node, it does not answer in time, or it does not keep to the protocol.

    The connection is of no more use; spaces, slots and acquisitions of it are void.
    """


class RefusedError(KvasirError):
    """The node answered a request with ERROR.

    Attributes:
        code: number in the protocol's error table.
        definite: certainly nothing happened.
        retry: the same request may succeed later.
    """

    def __init__(self, request: str, code: int, definite: bool, retry: bool, detail: str) -> None:
        """Describes the refusal.

        Args:
            request: name of the message that was refused.
            code: number in the protocol's error table.
            definite: certainly nothing happened.
            retry: the same request may succeed later.
            detail: the node's words.
        """
        super().__init__(
            f"KVA-0520 the node refused a request - request={request} code={code} "
            f"definite={definite} retry={retry} detail={detail}; count it as a miss"
        )
        self.code = code
        self.definite = definite
        self.retry = retry


class ConfigError(KvasirError, ValueError):
    """The engine is set up in a way that cannot be cached safely; raised at its start only."""
