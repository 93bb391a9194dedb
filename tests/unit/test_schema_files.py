"""Schemas are found in a wheel and in a checkout, and nowhere else."""

from __future__ import annotations

import pytest
from form_data import FORM, SETTINGS

from vantage_quickbooks.config import schema_files
from vantage_quickbooks.config.schema_files import load_schema
from vantage_quickbooks.config.validation import clean
from vantage_quickbooks.errors import InternalError


@pytest.fixture
def folders(monkeypatch, tmp_path):
    """Two empty folders that are searched for schemas, the wheel's first."""
    wheel, checkout = tmp_path / "_schemas", tmp_path / "schemas"
    monkeypatch.setattr(schema_files, "_FOLDERS", (wheel, checkout))
    for cache in (schema_files._read, schema_files.validator_for):
        cache.cache_clear()
    yield wheel, checkout
    for cache in (schema_files._read, schema_files.validator_for):
        cache.cache_clear()


def test_schemas__are_found_in_a_wheel_and_in_a_checkout(folders):
    wheel, checkout = folders
    checkout.mkdir()
    (checkout / "a.schema.json").write_text('{"properties": {"x": {"type": ["integer", "string"]}}}')
    assert clean("a.schema", {"x": "5"}) == ({"x": 5}, [])
    wheel.mkdir()
    (wheel / "b.schema.json").write_text('{"title": "wheel"}')
    (checkout / "b.schema.json").write_text('{"title": "checkout"}')
    assert load_schema("b.schema") == {"title": "wheel"}  # site-packages/schemas may be another package's


@pytest.mark.usefixtures("folders")
def test_schemas__missing__are_an_internal_error_with_a_remedy():
    for call in (load_schema, lambda name: clean(name, {})):
        with pytest.raises(InternalError, match=r"settings.schema.json.* is missing. Install vantage-quickbooks again"):
            call("settings.schema")


@pytest.mark.parametrize("text", ["", "{", "[]", "null"])
def test_schemas__damaged__are_an_internal_error_with_a_remedy(folders, text):
    folders[0].mkdir()
    (folders[0] / "settings.schema.json").write_text(text)
    with pytest.raises(InternalError, match="is damaged"):
        load_schema("settings.schema")


@pytest.mark.parametrize("name", ["../pyproject", "/etc/hostname", "a/../settings.schema", "\0", "", "nope.schema"])
def test_schemas__by_another_path__are_not_there(name):
    with pytest.raises(InternalError, match="is missing"):
        load_schema(name)


def test_load_schema__returns_a_new_dict_at_each_call():
    load_schema(SETTINGS)["properties"].clear()
    assert load_schema(SETTINGS)["properties"]
    assert clean(SETTINGS, FORM) == (FORM, [])
