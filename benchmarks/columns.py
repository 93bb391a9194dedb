"""Compares a full read as Arrow record batches with the same read as NDJSON, by turns in one run.

python benchmarks/columns.py                    100,500 invoices, three times each
python benchmarks/columns.py --invoices 10000   fewer

Needs the extras [bulk] and [arrow] in the interpreter that runs it. Prints the processor time of reading (without
start-up) and the peak memory, and the ratio of the two formats.
"""

import argparse
import statistics
import sys

from clients import Client
from emulated import Emulated
from measure import Figures, measure

_NDJSON, _ARROW = "ndjson", "arrow"
_FORMS = {
    _NDJSON: "ndjson",
    _ARROW: "arrow",
    "arrow, selected": "arrow:DocNumber,TxnDate,DueDate,TotalAmt,Balance,CustomerRef",
}
_TARGET = 1.5
_TIMEOUT_S = 900.0


def main() -> None:
    """Run as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--invoices", type=int, default=100_500)
    parser.add_argument("--rounds", type=int, default=3)
    args = parser.parse_args()
    runs: dict[str, list[Figures]] = {form: [] for form in _FORMS}
    with Emulated(args.invoices) as emulator:
        for _ in range(args.rounds):
            for form, variant in _FORMS.items():
                client = Client(form, "ours", "columns", variant)
                found = measure(client, sys.executable, emulator, 0.0, _TIMEOUT_S)
                runs[form].append(found)
                print(
                    f"{form:<16} {found.read_cpu_s:6.2f} s CPU {found.peak_mb:5.0f} MB {found.rows:9,.0f}", flush=True
                )
    cpu = {form: statistics.median(run.read_cpu_s for run in runs[form]) for form in _FORMS}
    for form in cpu.keys() - {_NDJSON}:
        print(f"{form}: {cpu[form] / cpu[_NDJSON]:.2f} times the processor time of NDJSON")
    print(f"The target for {_ARROW} is at most {_TARGET}.")


if __name__ == "__main__":
    main()
