"""Derive the facts: every recorded exchange in its own shape, with names, numbers and texts that are ours.

    .venv/bin/python tests/emulator/make_facts.py

writes `tests/emulator/facts/*.json` from the recordings beside the checkout. What stays is Intuit's: keys and their
order, types, spelling of numbers, vocabulary (enumerations, types, states), faults, headers. What is replaced:

- Words of data, one by one, by a word of the same length and letter case, in the same alphabetical order, so that
  composed names, sort orders and the columns in a parser's faults still hold.
- Digits of data (addresses, phones, document numbers), digit by digit; Ids of records, in the same order.
- Amounts, all by the same factor; quantities, rates and percentages stay, so that products and sums still hold.
- Times and dates, by whole weeks for each company, so that order, weekday and zone still hold.
"""

from __future__ import annotations

import hashlib
import json
import re
import sys
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime, parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from emulator import recorded
from emulator.recorded import Exchange

FOLDER = Path(__file__).with_name("facts")
FACTOR = 3
"""Of every amount."""

# ---- what is vocabulary ----------------------------------------------------------------------------------------------

# Values under these keys are Intuit's words, or of Intuit's protocol.
VOCABULARY_KEYS = frozenset(
    {"domain", "AccountType", "AccountSubType", "Classification", "BillableStatus", "DetailType", "PayType", "Type"}
    | {"PaymentType", "PrintStatus", "EmailStatus", "TxnStatus", "POStatus", "TxnType", "PostingType", "DeliveryType"}
    | {"status", "type", "group", "ReportName", "ReportBasis", "DateMacro", "Currency", "SummarizeColumnsBy"}
    | {"ColTitle", "ColType", "PreferredDeliveryMethod", "bId", "operation", "CustomerTerminology", "declaredType"}
    | {"scope", "token_type", "error", "error_description", "code", "element", "ETransactionEnabledStatus", "include"}
    | {"FiscalYearStartMonth", "SupportedLanguages", "DefaultTimeZone", "WorkWeekStartDate", "DefinitionId", "sparse"}
    | {"SyncToken", "ClientEntityId", "AddressType", "grant_type", "FileName", "ContentType"}
)
# Values of these properties are, below these keys.
VOCABULARY_PARENTS = frozenset({"CurrencyRef", "HomeCurrency", "NameValue", "MetaData", "Option", "any", "OtherPrefs"})
# Whole texts that QuickBooks itself writes, and parts of texts.
VOCABULARY_TEXTS = frozenset({"INVALID", "US", "USA", "NON", "TAX", "Voided", "REDACTED", ""})
VOCABULARY_WORDS = frozenset({"http", "https", "www", "com", "org", "deleted", "voided", "redacted", "example"})
REPORT_TEXTS = frozenset(
    {"Income", "Total Income", "Gross Profit", "Expenses", "Total Expenses", "Net Operating Income", "Net Income"}
    | {"Beginning Balance", "Invoice", "Sales Receipt"}
)
FAULT_KEYS = frozenset({"Message", "Detail", "message", "detail"})
_STATEMENT_WORDS = frozenset(
    [
        "select",
        "from",
        "where",
        "and",
        "in",
        "order",
        "orderby",
        "by",
        "asc",
        "desc",
        "maxresults",
        "startposition",
        "count",
        "true",
        "false",
        "like",
        "null",
    ]
)

# ---- what is a number ------------------------------------------------------------------------------------------------

_MONEY = re.compile(
    r"(Amount|UnitPrice|TotalAmt|Balance|BalanceWithJobs|TotalTax|NetAmountTaxable|UnappliedAmt|PurchaseCost|Deposit"
    r"|CurrentBalance|CurrentBalanceWithSubAccounts|HomeTotalAmt|HomeBalance|BalanceAmount|TaxInclusiveAmt"
    r"|txnOpenBalance|OpenBalance|RemainingCredit|InitialBalance)"
)
_IDS = re.compile(r"(Id|TxnId|\w*Ref/value|ParentRef|DefaultTerms/value|ColData/id|Header/Customer)")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d(:\d\d(\.\d+)?)?([+-]\d\d:\d\d|Z)?")
_DATE = re.compile(r"\d{4}-\d\d-\d\d")
_WORD = re.compile(r"[^\W\d_]{2,}")
_DIGITS = re.compile(r"\d{3,}")
# A week back; where the clock would then be in the other half of the year (daylight saving time), a week on.
_WEEKS = {"minimul-qbo_api/2015-2016-oauth1": 1, "Boulevard-ExQuickBooks": 1}


