"""Real nodes for tests, started through the launcher as a user would."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

REPOSITORY = Path(__file__).parents[3]
_START_LIMIT_S = 120.0
_STOP_LIMIT_S = 30.0


class Node:
    """A node process with its directories, which ``close`` removes."""

    def __init__(
        self, name: str = "py", slab: str = "64MiB", *, start: bool = True, **settings: str
    ) -> None:
        """Starts the node, unless told otherwise, and waits until it serves.

        Args:
            name: the node's name.
            slab: size of its slab.
            start: at once, not with ``start`` later.
            settings: further keys, with ``__`` for the dot and ``_`` for the dash.
        """
        self.directory = Path(tempfile.mkdtemp(prefix="kvasir-py-", dir="/tmp"))
        self.slab_directory = Path(tempfile.mkdtemp(prefix="kvasir-py-", dir="/dev/shm"))
        keys = {
            "node.name": name,
            "node.run-dir": str(self.directory / "run"),
            "store.slab-dir": str(self.slab_directory),
            "store.slab-bytes": slab,
            "cluster.discovery-port": "0",
            "cluster.communication-port": "0",
            "transport.port": "0",
            **{k.replace("__", ".").replace("_", "-"): v for k, v in settings.items()},
        }
        self._arguments = [a for k, v in keys.items() for a in ("--set", f"{k}={v}")]
        self.ready: dict[str, Any] = {}
        self._process: subprocess.Popen[bytes] | None = None
        if start:
            self.start()

    @property
    def socket(self) -> Path:
        """The engine socket."""
        return self.directory / "run" / "engine.sock"

    def start(self) -> None:
        """Starts the process; its slab may hold chunks of an earlier one."""
        log = (self.directory / "node.log").open("ab")
        with log:
            process = subprocess.Popen(
                [str(REPOSITORY / "kvasir"), "node", "--stop-on-stdin-eof", *self._arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        self._process = process
        assert process.stdout is not None
        deadline = time.monotonic() + _START_LIMIT_S
        line = b""
        while not line.startswith(b"READY "):
            left = max(0.0, deadline - time.monotonic())
            if not select.select([process.stdout], [], [], left)[0]:
                raise AssertionError(f"node not ready in {_START_LIMIT_S} s: {self.log()}")
            line = process.stdout.readline()
            if not line:
                raise AssertionError(f"node ended: {self.log()}")
        self.ready = json.loads(line[len(b"READY ") :])

    def log(self) -> str:
        """What the node said."""
        return (self.directory / "node.log").read_text()

    def kill(self) -> None:
        """SIGKILL; slab and socket file stay."""
        assert self._process is not None
        os.kill(self.ready["pid"], signal.SIGKILL)
        self._process.wait(_STOP_LIMIT_S)
        self._close_pipes()

    def stop(self) -> None:
        """Stops in order; a killed node is fine."""
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            assert process.stdin is not None
            process.stdin.close()
            try:
                process.wait(_STOP_LIMIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(_STOP_LIMIT_S)
        self._close_pipes()

    def close(self) -> None:
        """Stops and removes everything."""
        try:
            self.stop()
        finally:
            shutil.rmtree(self.directory, ignore_errors=True)
            shutil.rmtree(self.slab_directory, ignore_errors=True)

    def _close_pipes(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            for pipe in (process.stdin, process.stdout):
                if pipe is not None:
                    pipe.close()


def wait_until(condition: Callable[[], object], limit_s: float = 20.0, what: str = "") -> None:
    """Waits for a condition and fails when it does not come true."""
    deadline = time.monotonic() + limit_s
    while not condition():
        assert time.monotonic() < deadline, f"not within {limit_s} s: {what}"
        time.sleep(0.005)
