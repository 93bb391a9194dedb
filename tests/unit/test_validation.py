"""The input of a call is valid as a whole, or refused with all its errors."""

from __future__ import annotations

import subprocess
import sys

import pytest
from form_data import one

from vantage_quickbooks.config import schema_files
from vantage_quickbooks.config.validation import validate_input
from vantage_quickbooks.errors import InputError


def test_validate_input__returns_what_was_given_and_nothing_more():
    assert validate_input("listCustomers", {"max_results": " 5 ", "name": ""}) == {"max_results": 5}
    assert validate_input("getAccessToken", {}) == {}


def test_validate_input__raises_with_all_fields():
    with pytest.raises(InputError) as caught:
        validate_input("listInvoices", {"status": "late", "max_results": 0})
    assert [entry.field for entry in caught.value.fields] == ["max_results", "status"]
    assert caught.value.message.startswith("2 errors in the inputs. Max results must be a whole number")
    with pytest.raises(InputError, match=r"^Max results must be a whole number from 1 to 1000, not 0\. Enter"):
        validate_input("listInvoices", {"max_results": 0})


def test_fields_that_break_a_rule_together__are_one_error(monkeypatch, tmp_path):
    monkeypatch.setattr(schema_files, "_FOLDERS", (tmp_path,))
    (tmp_path / "together.schema.json").write_text('{"properties": {"x": {}}, "maxProperties": 0}')
    assert one("together.schema", {"x": 1}).rule == "maxProperties"


def test_importing__costs_no_jsonschema():
    code = (
        "import sys, vantage_quickbooks.config.settings; print('jsonschema' in sys.modules, 'requests' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
