"""The PDF of an invoice and the like.

The layout is ours: QuickBooks' depends on the company's template. What it says is the record's.
"""

from __future__ import annotations

import io
import threading
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_FONT, _BOLD = "EmulatorSans", "EmulatorSansBold"
_WIDTH, _HEIGHT, _MARGIN = 612, 792, 54  # points: US letter
_LEADING = 13
_BOTTOM = 72
_COLUMNS = (_MARGIN, 150, 396, 474, _WIDTH - _MARGIN)  # left of item and description; right of quantity, rate, amount
_MAX_TEXT = 4_000  # characters of one description
_lock = threading.Lock()


@dataclass(frozen=True, slots=True)
class Form:
    """A kind of document.

    Attributes:
        title: Its heading.
        party: The property that names the other party.
        addressed: The heading of that party's address.
        dates: Labels and properties of the lines beside the address.
        totals: Labels and properties of the lines below the total.
    """

    title: str
    party: str
    addressed: str
    dates: tuple[tuple[str, str], ...]
    totals: tuple[tuple[str, str], ...] = ()


FORMS: Mapping[str, Form] = {
    "Invoice": Form(
        "INVOICE",
        "CustomerRef",
        "BILL TO",
        (("Invoice #", "DocNumber"), ("Date", "TxnDate"), ("Due date", "DueDate"), ("Terms", "SalesTermRef")),
        (("Balance due", "Balance"),),
    ),
    "Estimate": Form(
        "ESTIMATE",
        "CustomerRef",
        "ADDRESS",
        (("Estimate #", "DocNumber"), ("Date", "TxnDate"), ("Expires", "ExpirationDate"), ("Status", "TxnStatus")),
    ),
    "SalesReceipt": Form(
        "SALES RECEIPT",
        "CustomerRef",
        "SOLD TO",
        (("Receipt #", "DocNumber"), ("Date", "TxnDate"), ("Paid by", "PaymentMethodRef")),
        (("Balance due", "Balance"),),
    ),
    "CreditMemo": Form(
        "CREDIT MEMO",
        "CustomerRef",
        "CREDIT TO",
        (("Credit #", "DocNumber"), ("Date", "TxnDate")),
        (("Remaining credit", "RemainingCredit"),),
    ),
    "RefundReceipt": Form(
        "REFUND RECEIPT", "CustomerRef", "REFUND TO", (("Refund #", "DocNumber"), ("Date", "TxnDate"))
    ),
    "PurchaseOrder": Form(
        "PURCHASE ORDER",
        "VendorRef",
        "VENDOR",
        (("Order #", "DocNumber"), ("Date", "TxnDate"), ("Due date", "DueDate"), ("Status", "POStatus")),
    ),
}
"""The entities that have a PDF. Source: each entity's page."""


def render(entity: str, record: Mapping[str, Any], company: Mapping[str, Any]) -> bytes:
    """Return the PDF of a record; the same record gives the same bytes.

    Args:
        entity: One of `FORMS`.
        record: The record.
        company: CompanyInfo.
    """
    from reportlab.pdfgen.canvas import Canvas  # noqa: PLC0415 -- a large library, needed for PDFs alone

    _register_fonts()
    buffer = io.BytesIO()
    canvas = Canvas(buffer, pagesize=(_WIDTH, _HEIGHT), invariant=1)
    canvas.setTitle(f"{FORMS[entity].title} {record.get('DocNumber', record.get('Id', ''))}")
    canvas.setAuthor(_text(company.get("CompanyName")))
    _Document(canvas, FORMS[entity], record, company).draw()
    canvas.save()
    return buffer.getvalue()


def _register_fonts() -> None:
    """Register a font with more letters than the standard ones; it comes with the library."""
    import reportlab  # noqa: PLC0415 -- as in `render`
    from reportlab.pdfbase import pdfmetrics  # noqa: PLC0415
    from reportlab.pdfbase.ttfonts import TTFont  # noqa: PLC0415

    with _lock:
        if _FONT not in pdfmetrics.getRegisteredFontNames():
            folder = Path(reportlab.__file__).parent / "fonts"
            pdfmetrics.registerFont(TTFont(_BOLD, str(folder / "VeraBd.ttf")))
            pdfmetrics.registerFont(TTFont(_FONT, str(folder / "Vera.ttf")))


