"""Asks a server for anything, without credentials: whether it can be reached, and what time it is there."""

from __future__ import annotations

from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, NamedTuple

import orjson
import requests

from vantage_quickbooks.api.call_context import CallContext
from vantage_quickbooks.api.response_body import BodyLimit
from vantage_quickbooks.api.transport import RequestTimeout, TimeoutAdapter, read_response
from vantage_quickbooks.api.transport_errors import CONNECT_TIMEOUT_S, translate_request_error
from vantage_quickbooks.core.endpoints import is_loopback
from vantage_quickbooks.errors import ConnectorError

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["Answer", "probe"]

TIMEOUT_S = 20.0
_LIMIT = BodyLimit(1 << 20, None)


class Answer(NamedTuple):
    """What a server answered.

    Attributes:
        status: The HTTP status.
        server_time: Its header `Date`; None if it has none. It has whole seconds.
        received_at: The time of this machine when the answer arrived.
        body: The body, decoded, if it is a JSON object; otherwise empty.
    """

    status: int
    server_time: datetime | None
    received_at: datetime
    body: dict[str, object]


def probe(url: str, server: str) -> Answer:
    """Send a GET request without credentials; any answer is a success.

    Args:
        url: The URL.
        server: The server's name for the message of an error.

    Raises:
        ConnectorError: The server cannot be reached; the message says whether the name, the connection or TLS failed.
    """
    call = CallContext(time_limit_s=TIMEOUT_S)
    failure: ConnectorError
    with requests.Session() as session:
        session.trust_env = not is_loopback(url)
        session.mount("https://", TimeoutAdapter())
        session.mount("http://", TimeoutAdapter())
        try:
            with (
                RequestTimeout(call, TIMEOUT_S),
                session.get(
                    url,
                    headers={"Accept": "application/json", "Accept-Encoding": "gzip"},
                    timeout=(CONNECT_TIMEOUT_S, TIMEOUT_S),
                    allow_redirects=False,
                    stream=True,
                    auth=lambda prepared: prepared,  # not that of a .netrc
                ) as response,
            ):
                received_at = call.now()
                data = read_response(response, _LIMIT).read()
                return Answer(response.status_code, _date(response.headers.get("Date")), received_at, _object(data))
        except requests.RequestException as error:
            failure = translate_request_error(error, server, url)
        except ConnectorError as error:
            failure = error.without_traceback()
    raise failure


def _date(text: str | None) -> datetime | None:
    try:
        return parsedate_to_datetime(text or "")
    except ValueError:
        return None


def _object(data: bytes) -> dict[str, object]:
    try:
        found = orjson.loads(data)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
