"""The emulator of many companies as a separate process: prints what it made, and serves until its standard input ends.

    python benchmarks/firm_server.py DATABASE COMPANIES INVOICES

The companies are kept in the file from one run to the next; `DATABASE.realms` names them once they are complete.
All companies have the same records, but for one invoice whose amount is the number of the company: so a company that is
read in place of another shows in the sums.
"""

import json
import sys
from pathlib import Path

from vantage_quickbooks.emulator import Emulator

CUSTOMERS = 5


def main() -> None:
    """Make the companies, unless they exist, and serve."""
    database, companies, invoices = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    complete = database.with_name(f"{database.name}.realms")
    if not complete.exists():
        for part in database.parent.glob(f"{database.name}*"):
            part.unlink()
    with Emulator(customers=CUSTOMERS, invoices=invoices - 1, database=database, limits=True) as emulator:
        if not complete.exists():
            complete.write_text(json.dumps([_add(emulator, number) for number in range(1, companies + 1)]))
        tokens = {realm: emulator.grant(realm) for realm in json.loads(complete.read_text())}
        print(json.dumps({"url": emulator.url, "settings": emulator.settings(), "tokens": tokens}), flush=True)
        sys.stdin.read()


def _add(emulator: Emulator, number: int) -> str:
    company = emulator.add_company()
    line = {"Amount": number, "DetailType": "SalesItemLineDetail"}
    detail = {"SalesItemLineDetail": {"ItemRef": {"value": "1"}}}
    company.create("Invoice", {"CustomerRef": {"value": "1"}, "Line": [line | detail]})
    return company.realm_id


if __name__ == "__main__":
    main()
