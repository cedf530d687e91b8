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
        shapes={name: json.dumps(schema.get("properties", {}), indent=2) for name, schema in schemas.items()},
    )


def _answers(told: dict[str, Any]) -> dict[str, str]:
    return {status: answer.get("description", "") for status, answer in told["responses"].items()}
