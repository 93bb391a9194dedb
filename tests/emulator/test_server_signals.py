"""The emulator's server ends when it gets one or more signals at any moment."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import os, signal, sys, threading, time
from vantage_quickbooks.emulator import serve

def in_a_wait(frame, event, _):
    # The worst moment: the main thread waits by a lock of Python's own and holds it.
    if event == "line" and frame.f_code.co_filename == threading.__file__ and frame.f_code.co_name == "wait":
        os.kill(os.getpid(), signal.{name})
    return in_a_wait

def burst():
    for _ in range(200):
        os.kill(os.getpid(), signal.{name})

def send(_):
    threading.Thread(target=burst).start()
    sys.settrace(in_a_wait)

serve(on_ready=send)
"""


@pytest.mark.system
@pytest.mark.parametrize("name", ["SIGTERM", "SIGINT"])
def test_signals_at_any_moment_end_the_server(name):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(name=name)], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, "")
