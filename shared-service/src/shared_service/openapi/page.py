"""Renders an OpenAPI document as one HTML page, without scripts and without anything from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from html import escape
from typing import Any, Final

_STYLE: Final = """
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1a1a1a;background:#fff}
code,.path{font-family:ui-monospace,monospace;font-size:.95em}
details{border:1px solid #ccc;border-radius:4px;margin:.4rem 0;padding:.3rem .7rem}
summary{cursor:pointer}.method{display:inline-block;min-width:4.2em;font-weight:600}
table{border-collapse:collapse;width:100%;margin:.5rem 0}th,td{text-align:left;vertical-align:top;
padding:.2rem .6rem .2rem 0;border-bottom:1px solid #e5e5e5}
@media(prefers-color-scheme:dark){body{color:#eee;background:#181818}details{border-color:#555}th,td{border-color:#333}}
"""
Json = Mapping[str, Any]


def render(document: Json) -> str:
    """The page."""
    info = document["info"]
    return "".join(
        (
            '<!doctype html><html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width"><title>', _text(info["title"]), "</title><style>",
            _STYLE, "</style></head><body><h1>", _text(info["title"]), " ", _text(info["version"]), "</h1><p>",
            _text(info["description"]), '</p><p>The same as a document: <a href="/openapi.json">/openapi.json</a></p>',
            *_operations(document), "<h2>Types</h2>", *_types(document), "</body></html>",
        )
    )  # fmt: skip


def _operations(document: Json) -> Iterator[str]:
    by_tag: dict[str, list[tuple[str, str, Json]]] = {}
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            by_tag.setdefault(operation["tags"][0], []).append((method, path, operation))
    for tag, found in by_tag.items():
        yield f"<h2>{_text(tag)}</h2>"
        for method, path, operation in found:
            yield f'<details id="{_text(operation["operationId"])}"><summary>'
            yield f'<span class="method">{method.upper()}</span> '
            yield f'<span class="path">{_text(path)}</span> {_text(operation["summary"])}</summary>'
            yield from _operation(operation)
            yield "</details>"


def _operation(operation: Json) -> Iterator[str]:
    if "description" in operation:
        yield f"<p>{_text(operation['description'])}</p>"
    schemes = sorted({name for each in operation["security"] for name in each})
    yield f"<p>Login: {_text(', '.join(schemes) or 'none')}</p>"
    if "parameters" in operation:
        rows = [
            (each["name"], each["in"], _type(each["schema"]), "yes" if each["required"] else "")
            for each in operation["parameters"]
        ]
        yield from _table(("parameter", "in", "type", "required"), rows)
    if "requestBody" in operation:
        schema = operation["requestBody"]["content"]["application/json"]["schema"]
        yield f"<p>Body: {_linked(schema)}</p>"
        yield from _members(schema)
    yield "<table><tr><th>status</th><th>answer</th></tr>"
    for status, answer in operation["responses"].items():
        media: Json = next(iter(answer.get("content", {}).values()), {"schema": {}})
        told = _linked(media["schema"]) if status < "400" else _text(answer["description"]).replace("\n", "<br>")
        yield f"<tr><td>{_text(status)}</td><td>{told}</td></tr>"
    yield "</table>"


def _types(document: Json) -> Iterator[str]:
    for name, schema in document["components"]["schemas"].items():
        yield f'<details id="type-{_text(name)}"><summary>{_text(name)}</summary>'
        if "description" in schema:
            yield f"<p>{_text(schema['description'])}</p>"
        yield from _members(schema)
        yield "</details>"


def _members(schema: Json) -> Iterator[str]:
    required = schema.get("required", ())
    rows = [
        (name, _type(each), "yes" if name in required else "", str(each.get("description", "")))
        for name, each in schema.get("properties", {}).items()
    ]
    if rows:
        yield from _table(("member", "type", "required", ""), rows)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> Iterator[str]:
    yield "<table><tr>" + "".join(f"<th>{_text(each)}</th>" for each in head) + "</tr>"
    for row in rows:
        yield "<tr>" + "".join(f"<td>{_text(each)}</td>" for each in row) + "</tr>"
    yield "</table>"


def _linked(schema: Json) -> str:
    name = _name(schema)
    return f'<a href="#type-{_text(name)}">{_text(name)}</a>' if name else _text(_type(schema))


def _type(schema: Json) -> str:
    """A schema in a few words."""
    name = _name(schema)
    if name:
        return name
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " or ".join(_type(each) for each in schema[key])
    if "enum" in schema:
        return ", ".join(str(each) for each in schema["enum"])
    kind = schema.get("type", "any")
    words = " or ".join(kind) if isinstance(kind, list) else str(kind)
    if words == "array":
        words = f"list of {_type(schema.get('items', {}))}"
    bounds = [
        f"{word} {schema[key]}"
        for key, word in (("minimum", "from"), ("maximum", "to"), ("maxLength", "at most"), ("format", "as"))
        if key in schema
    ]
    return " ".join((words, *bounds))


def _name(schema: Json) -> str:
    return str(schema.get("$ref", "")).rpartition("/")[2]


def _text(value: object) -> str:
    return escape(str(value))
