"""The pictures of the README and the documentation: taken in the demo company, and what they show is checked.

`make pictures` (the variable PICTURES=1) writes them. Otherwise the same journey checks that the pages show what the
pictures show, and that each picture exists, has its size and is referenced. Pixels are not compared: fonts differ.
"""

from __future__ import annotations

import os
import re
import struct
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from playwright.sync_api import expect

from vantage_quickbooks.cli.web_connections import RegistryConnections

pytestmark = pytest.mark.emulator(rotation="always", limits=False, as_of="2026-11-20")

DOCS = Path(__file__).parents[2] / "docs"
MAX_BYTES = 150_000
COLORS = 256
DESKTOP, PHONE = (1280, 820), (390, 844)


@dataclass(frozen=True)
class Picture:
    """A picture: where it is taken, and the texts that it must show without scrolling."""

    path: str
    shows: tuple[str, ...]
    size: tuple[int, int] = DESKTOP
    look: dict[str, object] = field(default_factory=dict)
    ready: str = "main h1"


CONNECTION = "/connections/demo"
DASHBOARD = ("Garden Works", "Outstanding", "Overdue", "Due in 7 days", "Receivables by age", "Income and expenses")
PICTURES = {
    "web-dashboard.png": Picture(CONNECTION, DASHBOARD, ready="text=Net income"),
    "web-connections.png": Picture(
        "/",
        ("Connections", "New connection", "Garden Works", "throttled", "Reconnect", "API calls"),
        (1280, 640),
        ready=".connections",
    ),
    "web-list.png": Picture(
        f"{CONNECTION}/lists/listInvoices?status=overdue&sort=-Balance",
        ("Overdue invoices", "Status: Overdue", "Customer", "Due", "Balance", "overdue"),
        ready="table.list",
    ),
    "web-record.png": Picture(
        f"{CONNECTION}/records/getInvoice?id=191",
        ("Invoice", "Customer", "Lines", "Total", "Balance due"),
        ready=".main-facts",
    ),
    "web-report.png": Picture(
        f"{CONNECTION}/reports/getReport?report=ProfitAndLoss&summarize_column_by=Quarter",
        ("Profit and loss", "Accrual basis", "Income", "Total Income", "Quarter"),
        ready=".statement",
    ),
    "web-phone.png": Picture(
        f"{CONNECTION}/lists/listInvoices?status=overdue",
        ("Overdue invoices", "overdue"),
        PHONE,
        {"is_mobile": True, "has_touch": True},
        ready="table.list",
    ),
    "web-dark.png": Picture(CONNECTION, DASHBOARD, look={"color_scheme": "dark"}, ready="text=Net income"),
}


@pytest.fixture
def firm(shared_environment, serve, registry, emulator):  # noqa: ARG001 -- names the registry
    """A site of a firm with several companies, in different states."""
    form = emulator.credentials() | {"monthly_call_limit": "5000"}
    names = ("Garden Works", "Harbor Coffee Roasters", "Northside Dental", "Pine & Sons Joinery", "Summit Bike Repair")
    for number, name in enumerate(names):
        realm = {} if number == 0 else {"realm_id": f"93414600{number:08}"}
        registry.add(re.sub(r"\W+", "-", name.lower()), {**form, **realm}, name)
    running = serve(shared={"quickbooks": RegistryConnections(registry)})
    assert running.host.connection(running.host.record("garden-works")).call("listInvoices", {})["success"]
    for name, code in (("northside-dental", "REAUTHORIZATION_REQUIRED"), ("summit-bike-repair", "RATE_LIMITED")):
        error = {"code": code, "message": "Too many requests.", "retryAfter": 3600}
        running.host.record_outcome(running.host.record(name), error)
    return running


@pytest.mark.parametrize("name", PICTURES)
def test_the_page_shows_what_the_picture_shows(open_page, request, name):
    picture = PICTURES[name]
    width, height = picture.size
    site = request.getfixturevalue("firm" if picture.path == "/" else "site")
    page = open_page(width=width, height=height, site=site, **picture.look)
    page.goto(site.url + picture.path)
    page.wait_for_selector(picture.ready)
    for text in picture.shows:
        found = page.get_by_text(text).locator("visible=true").first
        expect(found).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    assert page.problems == []
    if os.environ.get("PICTURES"):
        _write(page.screenshot(animations="disabled", caret="hide"), DOCS / name)


@pytest.mark.parametrize("name", PICTURES)
def test_the_committed_picture_has_its_size(name):
    content = (DOCS / name).read_bytes()
    assert content[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", content[16:24]) == PICTURES[name].size  # the chunk IHDR of the PNG specification
    assert len(content) <= MAX_BYTES


def test_each_picture_is_referenced_and_each_reference_has_its_picture():
    pages = {path: path.read_text() for path in [DOCS.parent / "README.md", *DOCS.glob("*.md")]}
    referenced = set()
    for path, text in pages.items():
        for alt, target in re.findall(r"!\[([^\]]*)\]\(([^)\s]+\.png)\)", text):
            assert len(alt) > 20, (path.name, target)  # says what it shows
            assert (path.parent / target).is_file(), (path.name, target)
            referenced.add((path.parent / target).resolve())
    assert referenced == {(DOCS / name).resolve() for name in PICTURES} == set(map(Path.resolve, DOCS.glob("*.png")))


def _write(screenshot, path):
    """Write a screenshot with a palette, which is a third of its size."""
    import io

    from PIL import Image

    image = Image.open(io.BytesIO(screenshot)).convert("RGB")
    # The most frequent colors stay exact; the rest of the palette keeps small things, such as a dot, in their color.
    frequent = [color for _, color in sorted(image.getcolors(image.width * image.height), reverse=True)[: COLORS // 2]]
    rest = image.quantize(COLORS - len(frequent), method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    palette = Image.new("P", (1, 1))
    palette.putpalette([*(value for color in frequent for value in color), *rest.getpalette()][: 3 * COLORS])
    image = image.quantize(palette=palette, dither=Image.Dither.NONE)
    image.save(path, optimize=True)
