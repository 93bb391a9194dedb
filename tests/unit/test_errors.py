"""The tree of errors is as its docstring draws it, and an error is plain JSON without secrets."""

from __future__ import annotations

import copy
import inspect
import json
import pickle
import re

import pytest

from vantage_quickbooks import errors
from vantage_quickbooks.errors import ConnectorError, FieldError

CLASSES = {
    name: value
    for name, value in vars(errors).items()
    if inspect.isclass(value) and issubclass(value, ConnectorError) and not name.startswith("_")
}
TID = "1-5f7349e0-0fd2bee86a8a83c67a77fbb2"


def _drawn():
    """Read the tree in the module's docstring: name, depth and codes of each line."""
    for line in inspect.cleandoc(errors.__doc__).splitlines():
        match = re.match(r"(?P<branch>[\s│├└─]*)(?P<name>[A-Z]\w+) {2,}(?P<text>.*)", line)
        if match and (match["name"].endswith(("Error", "Required", "Conflict"))):
            codes = re.findall(r"\b[A-Z]+_[A-Z_]+\b|\bCANCELLED\b", match["text"])
            yield match["name"], len(match["branch"]) // 3, codes


DRAWN = list(_drawn())


def test_every_class_is_drawn_and_every_drawn_class_exists():
    assert len(DRAWN) == 30
    assert {name for name, *_ in DRAWN} | {"FieldError"} == set(errors.__all__)
    assert {name for name, *_ in DRAWN} == set(CLASSES)


def test_each_class_has_the_base_that_is_drawn():
    above: list[type] = []
    shift = min(depth for _, depth, _ in DRAWN)
    for name, depth, _ in DRAWN:
        del above[depth - shift :]
        public = [base for base in CLASSES[name].__mro__[1:] if base in CLASSES.values()]
        assert public[:1] == above[-1:], name
        above.append(CLASSES[name])


@pytest.mark.parametrize(("name", "codes"), [(name, codes) for name, _, codes in DRAWN if codes])
def test_each_class_has_the_code_that_is_drawn(name, codes):
    assert CLASSES[name].code == codes[0]


def test_every_class_but_the_bases_has_a_code():
    assert {name for name, _, codes in DRAWN if not codes} == {"ConnectorError", "QuickBooksError"}


RETRYABLE = {
    "CredentialConflict",
    "RateLimitedError",
    "AppBlockedError",
    "QuickBooksUnavailableError",
    "NetworkError",
    "DeadlineExceededError",
    "UnexpectedResponseError",
    "IncompleteReadError",
    "WorkerProcessError",
    "InboxError",
}


@pytest.mark.parametrize("name", CLASSES)
def test_only_temporary_errors_are_retryable(name):
    assert CLASSES[name].retryable is (name in RETRYABLE)


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)
def test_an_error_is_plain_json_of_one_shape(kind):
    error = kind("What happened. What to do.", details={"httpStatus": 400, "intuitTid": TID, "element": None})
    assert json.loads(json.dumps(error.to_dict(), allow_nan=False)) == {
        "code": kind.code,
        "message": "What happened. What to do.",
        "retryable": kind.retryable,
        "retryAfter": None,
        "fields": [],
        "details": {"httpStatus": 400, "intuitTid": TID},
    }


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)
def test_the_text_of_an_error_contains_code_and_transaction_id(kind):
    assert str(kind("Broken.")) == f"Broken. ({kind.code})"
    assert str(kind("Broken.", details={"intuitTid": TID})) == f"Broken. ({kind.code}, intuit_tid {TID})"
    assert repr(kind("Broken.")) == f"<{kind.__name__} {kind.code}: Broken.>"


@pytest.mark.parametrize("kind", CLASSES.values(), ids=CLASSES)
def test_an_error_can_be_pickled(kind):
    error = kind("Broken.", code="OTHER_CODE", retryable=True, details={"intuitTid": TID})
    for again in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):  # noqa: S301 -- our own
        assert type(again) is kind
        assert (again.to_dict(), str(again)) == (error.to_dict(), str(error))


def test_an_instance_may_be_more_specific_than_its_class():
    error = errors.InputError("No such action.", code="ACTION_NOT_FOUND")
    assert (error.code, error.to_dict()["code"]) == ("ACTION_NOT_FOUND", "ACTION_NOT_FOUND")
    assert errors.InputError.code == "INPUT_INVALID"
    assert errors.NetworkError("x", retryable=False).retryable is False
    assert errors.NetworkError.retryable is True


def test_each_invalid_field_has_an_entry_in_order():
    fields = [FieldError("b", "type", "It is not a number.", "Give a number."), FieldError("a", "required", "M.", "N.")]
    for kind in (errors.SettingsError, errors.InputError):
        error = kind("Two.", fields)
        assert error.fields == tuple(fields)
        assert error.to_dict()["fields"] == [
            {"field": "b", "rule": "type", "message": "It is not a number.", "hint": "Give a number."},
            {"field": "a", "rule": "required", "message": "M.", "hint": "N."},
        ]


@pytest.mark.parametrize("kind", [errors.RateLimitedError, errors.QuickBooksUnavailableError])
def test_retry_after_is_passed_to_the_host(kind):
    assert kind("Wait.", retry_after_s=12.5).to_dict()["retryAfter"] == 12.5
    assert kind("Wait.").to_dict()["retryAfter"] is None


def test_changing_the_dict_does_not_change_the_error():
    error = ConnectorError("Broken.", details={"a": 1})
    error.to_dict()["details"]["a"] = 2
    assert error.to_dict()["details"] == {"a": 1}


def test_an_error_without_traceback_references_no_frame():
    """Their local variables contain tokens, and crash reporters print them."""
    error = ConnectorError("Broken.")
    error.__cause__ = error.__context__ = ValueError("planted-secret")
    with pytest.raises(ConnectorError) as caught:
        raise error
    assert caught.value.__traceback__ is not None
    stripped = caught.value.without_traceback()
    assert stripped is caught.value
    assert (stripped.__cause__, stripped.__context__, stripped.__traceback__) == (None, None, None)


def test_no_class_has_the_name_of_a_builtin():
    builtins = {name for name in dir(__import__("builtins")) if name.endswith("Error")}
    assert not builtins & set(errors.__all__)
