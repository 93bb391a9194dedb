"""The emulator as a separate process: prints its address, and serves until its standard input ends."""

import json
import sys

from vantage_quickbooks.emulator import Emulator

database, invoices = sys.argv[1], int(sys.argv[2])
with Emulator(customers=max(30, invoices // 100), invoices=invoices, database=database, limits=False) as emulator:
    print(json.dumps({"url": emulator.url, **emulator.credentials()}), flush=True)
    sys.stdin.read()
