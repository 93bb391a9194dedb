"""Intuit's faults, word for word.

A `Fault` is raised where a rule is broken and becomes a response in the data API. QuickBooks has two dialects: the
service's (`Fault`/`Error`, and `time` as text) and the gateway's (`fault`/`error` in lower case, twelve null or empty
siblings, `time` as a number); either may be XML. Each function names the recording or the page that its words come
from; words without a record are marked "our words".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from xml.sax.saxutils import escape, quoteattr

from vantage_quickbooks.emulator.json_text import compact

if TYPE_CHECKING:
    from decimal import Decimal

_XML_HEAD = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
_NAMESPACE = "http://schema.intuit.com/finance/v3"


class Fault(Exception):  # noqa: N818 -- Intuit's own word; an Error is what a Fault lists
    """A refusal in QuickBooks' words.

    Attributes:
        status: HTTP status.
        code: Intuit's number, as text.
        message: Intuit's heading.
        detail: Intuit's explanation; None from the gateway, and then XML has no element.
        element: The property at fault; None leaves the key out, "" is sent.
        type: Intuit's class of fault.
        gateway: Sent by the gateway: lower-case JSON, or indented XML.
        timed: Whether the body has a time.
    """

    def __init__(
        self,
        status: int,
        code: str,
        message: str,
        detail: str | None,
        *,
        element: str | None = None,
        type: str = "ValidationFault",  # noqa: A002 -- Intuit's key
        gateway: bool = False,
        timed: bool = True,
    ) -> None:
        super().__init__(f"{status} {code} {message}: {detail}")
        self.status = status
        self.code = code
        self.message = message
        self.detail = detail
        self.element = element
        self.type = type
        self.gateway = gateway
        self.timed = timed

    def item(self) -> dict[str, Any]:
        """Return the `Fault` object of a body or a batch item.

        Source: recorded, 2020 (minimul error/*.yml).
        """
        error = {"Message": self.message, "Detail": self.detail, "code": self.code}
        if self.element is not None:
            error["element"] = self.element
        return {"Error": [error], "type": self.type}

    def json(self, time: str, milliseconds: int) -> str:
        """Write the body as JSON, in the dialect of the service or the gateway.

        Args:
            time: The company's local time, for the service.
            milliseconds: The epoch in milliseconds, for the gateway.

        Source: recorded, 2020 (minimul error/401.yml, error/400.yml).
        """
        if self.gateway:
            error = {"message": self.message, "detail": self.detail, "code": self.code, "element": None}
            return compact(
                {
                    "warnings": None,
                    "intuitObject": None,
                    "fault": {"error": [error], "type": self.type},
                    "report": None,
                    "queryResponse": None,
                    "batchItemResponse": [],
                    "attachableResponse": [],
                    "syncErrorResponse": None,
                    "requestId": None,
                    "time": milliseconds,
                    "status": None,
                    "cdcresponse": [],
                }
            )
        return compact({"Fault": self.item()} | ({"time": time} if self.timed else {}))

    def xml(self, time: str) -> str:
        """Write the body as XML: indented by the gateway, in one line by the service.

        Args:
            time: The company's local time.

        Source: recorded, 2016 and 2019 (ruckus too_many_requests_error.xml, flowlink add_customer).
        """
        if self.gateway:
            detail = f"            <Detail>{escape(self.detail)}</Detail>\n" if self.detail else ""
            return (
                f'{_XML_HEAD}\n<IntuitResponse time="{time}" xmlns="{_NAMESPACE}">\n'
                f'    <Fault type="{self.type}">\n        <Error code="{self.code}">\n'
                f"            <Message>{escape(self.message)}</Message>\n{detail}"
                "        </Error>\n    </Fault>\n</IntuitResponse>\n"
            )
        element = "" if self.element is None else f" element={quoteattr(self.element)}"
        return (
            f'{_XML_HEAD}<IntuitResponse xmlns="{_NAMESPACE}" time="{time}"><Fault type="{self.type}">'
            f'<Error code="{self.code}"{element}><Message>{escape(self.message)}</Message>'
            f"<Detail>{escape(self.detail or '')}</Detail></Error></Fault></IntuitResponse>"
        )


# ---- the query language ------------------------------------------------------------------------


def parse_error(detail: str) -> Fault:
    """A statement cannot be parsed. Source: recorded, 2015 and 2016 (minimul irregular_char.yml)."""
    return Fault(400, "4000", "Error parsing query", f"QueryParserError: {detail}")


def invalid_query(detail: str) -> Fault:
    """A statement can be parsed but not answered. Source: recorded, 2020 (minimul error/400.yml)."""
    return Fault(400, "4001", "Invalid query", f"QueryValidationError: {detail}")


def processing_error(why: str) -> Fault:
    """A statement cannot be executed. The code is Intuit's; no wording is recorded: our words."""
    return Fault(400, "4002", "Error processing query", f"QueryProcessingError: {why}")


# ---- records -----------------------------------------------------------------------------------


def not_found() -> Fault:
    """An Id does not exist or is inactive. Source: recorded, 2020 (minimul batch/basic.yml)."""
    detail = (
        "Object Not Found : Something you're trying to use has been made inactive."
        " Check the fields with accounts, customers, items, vendors or employees."
    )
    return Fault(400, "610", "Object Not Found", detail, element="")


def invalid_reference() -> Fault:
    """A referenced record does not exist. Source: https://github.com/intuit/QuickBooks-V3-PHP-SDK/issues/110."""
    detail = (
        "Invalid Reference Id : Something you're trying to use has been made inactive."
        " Check the fields with accounts, customers, items, vendors or employees."
    )
    return Fault(400, "2500", "Invalid Reference Id", detail, element="")


def invalid_id(value: str) -> Fault:
    """An Id is not a number; the only fault without a time. Source: recorded, 2020 (minimul error/500.yml)."""
    detail = f"Id should be a valid number. Supplied value:{value}"
    return Fault(400, "2030", "Invalid ID", detail, element="Id", timed=False)


def unsupported_property(entity: str, name: str, known: str) -> Fault:
    """A body has an unknown property.

    Args:
        entity: The entity's name.
        name: The property.
        known: The list of the known ones: `(83 known properties: ...)`.

    Source: recorded, 2020 (minimul error/400_json.yml).
    """
    detail = (
        f'Property Name:Unrecognized field "{name}" (class com.intuit.schema.finance.v3.{entity}),'
        f" not marked as ignorable {known}\n specified is unsupported or invalid"
    )
    return Fault(400, "2010", "Request has invalid or unsupported property", detail)


def unreadable_body(why: str) -> Fault:
    """A body cannot be parsed. Our words; the code is Intuit's."""
    message = "Request has invalid or unsupported property"
    return Fault(400, "2010", message, f"Property Name:{why} specified is unsupported or invalid")


def required_missing(name: str) -> Fault:
    """A body lacks a required property. Source: recorded, 2017 (Boulevard create_item_error.json)."""
    return Fault(
        400,
        "2020",
        "Required param missing, need to supply the required value for the API",
        f"Required parameter {name} is missing in the request",
        element=name,
    )


def wrong_line_amount(supplied: Decimal) -> Fault:
    """A line's amount is not its quantity times its price.

    Source: several public reports of 2026 with the same words; `Supplied value:1,861.07`.
    """
    return Fault(
        400,
        "6070",
        "Amount calculation incorrect in the request.",
        f"Amount is not equal to UnitPrice * Qty. Supplied value:{supplied.normalize():,f}",
        element="Line.Amount",
    )


def unbalanced_entry(debit: Decimal, credit: Decimal) -> Fault:
    """A journal entry's debits differ from its credits. The code is Intuit's; no wording is recorded: our words."""
    detail = f"Debits of {debit:,.2f} and credits of {credit:,.2f} must be equal"
    return Fault(400, "2300", "Debits and credits do not match", detail, element="Line")


def duplicate_name() -> Fault:
    """A name is already in use. Source: recorded, 2020 (minimul error/validation.yml)."""
    return Fault(400, "6240", "Duplicate Name Exists Error", "The name supplied already exists. : null")


def stale_object(other: str) -> Fault:
    """A SyncToken is old; another user is named. Source: recorded, 2020 (minimul batch/basic.yml)."""
    detail = (
        f"Stale Object Error : You and {other} were working on this at the same time."
        f" {other} finished before you did, so your work was not saved."
    )
    return Fault(400, "5010", "Stale Object Error", detail, element="")


def business_error(detail: str) -> Fault:
    """A business rule is broken.

    Source: https://developer.intuit.com/app/developer/qbo/docs/develop/troubleshooting/error-codes, code 6000.
    """
    message = "A business validation error has occurred while processing your request"
    return Fault(400, "6000", message, f"Business Validation Error: {detail}", element="")


def batch_too_large(number: int, most: int) -> Fault:
    """A batch has too many items. The code is Intuit's; no wording is recorded: our words."""
    detail = f"The batch holds {number} items, more than the maximum of {most}"
    return Fault(400, "1040", "Batch size exceeds the maximum", detail, element="BatchItemRequest")


def unsupported_operation(operation: str) -> Fault:
    """An entity does not support an operation. Source: transcribed, August 2026 (400-unsupported-operation)."""
    detail = f"Operation {operation} is not supported."
    return Fault(400, "500", "Unsupported Operation", detail, element="Operation")


def no_such_path(path: str) -> Fault:
    """A path does not exist; an internal host is quoted. Source: recorded, 2020 (minimul error/500.yml)."""
    detail = (
        f"Operation Could not find resource for relative : {path}"
        f" of full path: https://c50.sandbox.qbo.intuit.com/qbo50{path} is not supported."
    )
    return Fault(400, "500", "Unsupported Operation", detail)


def invalid_date(why: str) -> Fault:
    """A date is not a date, or begins after it ends. The code is Intuit's; no wording is recorded: our words."""
    return Fault(400, "2060", "Invalid Date", f"Invalid Date : {why}", element="")


def invalid_enumeration(name: str, value: str) -> Fault:
    """A parameter has an unknown value. The code is Intuit's; no wording is recorded: our words."""
    return Fault(400, "2170", "Invalid Enumeration", f"Invalid Enumeration : {name}={value}", element=name)


def not_permitted(what: str) -> Fault:
    """The company's edition lacks a feature. The code is Intuit's; no wording is recorded: our words."""
    return Fault(400, "5020", "Permission Denied Error", f"Permission Denied Error : {what}", element="")


def system_failure(detail: str, status: int = 500) -> Fault:
    """QuickBooks itself failed. Source: transcribed, August 2026 (200-systemfault)."""
    return Fault(
        status,
        "10000",
        "An application error has occurred while processing your request",
        f"System Failure Error: {detail}",
        element="SystemFailureError",
        type="SystemFault",
    )


# ---- the gateway -------------------------------------------------------------------------------


def _gateway(status: int, code: str, what: str, detail: str | None, kind: str) -> Fault:
    message = f"message={what}; errorCode={int(code):06d}; statusCode={status}"
    return Fault(status, code, message, detail, type=kind, gateway=True)


def authentication_failed(detail: str) -> Fault:
    """An access token is refused. Source: recorded, 2020 (minimul error/401.yml); transcribed, August 2026."""
    return _gateway(401, "3200", "AuthenticationFailed", detail, "AUTHENTICATION")


def authorization_failed() -> Fault:
    """A token is for another company. Source: transcribed, 2018 (403-AuthorizationFailed-json)."""
    return _gateway(403, "3100", "AuthorizationFailed", None, "SERVICE")


def insufficient_scope() -> Fault:
    """A token lacks the scope. Source: public reports of the detail's wording."""
    return _gateway(403, "3100", "AuthorizationFailed", "The access token does not have sufficient scope", "SERVICE")


def throttled(*, explained: bool = True) -> Fault:
    """A limit is exceeded.

    Args:
        explained: With a detail, as in XML. As JSON it was never quoted; there the model is the gateway's other
            refusals of this type, which have none.

    Source: recorded, December 2016 (ruckus too_many_requests_error.xml).
    """
    detail = "The request limit was reached.  Try again later" if explained else None
    return _gateway(429, "3001", "ThrottleExceeded", detail, "SERVICE")


def gateway_timeout() -> Fault:
    """The gateway stopped waiting for the service. Source: transcribed, May 2025 (504-GatewayTimeout-xml)."""
    return _gateway(504, "6002", "GatewayTimeout", None, "SERVICE")


UNAVAILABLE_PAGE = (
    "<html>\r\n<head><title>503 Service Temporarily Unavailable</title></head>\r\n"
    '<body bgcolor="white">\r\n<center><h1>503 Service Temporarily Unavailable</h1></center>\r\n'
    "<hr><center>Avi Vantage/</center>\r\n</body>\r\n</html>\r\n"
)
"""The load balancer's page. Source: transcribed, April 2018 (503-html-gateway)."""

COMPANY_STATUS_TEXT = (
    "Invalid Company StatusSubscription period has ended or cancelled or there was a billing problem"
    " : You can't add data to QuickBooks Online Plus because your trial or subscription period ended,"
    " you cancelled your subscription, or there was a billing problem. To update your subscription,"
    " click the gear icon and view your account information."
)
"""An error that is neither JSON nor XML, with status 200. Source: transcribed, March 2019."""
