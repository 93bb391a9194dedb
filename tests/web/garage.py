"""A second connector, of a service that does not exist: the web UI must support it like any other."""

from __future__ import annotations

import copy
import uuid
from datetime import UTC, datetime
from urllib.parse import urlencode

from jsonschema import Draft202012Validator

from vantage_quickbooks.contract import (
    CAPABILITIES,
    Action,
    Cost,
    Deprecation,
    FlatField,
    HostContext,
    Keys,
    Trigger,
    describe_action,
    envelope,
    is_offered,
)
from vantage_quickbooks.errors import (
    CancelledError,
    ConnectorError,
    DeadlineExceededError,
    FieldError,
    InputError,
    SettingsError,
)
from vantage_quickbooks.hookspecs import hookimpl

ROWS = [
    {
        "plate": f"T-{number}",
        "owner": {"name": f"<b>Owner {number}</b>"},
        "km": 1000.5 * number,
        "sold": number % 2 == 0,
    }
    for number in range(1, 251)
]


PAGE_SIZE = 100

SETTINGS = {
    "type": "object",
    "required": ["api_key"],
    "properties": {
        "api_key": {"type": "string", "title": "Key", "writeOnly": True, "minLength": 1},
        "ticket": {"type": "string", "title": "Ticket", "writeOnly": True},
        "doors": {"type": "array", "items": {"type": "string", "enum": ["left", "right"]}},
        "options": {"type": "object"},
        "open_late": {"type": "boolean"},
        "discount": {"type": "number"},
    },
}

LIST_CARS = Action(
    "listCars",
    "List cars",
    "All cars.",
    rows_key="cars",
    group="cars",
    streamable=True,
    modes=("page", "full", "changes"),
    full_read_input={"all": True},
    keys=Keys(("plate",), deletions="none"),
    triggers=(Trigger("carSold", "Car sold", "listCars", "since", "metadata.state", {"all": True}),),
    cost=(Cost("page", 1, 0, "One call."), Cost("full", 1, 0, "One call."), Cost("changes", 1, 0, "One call.")),
    flat_fields=(FlatField("ownerName", "text", "Owner"), FlatField("km", "decimal", "Kilometers")),
    examples=({"sold_only": True},),
)
GET_CAR = Action(
    "getCar",
    "Get car",
    "One car.",
    rows_key="car",
    group="cars",
    keys=Keys(("plate",)),
    cost=(Cost("call", 1, 0, "One."),),
)
COUNT_CARS = Action(
    "countCars", "Count cars", "How many.", group="office", version="2", deprecated=Deprecation("9", "listCars")
)
SCHEMAS = {
    "listCars": {
        "inputSchema": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "sold_only": {"type": "boolean", "title": "Sold only"},
                "all": {"type": "boolean", "title": "All"},
                "since": {"type": "string", "title": "Since"},
            },
        },
        "inputForm": {"order": ["sold_only"], "fields": {"sold_only": {"label": "Sold only", "inputType": "Boolean"}}},
        "outputSchema": {
            "type": "object",
            "required": ["cars", "metadata"],
            "properties": {"cars": {"type": "array", "items": {"$ref": "#/$defs/car"}}},
            "$defs": {"car": {"type": "object", "properties": {"plate": {"type": "string"}, "km": {"type": "number"}}}},
        },
    },
    "getCar": {
        "inputSchema": {
            "type": "object",
            "additionalProperties": False,
            "required": ["plate"],
            "properties": {"plate": {"type": "string", "title": "Plate"}},
        },
        "inputForm": {
            "order": ["plate"],
            "fields": {
                "plate": {
                    "label": "Car",
                    "inputType": "String",
                    "optionsFrom": {"action": "listCars", "value": "plate", "label": "ownerName"},
                }
            },
        },
        "outputSchema": {"type": "object", "required": ["car"]},
    },
    "countCars": {
        "inputSchema": {"type": "object", "additionalProperties": False},
        "outputSchema": {"type": "object", "required": ["count"], "properties": {"count": {"type": "integer"}}},
    },
}


