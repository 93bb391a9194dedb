"""Keeps Python's cyclic garbage collector away from pages of records, which contain no cycles.

A page of a thousand records is some 30,000 containers, all in the young generations. The collector would traverse them
several times while they are made and once afterwards, which takes as long as decoding the page.
"""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["gc_paused"]

_YOUNG = 1
"""The older of the two generations that count as young."""

_INTERPRETERS_OWN = 1_000
"""Up to this many frozen objects are the interpreter's own: Python 3.12 keeps 375 immortal objects there.

A host that calls `gc.freeze()` freezes all its objects, and Python starts with some 5,000.
Source: https://github.com/python/cpython/blob/v3.12.1/Modules/gcmodule.c, `update_refs`.
"""


@contextmanager
def gc_paused() -> Iterator[None]:
    """Pause collection in a block that makes many containers without cycles, and move them to the oldest generation.

    Young garbage is collected first, so that it does not become old. Reference counting is not affected. Where the host
    has disabled the collector or frozen objects itself, nothing is moved: unfreezing would thaw the host's objects.
    """
    if not gc.isenabled():
        yield
        return
    gc.collect(_YOUNG)
    gc.disable()
    try:
        yield
    finally:
        if gc.get_freeze_count() < _INTERPRETERS_OWN:
            gc.freeze()  # moves every object out of the generations without traversing it,
            gc.unfreeze()  # and this moves it into the oldest
        gc.enable()
