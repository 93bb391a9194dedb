"""The result of each exchange, for the table that a test run prints at its end."""

from __future__ import annotations

from collections import Counter

import pytest


class _Results:
    KINDS = (
        "query", "count", "read", "create", "update", "delete", "void", "send", "batch", "cdc", "report", "attachment",
        "token", "fault",
    )  # fmt: skip
    VERDICTS = ("same", "era", "listed", "unserved", "unjudged", "unlisted")

    def __init__(self, source):
        self.source = source
        self.verdicts = {}
        self.used = set()

    def note(self, exchange, verdict, used):
        self.verdicts[exchange.name] = (exchange.kind, verdict)
        self.used.update(used)

    def totals(self):
        """Return how many exchanges have each verdict, in the order of `VERDICTS`."""
        return [sum(verdict == one for _, verdict in self.verdicts.values()) for one in self.VERDICTS]

    def table(self):
        """Return lines: how many exchanges of each kind are the same, and the results of the others.

        `but for the era`: all differences are changes by Intuit since then, or artifacts of the recording. `not
        judged`: the response depends on what no other exchange shows.
        """
        counted = Counter(self.verdicts.values())
        columns = (self.source, "same", "but for the era", "as listed", "not served", "not judged", "otherwise")
        lines = [f"{'kind':<11}" + "".join(f"{column:>17}" for column in columns)]
        for kind in (*self.KINDS, "all"):
            row = [sum(n for (k, v), n in counted.items() if kind in (k, "all") and v == w) for w in self.VERDICTS]
            if sum(row):
                lines.append(f"{kind:<11}" + "".join(f"{number:>17}" for number in (sum(row), *row)))
        return lines


RESULTS = {source: _Results(source) for source in ("recordings", "facts")}
"""Of this run: the recorded exchanges, and the facts derived from them."""


# ---- pytest plugin: the table at the end of a run, also if a worker of pytest-xdist ran the tests --------------------

_LINES = []


def pytest_sessionfinish(session):
    lines = [line for results in RESULTS.values() if results.verdicts for line in [*results.table(), ""]]
    _LINES.extend(lines)
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["conformance"] = lines


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    """One worker runs all tests of a file (`--dist loadfile`)."""
    _LINES.extend(getattr(node, "workeroutput", {}).get("conformance", ()))


def pytest_terminal_summary(terminalreporter):
    """Report how much of the recorded traffic the emulator answers as Intuit did."""
    if _LINES:
        terminalreporter.section("compared with the real QuickBooks")
        for line in _LINES:
            terminalreporter.write_line(line)
