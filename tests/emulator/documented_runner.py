"""Runs the steps of documented.py on a company of their own, and lists what differs from what is documented."""

from __future__ import annotations

import base64
import contextlib
import hmac
import re
import threading
from collections import Counter
from urllib.parse import quote

import requests
from emulator.receiver import Receiver

from vantage_quickbooks.emulator import Emulator
from vantage_quickbooks.emulator.faults.latency import MAX_LATENCY_S
from vantage_quickbooks.emulator.http.oauth_endpoints import TOKEN_PATH
from vantage_quickbooks.emulator.oauth.authorization_server import ACCOUNTING_SCOPE

_PATIENCE_S = 60
_PROBES = 3_000  # of a request too many: the other ones may still be on their way to their places


def run(emulator, documented):
    """Run the steps of a documented behavior; return what differs, one text for each value.

    Commands: GET and POST (a request for the company's data, AS another token), QUERY, TIMES n, AT-ONCE n (one request
    more than n slow ones), CREATE n, AT, AFTER (the clock), AS-OF, LIMITS, CODE, TOKEN, REVOKE, POSTINGS (accounts,
    debits and credits of a day), SUBSCRIBE (with the statuses that the endpoint answers first), POSTED.
    """
    with contextlib.closing(_Run(emulator)) as running:
        return [
            f"{command}: {path} is {found!r}, not {wanted!r}"
            for command, body, expected in documented.steps
            for path, wanted, found in running.step(command, body, expected)
            if wanted != found
        ]


