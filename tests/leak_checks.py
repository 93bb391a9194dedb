"""What tests search for planted secrets: logs, texts of errors, crash reports."""

from __future__ import annotations

import base64
import io
import json
import logging
import traceback
import urllib.parse
from pathlib import Path

TESTS = Path(__file__).parent


class LogCapture:
    """Everything that any library logs, at DEBUG."""

    def __init__(self):
        self.stream = io.StringIO()
        self.handler = logging.StreamHandler(self.stream)
        self.handler.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))

    def __enter__(self):
        root = logging.getLogger()
        self.level = root.level
        root.setLevel(logging.DEBUG)
        root.addHandler(self.handler)
        return self

    def __exit__(self, *_):
        root = logging.getLogger()
        root.removeHandler(self.handler)
        root.setLevel(self.level)


def spellings(secret):
    """The encodings in which a secret may appear in a text."""
    yield secret
    yield urllib.parse.quote(secret, safe="")
    yield base64.b64encode(secret.encode()).decode().rstrip("=")


def assert_none(text, secrets):
    for name, secret in secrets.items():
        for spelling in spellings(secret):
            assert spelling not in text, f"{name} stands in: ...{text[max(0, text.index(spelling) - 200) :][:260]}"


def ours(crash):
    """The report without the frames of the tests, which contain the secrets."""
    while crash is not None:
        frames = [frame for frame in crash.stack if not Path(frame.filename).is_relative_to(TESTS)]
        crash.stack = traceback.StackSummary.from_list(frames)
        yield from crash.format(chain=False)
        crash = crash.__cause__ or crash.__context__


def texts_of(error):
    """All texts of an error, including a crash report with local variables."""
    crash = "".join(ours(traceback.TracebackException.from_exception(error, capture_locals=True)))
    return "\n".join([str(error), repr(error), json.dumps(error.to_dict()), repr(vars(error)), crash])
