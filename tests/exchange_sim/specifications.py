"""The venue's own specifications of REST and WebSocket as JSON schemas; what is no part of them counts as a fault.

They are not part of the project: RECIO_DATA names the folder that holds `kalshi_specs`, and without it the tests that
need them are skipped and say so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator

FOLDER = Path(os.environ.get("RECIO_DATA", Path(__file__).parents[3] / "shared" / "data")) / "kalshi_specs"
ABSENT = f"no specifications at {FOLDER}: set RECIO_DATA to the folder that holds kalshi_specs"
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_MOMENT = r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}:\d{2}(\.\d{1,9})?Z$"


@cache
def openapi() -> Any:
    return _schemas(yaml.load((FOLDER / "openapi.yaml").read_text(), Loader=_LOADER))


@cache
def asyncapi() -> Any:
    return _schemas(yaml.load((FOLDER / "asyncapi.yaml").read_text(), Loader=_LOADER))


@cache
def answers() -> dict[tuple[str, str], dict[str, Any]]:
    """By method and path, the schema of each status's answer; None where it has no body."""
    return {
        (method.upper(), path): {
            status: _body(answer) for status, answer in operation.get("responses", {}).items()
        }
        for path, operations in openapi()["paths"].items()
        for method, operation in operations.items()
        if isinstance(operation, dict) and "responses" in operation
    }


@cache
def frames() -> dict[str, list[Any]]:
    """By the type that a frame names, the schemas of which it must fulfil one."""
    found: dict[str, list[Any]] = {}
    sent = {name for name in asyncapi()["components"]["messages"] if not name.endswith("Command")}
    for name in sorted(sent):
        payload = asyncapi()["components"]["messages"][name].get("payload")
        for kind in _types(payload):
            found.setdefault(kind, []).append(payload)
    return found


def flaws(body: Any, schema: Any, *, of: Any) -> Iterator[str]:
    """What of a body is not as its schema says, each with its place: `markets[].result: 'x' is not one of ...`."""
    rooted = {**schema, "components": of["components"]}
    for error in Draft202012Validator(rooted).iter_errors(body):
        yield from _told(error)


def _told(error: Any) -> Iterator[str]:
    """One line for each fault; of several schemas none of which fits, the faults against that which is meant."""
    meant = [one for one in error.context or () if list(one.absolute_path) != list(error.absolute_path)]
    meant = meant or [one for one in error.context or () if one.validator != "type"]
    if meant:
        for one in meant:
            yield from _told(one)
        return
    place = "".join("[]" if isinstance(step, int) else f".{step}" for step in error.absolute_path).lstrip(".")
    match error.validator:
        case "additionalProperties":
            extra = sorted(set(error.instance) - set(error.schema["properties"]))
            yield from (f"{place}: {name} is not specified" for name in extra)
        case "required":
            missing = sorted(set(error.validator_value) - set(error.instance))
            yield from (f"{place}: {name} is missing" for name in missing)
        case "type":
            yield f"{place}: is a {type(error.instance).__name__}, not {error.validator_value}"
        case _:
            yield f"{place}: {error.validator} {error.validator_value}, not {error.instance!r}"[:200]


def schema(root: Any, name: str) -> Any:
    return resolved(root["components"]["schemas"][name], root)


def resolved(schema: Any, root: Any) -> Any:
    """The schema itself behind references, and behind being allowed to be null; None stays None."""
    while schema is not None and ("$ref" in schema or "allOf" in schema or "anyOf" in schema):
        if "$ref" not in schema:
            schema = (schema.get("allOf") or schema["anyOf"])[0]
            continue
        node = root
        for step in schema["$ref"].removeprefix("#/").split("/"):
            node = node[step]
        schema = node
    return schema


def _types(payload: Any) -> list[str]:
    kind = resolved(payload, asyncapi()).get("properties", {}).get("type", {})
    return [kind["const"]] if "const" in kind else list(kind.get("enum", []))


def _body(answer: Any) -> Any:
    if "$ref" in answer:
        name = answer["$ref"].rsplit("/", 1)[-1]
        answer = openapi()["components"]["responses"][name]
    return answer.get("content", {}).get("application/json", {}).get("schema")


def _schemas(node: Any) -> Any:
    """Ready for a validator: null where it is allowed, no field that is not named, moments in UTC."""
    if isinstance(node, list):
        return [_schemas(item) for item in node]
    if not isinstance(node, dict):
        return node
    if node.get("nullable") is True:
        return {"anyOf": [_schemas({**node, "nullable": False}), {"type": "null"}]}
    made = {key: _schemas(value) for key, value in node.items() if not key.startswith("x-")}
    if made.get("type") == "string" and made.get("format") == "date-time":
        made["pattern"] = _MOMENT
    if made.get("type") == "object" and "properties" in made:
        made.setdefault("additionalProperties", False)
    return made