class Words:
    """Our word for each word of the recordings: in the same alphabetical order, of the same length."""

    def __init__(self):
        self.seen = set()
        self._ours = None

    def replaced(self, text, only=None):
        """Replace the words and the digits of a text.

        Args:
            text: A text of data.
            only: Replace these words alone, and no digits.
        """
        if only is not None:
            return _WORD.sub(lambda m: self._word(m[0]) if m[0].lower() in only else m[0], text)
        return _DIGITS.sub(lambda m: m[0][0] + digits(m[0][1:]), _WORD.sub(lambda m: self._word(m[0]), text))

    def rank(self):
        """Choose our words: all of theirs have been seen."""
        by_letter = {}
        for word in sorted(self.seen):
            by_letter.setdefault(word[0], []).append(word)
        self._ours = {
            word: self._code(i, len(words), word) for words in by_letter.values() for i, word in enumerate(words)
        }

    def _code(self, rank, count, word):
        """Return the first letter, two for the rank among the words with it, and some that can be spoken."""
        number = (rank + 1) * 26**2 // (count + 1)
        for step in range(26**2 // (count + 1)):  # codes stay in order: the next word's begins behind these
            digest = hashlib.sha256(f"{number + step} {word}".encode()).digest()
            letters = [(number + step) // 26, (number + step) % 26]
            rest = ["aeiou"[byte % 5] if i % 2 else "bdfglmnprst"[byte % 11] for i, byte in enumerate(digest)]
            code = word[0] + "".join(chr(97 + letter) for letter in letters) + "".join(rest * 2)
            if code[: len(word)] not in self.seen | VOCABULARY_WORDS:
                break
        return code[: len(word)]

    def _word(self, word):
        lower = word.lower()
        if lower in VOCABULARY_WORDS or len(lower) != len(word):
            return word
        self.seen.add(lower)
        if self._ours is None:
            return word
        return "".join(new.upper() if old.isupper() else new for old, new in zip(word, self._ours[lower], strict=True))


def digits(text):
    return re.sub(r"\d", lambda m: str((int(m[0]) + 4) % 10), text)


def hexadecimal(text):
    return re.sub(r"[0-9a-f]", lambda m: f"{(int(m[0], 16) + 7) % 16:x}", text)


class Disguise:
    """Replaces what one company's exchanges hold."""

    def __init__(self, family, words):
        self._shift = timedelta(weeks=_WEEKS.get(family, -1))
        self._words = words
        self._keeps_start = False

    # ---- scalars ----

    def id(self, text):
        """Keep small Ids that are the same in every company: of settings, tax codes, terms."""
        return str(int(text) * 2 + 400) if text.isdigit() and 3 < int(text) < 10**17 else text

    def moment(self, text):
        def one(match):
            when = datetime.fromisoformat(match[0]) + self._shift
            return when.strftime("%Y-%m-%d") + match[0][10:]

        return _TIME.sub(one, text)

    def day(self, text):
        return _DATE.sub(lambda m: (date.fromisoformat(m[0]) + self._shift).isoformat(), text)

    def string(self, path, text):
        """Replace a text under a path of keys, by the first rule that covers it."""
        for rule in (self._time, self._identity, self._word_of_intuit, self._digits, self._own):
            new = rule(path[-1], path[-2] if len(path) > 1 else "", text)
            if new is not None:
                return new
        if "value" in path[:-1] and path[-1] in ("Name", "Value"):
            return self._name_value(path[-1], text)
        return self._words.replaced(text)

    def _time(self, key, _parent, text):
        if _TIME.fullmatch(text):
            return self.moment(text)
        if _DATE.fullmatch(text):
            return text if key == "StartPeriod" and self._keeps_start else self.day(text)
        return None

    def _identity(self, key, parent, text):
        named = _IDS.fullmatch(key) or _IDS.fullmatch(f"{parent}/{key}")
        return self.id(text) if named and text.isdigit() and parent != "MetaData" else None

    @staticmethod
    def _word_of_intuit(key, parent, text):
        own = parent == "NameValue" and key == "Value" and " " in text and not text.startswith("QuickBooks")
        is_vocabulary = (
            text in VOCABULARY_TEXTS
            or key in VOCABULARY_KEYS
            or (key == "CountrySubDivisionCode" and len(text) == 2)
            or (parent in VOCABULARY_PARENTS and not own)
            or "Prefs." in text
        )
        return text if is_vocabulary else None

    def _digits(self, key, _parent, text):
        if key in ("Lat", "Long"):
            return re.sub(r"(?<=\.)\d+", lambda m: digits(m[0]), text)
        if re.fullmatch(r"-?\d*\.\d\d", text):  # a report's
            return self.amount(text)
        made = {"V4IDPseudonym": hexadecimal, "TaxIdentifier": digits}.get(key)
        return made(text) if made else None

    def _own(self, key, parent, text):
        if key == "Query":
            return self.statement(text)
        if key.endswith("_token"):
            return f"our-{key}"
        return self._cell(text) if parent == "ColData" else None

    def _cell(self, text):
        """A report's own words stay."""
        if text in REPORT_TEXTS:
            return text
        head, name, tail = re.fullmatch(r"(Total for |)(.*?)( with sub-accounts|)", text).groups()
        return head + self._words.replaced(name) + tail

    def _name_value(self, key, text):
        if key == "Name" or not text:
            return text
        return self.amount(text) if "." in text else self.id(text) if text.isdigit() else self._words.replaced(text)

    def amount(self, text):
        return str(Decimal(text) * FACTOR)

    def number(self, path, text):
        if path[-1] == "time":
            return str(int(text) + int(self._shift.total_seconds() * 1000))
        return self.amount(text) if _MONEY.fullmatch(path[-1]) else text

    # ---- texts ----

    _TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|-?\d[\d.eE+-]*|[{}\[\],:]|[a-z]+|\s+')

    def json(self, text, fault_words):
        """Replace the values of a JSON text in place: everything else stays as it was spelled."""
        out, stack, key, expects_key = [], [], None, False
        for match in self._TOKENS.finditer(text):
            token = match[0]
            if token in "{[":
                stack.append((token, key))
                expects_key = token == "{"
            elif token in "}]":
                key = stack.pop()[1]
                expects_key = False
            elif token == ",":
                expects_key = stack[-1][0] == "{"
            elif token[0] == '"' and expects_key:
                key, expects_key = json.loads(token), False
            elif token[0] == '"':
                path = [k for kind, k in stack if k is not None and kind == "{"] + [key]
                old = json.loads(token)
                new = (
                    self.fault(old, fault_words)
                    if path[-1] in FAULT_KEYS and fault_words is not None
                    else (self.string(path, old))
                )
                token = token if new == old else json.dumps(new, ensure_ascii=False)
            elif token[0] in "-0123456789":
                token = self.number([key], token)
            out.append(token)
        return "".join(out)

    def xml(self, text, fault_words):
        out, stack = [], []
        for match in re.finditer(r"<[^>]*>|[^<]+", text):
            token = match[0]
            if token.startswith("</"):
                stack.pop()
            elif token.startswith("<"):
                name = re.match(r"<([\w:]*)", token)[1].rpartition(":")[2]
                token = re.sub(r'\btime="([^"]+)"', lambda m: f'time="{self.moment(m[1])}"', token)
                if name.endswith("Ref") and name != "CurrencyRef":
                    token = re.sub(r' name="([^"]+)"', lambda m: f' name="{self._escaped(m[1])}"', token)
                if name and not token.endswith("/>") and not token.startswith(("<?", "<!")):
                    stack.append(name)
            elif token.strip() and stack:
                token = self._xml_text(stack, token, fault_words)
            out.append(token)
        return "".join(out)

    def _xml_text(self, stack, token, fault_words):
        key = stack[-1]
        if fault_words is not None:
            return self.fault(token, fault_words)
        if key.endswith("Ref") and key != "CurrencyRef":
            return self.id(token)
        if re.fullmatch(r"-?[\d.]+", token) and _MONEY.fullmatch(key):
            return self.amount(token)
        if token in ("true", "false") or (re.fullmatch(r"-?[\d.]+", token) and key in _PLAIN_NUMBERS):
            return token
        return re.sub(r"[^&]+|&\w+;|&", lambda m: m[0] if m[0][0] == "&" else self.string(stack, m[0]), token)

    def _escaped(self, text):
        return re.sub(r"&\w+;|[^&]+", lambda m: m[0] if m[0][0] == "&" else self._words.replaced(m[0]), text)

    def fault(self, text, words):
        """A fault's words are Intuit's, except those that the request brought."""
        text = re.sub(r"You and .+? were working on this at the same time\. .+? finished", _STALE, text)
        text = re.sub(r"(Token expired: )\w+", r"\1AB01-a-token-of-ours", text)
        text = re.sub(r"(qbo)\d+|//c\d+\.", lambda m: f"{m[1]}77" if m[1] else "//c77.", text)
        return self._words.replaced(self.moment(text), only=words)

    def statement(self, text):
        """Replace the literals of a query, and what stands in their place in a broken one."""
        head, found, tail = re.match(
            r"(?is)(.*?\bwhere\b|)(.*?)((?:\b(?:order\s*by|maxresults|startposition)\b.*)?)$", text
        ).groups()
        if not head:
            return text

        def literal(match):
            inner = match[1]
            if _TIME.fullmatch(inner):
                return f"'{self.moment(inner)}'"
            if re.fullmatch(r"-?\d+\.\d\d", inner):
                return f"'{self.amount(inner)}'"
            return f"'{self.id(inner)}'" if inner.isdigit() else f"'{self._words.replaced(inner)}'"

        if re.fullmatch(r"[^'\"]*('[^'\"]*'[^'\"]*)*", found) and "DisplayName" not in found:
            return head + re.sub(r"'([^']*)'", literal, found) + tail
        return head + self._words.replaced(found, only=self._data(found)) + tail

    @staticmethod
    def _data(text):
        """Return the words of a part of a query that are not the query language's."""
        return {m[0].lower() for m in _WORD.finditer(text)} - _STATEMENT_WORDS - _PROPERTIES

    def target(self, text, *, keep_ids):
        if text is None or (text.startswith("/") and "?" not in text):
            return text
        if text.startswith("%2F"):  # a query in the place of a path
            before, where, after = text.partition("WHERE")
            return before + where + self._words.replaced(after, only=self._data(unquote(after)))
        path, mark, query = text.partition("?")
        path = re.sub(r"(?<=/)\d+", lambda m: m[0] if keep_ids else self.id(m[0]), path)
        parts = []
        for part in re.split("(&)", query):
            name, equals, value = part.partition("=")
            if name == "query" or (name == "" and equals):
                new = self.statement(unquote(value))
                parts.append(part if new == unquote(value) else f"{name}={_quoted_like(value, new)}")
            elif not equals or "%27" in name:  # what an unquoted ampersand left of a query
                parts.append(self._words.replaced(part, only={m[0].lower() for m in _WORD.finditer(part)} - {"amp"}))
            else:
                parts.append(self.moment(part) if "Since" in name else self.day(part))
        return path + mark + "".join(parts)

    # ---- headers ----

    def headers(self, given):
        return None if given is None else {name: self._header(name, value) for name, value in given.items()}

    def _header(self, name, value):
        if name == "date":
            return format_datetime((parsedate_to_datetime(value) + self._shift).astimezone(UTC), usegmt=True)
        if name in ("intuit_tid", "x-request-id", "x-amzn-trace-id", "x-spanid"):
            return re.sub(r"[0-9a-f]{4,}", lambda m: hexadecimal(m[0]), value)
        if name in ("service-time", "qbo-version", "x-ratelimit-reset", "x-ratelimit-remaining"):
            return digits(value)
        if name in ("x-newrelic-app-data", "via", "etag", "content-security-policy-report-only"):
            return "ours"
        if name == "access-control-expose-headers":
            return "Authorization"
        return value

    def exchange(self, one):
        asked = one.body.decode("utf-8", "replace") + unquote(one.target or "")
        fault_words = None
        self._keeps_start = "start_date" not in asked  # a macro's: the first day of the month
        if one.kind in ("fault", "attachment") or '"Fault"' in one.text:
            fault_words = {m[0].lower() for m in _WORD.finditer(self._data_of(one, asked))}
        # A signature's text has a recorder's placeholders in it, which look like elements.
        text = re.sub(r"(?s)(<Detail>SignatureBaseString).*?(</Detail>)", r"\1: GET\2", one.text)
        if one.is_xml:
            text = self.xml(text, fault_words if one.kind == "fault" else None)
        elif text.lstrip().startswith("{"):
            text = self.json(text, fault_words)
        elif fault_words is not None:
            text = self.fault(text, fault_words)
        made = {name.name: getattr(one, name.name) for name in fields(Exchange)}
        target = self.target(one.target, keep_ids=one.kind == "fault")
        return Exchange(
            **made
            | {
                "target": target,
                "sent": {name: _BOUNDARY.sub(r"\1a-boundary-of-ours", value) for name, value in one.sent.items()},
                "body": self.body(one),
                "headers": self.headers(one.headers),
                "text": text,
                "at": one.at + self._shift,
                "statement": _statement_of(one, target),
            }
        )

    def _data_of(self, one, asked):
        """Return the part of a request whose words are data."""
        if one.statement is not None or "query" in (one.target or ""):
            found = re.search(r"(?is)\bwhere\b(.*)", asked)
            return " ".join(self._data(found[1])) if found else ""
        found = re.findall(r'"(?:DisplayName|Name|GivenName|FamilyName|CompanyName)"\s*:\s*"([^"]*)"', asked)
        return " ".join(found)

    def body(self, one):
        try:
            text = one.body.decode()
        except UnicodeDecodeError:
            return one.body
        if text.lstrip().startswith("{"):
            return self.json(text, None).encode()
        if text.lstrip().startswith("<"):
            return self.xml(text, None).encode()
        return _BOUNDARY.sub(r"\1a-boundary-of-ours", text).encode()


_BOUNDARY = re.compile(r"(-)\w+-[0-9a-f]{30,}")  # random, of a multipart body
_STALE = "You and A Person of Ours were working on this at the same time. A Person of Ours finished"
_PLAIN_NUMBERS = frozenset({"Qty", "LineNum", "Level", "TaxPercent", "DiscountPercent", "SyncToken"})
_PROPERTIES = frozenset({"displayname", "active", "primaryemailaddr", "metadata", "lastupdatedtime", "customer"})


def _quoted_like(old, new):
    """Quote a text as another one is quoted: what stands there as it is stands here as it is."""
    return quote(new, safe="".join(set(re.sub(r"%[0-9A-Fa-f]{2}", "", old))))


def _statement_of(one, target):
    """Return the query of a request, as `recorded` finds it."""
    if one.statement is None or target == "query":
        return one.statement
    parts = {f.name: getattr(one, f.name) for f in fields(one) if f.name not in ("kind", "statement")}
    made = recorded._exchange(**parts | {"target": target})
    return made.statement


# ---- files -----------------------------------------------------------------------------------------------------------


def derive():
    """Derive every exchange's fact; two passes, because our words are chosen when all are known."""
    given, words = recorded.read_all(), Words()
    for one in given:
        Disguise(one.family, words).exchange(one)
    words.rank()
    return [Disguise(one.family, words).exchange(one) for one in given], words


def as_files(exchanges):
    """Return the texts of the files by name: one for each source of recordings."""
    files = {}
    for one in exchanges:
        source = one.family.split("/")[0] if one.family != one.name else one.name.split("/")[0]
        files.setdefault(f"{source}.json", []).append(one)
    return {name: "[\n" + ",\n".join(map(_line, made)) + "\n]\n" for name, made in files.items()}


class _Number(str):
    """A number in its own spelling."""

    __slots__ = ()


def _as_json(value):
    """Write JSON without spaces, every number in its own spelling."""
    return re.sub(r'"@number ([^"]+)"', r"\1", json.dumps(_marked(value), ensure_ascii=False, separators=(",", ":")))


def _marked(value):
    if isinstance(value, dict):
        return {key: _marked(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_marked(item) for item in value]
    return f"@number {value}" if isinstance(value, _Number) else value


def _from_json(text):
    return json.loads(text, parse_float=_Number, parse_int=_Number)


def _line(one):
    row: dict[str, Any] = {f.name: getattr(one, f.name) for f in fields(one)}
    row |= {"body": one.body.decode("utf-8", "surrogateescape"), "at": one.at.isoformat()}
    row = {name: value for name, value in row.items() if value not in (None, "", {}) or name == "text"}
    row = _from_json(json.dumps(row))
    try:
        answer = _from_json(one.text)
    except ValueError:
        return _as_json(row)
    if one.spelling != "verbatim" or _as_json(answer) == one.text.strip():
        del row["text"]  # readable in the file
        row["answer"] = answer
    return _as_json(row)


def read_all():
    """Read the facts in the order of the recordings' own."""
    found = []
    for path in sorted(FOLDER.glob("*.json")):
        for row in _from_json(path.read_text("utf-8")):
            row.setdefault("text", _as_json(row.pop("answer", None)))
            whole = {"target": None, "headers": None, "sent": {}, "body": ""} | row
            whole |= {"body": whole["body"].encode("utf-8", "surrogateescape"), "at": datetime.fromisoformat(row["at"])}
            whole["status"] = int(row["status"]) if "status" in row else None
            found.append(Exchange(**whole))
    return found


def main():
    FOLDER.mkdir(exist_ok=True)
    for name, text in as_files(derive()[0]).items():
        (FOLDER / name).write_text(text, "utf-8")


if __name__ == "__main__":
    main()
