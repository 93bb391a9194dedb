"""Small defects of the emulator, one at a time, and which tests notice them.

A test suite that passes proves little unless it fails for a wrong emulator. This script copies the checkout, makes one
change of the table below in the copy, and runs the conformance suite alone, then all tests of the emulator until the
first failure:

    .venv/bin/python tests/emulator/mutants.py [NAME ...] [--conformance-only] [--workers 2]

It prints one line for each change and the two totals, and exits with 1 if a change went unnoticed by all tests.
"""

# ruff: noqa: E501 -- a change is a line of the table

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = Path("vantage_quickbooks/emulator")
CONFORMANCE = (
    "tests/emulator/test_conformance_facts.py",
    "tests/emulator/test_conformance_documented.py",
    "tests/emulator/test_conformance.py",
)
TIMEOUT_S = 1_200


@dataclass(frozen=True)
class Mutant:
    """A small change.

    Attributes:
        name: What is wrong then.
        path: The module, below the emulator's package.
        old: A text that occurs once in it.
        new: What replaces it.
        tests: Test files that are run first, because they are about this.
    """

    name: str
    path: str
    old: str
    new: str
    tests: tuple[str, ...] = ()


MUTANTS = (
    # ---- queries ----
    Mutant("transactions in ascending order", "query/sql.py", '"r.updated DESC, r.row DESC"', '"r.updated, r.row"'),
    Mutant("name lists in order of creation", "query/sql.py", '"r.sort_name, r.row"', '"r.created, r.row"'),
    Mutant("inactive records are listed", "query/sql.py", 'clauses.append("r.active = 1")', "pass"),
    Mutant("10 records by default", "query/sql.py", "DEFAULT_MAX_RESULTS = 100", "DEFAULT_MAX_RESULTS = 10"),
    Mutant("STARTPOSITION counts from zero", "query/sql.py", "offset=(statement.start or 1) - 1", "offset=(statement.start or 0)"),
    Mutant("descending keys ascend", "query/sql.py", """keys.append(f"{sql.of(prop)}{' DESC' if descending else ''}")""", 'keys.append(f"{sql.of(prop)}")'),
    Mutant("texts are compared exactly", "query/sql.py", 'expression += " COLLATE NOCASE"', "pass"),
    Mutant("LIKE has an underscore wildcard", "query/sql.py", """.replace("_", "\\\\_")""", ""),
    Mutant("a date has the time of UTC", "query/sql.py", "moment.replace(tzinfo=zone)).astimezone", "moment.replace(tzinfo=UTC)).astimezone"),
    Mutant("the last condition is dropped", "query/sql.py", "for condition in statement.where:", "for condition in statement.where[:-1] or statement.where:"),
    Mutant("unsortable properties sort", "query/sql.py", "if not prop.sortable:", "if False:"),
    Mutant("unfilterable properties filter", "query/sql.py", "if not prop.filterable:", "if False:"),
    Mutant("totalCount everywhere", "query/execute.py", "if self.entity.has_total_count else", "if True else"),
    Mutant("startPosition is always 1", "query/execute.py", "self.start,\n            self.number", "1,\n            self.number"),
    Mutant("maxResults is the limit", "query/execute.py", "            self.number,\n            total", "            100,\n            total"),
    Mutant("empty results have an empty list", "query/execute.py", 'return b"{}"', """return b'{"%s":[]}' % self.entity.name.encode()"""),
    Mutant("selected fields lack Id", "query/execute.py", 'paths = (*fields, "domain", "sparse", "Id")', 'paths = (*fields, "domain", "sparse")'),
    Mutant("counts of all records", "query/execute.py", 'FROM record r {join} WHERE {where}"  # noqa: S608 -- values are bound\n                return', 'FROM record r {join} WHERE {where} OR 1"  # noqa: S608\n                return'),
    # ---- changes ----
    Mutant("changes of 31 days", "http/cdc.py", "LOOK_BACK_S = 30 * 86_400", "LOOK_BACK_S = 31 * 86_400"),
    Mutant("1,001 changed objects", "http/cdc.py", "MAX_OBJECTS = 1000", "MAX_OBJECTS = 1001"),
    Mutant("changes of uncaptured entities", "http/cdc.py", "or entity.name in UNCAPTURED", ""),
    Mutant("faults of changes have status 400", "http/cdc.py", "status=200", "status=400"),
    Mutant("no tombstones", "company/company.py", "for tombstone in tombstones]", "for tombstone in tombstones[:0]]"),
    # ---- headers, envelopes and faults ----
    Mutant("JSON without charset", "http/data_api.py", 'response.success(request.trace, "application/json;charset=UTF-8", body)', 'response.success(request.trace, "application/json", body)'),
    Mutant("faults with charset", "http/data_api.py", 'kind = "application/json"\n', 'kind = "application/json;charset=UTF-8"\n'),
    Mutant("throttling as JSON", "http/data_api.py", "fault.status in (429, 504)", "fault.status in (504,)"),
    Mutant("401 without challenge", "http/data_api.py", "if fault.status == 401:\n", "if fault.status == 499:\n"),
    Mutant("any scope is sufficient", "http/data_api.py", "if ACCOUNTING_SCOPE not in chain.scopes:", "if False:"),
    Mutant("tokens of another company", "http/data_api.py", "if chain.realm == realm else None", ""),
    Mutant("time without offset", "http/data_api.py", 'return moment.isoformat(timespec="milliseconds" if moment.microsecond else "seconds")', 'return moment.replace(tzinfo=None).isoformat(timespec="seconds")'),
    Mutant("cacheable answers", "http/response.py", '"max-age=0, no-cache, no-store, must-revalidate, private"', '"max-age=60"'),
    Mutant("another server", "http/response.py", '("server", "istio-envoy"),\n            ("strict', '("server", "nginx"),\n            ("strict'),
    Mutant("no intuit_tid of refusals", "http/response.py", '[("intuit_tid", trace.tid), ("x-request-id", trace.tid)]', '[("x-request-id", trace.tid)]'),
    # ---- limits and batches ----
    Mutant("5,000 requests a minute", "http/limits.py", '"per_minute": 500,', '"per_minute": 5_000,'),
    Mutant("12 requests at once", "http/limits.py", '"concurrent": 10,', '"concurrent": 12,'),
    Mutant("batches of 31", "http/batch.py", "MAX_ITEMS = 30", "MAX_ITEMS = 31"),
    Mutant("batches without bId", "http/batch.py", """else f',"bId":{compact(str(b_id))}'""", 'else ""'),
    # ---- writes ----
    Mutant("a sparse update replaces", "company/company.py", 'is_sparse = sent.get("sparse") is True', "is_sparse = False"),
    Mutant("a full update is sparse", "company/company.py", 'is_sparse = sent.get("sparse") is True', "is_sparse = True"),
    Mutant("any SyncToken is current", "company/company.py", 'if str(sent["SyncToken"]) != old.get("SyncToken"):', "if False:"),
    Mutant("the SyncToken stays", "company/company.py", 'token = str(int(old.get("SyncToken", "0")) + 1)', 'token = str(int(old.get("SyncToken", "0")))'),
    Mutant("names are taken twice", "company/company.py", 'if (name, taken) != (entity.name, record["Id"]):', "if False:"),
    Mutant("unchanged records are stamped", "company/company.py", "if old is not None and record == old:", "if False:"),
    Mutant("deleted invoices stay paid", "company/company.py", "            self._unapply_payments(entity, old, now)\n            self._unlink", "            self._unlink"),
    Mutant("balances of customers stay", "company/company.py", "self._adjust_balance(debtor, id_, amount, now)", "pass"),
    Mutant("more can be paid than is open", "company/company.py", "if balance < 0:  # our words", "if False:"),
    Mutant("lines without LineNum", "company/forms.py", 'number = {"LineNum": len(lines) + 1} if numbered else {}', "number = {}"),
    Mutant("totals without tax", "company/forms.py", "subtotal - discount + tax - back", "subtotal - discount - back"),
    Mutant("discounts are not subtracted", "company/forms.py", "subtotal - discount + tax - back", "subtotal + tax - back"),
    Mutant("no subtotal line", "company/forms.py", "    if entity.name in shapes.SALES_FORMS:\n        before", "    if False:\n        before"),
    Mutant("due at once", "company/forms.py", "known if isinstance(known, int) else days", "0"),
    Mutant("any amount of a line", "company/forms.py", "raise errors.wrong_line_amount(amount)", "pass"),
    Mutant("a void keeps the balance", "company/payments.py", 'for key in ("Balance", "UnappliedAmt"):', 'for key in ("UnappliedAmt",):'),
    Mutant("a void has no note", "company/payments.py", '"PrivateNote": note}', '"PrivateNote": record.get("PrivateNote", "")}'),
    Mutant("payments leave nothing unapplied", "company/payments.py", '"UnappliedAmt": total - _applied(record)}', '"UnappliedAmt": Decimal(0)}'),
    # ---- OAuth ----
    Mutant("any client secret", "oauth/authorization_server.py", 'if f"{self.client_id}:{self.client_secret}" not in given:', "if False:"),
    Mutant("refresh tokens stay", "oauth/authorization_server.py", "            self._rotate(chain, now)\n", "            pass\n"),
    Mutant("revoked refresh tokens refresh", "oauth/authorization_server.py", "        if chain.has_ended(now):\n            raise", "        if False:\n            raise"),
    Mutant("codes for any redirect URI", "oauth/authorization_server.py", "or known.redirect_uri != redirect_uri", ""),
    Mutant("codes can be used twice", "oauth/authorization_server.py", "known is None or known.chain or known", "known is None or known"),
    # ---- reports and webhooks ----
    Mutant("sales without tax in the ledger", "books/posting.py", '*self.taxed(sign, who)]\n        return self.finish(transaction, main, others, "uncategorized-income")', ']\n        return self.finish(transaction, main, others, "uncategorized-income")'),
    Mutant("expenses without a sign", "books/posting.py", 'sign * self.home(line.get("Amount"))\n            item_id', 'self.home(line.get("Amount"))\n            item_id'),
    Mutant("weeks begin on Monday", "reports/periods.py", "timedelta(days=(day.weekday() + 1) % 7)", "timedelta(days=day.weekday())"),
    Mutant("webhooks are not repeated", "webhooks/webhooks.py", "LADDER_S = (10, 20, 30, 300", "LADDER_S = (100_000_000, 20, 30, 300"),
    Mutant("webhooks of all entities", "webhooks/webhooks.py", "return self.entities is None or event.entity in self.entities", "return True"),
    Mutant("countries stay ISO-2", "profile.py", '_ISO3 = {"US": "USA"', '_ISO3 = {"US": "US"'),
    # ---- names and references ----
    Mutant("inactive records keep their name", "company/names.py", "return bare if active else bare + DELETED_SUFFIX", "return bare"),
    Mutant("names may have colons", "company/names.py", "if _INVALID_IN_NAME.search(name):", "if False:"),
    Mutant("names may be missing", "company/names.py", "    if not name:\n", "    if False:\n"),
    Mutant("print names are display names", "company/names.py", 'record.get("CompanyName") or person or name', "name"),
    Mutant("sub-customers without a level", "company/names.py", "if entity.name in shapes.WITH_LEVEL:", "if False:"),
    Mutant("references keep the name that was sent", "company/names.py", '"name": name} | value | {"name": name} if name', '"name": name} | value if name'),
    Mutant("parents by their bare name", "company/names.py", 'record["ParentRef"] = {"value": str(record["ParentRef"]["value"])}', "pass"),
    Mutant("any Id is looked for", "company/company.py", "errors.not_found() if id.isascii() and id.isdigit() else errors.invalid_id(id)", "errors.not_found()"),
    Mutant("customers in byte order", "company/entities.py", "name.casefold() if name and self.ignores_case else name", "name"),
    # ---- more of changes, batches and repeated requests ----
    Mutant("deletions are counted", "company/company.py", "for tombstone in tombstones], len(alive)", "for tombstone in tombstones], len(alive) + len(tombstones)"),
    Mutant("changes in descending order", "company/company.py", '" ORDER BY r.updated, r.row LIMIT ?"', '" ORDER BY r.updated DESC, r.row DESC LIMIT ?"'),
    Mutant("changes after the moment, not from it on", "company/company.py", 'r.kind = ? AND r.updated >= ?"', 'r.kind = ? AND r.updated > ?"'),
    Mutant("pages of 2,000", "query/parser.py", "MAX_RESULTS_LIMIT = 1000", "MAX_RESULTS_LIMIT = 2000"),
    # ---- more of money ----
    Mutant("bills lower the vendor's balance", "company/payments.py", '"Bill": ("Vendor", "VendorRef", "Balance", 1)', '"Bill": ("Vendor", "VendorRef", "Balance", -1)'),
    Mutant("credit memos raise the customer's balance", "company/payments.py", '"CreditMemo": ("Customer", "CustomerRef", "Balance", -1)', '"CreditMemo": ("Customer", "CustomerRef", "Balance", 1)'),
    Mutant("applied credits count as paid", "company/payments.py", "applied += -cents if", "applied += cents if"),
    Mutant("a void keeps its lines' amounts", "company/payments.py", 'line = line | {"Amount": Decimal(0)}', "line = dict(line)"),
    Mutant("a voided payment keeps its lines", "company/payments.py", "[] if pays else [_without_money", "[_without_money"),
    Mutant("line Ids begin again", "company/forms.py", 'itertools.count(_highest_line_id([*change.old.get("Line", []), *sent]) + 1)', "itertools.count(1)"),
    Mutant("bills can be voided", "company/company.py", '== ("Bill", "V"):', '== ("Bill", "X"):'),
    # ---- more of OAuth ----
    Mutant("a refresh token for two days", "oauth/authorization_server.py", "ROTATION_PERIOD_S = 86_400", "ROTATION_PERIOD_S = 2 * 86_400"),
    Mutant("a code sent twice leaves its tokens", "oauth/authorization_server.py", "known.chain.revoked = True", "known.chain.revoked = False"),
    Mutant("access tokens refresh", "oauth/authorization_server.py", '"Incorrect Token type or clientID"\n            )', '"Token invalid"\n            )'),
    # ---- more of reports and webhooks ----
    Mutant("the cash basis is the accrual basis", "books/ledger.py", "return CASH if cash else ACCRUAL", "return ACCRUAL"),
    Mutant("weeks of six days", "reports/periods.py", "return start, start + timedelta(days=6)", "return start, start + timedelta(days=5)"),
    Mutant("signatures of SHA-1", "webhooks/events.py", '"sha256"', '"sha1"'),
    Mutant("a requestid does not count", "http/data_api.py", "run(request_id, lambda: self._write(request, company, entity))", 'run("", lambda: self._write(request, company, entity))'),
    Mutant("a day more before it is past due", "reports/summaries.py", "min((past_due - 1) // days + 1, periods)", "min(past_due // days + 1, periods)"),
    # ---- further ones ----
    Mutant("today begins in the evening", "company/company.py", "return datetime.fromtimestamp(now, self.zone).date()", "return datetime.fromtimestamp(now + 28_800, self.zone).date()"),
    Mutant("estimates do not link back", "company/company.py", 'if kind.name in shapes.LINKED_BACK and back not in old.get("LinkedTxn", []):', "if False:"),
    Mutant("social security numbers are shown", "company/rules.py", '{"SSN": "XXX-XX-XXXX"}', "{}"),
    Mutant("a requestid of any length", "company/idempotency.py", "if len(request_id) > _MAX_LENGTH:", "if False:"),
    Mutant("debits differ from credits", "company/rules.py", "raise errors.unbalanced_entry(", "(lambda *_: None)("),
    Mutant("grants of six years", "oauth/authorization_server.py", "HARD_LIFETIME_S = 157_680_000", "HARD_LIFETIME_S = 189_216_000"),
    Mutant("empty values are stored", "company/rules.py", 'key: None if value == "" else _without_empty(value)', "key: value"),
    Mutant("read-only properties are written", "company/rules.py", "ignored = READ_ONLY | COMPUTED_FIELDS", "ignored = COMPUTED_FIELDS"),
    Mutant("OR is AND", "query/parser.py", '_refuse_connective("OR")', "pass"),
    Mutant("credits settle with the wrong sign", "books/posting.py", "settled += sign * at_charge", "settled += at_charge"),
    Mutant("sales in the credits' direction", "books/posting.py", 'account, -sign * self.home(line.get("Amount")), detail,', 'account, sign * self.home(line.get("Amount")), detail,'),
    Mutant("events without their entity's word", "webhooks/events.py", "qbo.{event.entity.lower()}.", "qbo.{event.entity}."),
)  # fmt: skip


