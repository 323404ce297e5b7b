"""The demo as a process of its own: what it leaves behind when it is interrupted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from nodes import REPOSITORY, wait_until

_LIMIT_S = 300.0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_interrupted_demo_leaves_no_node_and_no_file(
    number: signal.Signals, tmp_path: Path
) -> None:
    command = [sys.executable, "-m", "kvasir.demo", "--launcher", str(REPOSITORY / "kvasir")]
    demo = subprocess.Popen(
        command,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    try:
        wait_until(
            lambda: demo.poll() is not None or len(running(tmp_path)) == 2, _LIMIT_S, "two nodes"
        )
        assert demo.poll() is None
        nodes = running(tmp_path)
        demo.send_signal(number)
        output, errors = demo.communicate(timeout=_LIMIT_S)
        assert demo.returncode == 128 + number, errors.decode()
        assert output == b""
        for node in nodes:
            assert not Path(node["slabDir"]).exists()
            with pytest.raises(ProcessLookupError):
                os.kill(node["pid"], 0)
        assert list(tmp_path.glob("kvasir-*")) == []
    finally:
        demo.kill()
        demo.communicate()


def running(directory: Path) -> list[dict[str, Any]]:
    """What the nodes with run directories in a directory say of themselves."""
    found = []
    for file in directory.glob("*/run/node.json"):
        try:
            found.append(json.loads(file.read_text()))
        except (FileNotFoundError, json.JSONDecodeError):
            continue
    return found
