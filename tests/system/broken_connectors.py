"""Connectors that break the contract, each in one way; the kit must say which.

Each is the garage of the web UI's tests with one defect. The docstring's first line says what is wrong.
"""

from __future__ import annotations

import copy
import logging
import pathlib
import threading
from decimal import Decimal

from garage import Garage, GarageConnection

from vantage_quickbooks.contract import envelope
from vantage_quickbooks.errors import InputError, SettingsError


class Connection(GarageConnection):
    """A connection whose results a subclass changes."""

    def _results(self, action_id, data, size):
        for result in super()._results(action_id, data, size):
            changed = copy.deepcopy(result)
            self.spoil(changed)
            yield changed

    def spoil(self, result):
        """Change a result."""


def garage(connection=None, **attributes):
    """Return a class of garages with another connection class, or with other attributes."""

    class Broken(Garage):
        def connect(self, settings, context=None):
            made = super().connect(settings, context)
            return (connection or GarageConnection)(self, made.settings, made.context)

    for name, value in attributes.items():
        setattr(Broken, name, value)
    return Broken


def describing(change):
    """Return a class of garages whose descriptor is changed."""

    def describe(self, *, schemas=True):
        descriptor = Garage.describe(self, schemas=schemas)
        cars = descriptor["actions"][0]
        change(descriptor, cars)
        return descriptor

    def describe_action(self, action_id, *, schemas=True):
        if not self.is_describing:
            self.is_describing = True
            try:
                entries = {action["id"]: action for action in self.describe(schemas=schemas)["actions"]}
            finally:
                self.is_describing = False
            return entries[action_id]
        return Garage.describe_action(self, action_id, schemas=schemas)

    def describe_all(self, *, schemas=True):
        outer, self.is_describing = self.is_describing, True
        try:
            return describe(self, schemas=schemas)
        finally:
            self.is_describing = outer

    return garage(describe=describe_all, describe_action=describe_action, is_describing=False)


# ---- descriptors -----------------------------------------------------------------------------------------------------


def _no_title(descriptor, cars):  # noqa: ARG001 -- each change takes both
    del cars["title"]


def _dates(descriptor, cars):  # noqa: ARG001 -- see _no_title
    descriptor["released"] = Decimal("9.1")


def _no_schema(descriptor, cars):  # noqa: ARG001 -- see _no_title
    if "inputSchema" in cars:
        cars["inputSchema"]["properties"]["since"]["type"] = "text"


def _unknown_field(descriptor, cars):  # noqa: ARG001 -- see _no_title
    if "inputForm" in cars:
        cars["inputForm"]["fields"]["color"] = {"label": "Color", "inputType": "String"}


def _bad_example(descriptor, cars):  # noqa: ARG001 -- see _no_title
    cars["examples"] = [{"sold_only": "yes"}]


def _dangling_choices(descriptor, cars):  # noqa: ARG001 -- see _no_title
    form = descriptor["actions"][1].get("inputForm")
    if form:
        form["fields"]["plate"]["optionsFrom"]["label"] = "nickname"


def _unknown_group(descriptor, cars):  # noqa: ARG001 -- see _no_title
    descriptor["actions"][2]["group"] = "attic"


def _no_cost(descriptor, cars):  # noqa: ARG001 -- see _no_title
    cars["cost"].pop()


def _unknown_state(descriptor, cars):  # noqa: ARG001 -- see _no_title
    cars["triggers"][0]["statePath"] = "metadata.cursor"


NoTitle = describing(_no_title)
NotJson = describing(_dates)
NoSchema = describing(_no_schema)
UnknownField = describing(_unknown_field)
BadExample = describing(_bad_example)


def _listing(**members):
    return {"title": "Cars", "one": "car", "many": "cars", **members}


def _listed(**members):
    def spoil(descriptor, cars):  # noqa: ARG001 -- see _no_title
        cars["listing"] = _listing(**members)

    return spoil


def _linked(**members):
    def spoil(descriptor, cars):  # noqa: ARG001 -- see _no_title
        cars["links"] = [{"action": "getCar", "input": {"plate": "plate"}, **members}]

    return spoil


