"""How long it takes until a page shows an invoice that was created in QuickBooks.

    python benchmarks/live.py                 # 20 invoices, the list of invoices and the dashboard
    python benchmarks/live.py --invoices 50

The demo, in a process of its own, with a browser: from the request that creates an invoice, through QuickBooks' webhook
(which the emulator sends 0.2 s after the change; Intuit takes seconds to minutes), to the text in the page. Prints
Markdown. Needs chromium and playwright.
"""

import argparse
import re
import shutil
import statistics
import subprocess
import sys
import time

import requests
from playwright.sync_api import Page, sync_playwright

_COMMAND = [sys.executable, "-c", "import sys; from vantage_quickbooks.cli import main; sys.exit(main())"]
_PAGES = {
    "List of invoices": ("/lists/listInvoices", "#count"),
    "Dashboard": ("", "#dashboard .numbers li:first-child"),
}
_PAUSE_S = 4.0
"""Between two invoices; a company that changes all the time is read less often."""


def _measure(page: Page, selector: str, create: str, address: str) -> float:
    before = page.locator(selector).inner_text()
    started = time.perf_counter()
    requests.post(address, create, timeout=60).raise_for_status()
    page.wait_for_function(
        "([selector, text]) => document.querySelector(selector)?.innerText.split(' at ')[0] !== text.split(' at ')[0]",
        arg=[selector, before],
    )
    return time.perf_counter() - started


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--invoices", type=int, default=20, help="per page; default 20")
    options = parser.parse_args()
    command = [*_COMMAND, "serve", "--demo", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server, sync_playwright() as playwright:
        printed = ""
        for line in server.stdout or ():
            printed += line
            if "curl" in line:
                break
        sign_in, create, address = re.search(r"open\s+(\S+).*curl -d '(.*)' (\S+)", printed, re.DOTALL).groups()
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        page = browser.new_page()
        page.goto(sign_in)
        print("| Page | Median | Slowest |\n|---|---|---|")
        for title, (path, selector) in _PAGES.items():
            page.goto(f"{sign_in.partition('/?')[0]}/connections/demo{path}")
            page.wait_for_selector(".live[data-state=live]")
            page.wait_for_function("() => !document.querySelector('[data-updating]')")
            seconds = []
            for _ in range(options.invoices):
                time.sleep(_PAUSE_S)
                seconds.append(_measure(page, selector, create, address))
            print(f"| {title} | {statistics.median(seconds):.2f} s | {max(seconds):.2f} s |", flush=True)
        browser.close()
        server.terminate()


if __name__ == "__main__":
    main()
