"""Reads the flat fields of records: `customerName` beside `CustomerRef`, where dashboards look for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import date

    from vantage_quickbooks.catalog.resource import FlatField, Resource

__all__ = ["PARENT", "TEMPLATE_TYPE", "flat_fields_reader"]

PARENT = "/.."
"""Suffix of a path to a full name, `Plants:Trees`: the field is the parent's part of it, `Plants`."""

TEMPLATE_TYPE = "*"
"""The path of the type of a template."""


def flat_fields_reader(resource: Resource) -> Callable[[Mapping[str, Any], date], dict[str, Any]]:
    """Return the function that reads the flat fields of the resource's records; make it once for many records.

    Returns:
        A function of a record, as Intuit sent it, and of the company's date. It returns all flat fields of the row, in
        the row's order, and raises `UnexpectedResponseError` for a record that has no status.
    """
    getters = [(field.name, _getter(field)) for field in resource.flat]
    compute = resource.status.compute if resource.status else None

    def read(record: Mapping[str, Any], today: date) -> dict[str, Any]:
        fields = {name: get(record) for name, get in getters}
        if compute is not None:
            fields.update(compute(record, today))
        return fields

    def read_template(record: Mapping[str, Any], today: date) -> dict[str, Any]:
        kind, template = next(iter(record.items()), (None, None))
        return read({**(template if isinstance(template, dict) else {}), TEMPLATE_TYPE: kind}, today)

    return read_template if resource.template_key else read


def _getter(field: FlatField) -> Callable[[Mapping[str, Any]], Any]:
    if len(field.paths) == 1 and field.paths[0].endswith(PARENT):
        full_name = field.paths[0].removesuffix(PARENT)
        return lambda record: str(record.get(full_name) or "").rpartition(":")[0] or None
    paths = [path.split(".") for path in field.paths]
    if len(paths) == 1 and len(paths[0]) == 1:
        (name,) = paths[0]
        return lambda record: _filled(record.get(name))
    if len(paths) == 1 and len(paths[0]) == 2:
        outer, inner = paths[0]

        def get_member(record: Mapping[str, Any]) -> Any:
            value = record.get(outer)
            return _filled(value.get(inner)) if isinstance(value, dict) else None

        return get_member
    return lambda record: next((value for path in paths if (value := _walk(record, path)) is not None), None)


def _walk(value: Any, path: list[str]) -> Any:
    """Return the value at a path; None if there is none: QuickBooks sends empty objects, too (recorded)."""
    for name in path:
        if isinstance(value, list):
            value = value[int(name)] if name.isdigit() and int(name) < len(value) else None
        else:
            value = value.get(name) if isinstance(value, dict) else None
    return _filled(value)


def _filled(value: Any) -> Any:
    return None if value == "" else value