def main() -> int:
    """Run the changes that the arguments name, all by default; return the exit status."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help="Part of a change's name.")
    parser.add_argument("--conformance-only", action="store_true", help="Do not run the other tests.")
    parser.add_argument("--workers", type=int, default=2, help="How many changes at once; default 2.")
    asked = parser.parse_args()
    chosen = [m for m in MUTANTS if not asked.names or any(name in m.name for name in asked.names)]
    for mutant in chosen:
        _mutate((ROOT / PACKAGE / mutant.path).read_text("utf-8"), mutant)
    if _run(None, asked.conformance_only)[1]:
        raise SystemExit("The tests fail without any change.")
    with ThreadPoolExecutor(asked.workers) as pool:
        results = list(pool.map(lambda mutant: _run(mutant, asked.conformance_only), chosen))
    conformance, every = (sum(result[at] for result in results) for at in (0, 1))
    print(f"{len(chosen)} changes: the conformance suite alone notices {conformance}, all tests {every}.")
    return 0 if asked.conformance_only or every == len(chosen) else 1


def _mutate(text: str, mutant: Mutant) -> str:
    if text.count(mutant.old) != 1:
        raise SystemExit(f"{mutant.name}: {mutant.old!r} occurs {text.count(mutant.old)} times in {mutant.path}.")
    return text.replace(mutant.old, mutant.new)


def _run(mutant: Mutant | None, conformance_only: bool) -> tuple[bool, bool]:
    """Return whether the conformance suite alone, and all tests of the emulator, notice a change; None is no change."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="mutant-") as folder:
        copy = Path(folder) / "checkout"
        ignore = shutil.ignore_patterns(".*", "__pycache__", "node_modules", "benchmarks")
        shutil.copytree(ROOT, copy, ignore=ignore)
        if mutant:
            path = copy / PACKAGE / mutant.path
            path.write_text(_mutate(path.read_text("utf-8"), mutant), "utf-8")
        by_conformance = _fails(copy, CONFORMANCE)
        rest = () if conformance_only else (*(mutant.tests if mutant else ()), "tests/emulator")
        by_all = by_conformance or bool(rest and _fails(copy, rest))
    word = "conformance suite" if by_conformance else "other tests" if by_all else "NOTHING" if mutant else "passes"
    print(f"{mutant.name if mutant else 'no change':<40} {word:<18} {time.monotonic() - began:5.0f} s", flush=True)
    return by_conformance, by_all


def _fails(copy: Path, tests: tuple[str, ...]) -> bool:
    recordings = os.environ.get("QUICKBOOKS_RECORDINGS", str(ROOT.parent / "shared" / "recordings"))
    environment = os.environ | {"PYTHONPATH": str(copy), "QUICKBOOKS_RECORDINGS": recordings}
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", *tests]
    found = subprocess.run(command, cwd=copy, env=environment, capture_output=True, timeout=TIMEOUT_S, check=False)
    if found.returncode not in (0, 1):
        raise SystemExit(f"pytest failed with {found.returncode}:\n{found.stdout.decode()[-2000:]}")
    return found.returncode == 1


if __name__ == "__main__":
    sys.exit(main())
