"""One emulator for this folder, reset for each test, and a client for it."""

import pytest
import requests

from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.emulator.http.oauth_endpoints import TOKEN_PATH

PATIENCE_S = 60  # far more than any answer takes, on a busy machine too


class Client:
    """A plain HTTP client with a token, independent of the connector."""

    def __init__(self, emulator):
        self.emulator = emulator
        self.session = requests.Session()
        self.session.headers["Accept"] = "application/json"
        self.realm = emulator.realm_id

    def refresh(self, token=None, *, auth=None, headers=None, **form):
        auth = auth if auth is not None else (self.emulator.client_id, self.emulator.client_secret)
        form = {"grant_type": "refresh_token", "refresh_token": token or self.emulator.refresh_token} | form
        form = {name: value for name, value in form.items() if value is not None}
        return self.session.post(
            self.emulator.url + TOKEN_PATH, data=form, auth=auth or None, headers=headers or {}, timeout=PATIENCE_S
        )

    def connect(self, token=None):
        answer = self.refresh(token)
        assert answer.status_code == 200
        self.session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        return self

    def request(self, method, path, **options):
        url = f"{self.emulator.url}/v3/company/{self.realm}/{path}"
        return self.session.request(method, url, timeout=PATIENCE_S, **options)

    def get(self, path, **options):
        return self.request("GET", path, **options)

    def post(self, path, **options):
        return self.request("POST", path, **options)

    def query(self, statement, **options):
        return self.get("query", params={"query": statement}, **options)

    def rows(self, statement):
        answer = self.query(statement)
        assert answer.status_code == 200, answer.text
        lists = [value for value in answer.json()["QueryResponse"].values() if isinstance(value, list)]
        return lists[0] if lists else []

    def ids(self, statement):
        return [row["Id"] for row in self.rows(statement)]

    def control(self, method, path, **options):
        return self.session.request(method, f"{self.emulator.url}/_emulator/{path}", timeout=PATIENCE_S, **options)


@pytest.fixture(scope="session")
def shared_emulator():
    with Emulator(limits=False) as emulator:
        yield emulator


@pytest.fixture
def emulator(shared_emulator):
    shared_emulator.reset()
    shared_emulator.crashes.clear()
    yield shared_emulator
    assert not shared_emulator.crashes


@pytest.fixture
def open_client():
    """Make clients of any emulator, closed at the end."""
    opened = []

    def make(emulator):
        opened.append(Client(emulator))
        return opened[-1]

    yield make
    for client in opened:
        client.session.close()


@pytest.fixture
def anonymous(emulator, open_client):
    return open_client(emulator)


@pytest.fixture
def client(anonymous):
    return anonymous.connect()