class _Document:
    def __init__(self, canvas: Any, form: Form, record: Mapping[str, Any], company: Mapping[str, Any]) -> None:
        self._canvas = canvas
        self._form = form
        self._record = record
        self._company = company
        self._y = float(_HEIGHT - _MARGIN)

    def draw(self) -> None:
        self._draw_head()
        self._draw_table_head()
        for line in _lines(self._record.get("Line")):
            self._draw_line(line)
        self._draw_totals()
        memo = _text(_member(self._record.get("CustomerMemo"), "value") or self._record.get("CustomerMemo"))
        self._y -= _LEADING
        for text in self._wrap(memo, 300):
            self._reserve()
            self._left(_MARGIN, text)
            self._y -= _LEADING

    def _draw_head(self) -> None:
        company = self._company
        self._left(_MARGIN, _text(company.get("CompanyName")), size=14, bold=True)
        self._right(_WIDTH - _MARGIN, self._form.title, size=18, bold=True, color=(0.04, 0.42, 0.27))
        self._y -= 18
        email = _text(_member(company.get("Email"), "Address"))
        for text in [*_address(company.get("CompanyAddr")), email]:
            if text:
                self._left(_MARGIN, text, size=9)
                self._y -= _LEADING
        self._y -= 2 * _LEADING
        top = self._y
        self._left(_MARGIN, self._form.addressed, size=8, bold=True)
        self._y -= _LEADING
        party = _text(_member(self._record.get(self._form.party), "name"))
        address = _address(self._record.get("BillAddr") or self._record.get("VendorAddr"))
        for text in address if party in address else [party, *address]:
            self._left(_MARGIN, text)
            self._y -= _LEADING
        bottom, self._y = self._y, top
        for label, key in self._form.dates:
            value = self._record.get(key)
            text = _text(_member(value, "name") or _member(value, "value") if isinstance(value, dict) else value)
            if text:
                self._right(450, label, size=8, bold=True)
                self._left(462, text)
                self._y -= _LEADING
        self._y = min(bottom, self._y) - 2 * _LEADING

    def _draw_table_head(self) -> None:
        canvas = self._canvas
        canvas.setFillColorRGB(0.91, 0.95, 0.93)
        canvas.rect(_MARGIN, self._y - 4, _WIDTH - 2 * _MARGIN, 16, stroke=0, fill=1)
        item, description, quantity, rate, total = _COLUMNS
        self._left(item + 4, "ACTIVITY", size=8, bold=True)
        self._left(description, "DESCRIPTION", size=8, bold=True)
        for right, label in ((quantity, "QTY"), (rate, "RATE"), (total - 4, "AMOUNT")):
            self._right(right, label, size=8, bold=True)
        self._y -= _LEADING + 5

    def _draw_line(self, line: Mapping[str, Any]) -> None:
        item, description, quantity, rate, total = _COLUMNS
        kind = _text(line.get("DetailType"))
        detail = line.get(kind)
        detail = detail if isinstance(detail, dict) else {}
        if kind in ("SubTotalLineDetail", "TaxLineDetail"):
            return
        activity = _text(_member(detail.get("ItemRef") or detail.get("AccountRef"), "name"))
        if kind == "DiscountLineDetail":
            percent = detail.get("DiscountPercent")
            activity = f"Discount {_number(percent)} %" if percent is not None else "Discount"
        names = self._wrap(activity, description - item - 10)
        texts = self._wrap(_text(line.get("Description"))[:_MAX_TEXT], quantity - description - 40)
        for number in range(max(len(names), len(texts), 1)):
            self._reserve(table=True)
            if number < len(names):
                self._left(item + 4, names[number])
            if number < len(texts):
                self._left(description, texts[number])
            if not number:
                self._right(quantity, _number(detail.get("Qty")))
                self._right(rate, _money(detail.get("UnitPrice")))
                sign = "-" if kind == "DiscountLineDetail" else ""
                self._right(total - 4, sign + _money(line.get("Amount")) if "Amount" in line else "")
            self._y -= _LEADING
        self._y -= 3

    def _draw_totals(self) -> None:
        record = self._record
        self._canvas.line(_MARGIN, self._y + 6, _WIDTH - _MARGIN, self._y + 6)
        self._y -= _LEADING
        currency = _text(_member(record.get("CurrencyRef"), "value"))
        tax = _member(record.get("TxnTaxDetail"), "TotalTax")
        subtotal = next(
            (one for one in _lines(record.get("Line")) if one.get("DetailType") == "SubTotalLineDetail"), {}
        )
        rows = [("Subtotal", subtotal.get("Amount")), ("Tax", tax), (f"Total {currency}", record.get("TotalAmt"))]
        rows += [(label, record.get(key)) for label, key in self._form.totals]
        for label, value in rows:
            if value is not None:
                self._reserve()
                self._right(450, label, bold=label.startswith(("Total", "Balance")))
                self._right(_WIDTH - _MARGIN - 4, _money(value), bold=label.startswith(("Total", "Balance")))
                self._y -= _LEADING + 2

    def _reserve(self, *, table: bool = False) -> None:
        """Begin a new page if this one is full."""
        if self._y >= _BOTTOM:
            return
        self._canvas.showPage()
        self._y = float(_HEIGHT - _MARGIN)
        if table:
            self._draw_table_head()

    def _wrap(self, text: str, width: float) -> list[str]:
        from reportlab.lib.utils import simpleSplit  # noqa: PLC0415 -- as in `render`

        return [str(line) for line in simpleSplit(text, _FONT, 10, width)] if text else []

    def _left(self, x: float, text: str, *, size: int = 10, bold: bool = False) -> None:
        self._set(size, bold=bold)
        self._canvas.drawString(x, self._y, _printable(text))

    def _right(
        self,
        x: float,
        text: str,
        *,
        size: int = 10,
        bold: bool = False,
        color: tuple[float, float, float] = (0.1, 0.1, 0.1),
    ) -> None:
        self._set(size, bold=bold, color=color)
        self._canvas.drawRightString(x, self._y, _printable(text))

    def _set(self, size: int, *, bold: bool, color: tuple[float, float, float] = (0.1, 0.1, 0.1)) -> None:
        self._canvas.setFillColorRGB(*color)
        self._canvas.setFont(_BOLD if bold else _FONT, size)


