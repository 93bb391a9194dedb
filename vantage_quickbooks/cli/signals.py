"""How commands that run until they are stopped end."""

from __future__ import annotations

import contextlib
import signal
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["stopped_by_signals"]


@contextlib.contextmanager
def stopped_by_signals() -> Iterator[None]:
    """End the block on Ctrl-C or SIGTERM, so that everything is cleaned up."""

    def stop(*_: object) -> NoReturn:
        raise KeyboardInterrupt

    # Python's own handler of Ctrl-C would be replaced by asyncio's, which waits for all tasks.
    previous = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        with contextlib.suppress(KeyboardInterrupt):
            yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