def checked(validator, data, error):
    """Refuse what a schema refuses, with one entry for each field."""
    if not isinstance(data, dict):
        raise error("Not an object.")
    found = []
    for broken in validator.iter_errors(data):
        names = [".".join(map(str, broken.absolute_path))]
        if broken.validator == "required":
            names = [name for name in broken.validator_value if name not in broken.instance]
        if broken.validator == "additionalProperties":
            names = [name for name in broken.instance if name not in broken.schema.get("properties", {})]
        found += [FieldError(name, broken.validator, f"{name} is wrong.", "Correct it.") for name in names]
    if found:
        raise error("Some fields are wrong.", found)
    return data


class GarageConnection:
    def __init__(self, connector, settings, context):
        self.connector, self.settings, self.context = connector, settings, context
        self.spent = {}

    def __repr__(self):
        return "<GarageConnection>"

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def call(self, action_id, input=None):  # noqa: A002 -- the contract's word
        actions = self.connector.actions
        action = actions.get(action_id) if isinstance(action_id, str) else None
        try:
            if action is None:
                raise InputError("There is no such action.", code="ACTION_NOT_FOUND")
            data = self.invoke(action_id, input)
        except ConnectorError as error:
            return envelope(error=error, action=action)
        return envelope(data=data, action=action)

    def invoke(self, action_id, input=None):  # noqa: A002 -- the contract's word
        *_, last = list(self._pages(action_id, {} if input is None else input, size=None))
        return last

    async def ainvoke(self, action_id, input=None):  # noqa: A002 -- the contract's word
        return self.invoke(action_id, input)

    def stream(self, action_id, input=None, *, as_="results"):  # noqa: A002, ARG002 -- the contract's word
        is_paged = action_id == "listCars" and self.context.row_limit is None
        yield from self._pages(action_id, {} if input is None else input, size=PAGE_SIZE if is_paged else None)

    def estimate(self, action_id, input=None):  # noqa: A002, ARG002 -- the contract's word
        return {"totalCount": len(ROWS), "apiCalls": 1}

    def api_calls(self):
        return dict(self.spent)

    def test(self):
        return {"ok": True, "checks": [{"name": "garage", "ok": True, "message": "The gate opens."}]}

    def disconnect(self):
        return {"revoked": True, "message": "The key was handed back."}

    def close(self):
        pass

    def _pages(self, action_id, data, size):
        outcome = {"outcome": "error"}
        try:
            checked(Draft202012Validator(SCHEMAS[action_id]["inputSchema"]), data, InputError)
            if self.context.deadline and self.context.deadline <= datetime.now(UTC):
                raise DeadlineExceededError("Too late.")
            if self.context.cancelled and self.context.cancelled():
                raise CancelledError("Cancelled.")
            self.spent[action_id] = self.spent.get(action_id, 0) + 1
            yield from self._results(action_id, data, size)
            outcome = {"outcome": "success"}
        finally:
            self._observe(action_id, outcome)

    def _results(self, action_id, data, size):
        rows = [row | {"ownerName": row["owner"]["name"]} for row in ROWS if row["sold"] or not data.get("sold_only")]
        if action_id == "countCars":
            yield {"count": len(rows), "metadata": {}}
        elif action_id == "getCar":
            yield {"car": next(row for row in rows if row["plate"] == data["plate"]), "metadata": {}}
        else:
            rows = rows[: self.context.row_limit]
            step = (size if data.get("all") else None) or len(rows)
            for start in range(0, len(rows), step):
                page = rows[start : start + step]
                yield {"cars": page, "count": len(page), "metadata": {"state": "s1", "complete": True}}

    def _observe(self, action_id, outcome):
        context = self.context
        event = {
            "operation": f"garage.{action_id}", "connectionId": context.connection_id, "userId": context.user_id,
            "requestId": str(uuid.uuid4()), **outcome,
        }  # fmt: skip
        for observer, facts in (
            (context.progress, (context.connection_id or "", action_id, len(ROWS), len(ROWS))),
            (context.audit, (event,)),
        ):
            try:
                if observer:
                    observer(*facts)
            except Exception:  # noqa: BLE001, S112 -- an observer that fails does no harm
                continue


