"""Plant secrets, run everything, and search for them in all output."""

from __future__ import annotations

import base64
import json

import pytest
from leak_checks import LogCapture, assert_none, texts_of

from vantage_quickbooks.auth.stores import MemoryStore, SQLiteStore
from vantage_quickbooks.connector.connector import QUICKBOOKS
from vantage_quickbooks.contract import HostContext
from vantage_quickbooks.errors import ConnectorError

FAULTS = [
    None,
    ("throttle", {"path": "/query"}),
    ("html", {"path": "/query"}),
    ("reset", {"path": "/query"}),
    ("truncate", {"path": "/query"}),
    ("expired_token", {"path": "/query"}),
    ("fault_in_200", {"path": "/query"}),
    ("plain_text_200", {"path": "/query"}),
    ("html", {"path": "/tokens/bearer"}),
    ("reset", {"path": "/tokens/bearer"}),
    ("truncate", {"path": "/tokens/bearer"}),
    ("status", {"path": "/tokens/bearer", "status": 400}),
    ("token_response_lost", {"path": "/tokens/bearer"}),
]


@pytest.mark.parametrize(
    "fault", FAULTS, ids=lambda fault: "none" if fault is None else f"{fault[0]}{fault[1]['path']}"
)
def test_only_get_access_token_reveals_a_secret(emulator, deployment, patient_call, capfd, fault):
    """Logs at DEBUG, output, errors, reprs, audit events and crash reports, after a success and every failure."""
    form = emulator.credentials()
    audited = []
    store = MemoryStore()
    context = HostContext(audit=audited.append)
    connection = QUICKBOOKS.connect(form, context, deployment=deployment, store=store, new_call=patient_call)
    captured, texts = LogCapture(), []
    with captured:
        token = None
        if fault is None or "bearer" not in fault[1]["path"]:
            token = connection.invoke("getAccessToken")
        if fault:
            emulator.fault(fault[0], times=-1, **fault[1])
        for action in ("listCustomers", "listInvoices", "getCompanyInfo", "getAccessToken"):
            try:
                connection.invoke(action)
            except ConnectorError as error:
                texts.append(texts_of(error))
            texts += [repr(connection), str(connection), repr(connection._settings), repr(vars(connection))]
            if action != "getAccessToken":
                texts.append(json.dumps(connection.call(action)))
        texts.append(json.dumps(connection.test()))
        texts.append(repr(connection._client.authorizer.__dict__))
    out, err = capfd.readouterr()

    secrets = {"client_secret": form["client_secret"], "form's refresh_token": form["refresh_token"]}
    secrets["Basic"] = base64.b64encode(f"{form['client_id']}:{form['client_secret']}".encode()).decode()
    record = store.load(connection._client.authorizer.key)
    if token:
        secrets["first access_token"] = token["accessToken"]
    if record:
        secrets |= {"access_token": record.access_token.reveal(), "refresh_token": record.refresh_token.reveal()}
        texts.append(repr(record))
    assert_none("\n".join([captured.stream.getvalue(), out, err, json.dumps(audited), *texts]), secrets)
    assert "POST /oauth2/v1/tokens/bearer" in captured.stream.getvalue() or fault  # the capture worked


@pytest.mark.parametrize("field", ["client_secret", "refresh_token"])
def test_the_error_for_an_invalid_form_does_not_reveal_its_secrets(deployment, field):
    """Neither does its crash report."""
    form = {"client_id": "app", "client_secret": "s3cr3t-one", "refresh_token": "s3cr3t-two", "realm_id": "1"}
    form |= {field: form[field] + "\u0007", "max_results": 0, "s3cr3t-key": 1}
    try:
        QUICKBOOKS.connect(form, deployment=deployment)
    except ConnectorError as error:
        failure = error
    assert "s3cr3t" not in texts_of(failure)


def test_the_state_directory_holds_no_readable_secret(emulator, deployment, tmp_path):
    """With a key, the stored record is encrypted; the form's own secrets are never stored."""
    form = emulator.credentials()
    store = SQLiteStore(tmp_path / "state" / "tokens.sqlite3", encryption_key="a passphrase of the operator's")
    connection = QUICKBOOKS.connect(form, deployment=deployment, store=store)
    token = connection.invoke("getAccessToken")["accessToken"]
    record = store.load(connection._client.authorizer.key)

    files = [path for path in (tmp_path / "state").rglob("*") if path.is_file()]
    assert files
    for path in files:
        content = path.read_bytes()
        for secret in (token, record.refresh_token.reveal(), form["client_secret"], form["refresh_token"]):
            assert secret.encode() not in content
            assert secret.encode().hex().encode() not in content
        assert path.stat().st_mode & 0o077 == 0


def test_without_a_key_the_forms_secrets_are_not_stored_either(emulator, deployment, tmp_path):
    """The client secret and the pasted refresh token are kept by the host only."""
    form = emulator.credentials()
    store = SQLiteStore(tmp_path / "tokens.sqlite3")
    QUICKBOOKS.connect(form, deployment=deployment, store=store).invoke("getAccessToken")
    content = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert form["client_secret"].encode() not in content
    assert form["refresh_token"].encode() not in content
