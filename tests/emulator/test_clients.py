"""Other people's clients, with only their addresses changed: python-quickbooks, intuit-oauth, node-quickbooks."""

import json
import os
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

quickbooks = pytest.importorskip(
    "quickbooks", reason="NOT TESTED WITH python-quickbooks: pip install python-quickbooks"
)
intuitlib = pytest.importorskip("intuitlib", reason="NOT TESTED WITH intuit-oauth: pip install intuit-oauth")

from intuitlib.config import DISCOVERY_URL  # noqa: E402 -- only when they are there
from intuitlib.enums import Scopes  # noqa: E402
from intuitlib.exceptions import AuthClientError  # noqa: E402
from quickbooks import QuickBooks  # noqa: E402
from quickbooks.batch import batch_create, batch_delete, batch_update  # noqa: E402
from quickbooks.cdc import change_data_capture  # noqa: E402
from quickbooks.exceptions import (  # noqa: E402
    AuthorizationException,
    ObjectNotFoundException,
    QuickbooksException,
    UnsupportedException,
    ValidationException,
)
from quickbooks.objects import (  # noqa: E402
    Attachable,
    Bill,
    CompanyInfo,
    Customer,
    Invoice,
    Item,
    Payment,
    Preferences,
    SalesItemLine,
    SalesItemLineDetail,
    Term,
    Vendor,
)
from quickbooks.objects.base import AttachableRef, LinkedTxn  # noqa: E402
from quickbooks.objects.payment import PaymentLine  # noqa: E402
from quickbooks.objects.taxservice import TaxRateDetails, TaxService  # noqa: E402

from vantage_quickbooks.cli.commands import emulator as command  # noqa: E402
from vantage_quickbooks.emulator.control.clients import CLIENTS, lines_for  # noqa: E402

CLIENTS_FOLDER = Path(__file__).parent / "clients"


@pytest.fixture
def run_lines(emulator, monkeypatch):
    """Execute the lines that `--for` prints, in a fresh namespace."""
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "0")  # restored at the end; the lines set it
    monkeypatch.setitem(DISCOVERY_URL, "sandbox", "")
    for name in ("api_url_v3", "sandbox_api_url_v3"):
        monkeypatch.setattr(QuickBooks, name, "")

    def run(name):
        namespace = {}
        exec(lines_for(name, emulator), namespace)  # noqa: S102 -- our own lines
        return namespace

    return run


@pytest.fixture
def auth(run_lines):
    with run_lines("intuit-oauth")["auth_client"] as client:
        yield client


@pytest.fixture
def qb(run_lines):
    found = run_lines("python-quickbooks")
    yield found["client"]
    found["client"].session.close()
    found["auth_client"].close()


def agree(auth, emulator):
    """A person agrees on the page that the client leads to; what the redirect says."""
    url = auth.get_authorization_url([Scopes.ACCOUNTING], state_token="a state")
    with requests.Session() as browser:
        assert "Juniper &amp; Finch" in browser.get(url, timeout=60).text
        form = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        form |= {"decision": "approve", "realm": emulator.realm_id}
        back = browser.post(f"{emulator.url}/connect/oauth2", data=form, timeout=60, allow_redirects=False)
    return {name: values[0] for name, values in parse_qs(urlsplit(back.headers["location"]).query).items()}


def new_invoice(customer):
    line = SalesItemLine()
    line.Amount = 100
    line.SalesItemLineDetail = SalesItemLineDetail()
    line.SalesItemLineDetail.UnitPrice = 25
    line.SalesItemLineDetail.Qty = 4
    line.SalesItemLineDetail.ItemRef = {"value": "1"}
    invoice = Invoice()
    invoice.CustomerRef = customer.to_ref()
    invoice.Line.append(line)
    return invoice


def new_customer(name):
    customer = Customer()
    customer.DisplayName = name
    return customer


def test_the_command_offers_the_clients_of_the_table():
    assert set(command._CLIENTS) == set(CLIENTS)


def test_curl_gets_customers(emulator):
    script = f"set -e -o pipefail\n{lines_for('curl', emulator)}"
    run = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    assert len(json.loads(run.stdout)["QueryResponse"]["Customer"]) == 2


# ---- intuit-oauth ------------------------------------------------------------------------------


def test_intuit_oauth_finds_its_endpoints(auth, emulator):
    assert auth.token_endpoint == f"{emulator.url}/oauth2/v1/tokens/bearer"
    assert auth.revoke_endpoint == f"{emulator.url}/v2/oauth2/tokens/revoke"


def test_intuit_oauth_completes_the_consent(auth, emulator):
    back = agree(auth, emulator)
    assert (back["state"], back["realmId"]) == ("a state", emulator.realm_id)
    auth.get_bearer_token(back["code"], realm_id=back["realmId"])
    assert (auth.expires_in, auth.realm_id) == (3600, emulator.realm_id)
    assert auth.x_refresh_token_expires_in > 8_700_000
    with pytest.raises(AuthClientError) as refusal:
        auth.get_bearer_token(back["code"])
    assert refusal.value.status_code == 400
    assert json.loads(refusal.value.content)["error"] == "invalid_grant"