def _printable(text: str) -> str:
    """Replace the characters that the font lacks by a question mark."""
    from reportlab.pdfbase import pdfmetrics  # noqa: PLC0415 -- as in `render`

    known = pdfmetrics.getFont(_FONT).face.charToGlyph
    return "".join(character if ord(character) in known else "?" for character in text)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else "" if value is None or isinstance(value, dict | list) else str(value)


def _member(value: Any, key: str) -> Any:
    return value.get(key) if isinstance(value, dict) else None


def _lines(value: Any) -> Iterable[Mapping[str, Any]]:
    return [line for line in value if isinstance(line, dict)] if isinstance(value, list) else []


def _address(value: Any) -> list[str]:
    if not isinstance(value, dict):
        return []
    lines = [_text(value.get(f"Line{number}")) for number in range(1, 6)]
    region = " ".join(filter(None, (_text(value.get("CountrySubDivisionCode")), _text(value.get("PostalCode")))))
    place = ", ".join(filter(None, (_text(value.get("City")), region)))
    return [text for text in (*lines, place, _text(value.get("Country"))) if text]


def _decimal(value: Any) -> Decimal | None:
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return None
    return number if number.is_finite() else None


def _money(value: Any) -> str:
    number = None if value is None else _decimal(value)
    return "" if number is None else f"{number:,.2f}"


def _number(value: Any) -> str:
    number = None if value is None else _decimal(value)
    return "" if number is None else f"{number.normalize():f}"