class Garage:
    id = "garage"
    actions = {action.id: action for action in (LIST_CARS, GET_CAR, COUNT_CARS)}  # noqa: RUF012 -- never changed

    def __init__(self):
        self.verifier = self.challenge = None

    def describe(self, *, schemas=True):
        return {
            "contractVersion": "1.1",
            "contractVersions": ["1"],
            "id": self.id,
            "displayName": "Garage & Sons",
            "version": "9",
            "description": "Cars.",
            "auth": {"pkce": True, "grantFields": ["ticket"], "callbackFields": {}},
            "settingsSchema": copy.deepcopy(SETTINGS),
            "settingsForm": {"order": ["api_key"], "fields": {}},
            "capabilities": [
                name
                for name in CAPABILITIES
                if name not in {"ndjson", "arrow", "dataframe", "credentials", "sync", "monthlyUsage", "status"}
            ],
            "groups": [{"id": "cars", "title": "Cars"}, {"id": "office", "title": "Office"}],
            "actions": [self.describe_action(key, schemas=schemas) for key in self.actions],
        }

    def describe_action(self, action_id, *, schemas=True):
        return describe_action(
            self.actions[action_id], self.id, **(copy.deepcopy(SCHEMAS[action_id]) if schemas else {})
        )

    def validate(self, settings):
        try:
            self.check(settings)
        except SettingsError as error:
            return {"valid": False, "fields": [field.to_dict() for field in error.fields], "warnings": []}
        return {"valid": True, "fields": [], "warnings": []}

    def check(self, settings):
        wrong = [] if settings.get("api_key") else [FieldError("api_key", "required", "Key is missing.", "Get one.")]
        try:
            checked(Draft202012Validator(SETTINGS), settings, SettingsError)
        except SettingsError as error:
            wrong += [field for field in error.fields if not (wrong and field.field == "api_key")]
        if wrong:
            raise SettingsError("Some settings are wrong.", wrong)

    def connect(self, settings, context=None):
        self.check(settings)
        context = context or HostContext()
        if not is_offered(context.contract_version):
            raise SettingsError("This version of the contract is not offered.")
        return GarageConnection(self, settings, context)

    def authorization_url(self, settings, *, redirect_uri, state, code_challenge):  # noqa: ARG002 -- the contract's
        self.challenge = code_challenge
        return "http://127.0.0.1:9/consent?" + urlencode({"redirect_uri": redirect_uri, "state": state})

    def exchange_code(self, settings, *, code, redirect_uri, code_verifier):  # noqa: ARG002 -- the contract's
        self.verifier = code_verifier
        return {"ticket": f"ticket for {code}"}


class FaultyConnection(GarageConnection):
    def call(self, action_id, input=None):  # noqa: A002 -- the contract's word
        if action_id == "breakDown":
            raise RuntimeError(f"a defect beside {self.settings['api_key']}")
        return super().call(action_id, input)


class FaultyGarage(Garage):
    """A garage with an action that breaks the contract: it raises."""

    actions = {**Garage.actions, "breakDown": Action("breakDown", "Break down", "Fails.", group="office")}  # noqa: RUF012

    def describe_action(self, action_id, *, schemas=True):
        if action_id in SCHEMAS:
            return super().describe_action(action_id, schemas=schemas)
        return describe_action(
            self.actions[action_id], self.id, **({"inputSchema": {}, "outputSchema": {}} if schemas else {})
        )

    def connect(self, settings, context=None):
        made = super().connect(settings, context)
        return FaultyConnection(self, made.settings, made.context)


class Plugin:
    def __init__(self):
        self.connector = FaultyGarage()

    @hookimpl
    def vantage_register_connectors(self, register):
        register(self.connector)