def test_intuit_oauth_refreshes_and_revokes(auth, emulator):
    auth.refresh()
    first = auth.access_token
    emulator.advance(25 * 3600)
    auth.refresh()
    assert auth.access_token != first
    assert auth.refresh_token != emulator.refresh_token
    assert auth.revoke() is True
    with pytest.raises(AuthClientError) as refusal:
        auth.refresh()
    assert refusal.value.intuit_tid.startswith("1-")
    assert json.loads(refusal.value.content)["error"] == "invalid_grant"


def test_intuit_oauth_reports_a_wrong_secret(auth):
    auth.client_secret = "wrong"
    with pytest.raises(AuthClientError) as refusal:
        auth.refresh()
    assert refusal.value.status_code == 401


# ---- python-quickbooks -------------------------------------------------------------------------


def test_python_quickbooks_queries_and_counts(qb, emulator):
    assert len(Customer.all(qb=qb)) == 28
    assert Customer.count(qb=qb) == 28
    assert Invoice.count("Balance > '0'", qb=qb) == len(Invoice.where("Balance > '0'", qb=qb))
    assert [row.Id for row in Customer.filter(DisplayName="Hollis O'Rourke", qb=qb)] != []
    assert {row.Id for row in Customer.choose(["1", "2"], qb=qb)} == {"1", "2"}
    pages = [Invoice.all(start_position=at, max_results=25, qb=qb) for at in (1, 26, 51)]
    assert [len(page) for page in pages] == [25, 25, 10]
    newest = Invoice.all(order_by="MetaData.LastUpdatedTime DESC", max_results=1, qb=qb)[0]
    assert newest.TotalAmt > 0
    items = Item.all(qb=qb)  # asks for `*, Sku`
    assert len(items) == Item.count(qb=qb) > 18
    assert {item.Type for item in items} == {"Category", "Group", "Inventory", "NonInventory", "Service"}
    assert Term.get(3, qb=qb).DueDays == 30
    assert CompanyInfo.get(emulator.realm_id, qb=qb).CompanyName == "Juniper & Finch Garden Works"
    assert Preferences.get(qb=qb).CurrencyPrefs.HomeCurrency.value == "USD"


def test_python_quickbooks_creates_updates_and_deactivates(qb, emulator):
    customer = new_customer("Mira Lund").save(qb=qb)
    assert (customer.FullyQualifiedName, customer.SyncToken, customer.Active) == ("Mira Lund", "0", True)
    customer.CompanyName = "Lund Lighting"
    changed = customer.save(qb=qb)
    assert (changed.CompanyName, changed.SyncToken) == ("Lund Lighting", "1")
    with pytest.raises(QuickbooksException, match="Stale Object Error"):
        customer.save(qb=qb)  # it still holds the old SyncToken
    changed.Active = False
    assert changed.save(qb=qb).DisplayName == "Mira Lund (deleted)"
    assert emulator.read("Customer", customer.Id)["Active"] is False


def test_python_quickbooks_writes_invoices(qb):
    customer = new_customer("Mira Lund").save(qb=qb)
    invoice = new_invoice(customer).save(qb=qb)
    assert (invoice.TotalAmt, invoice.Balance, invoice.CustomerRef.name) == (100, 100, "Mira Lund")
    first = new_invoice(customer).save(qb=qb, request_id="once")
    assert new_invoice(customer).save(qb=qb, request_id="once").Id == first.Id
    payment = Payment()
    payment.CustomerRef = customer.to_ref()
    payment.TotalAmt = 60
    link = LinkedTxn()
    link.TxnId, link.TxnType = invoice.Id, "Invoice"
    line = PaymentLine()
    line.Amount = 60
    line.LinkedTxn.append(link)
    payment.Line.append(line)
    paid = payment.save(qb=qb)
    assert Invoice.get(invoice.Id, qb=qb).Balance == 40
    paid.void(qb=qb)
    assert Invoice.get(invoice.Id, qb=qb).Balance == 100
    first.void(qb=qb)
    assert Invoice.get(first.Id, qb=qb).PrivateNote == "Voided"
    fresh = Invoice.get(invoice.Id, qb=qb)
    assert fresh.delete(qb=qb)["Invoice"]["status"] == "Deleted"
    assert Customer.get(customer.Id, qb=qb).Balance == 0


def test_python_quickbooks_sends_batches(qb):
    made = batch_create([new_customer(f"Customer {n}") for n in range(35)], qb=qb)  # two batches
    assert (len(made.successes), len(made.faults)) == (35, 0)
    for customer in made.successes:
        customer.Notes = "changed"
    made.successes[3].SyncToken = "9"
    changed = batch_update(made.successes[:5], qb=qb)
    assert (len(changed.successes), len(changed.faults)) == (4, 1)
    assert changed.faults[0].Error[0].code == "5010"
    assert changed.faults[0].original_object is made.successes[3]
    invoices = batch_create([new_invoice(made.successes[0]) for _ in range(2)], qb=qb).successes
    gone = batch_delete(invoices, qb=qb)
    assert (len(gone.successes), gone.faults) == (2, [])


