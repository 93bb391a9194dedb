"""A verifier token that is replaced while a receiver runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time

import pytest
from webhook_receiver import Receiver, body_of, event

from vantage_quickbooks.cli.inputs import UsageError
from vantage_quickbooks.cli.verifier_tokens import VerifierTokens
from vantage_quickbooks.emulator.webhooks.events import sign
from vantage_quickbooks.webhooks import Inbox

PROGRAM = [sys.executable, "-c", "import sys; from vantage_quickbooks.cli import main; sys.exit(main())"]
FORMER, NEW = "the-token-before-it", "the-token-after-it"
WAIT_S = 60


def status_of(receiver, token):
    """Post a notification that was signed with a token; return the status."""
    body = body_of(event(token))
    return receiver.post(body, sign(body, token))[0]


def test_a_new_token_in_the_file_is_valid_without_a_restart(tmp_path, caplog):
    file, now = tmp_path / "token", [0.0]
    file.write_text(FORMER)
    tokens = VerifierTokens(str(file), now=lambda: now[0])
    with Receiver(Inbox(tmp_path / "inbox.sqlite3"), tokens=tokens) as receiver:
        assert (status_of(receiver, FORMER), status_of(receiver, NEW)) == (200, 401)
        file.write_text(f"{FORMER}\n{NEW}\n")
        now[0] += 1
        assert (status_of(receiver, FORMER), status_of(receiver, NEW)) == (200, 200)
        file.write_text(NEW)
        now[0] += 1
        assert (status_of(receiver, FORMER), status_of(receiver, NEW)) == (401, 200)
        for damage in (lambda: file.write_text("short"), file.unlink):
            damage()
            now[0] += 1
            assert (status_of(receiver, FORMER), status_of(receiver, NEW)) == (401, 200)
        assert caplog.text.count("the former verifier tokens of webhooks remain valid: A verifier token in") == 1
        file.write_text(FORMER)
        now[0] += 1
        assert (status_of(receiver, FORMER), status_of(receiver, NEW)) == (200, 401)


def test_the_first_token_must_be_valid(tmp_path):
    with pytest.raises(UsageError, match="cannot be read"):
        VerifierTokens(str(tmp_path / "missing"))


def test_the_command_reads_the_file_again(tmp_path):
    (tmp_path / "token").write_text(FORMER)
    process = subprocess.Popen(
        [*PROGRAM, "webhooks", "serve", "--no-sync", "--port", "0", "--token-file", str(tmp_path / "token")],
        stdout=subprocess.PIPE,
        text=True,
        env=os.environ | {"VANTAGE_QUICKBOOKS_WEBHOOK_INBOX": str(tmp_path / "inbox.sqlite3")},
    )
    try:
        port = next(match[1] for line in process.stdout if (match := re.search(r"address +http://.*:(\d+)/", line)))
        receiver = _Posting(int(port))
        assert status_of(receiver, NEW) == 401
        (tmp_path / "token").write_text(NEW)
        end = time.monotonic() + WAIT_S
        while status_of(receiver, NEW) != 200:
            assert time.monotonic() < end
            time.sleep(0.05)
    finally:
        process.terminate()
        process.communicate(timeout=WAIT_S)


class _Posting:
    """What `Receiver.post` needs, for a receiver in another process."""

    post = Receiver.post

    def __init__(self, port):
        self.port = port
