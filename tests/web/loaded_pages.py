"""Reads of a page that wait until it is loaded.

Playwright waits before it clicks, but it reads what is there: the first half of a table, or a page whose style sheet is
still on its way. A test that does so passes on a fast machine and fails on a busy one.
"""

from __future__ import annotations

import functools
from contextlib import contextmanager
from unittest.mock import patch

LOCATOR_READS = (
    "all",
    "all_inner_texts",
    "all_text_contents",
    "bounding_box",
    "count",
    "evaluate",
    "get_attribute",
    "inner_text",
    "input_value",
    "is_checked",
    "is_hidden",
    "is_visible",
    "screenshot",
    "text_content",
)
PAGE_READS = ("content", "evaluate", "screenshot", "title")


@contextmanager
def loaded_pages():
    """Make each read in the block wait for the load event of the page that it reads.

    A click waits until the navigation it starts is committed, so the page that is waited for is the new one.
    """
    from playwright.sync_api import Locator, Page

    def waiting(read, page_of):
        @functools.wraps(read)
        def read_when_loaded(self, *args, **kwargs):
            page_of(self).wait_for_load_state()
            return read(self, *args, **kwargs)

        return read_when_loaded

    changed = [
        patch.object(Locator, name, waiting(getattr(Locator, name), lambda it: it.page)) for name in LOCATOR_READS
    ]
    changed += [patch.object(Page, name, waiting(getattr(Page, name), lambda it: it)) for name in PAGE_READS]
    for change in changed:
        change.start()
    try:
        yield
    finally:
        for change in changed:
            change.stop()