def test_python_quickbooks_captures_changes(qb, emulator):
    emulator.advance(60)
    since = datetime.now(UTC) + timedelta(seconds=59)
    customer = new_customer("Mira Lund").save(qb=qb)
    invoice = new_invoice(customer).save(qb=qb)
    emulator.advance(2)
    new_invoice(customer).save(qb=qb).delete(qb=qb)
    changes = change_data_capture([Customer, Invoice, Vendor], since.strftime("%Y-%m-%dT%H:%M:%SZ"), qb=qb)
    assert [row.Id for row in changes.Customer._object_list] == [customer.Id]
    kept, deleted = changes.Invoice._object_list
    assert (kept.Id, deleted.status, changes.Invoice.maxResults) == (invoice.Id, "Deleted", 1)
    assert not hasattr(changes, "Vendor")


def test_python_quickbooks_understands_the_faults(qb, emulator):
    with pytest.raises(ObjectNotFoundException):
        Customer.get(98765, qb=qb)
    with pytest.raises(ValidationException, match="Property Nonsense not found for Entity Customer"):
        Customer.where("Nonsense = '1'", qb=qb)
    with pytest.raises(ValidationException, match="Required param missing"):
        Bill().save(qb=qb)
    with pytest.raises(UnsupportedException, match="older than fixed days"):
        change_data_capture([Customer], "2020-01-01T00:00:00Z", qb=qb)
    emulator.expire_access_tokens()
    with pytest.raises(AuthorizationException, match="Token expired"):
        Customer.all(qb=qb)
    qb.auth_client.refresh()
    qb.session.token = {"access_token": qb.auth_client.access_token}
    assert len(Customer.all(qb=qb)) == 28


def test_python_quickbooks_attaches_files_and_sends_documents(qb, emulator):
    attachable = Attachable()
    attachable.AttachableRef = [AttachableRef()]
    attachable.AttachableRef[0].EntityRef = Vendor.get(1, qb=qb).to_ref()
    attachable.FileName, attachable.ContentType = "plan.txt", "text/plain"
    attachable._FileBytes = b"\x00 plan \xff"
    made = Attachable.get(attachable.save(qb=qb).Id, qb=qb)
    assert (made.Size, made.AttachableRef[0].EntityRef.value) == (8, "1")
    assert requests.get(made.TempDownloadUri, timeout=60).content == b"\x00 plan \xff"
    invoice = Invoice.all(max_results=1, qb=qb)[0]
    assert invoice.download_pdf(qb=qb).startswith(b"%PDF-")
    invoice.send(qb=qb, send_to="mira@lund.example")
    assert emulator.read("Invoice", invoice.Id)["DeliveryInfo"]["DeliveryType"] == "Email"


def test_python_quickbooks_creates_tax_codes(qb):
    code, rate = TaxService(), TaxRateDetails()
    code.TaxCode = rate.TaxRateName = "Alameda County"
    rate.RateValue, rate.TaxAgencyId, rate.TaxApplicableOn = 10, 1, "Sales"
    code.TaxRateDetails.append(rate)
    made = code.save(qb=qb)
    assert (made.TaxCode, made.TaxRateDetails[0].RateValue, made.TaxRateDetails[0].TaxAgencyId) == (
        "Alameda County",
        10,
        "1",
    )


# ---- node-quickbooks and intuit-oauth for Node ------------------------------------------------


def test_node_quickbooks_and_intuit_oauth(emulator, npm, tmp_path):
    environment = os.environ | {"NODE_PATH": str(npm("intuit-oauth@4.2.5", "node-quickbooks@2.0.50"))}
    for name, variable in (("node-intuit-oauth", "authClient"), ("node-quickbooks", "client")):
        (tmp_path / f"{name}.cjs").write_text(f"{lines_for(name, emulator)}\nmodule.exports = {variable}\n", "utf-8")
    (tmp_path / "session.cjs").write_bytes((CLIENTS_FOLDER / "session.cjs").read_bytes())
    session = ["node", tmp_path / "session.cjs", emulator.url, emulator.realm_id]
    run = subprocess.run(session, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 0, run.stderr
    assert json.loads(run.stdout) == {
        "refreshedFirst": ["bearer", emulator.realm_id],
        "consent": 200,
        "created": ["bearer", 3600, emulator.realm_id, "a state"],
        "accessTokenIsValid": True,
        "refreshed": [True, True],
        "company": "Juniper & Finch Garden Works",
        "customer": ["O'Brien & Sons", "0"],
        "found": [True],
        "all": 29,
        "count": 29,
        "changed": ["changed", "1"],
        "stale": "5010",
        "duplicate": "6240",
        "invoice": [100, 100, "O'Brien & Sons"],
        "once": True,
        "voided": "Voided",
        "batch": [["a", "Vendor"], ["b", "Fault"], ["c", "QueryResponse"]],
        "pdf": True,
        "sent": ["EmailSent", "mira@lund.example"],
        "attached": ["plan.txt", 4, "Invoice"],
        "rates": ["California"],
        "deleted": "Deleted",
        "changes": ["Customer", "Invoice", ""],
        "graves": 1,
        "revoked": 401,
    }
