"""The interface as a page for people, from its OpenAPI document. FastAPI's own pages load scripts from elsewhere."""

from __future__ import annotations

import json
from typing import Any

from ganvas.html import render

EXAMPLES = {
    "/v1/samples": """curl -o samples.png -H 'Content-Type: application/json' \\
     -d '{"n": 16, "seed": 1}' http://ADDRESS/v1/samples""",
    "/v1/invert": """curl -o found.json -F file=@mine.png http://ADDRESS/v1/invert
jq '{inputs, set: {direction1: 3}}' found.json | curl -o changed.png -H 'Content-Type: application/json' \\
     -d @- http://ADDRESS/v1/edit""",
    "/v1/upscale": "curl -o large.png -F image=@photo.jpg http://ADDRESS/v1/upscale",
}


def docs_page(document: dict[str, Any]) -> str:
    """HTML that asks for nothing else."""
    schemas = document.get("components", {}).get("schemas", {})
    return render(
        "web/http/docs.html.jinja",
        info=document["info"],
        examples=[told for path, told in EXAMPLES.items() if path in document["paths"]],
        routes=[
            (method.upper(), path, told.get("description", ""), _answers(told))
            for path, methods in document["paths"].items()
            for method, told in methods.items()
        ],
        shapes={
            name: (schema.get("description", ""), [(field, *_told(about)) for field, about in _fields(schema).items()])
            for name, schema in schemas.items()
        },
    )


def _fields(schema: dict[str, Any]) -> dict[str, Any]:
    found = schema.get("properties")
    return found if isinstance(found, dict) else {}


def _told(field: Any) -> tuple[str, str]:
    """What a field is in a few words, and what it is for."""
    if not isinstance(field, dict):
        return "", str(field)
    kinds = [each for one in (field, *field.get("anyOf", ())) if (each := _kind(one))]
    default = f"; by default {json.dumps(field['default'])}" if field.get("default") is not None else ""
    return " or ".join(kinds), f"{field.get('description', '')}{default}"


def _kind(field: dict[str, Any]) -> str:
    if "enum" in field:
        return ", ".join(map(str, field["enum"]))
    if "$ref" in field:
        return str(field["$ref"]).rpartition("/")[2]
    kinds = field.get("type", ())
    bounds = [f"{field[key]:g}" if key in field else "" for key in ("minimum", "maximum")]
    within = f", {bounds[0]} to {bounds[1]}" if all(bounds) else ""
    return " or ".join([kinds] if isinstance(kinds, str) else kinds) + within


def _answers(told: dict[str, Any]) -> dict[str, str]:
    return {status: answer.get("description", "") for status, answer in told["responses"].items()}
