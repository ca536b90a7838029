"""The description of the API: one operation for each step, with the schema of what it asks for."""

from __future__ import annotations

from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from milepost.decisions import PARENT
from states.labels import every_step, role_label
from states.roles import PERMISSIONS
from states.step import Step

GENERIC = "/api/v1/{noun}/{subject_id}/steps/{step}"
GENERIC_ROOT = "/api/v1/steps/{step}"
ABOUT = """The same steps as the pages, and the only way to change anything.

Every step needs the header Idempotency-Key: the same key again answers with the first receipt and has no
second effect. If-Match carries the version the caller has seen; another one now is refused as a stale page.
What is refused comes as {"refusals": [{code, fact, remedy, who}]}, every reason at once, in two languages.
"""


def steps_of_people() -> list[Step]:
    """The steps that somebody other than the system may take."""
    people = set().union(*(names for role, names in PERMISSIONS.items() if role != "system"))
    return [step for name, step in sorted(every_step().items()) if name in people]


def path_of(step: Step) -> str:
    """Where a step is taken."""
    over = step.noun if step.source else PARENT[step.noun]
    return f"/api/v1/{over}/{{subject_id}}/steps/{step.name}" if over else f"/api/v1/steps/{step.name}"


def describe(app: FastAPI) -> dict[str, Any]:
    """The OpenAPI document; made once."""
    if app.openapi_schema:
        return app.openapi_schema
    made = get_openapi(title=app.title, version=app.version, description=ABOUT, routes=app.routes)
    generic = made["paths"].pop(GENERIC)["post"]
    made["paths"].pop(GENERIC_ROOT)
    schemas = made.setdefault("components", {}).setdefault("schemas", {})
    for step in steps_of_people():
        name = step.input.__name__
        if name not in schemas:
            schema = step.input.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(schema.pop("$defs", {}))
            schemas[name] = schema
        made["paths"][path_of(step)] = {"post": _operation(step, generic, name)}
    schemes = made["components"].setdefault("securitySchemes", {})
    schemes["bearer"] = {"type": "http", "scheme": "bearer"}
    made["security"] = [{"bearer": []}]
    app.openapi_schema = made
    return made


def _operation(step: Step, generic: dict[str, Any], schema: str) -> dict[str, Any]:
    over = step.noun if step.source else PARENT[step.noun]
    roles = [role for role in PERMISSIONS if role != "system" and step.name in PERMISSIONS[role]]
    parameters = [
        p for p in generic["parameters"] if p["in"] == "header" or (over and p["name"] == "subject_id")
    ]
    return {
        "summary": f"{step.label.en} · {step.label.zh}",
        "description": "Roles: " + ", ".join(f"{role_label(r).en} ({r})" for r in roles),
        "operationId": step.name.replace(".", "_"),
        "tags": [step.noun],
        "parameters": parameters,
        "requestBody": {
            "required": bool(step.input.model_json_schema().get("required")),
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}},
        },
        "responses": generic["responses"],
    }