def _reported(**members):
    def spoil(descriptor, cars):  # noqa: ARG001 -- see _no_title
        cars["report"] = {"input": "since", **members}

    return spoil


def _variants(descriptor, cars):  # noqa: ARG001 -- see _no_title
    if "inputForm" in cars:
        variants = {"input": "since", "fields": {"a": ["sold_only"]}, "required": {"a": ["all"]}}
        cars["inputForm"]["variants"] = variants


def _outlined(descriptor, cars):  # noqa: ARG001 -- see _no_title
    cars["views"].append({"kind": "outline", "columns": "heads"})


def _sectioned(descriptor, cars):  # noqa: ARG001 -- see _no_title
    section = {"kind": "linked", "title": "Owners", "rows": "owners", "links": "owners"}
    cars["views"].append({"kind": "record", "sections": [section]})


_COLOR = {"id": "color", "title": "Color", "kind": "choice", "inputs": ["color"]}
_SINCE = {"id": "since", "title": "Since", "kind": "dateRange", "inputs": ["since"], "presets": "years"}
UnknownFilter = describing(_listed(filters=[_COLOR]))
UnknownPresets = describing(_listed(filters=[_SINCE]))
LookupWithoutChoices = describing(_listed(filters=[{**_SINCE, "kind": "lookup", "presets": []}]))
SameFilter = describing(_listed(filters=[{**_SINCE, "presets": []}, {**_SINCE, "presets": []}]))
UnknownSort = describing(
    _listed(sort={"input": "order", "ascending": "{field}", "descending": "-{field}", "columns": {}})
)
DanglingRecord = describing(_listed(record={"action": "getBus", "input": {"plate": "plate"}}))
DanglingLink = describing(_linked(field="plate", action="getBus"))
UnknownLinkInput = describing(_linked(field="plate", input={"number": "plate"}))
LinkToNowhere = describing(_linked())
UnknownReport = describing(_reported(input="kind"))
UnknownPeriod = describing(_reported(periods=[{"preset": "period", "inputs": ["since"]}]))
ImpossibleVariant = describing(_variants)
UnknownColumns = describing(_outlined)
UnknownLinkSet = describing(_sectioned)
DanglingChoices = describing(_dangling_choices)
UnknownGroup = describing(_unknown_group)
NoCost = describing(_no_cost)
UnknownState = describing(_unknown_state)


class SharedDescriptor(Garage):
    """It hands out one and the same descriptor."""

    def describe(self, *, schemas=True):
        """Return what was returned before."""
        if not hasattr(self, "kept"):
            self.kept = {value: Garage.describe(self, schemas=value) for value in (True, False)}
        return self.kept[schemas]


# ---- settings --------------------------------------------------------------------------------------------------------


class UnnamedSettings(Garage):
    """It says that something is wrong, and not which setting."""

    def validate(self, settings):
        """Return a report without the names of fields."""
        report = super().validate(settings)
        return report | {"fields": [{**field, "field": "settings"} for field in report["fields"]]}


class BareError(Garage):
    """Wrong settings raise an error without a code."""

    def connect(self, settings, context=None):
        """Raise a KeyError where the key is missing."""
        settings["api_key"]
        return super().connect(settings, context)


class OpensFile(Garage):
    """It writes at connect."""

    def connect(self, settings, context=None):
        """Leave a trace."""
        with pathlib.Path("/dev/zero").open("a"):
            return super().connect(settings, context)


# ---- calls -----------------------------------------------------------------------------------------------------------


class _Raises(GarageConnection):
    def call(self, action_id, input=None):  # noqa: A002 -- the contract's word
        if input is not None and not isinstance(input, dict):
            raise TypeError(f"input must be a dict, not {type(input).__name__}")
        return super().call(action_id, input)


class _AcceptsAnyAction(GarageConnection):
    def call(self, action_id, input=None):  # noqa: A002 -- the contract's word
        if action_id not in self.connector.actions if isinstance(action_id, str) else True:
            return envelope(data={})
        return super().call(action_id, input)


