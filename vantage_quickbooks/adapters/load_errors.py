"""What a failed load is reported as: the reason, without the records that a database quotes in it.

Databases quote values in their messages (`Could not convert string 'Jane Doe' to INT32`, `DETAIL:  Failing row contains
(...)`), and records are data of a company's customers. So, where a message is about rows, quoted text is left out of it
unless it names a table, a column or the like. Messages about connections, credentials and schemas are kept as they are.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from dlt.load.exceptions import LoadClientJobException
from dlt.pipeline.exceptions import PipelineStepFailed

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["describe_failure"]

_ROW_ERRORS = frozenset({"DataError", "IntegrityError"})
"""Names of the exceptions about values and constraints in every driver (PEP 249)."""

_NAME = re.compile(
    r"\b(?:column|constraint|dataset|field|index|key|relation|schema|table|type)s?[ :] ?"
    r"(?:\"[A-Za-z0-9_.$]+\"|'[A-Za-z0-9_.$]+'|`[A-Za-z0-9_.$]+`)(?![\w\"'`])"
)
_CONTEXT = re.compile(r"\s*(?:\bDETAIL:|\bCONTEXT:|\bHINT:|\bLINE [0-9]+:|\[SQL:|\[parameters:).*", re.DOTALL)
_QUOTED = re.compile(r"[\"'`].*[\"'`]", re.DOTALL)
_IN_BRACKETS = re.compile(r"\b((?:key|row|value)s?\b[^()]*)\(.*\)", re.DOTALL)
_HIDDEN = "'...'"


def describe_failure(error: BaseException) -> tuple[str, BaseException]:
    """Return why a pipeline failed, in one line, and the exception that was the first cause.

    Args:
        error: What dlt has raised.
    """
    chain = list(_causes(error))
    job = next((it for it in chain if isinstance(it, LoadClientJobException)), None)
    first = chain[-1]
    text = str(getattr(job, "failed_message", "")) if first is job else str(first)
    if job is not None or any(_is_about_rows(it) for it in chain):
        text = _without_values(text)
    return " ".join(text.split()), first


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


def _is_about_rows(error: BaseException) -> bool:
    if isinstance(error, PipelineStepFailed):
        return error.step in {"extract", "normalize"}
    return any(base.__name__ in _ROW_ERRORS for base in type(error).__mro__)


def _without_values(text: str) -> str:
    """Return a message without its values: from the first to the last quote between two names of tables or columns.

    A value may contain quotes, so pairs of them are not looked for. A part with a single quote is left out.
    """
    text, found, end = _IN_BRACKETS.sub(r"\1(...)", _CONTEXT.sub("", text)), [], 0
    for name in _NAME.finditer(text):
        found += [_hide(text[end : name.start()]), name[0]]
        end = name.end()
    return "".join([*found, _hide(text[end:])])


def _hide(text: str) -> str:
    hidden = _QUOTED.sub(_HIDDEN, text)
    return f" {_HIDDEN} " if re.search("[\"'`]", hidden.replace(_HIDDEN, "")) else hidden
