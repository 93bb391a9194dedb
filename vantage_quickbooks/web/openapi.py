"""The API's description (OpenAPI 3.1), made from the connectors' descriptors: one path for each action that can run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vantage_quickbooks.web.host import Host

__all__ = ["describe_api"]

JSON = dict[str, Any]

_TEXT: JSON = {"type": "string"}
_ERROR: JSON = {
    "type": "object",
    "required": ["code", "message", "retryable"],
    "properties": {
        "code": {"type": "string", "pattern": "^[A-Z_]+$"},
        "message": _TEXT,
        "retryable": {"type": "boolean"},
        "retryAfter": {"type": ["number", "null"]},
        "fields": {"type": "array", "items": {"type": "object"}},
        "details": {"type": "object"},
    },
}
_VALIDATION: JSON = {
    "type": "object",
    "required": ["valid", "fields", "warnings"],
    "properties": {
        "valid": {"type": "boolean"},
        "fields": {"type": "array", "items": {"type": "object"}},
        "warnings": {"type": "array", "items": {"type": "object"}},
    },
}


def describe_api(host: Host, base_url: str) -> JSON:
    """Return the description of what is there now: installed connectors, and connections as they are."""
    schemas: JSON = {"Error": _ERROR, "Failure": _envelope(success=False)}
    paths: JSON = {
        "/api/connectors": {"get": _operation("listConnectors", "List connectors", {"type": "object"})},
        "/api/connections": {"get": _operation("listConnections", "List connections", {"type": "object"})},
        "/api/connectors/{connector}": {
            "parameters": [_parameter("connector", list(host.connectors))],
            "get": _operation("describeConnector", "Describe a connector", {"type": "object"}),
        },
        "/api/connectors/{connector}/validate": {
            "parameters": [_parameter("connector", list(host.connectors))],
            "post": _operation(
                "validateSettings",
                "Check a settings form's data; nothing is opened or kept",
                _VALIDATION,
                body={"type": "object"},
            ),
        },
    }
    for record in host.records():
        described = host.describe(record.connector)
        base = f"/api/connections/{record.id}"
        paths[f"{base}/test"] = {
            "post": _operation(f"{record.id}.test", f"Test {record.name}", {"type": "object"}, tag=record.id)
        }
        for action in described["actions"]:
            schema_name = f"{record.connector}.{action['id']}"
            paths[f"{base}/call/{action['id']}"] = {
                "post": _operation(
                    f"{record.id}.{action['id']}",
                    action["title"],
                    _hoisted(action["outputSchema"], f"{schema_name}.output", schemas),
                    body=_hoisted(action["inputSchema"], f"{schema_name}.input", schemas),
                    description=action["description"],
                    tag=record.id,
                )
            }
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Vantage connectors",
            "version": "1",
            "description": "Every answer is the host's envelope: success with data, or an error with a code, a message "
            "that says what to do, and whether the same call may succeed later.",
        },
        "servers": [{"url": base_url}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "The key of the printed address."}
            },
        },
    }


def _operation(
    operation_id: str,
    summary: str,
    data: JSON,
    *,
    body: JSON | None = None,
    description: str = "",
    tag: str = "connectors",
) -> JSON:
    operation: JSON = {
        "operationId": operation_id,
        "summary": summary,
        "tags": [tag],
        "responses": {
            "200": {"description": "The envelope of a success", "content": _json(_envelope(success=True, data=data))},
            "default": {
                "description": "The envelope of a failure",
                "content": _json({"$ref": "#/components/schemas/Failure"}),
            },
        },
    }
    if description:
        operation["description"] = description
    if body is not None:
        operation["requestBody"] = {"required": False, "content": _json(body)}
    return operation


def _envelope(*, success: bool, data: JSON | None = None) -> JSON:
    member = "data" if success else "error"
    content = data if data is not None else {"$ref": "#/components/schemas/Error"}
    return {
        "type": "object",
        "required": ["success", member],
        "properties": {"success": {"const": success}, member: content, "meta": {"type": "object"}},
    }


def _parameter(name: str, values: list[str]) -> JSON:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string", "enum": values}}


def _json(schema: JSON) -> JSON:
    return {"application/json": {"schema": schema}}


def _hoisted(schema: JSON, name: str, schemas: JSON) -> JSON:
    """Put a schema among the components and return a reference; its `$defs` become components beside it."""
    if name not in schemas:
        kept = {key: value for key, value in schema.items() if key not in {"$schema", "$id", "$defs"}}
        for inner, definition in schema.get("$defs", {}).items():
            schemas[f"{name}.{inner}"] = _relinked(definition, name)
        schemas[name] = _relinked(kept, name)
    return {"$ref": f"#/components/schemas/{name}"}


def _relinked(value: Any, name: str) -> Any:
    if isinstance(value, dict):
        return {
            key: inner.replace("#/$defs/", f"#/components/schemas/{name}.")
            if key == "$ref" and isinstance(inner, str)
            else _relinked(inner, name)
            for key, inner in value.items()
        }
    return [_relinked(item, name) for item in value] if isinstance(value, list) else value
