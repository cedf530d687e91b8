"""The interface as a page for people, from its OpenAPI document. FastAPI's own pages load scripts from elsewhere."""

from __future__ import annotations

import json
from html import escape
from typing import Any

_STYLE = "body{font:16px/1.5 system-ui,sans-serif;margin:2rem auto;max-width:52rem;padding:0 1rem}pre{overflow:auto}"

EXAMPLES = {
    "/v1/samples": """curl -o samples.png -H 'Content-Type: application/json' \\
     -d '{"n": 16, "seed": 1}' http://ADDRESS/v1/samples""",
    "/v1/upscale": "curl -o large.png -F image=@photo.jpg http://ADDRESS/v1/upscale",
}


def docs_page(document: dict[str, Any]) -> str:
    """HTML that asks for nothing else."""
    info = document["info"]
    schemas = document.get("components", {}).get("schemas", {})
    routes = "".join(
        _route(path, method, told) for path, methods in document["paths"].items() for method, told in methods.items()
    )
    shapes = "".join(_shape(name, schema) for name, schema in schemas.items())
    example = "\n".join(told for path, told in EXAMPLES.items() if path in document["paths"])
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(info["title"])}</title>'
        f'<link rel="icon" href="data:,"><style>{_STYLE}</style></head><body><h1>{escape(info["title"])}</h1>'
        f"<p>{escape(info['description'])} Version {escape(info['version'])}. "
        f'The same for programs: <a href="openapi.json">openapi.json</a>.</p>'
        f"<pre>{escape(example)}</pre>{routes}<h2>What is sent and answered</h2>{shapes}</body></html>"
    )


def _route(path: str, method: str, told: dict[str, Any]) -> str:
    answers = "".join(
        f"<li>{escape(status)}: {escape(answer.get('description', ''))}</li>"
        for status, answer in told["responses"].items()
    )
    return (
        f"<h2><code>{escape(method.upper())} {escape(path)}</code></h2><p>{escape(told.get('description', ''))}</p>"
        f"<ul>{answers}</ul>"
    )


def _shape(name: str, schema: dict[str, Any]) -> str:
    return f"<h3>{escape(name)}</h3><pre>{escape(json.dumps(schema.get('properties', {}), indent=2))}</pre>"
