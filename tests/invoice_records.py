"""Invoices for tests: one by its amounts, and a strategy that makes any."""

from __future__ import annotations

from datetime import date

from hypothesis import strategies as st


def invoice(total, balance, due=None, note=None, **more):
    made = {"Id": "1", "TotalAmt": total, "Balance": balance}
    made |= {} if due is None else {"DueDate": due}
    return made | ({} if note is None else {"PrivateNote": note}) | more


cents = st.integers(0, 10**9)
days = st.none() | st.dates(date(2020, 1, 1), date(2030, 1, 1)).map(date.isoformat)
invoices = st.builds(
    lambda total, owed, due, note, currency: invoice(
        total / 100, min(owed, total) / 100, due, note, CurrencyRef={"value": currency}
    ),
    cents | st.just(0),
    cents | st.just(0),
    days,
    st.sampled_from([None, "Voided", "Thanks"]),
    st.sampled_from(["USD", "EUR", "JPY"]),
)
