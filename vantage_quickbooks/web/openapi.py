"""The OpenAPI 3.1 description of the HTTP API: one path for each action of each connection."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vantage_quickbooks.web.host import Host, Listed

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

_CHANGES: JSON = {
    "type": "object",
    "required": ["pages"],
    "properties": {"pages": {"type": "integer", "minimum": 0, "description": "Open pages that learn of it."}},
}
_ESTIMATE: JSON = {
    "type": "object",
    "properties": {name: {"type": ["integer", "null"]} for name in ("totalCount", "apiCalls", "meteredCalls")},
}


def describe_api(
    host: Host, base_url: str, *, connection: str | None = None, group: str | None = None, action: str | None = None
) -> JSON:
    """Return the description of the API with the current connectors and connections.

    Args:
        host: The connectors and connections.
        base_url: The URL of this server.
        connection: Only this connection; None for all.
        group: Only the actions of this group; None for all.
        action: Only the action with this id; None for all.

    Raises:
        StoreError: The connections cannot be listed.
    """
    schemas: JSON = {"Error": _ERROR, "Failure": _envelope(success=False)}
    paths: JSON = {
        "/api/connectors": {"get": _operation("listConnectors", "List connectors", {"type": "object"})},
        "/api/connections": {"get": _operation("listConnections", "List connections", {"type": "object"})},
        "/api/connectors/{connector}": {
            "parameters": [_parameter("connector", list(host.connectors))],
            "get": _operation("describeConnector", "Describe a connector", {"type": "object"}),
        },
        "/api/connectors/{connector}/actions/{action}": {
            "parameters": [_parameter("connector", list(host.connectors)), _parameter("action")],
            "get": _operation("describeAction", "Describe an action with its schemas", {"type": "object"}),
        },
        "/api/connectors/{connector}/validate": {
            "parameters": [_parameter("connector", list(host.connectors))],
            "post": _operation(
                "validateSettings",
                "Validate settings; nothing is stored",
                _VALIDATION,
                body={"type": "object"},
            ),
        },
    }
    listed_connections, failures = host.listed()
    for failure in failures:
        raise failure
    for record in listed_connections:
        if connection not in {None, record.id} or not record.can_open or record.error:
            continue
        base = f"/api/connections/{record.id}"
        paths[base] = {
            "get": _operation(
                f"{record.id}.status",
                f"State of {record.name}",
                {"type": "object"},
                description="State, last sync and what the connector knows; nothing is sent to the provider.",
                tag=record.id,
            )
        }
        paths[f"{base}/test"] = {
            "post": _operation(f"{record.id}.test", f"Test {record.name}", {"type": "object"}, tag=record.id)
        }
        paths[f"{base}/changes"] = {
            "post": _operation(
                f"{record.id}.changes",
                f"Report that records of {record.name} changed",
                _CHANGES,
                description="For a program that synced the company or changed it: lists read it again, and open pages "
                "update themselves. The response has the number of pages that learn of it.",
                tag=record.id,
            )
        }
        for listed in host.describe(record.connector)["actions"]:
            if group in {None, listed.get("group")} and action in {None, listed["id"]}:
                paths |= _paths_of(host, record, host.action(record.connector, listed["id"]) or listed, schemas)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Vantage connectors",
            "version": "1",
            "description": "Every response is an envelope: success with data, or an error with a code, a message that "
            "says what to do, and whether the same call may succeed later.",
        },
        "servers": [{"url": base_url}],
        "security": [{"key": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "key": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "The access key, which the printed URL contains.",
                }
            },
        },
    }


def _paths_of(host: Host, record: Listed, action: JSON, schemas: JSON) -> JSON:
    action_id, base = action["id"], f"/api/connections/{record.id}"
    name = f"{record.connector}.{action_id}"
    body = _hoisted(action["inputSchema"], f"{name}.input", schemas)
    call = _operation(
        f"{record.id}.{action_id}",
        action["title"],
        _hoisted(action.get("outputSchema") or {}, f"{name}.output", schemas),
        body=body,
        description=str(action.get("description") or ""),
        tag=record.id,
        is_deprecated=bool(action.get("deprecated")),
    )
    paths: JSON = {f"{base}/call/{action_id}": {"post": call}}
    if action.get("streamable") and host.offers(record.connector, "estimate", record):
        paths[f"{base}/estimate/{action_id}"] = {
            "post": _operation(
                f"{record.id}.{action_id}.estimate",
                f"{action['title']}: estimate a full read",
                _ESTIMATE,
                body=body,
                tag=record.id,
            )
        }
    return paths


def _operation(
    operation_id: str,
    summary: str,
    data: JSON,
    *,
    body: JSON | None = None,
    description: str = "",
    tag: str = "connectors",
    is_deprecated: bool = False,
) -> JSON:
    operation: JSON = {
        "operationId": operation_id,
        "summary": summary,
        "tags": [tag],
        "responses": {
            "200": {"description": "Success", "content": _json(_envelope(success=True, data=data))},
            "default": {
                "description": "Failure",
                "content": _json({"$ref": "#/components/schemas/Failure"}),
            },
        },
    }
    if description:
        operation["description"] = description
    if is_deprecated:
        operation["deprecated"] = True
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


def _parameter(name: str, values: list[str] | None = None) -> JSON:
    schema: JSON = {"type": "string"} if values is None else {"type": "string", "enum": values}
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _json(schema: JSON) -> JSON:
    return {"application/json": {"schema": schema}}


def _hoisted(schema: JSON, name: str, schemas: JSON) -> JSON:
    """Add a schema to the components and return a reference to it. Its `$defs` become components, too."""
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
