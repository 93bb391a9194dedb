"""Generates the JSON Schemas and forms of the list and get actions from the rows of the catalog.

`python -m vantage_quickbooks.catalog.generate` writes them to `schemas/`, where people who write no Python read them.
Schemas are of draft 2020-12. An input schema accepts what forms send: numbers as text, whitespace around text, null and
"" for "not given"; so the patterns allow whitespace, and no keyword counts that validators may ignore (`format`).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vantage_quickbooks.catalog.schemas.forms import get_form, list_form
from vantage_quickbooks.catalog.schemas.inputs import get_input, inputs_of, list_input
from vantage_quickbooks.catalog.schemas.outputs import get_output, list_output

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vantage_quickbooks.catalog.resource import Resource
    from vantage_quickbooks.catalog.schemas.draft import JSON

__all__ = ["get_files", "inputs_of", "list_files"]


def list_files(resource: Resource, resources: Mapping[str, Resource]) -> dict[str, JSON]:
    """Return the files of an entity's list action, by name without `.json`.

    Args:
        resource: The entity.
        resources: Every entity by the id of its list action, for inputs whose choices another action offers.
    """
    return {
        f"{resource.list_id}.input.schema": list_input(resource),
        f"{resource.list_id}.form": list_form(resource, resources),
        f"{resource.list_id}.output.schema": list_output(resource),
    }


def get_files(resource: Resource, resources: Mapping[str, Resource]) -> dict[str, JSON]:
    """Return the files of an entity's get action; see `list_files`."""
    return {
        f"{resource.get_id}.input.schema": get_input(resource),
        f"{resource.get_id}.form": get_form(resource, resources),
        f"{resource.get_id}.output.schema": get_output(resource),
    }
