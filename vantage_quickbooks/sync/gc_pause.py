"""
Keeps Python's cyclic garbage collector from searching pages of records, in which there are no cycles to find.

A page of a thousand records is some 30,000 containers, all young. The collector goes through the young again and again,
first while they are made and then at the first occasion afterwards: for a page that cost as much as decoding it.
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
"""So many frozen objects are no host's: Python 3.12 keeps its own immortal ones there (375, whatever is imported).

A host that freezes takes all there is at that moment, and Python begins with some 5,000.
Source: https://github.com/python/cpython/blob/v3.12.1/Modules/gcmodule.c, `update_refs`.
"""


@contextmanager
def gc_paused() -> Iterator[None]:
    """Let a block make many containers without cycles: nothing is collected meanwhile, and they count as old at once.

    What was young before is collected first, so that no garbage grows old with them. Reference counts free everything
    as ever. Where the host has switched the collector off, or froze objects itself, nothing grows up: what follows
    would thaw the host's objects.
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
            gc.freeze()  # moves all there is out of the generations, without looking at it,
            gc.unfreeze()  # and this moves it into the oldest
        gc.enable()