class _Run:
    def __init__(self, emulator):
        self._emulator = emulator
        self._company = emulator.add_company()
        self._session = requests.Session()
        self._session.headers["Accept"] = "application/json"
        self._receiver = None
        self._kept = {"realm": self._company.realm_id}

    def close(self):
        """Leave the emulator as it was."""
        if self._receiver:
            self._emulator.webhooks.unsubscribe()
            self._receiver.close()
        self._session.close()
        self._emulator.limit(False)
        self._emulator.reset()

    def step(self, command, body, expected):
        """Do a step; yield each expected path, its value, and the found one."""
        self._kept.setdefault("now", self._emulator.state()["now"].replace("+00:00", "Z"))
        verb, _, rest = self._filled(command).partition(" ")
        answer = getattr(self, f"_{verb.lower().replace('-', '_')}")(rest, self._filled(body))
        for path, wanted in self._filled(expected).items():
            if path.startswith("keep "):
                self._kept[path.removeprefix("keep ")] = _at(answer, wanted)
            elif path == "text":
                yield path, wanted, wanted if wanted in answer["text"] else answer["text"]
            else:
                yield path, wanted, _at(answer, path)

    def _filled(self, value):
        if isinstance(value, str):
            return re.sub(r"\$\{(\w+)\}", lambda found: self._kept.get(found[1], found[0]), value)
        if isinstance(value, list):
            return [self._filled(item) for item in value]
        return {key: self._filled(item) for key, item in value.items()} if isinstance(value, dict) else value

    # ---- requests ----

    def _access_token(self):
        form = {"grant_type": "refresh_token", "refresh_token": self._emulator.grant(self._company.realm_id)}
        return self._emulator.oauth.token(form | self._app(), None, hard_expiry=False)["access_token"]

    def _app(self):
        return {"client_id": self._emulator.client_id, "client_secret": self._emulator.client_secret}

    def _send(self, method, rest, body, times=1):
        target, _, token = rest.partition(" AS ")
        url = f"{self._emulator.url}/v3/company/{self._company.realm_id}/{target}"
        headers = {"Authorization": f"Bearer {token or self._access_token()}"}
        answers = [
            self._session.request(method, url, json=body, headers=headers, timeout=_PATIENCE_S) for _ in range(times)
        ]
        return _facts(answers[-1]) | {"statuses": dict(Counter(answer.status_code for answer in answers))}

    def _get(self, rest, _):
        return self._send("GET", rest, None)

    def _post(self, rest, body):
        return self._send("POST", rest, body)

    def _query(self, rest, _):
        return self._send("GET", f"query?query={quote(rest)}", None)

    def _times(self, rest, body):
        number, method, target = rest.split(" ", 2)
        return self._send(method, target, body, int(number))

    def _at_once(self, rest, _):
        """Hold n requests, and send one more until it is refused."""
        with Emulator(limits={"per_minute": 100_000}) as emulator:
            client = _Run(emulator)
            emulator.fault("latency", seconds=MAX_LATENCY_S, times=int(rest), path=client._company.realm_id)

            def hold():
                with contextlib.suppress(requests.RequestException):  # the emulator stops
                    held = _Run.__new__(_Run)
                    held.__dict__ |= client.__dict__ | {"_session": requests.Session()}
                    held._get("customer/1", None)
                    held._session.close()

            threads = [threading.Thread(target=hold) for _ in range(int(rest))]
            for thread in threads:
                thread.start()
            while emulator.counters()["faults_delivered"] < int(rest):
                assert any(thread.is_alive() for thread in threads)
            for _ in range(_PROBES):
                answer = client._get("customer/1", None)
                if answer["status"] != 200:
                    break
        for thread in threads:
            thread.join(_PATIENCE_S)
        client._session.close()
        return answer

    def _create(self, rest, body):
        number, entity = rest.split(" ")
        for n in range(int(number)):
            self._kept["n"] = str(n)
            self._company.create(entity, self._filled(body))
        return {}

    # ---- clock and limits ----

    def _at(self, rest, _):
        self._emulator.set_now(rest)
        return {}

    def _after(self, rest, _):
        self._emulator.advance(float(rest))
        self._kept["now"] = self._emulator.state()["now"].replace("+00:00", "Z")
        return {}

    def _as_of(self, rest, _):
        self._emulator.as_of(rest)
        return {}

    def _limits(self, _, chosen):
        self._emulator.limit(chosen)
        return {}

    # ---- tokens ----

    def _code(self, rest, _):
        redirect, *scopes = rest.split(" ")
        issue = self._emulator.oauth.issue_code
        return {"code": issue(self._company.realm_id, redirect, tuple(scopes) or (ACCOUNTING_SCOPE,))}

    def _form(self, path, form):
        auth = (self._emulator.client_id, self._emulator.client_secret)
        return _facts(self._session.post(self._emulator.url + path, data=form, auth=auth, timeout=_PATIENCE_S))

    def _token(self, _, form):
        return self._form(TOKEN_PATH, form)

    def _revoke(self, _, form):
        return self._form("/v2/oauth2/tokens/revoke", form)

    # ---- reports and webhooks ----

    def _postings(self, day, _):
        answer = self._get(f"reports/JournalReport?start_date={day}&end_date={day}", None)
        cells = [[cell["value"] for cell in row["ColData"][-3:]] for row in answer["Rows"]["Row"] if "ColData" in row]
        return {"rows": [row for row in cells if any(row)]}

    def _subscribe(self, statuses, options):
        self._receiver = Receiver()
        self._receiver.statuses = [int(status) for status in statuses.split()]
        self._emulator.subscribe(self._receiver.url, realm_id=self._company.realm_id, format="cloudevents", **options)
        return {}

    def _posted(self, *_):
        assert self._emulator.webhooks.settle()
        types = [event["type"] for body in self._receiver.bodies() for event in body]
        key = self._emulator.webhooks.verifier_token.encode()
        signed = [
            base64.b64encode(hmac.digest(key, body, "sha256")).decode() == headers["intuit-signature"]
            for _, headers, body in self._receiver.posts
        ]
        return {"number": len(self._receiver.posts), "types": types, "signed": signed}


def _facts(answer):
    try:
        body = answer.json()
    except ValueError:
        body = {}
    return body | {"status": answer.status_code, "text": answer.text}


def _at(value, path):
    """Return what stands at a path; None if nothing does."""
    for number, part in enumerate(parts := path.split("/")):
        if part == "*":
            return [_at(item, "/".join(parts[number + 1 :])) for item in value or []]
        if isinstance(value, list):
            value = value[int(part)] if int(part) < len(value) else None
        else:
            value = value.get(part) if isinstance(value, dict) else None
    return value