class _NotANumber(Connection):
    def spoil(self, result):
        for car in result.get("cars", ())[7:8]:
            car["km"] = float("nan")


class _WrongResult(Connection):
    def spoil(self, result):
        for car in result.get("cars", ())[3:4]:
            car["km"] = "many"


class _SamePlate(Connection):
    def spoil(self, result):
        for car in result.get("cars", ()):
            car["plate"] = "T-1"


class _LosesARow(GarageConnection):
    def stream(self, action_id, input=None, *, as_="results"):  # noqa: A002 -- the contract's word
        for number, page in enumerate(super().stream(action_id, input, as_=as_)):
            yield page if number == 0 else page | {"cars": page["cars"][1:]}


class _OneThread(GarageConnection):
    def __init__(self, *args):
        super().__init__(*args)
        self.thread = threading.get_ident()

    def call(self, action_id, input=None):  # noqa: A002 -- the contract's word
        if threading.get_ident() != self.thread:
            raise RuntimeError("objects created in a thread can only be used in that same thread")
        return super().call(action_id, input)


class _UnnamedInput(GarageConnection):
    def invoke(self, action_id, input=None):  # noqa: A002 -- the contract's word
        try:
            return super().invoke(action_id, input)
        except InputError as error:
            raise InputError(error.message) from None


class _NoContextManager:
    def __init__(self, *args):
        self._made = GarageConnection(*args)

    def __repr__(self):
        return "<connection>"

    def __getattr__(self, name):
        return getattr(self._made, name)


Raises = garage(_Raises)
AcceptsAnyAction = garage(_AcceptsAnyAction)
NotANumber = garage(_NotANumber)
WrongResult = garage(_WrongResult)
SamePlate = garage(_SamePlate)
LosesARow = garage(_LosesARow)
OneThread = garage(_OneThread)
UnnamedInput = garage(_UnnamedInput)
NoContextManager = garage(_NoContextManager)


# ---- context ---------------------------------------------------------------------------------------------------------


class _WithoutContext(GarageConnection):
    """A connection that takes no notice of one part of its context."""

    ignored = ""

    def __init__(self, connector, settings, context):
        import dataclasses

        super().__init__(connector, settings, dataclasses.replace(context, **{self.ignored: None}))


class _NoRowLimit(_WithoutContext):
    ignored = "row_limit"


class _NoDeadline(_WithoutContext):
    ignored = "deadline"


class _NoCancellation(_WithoutContext):
    ignored = "cancelled"


class _NoAudit(_WithoutContext):
    ignored = "audit"


NoRowLimit = garage(_NoRowLimit)
NoDeadline = garage(_NoDeadline)
NoCancellation = garage(_NoCancellation)
NoAudit = garage(_NoAudit)


class AnyVersion(Garage):
    """It takes a host of any contract version."""

    def connect(self, settings, context=None):
        """Connect without looking at the version."""
        self.check(settings)
        return GarageConnection(self, settings, context)


# ---- secrets ---------------------------------------------------------------------------------------------------------


class _Repr(GarageConnection):
    def __repr__(self):
        return f"<connection {self.settings}>"


class _Error(GarageConnection):
    def _results(self, action_id, data, size):
        if data.get("since") is not None:
            raise InputError(f"The garage refuses the key {self.settings['api_key']}.")
        yield from super()._results(action_id, data, size)

    def call(self, action_id, input=None):  # noqa: A002 -- the contract's word
        if action_id == "noSuchActionExists":
            error = SettingsError(f"There is no such action for the key {self.settings['api_key']}.")
            return envelope(error=error)
        return super().call(action_id, input)


class _Log(GarageConnection):
    def invoke(self, action_id, input=None):  # noqa: A002 -- the contract's word
        logging.getLogger("garage").debug("calling with %s", self.settings)
        return super().invoke(action_id, input)


ShowsSecret = garage(_Repr)
ErrorWithSecret = garage(_Error)
LogsSecret = garage(_Log)
