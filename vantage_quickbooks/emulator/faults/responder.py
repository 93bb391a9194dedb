"""Answers a request that a fault rule hits."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vantage_quickbooks.emulator import errors
from vantage_quickbooks.emulator.http import response
from vantage_quickbooks.emulator.http.response import Response

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable

    from vantage_quickbooks.emulator.faults.injector import FaultRule
    from vantage_quickbooks.emulator.http.data_api import DataApi
    from vantage_quickbooks.emulator.http.request import Request
    from vantage_quickbooks.emulator.oauth.authorization_server import AuthorizationServer


class FaultResponder:
    """Answers in place of the emulated QuickBooks, or changes its response.

    Args:
        api: Writes refusals.
        oauth: Knows the text by which Intuit quotes a token.
        route: Answers a request as if there were no fault.
        stopping: Set when the emulator stops; ends every wait.
    """

    def __init__(
        self,
        api: DataApi,
        oauth: AuthorizationServer,
        route: Callable[[Request], Response],
        stopping: threading.Event,
    ) -> None:
        self._api = api
        self._oauth = oauth
        self._route = route
        self._stopping = stopping

    def respond(self, rule: FaultRule, request: Request) -> Response:
        """Return the response to a request that a rule hits."""
        if rule.kind == "hang":
            self._stopping.wait(rule.options["seconds"])
        if rule.kind == "latency":
            request.delay_s += rule.options["seconds"]
        if rule.kind in ("latency", "truncate", "drip", "broken_json"):
            return self._corrupt(rule, self._route(request))
        if rule.kind in ("response_lost", "token_response_lost"):
            self._route(request)  # the record is written or the token rotated, and the client never learns of it
        if rule.kind in ("response_lost", "token_response_lost", "hang", "reset"):
            return Response(200, [], transfer="reset")
        result = self._refuse(rule, request)
        if rule.options.get("retry_after") is not None:
            result.headers.append(("retry-after", str(rule.options["retry_after"])))
        return result

    @staticmethod
    def _corrupt(rule: FaultRule, result: Response) -> Response:
        if rule.kind == "truncate":
            result.transfer = "truncate"
        elif rule.kind == "drip":
            result.transfer, result.pause_s = "drip", rule.options["seconds"]
        elif rule.kind == "broken_json":
            result.body = result.body[: len(result.body) // 2]
        return result

    def _refuse(self, rule: FaultRule, request: Request) -> Response:
        """Write the response of a kind that does not process the request."""
        options = rule.options
        if rule.kind == "html":
            return response.refusal(request.trace, 503, "text/html", errors.UNAVAILABLE_PAGE.encode())
        if rule.kind == "plain_text_200":
            return response.success(request.trace, "text/plain;charset=UTF-8", errors.COMPANY_STATUS_TEXT.encode())
        if rule.kind == "status":
            return self._with_status(request, options["status"], options["body"])
        if rule.kind == "throttle":
            as_json = options["json"]
            return self._api.refuse(request, errors.throttled(explained=not as_json), as_xml=not as_json)
        return self._api.refuse(request, self._fault(rule, request))

    def _fault(self, rule: FaultRule, request: Request) -> errors.Fault:
        if rule.kind == "expired_token":
            token = request.headers.get("authorization", "").partition(" ")[2]
            return errors.authentication_failed(f"Token expired: {self._oauth.handle_of(token)}")
        if rule.kind == "fault_in_200":
            return errors.system_failure("java.lang.UnsupportedOperationException", status=200)
        if rule.kind == "gateway_timeout":
            return errors.gateway_timeout()
        options = rule.options
        return errors.Fault(
            options["status"],
            options["code"],
            options["message"],
            options["detail"],
            element=options["element"],
            type=options["type"],
        )

    def _with_status(self, request: Request, status: int, body: str) -> Response:
        if body == "empty":
            return response.refusal(request.trace, status, "text/plain", b"")
        if body == "html":
            page = errors.UNAVAILABLE_PAGE.replace("503", str(status)).encode()
            return response.refusal(request.trace, status, "text/html", page)
        return self._api.refuse(request, errors.system_failure("injected", status), as_xml=body == "xml")
