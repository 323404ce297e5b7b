"""The package as a user installs it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import kvasir


def test_client_needs_the_standard_library_alone() -> None:
    source = Path(kvasir.__file__).parents[1]
    code = f"import sys; sys.path.insert(0, {str(source)!r}); import kvasir"
    # -I -S: neither the environment nor any installed package.
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True, timeout=600)


def test_connectors_come_without_their_engines() -> None:
    code = (
        "import sys; sys.modules.update(vllm=None, sglang=None); "
        "import kvasir.vllm, kvasir.sglang; print(kvasir.vllm.KvasirConnector.__mro__[1])"
    )
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", code],
        check=True,
        timeout=600,
        capture_output=True,
        env={"PYTHONPATH": str(Path(kvasir.__file__).parents[1])},
    )
    assert b"kvasir.vllm.standins" in done.stdout
