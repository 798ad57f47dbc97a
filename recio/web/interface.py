"""The interface as a list of routes: what each takes, gives and wants of whoever asks, and the OpenAPI document of them; it knows no figure."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic.json_schema import models_json_schema
from pydantic_core import ErrorDetails

from recio import __version__
from recio.web.answers import Fault, Given, Nothing
from recio.web.gate import COOKIE, CSRF_HEADER, HALT_TOKEN_HEADER, Visitor
from recio.web.reach import Arrival
from recio.web.refusals import NotAsked

PREFIX = "/api/v1"
REFUSED: Mapping[int, str] = {
    400: "What was asked is not what may be asked: the error names the field.",
    401: "Nobody who is known: log in, or send a token.",
    403: "Known, and may not.",
    404: "There is no such thing.",
    409: "It does not go with what was asked before.",
    413: "The body is too long.",
    415: "The body is not application/json.",
    429: "Too much at once; Retry-After says when again.",
    503: "Not now: the database is away, or the answer would take too long.",
}
ALWAYS = (400, 401, 403, 429, 503)
WITH_BODY = (413, 415)
LONGEST_SHOWN = 60
_SCHEMAS = "#/components/schemas/{model}"
Query = TypeVar("Query", bound=BaseModel)
Body = TypeVar("Body", bound=BaseModel)
Path = TypeVar("Path", bound=BaseModel)
Model = TypeVar("Model", bound=BaseModel)


class May(StrEnum):
    """Who may ask."""

    ANYBODY = "anybody"
    READER = "reader"
    OPERATOR = "operator"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked(Generic[Query, Body, Path]):
    """One request, once it is known to be good."""

    query: Query
    body: Body
    path: Path
    visitor: Visitor | None
    """Never None where a route is for readers or operators."""
    arrival: Arrival
    headers: Mapping[str, str]

    @property
    def who(self) -> Visitor:
        assert self.visitor is not None
        return self.visitor


class Text(Given):
    """An answer that is no JSON: a page for a browser, or a file where it has a name."""

    text: str
    file_name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer; `cookie` is set where it is text, and taken away where it is empty."""

    model: BaseModel
    status: int = 200
    cookie: str | None = None
    cookie_seconds: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Route:
    method: Literal["GET", "POST"]
    path: str
    """Below PREFIX."""
    name: str
    summary: str
    gives: type[BaseModel]
    do: Callable[[Any], Awaitable[BaseModel | Reply]]
    may: May = May.READER
    query: type[BaseModel] = Nothing
    body: type[BaseModel] = Nothing
    parts: type[BaseModel] = Nothing
    """Of the path."""
    statuses: tuple[int, ...] = (200,)
    """Of its good answers."""
    refusals: tuple[int, ...] = ()
    """Beside those that every route has."""
    is_old: bool = False
    """Something better is there; it stays as long as this version does."""
    media: str = "application/json"
    """Of a Text; of anything else it is JSON."""


def read(model: type[Model], values: Mapping[str, str]) -> Model:
    """Of a query or a path, where everything is text. Raises NotAsked(400) naming the field."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        raise NotAsked(400, fault_of(error)) from None


def read_body(model: type[Model], body: bytes, content_type: str) -> Model:
    """Raises NotAsked: 415 for what is no JSON by its name, 400 naming the field."""
    if model is Nothing:
        return model()
    if content_type != "application/json":
        raise NotAsked(415, f"Content-Type = {content_type[:LONGEST_SHOWN]!r}: send application/json")
    try:
        return model.model_validate_json(body, strict=True)
    except ValidationError as error:
        raise NotAsked(400, fault_of(error)) from None


def fault_of(error: ValidationError) -> str:
    """The first fault: the field, what stood there, and what may. A password is never repeated."""
    first: ErrorDetails = error.errors(include_url=False)[0]
    field = ".".join(str(each) for each in first["loc"]) or "the body"
    said = first["msg"].removeprefix("Value error, ").replace("Input should be", "choose")
    if first["type"] in ("missing", "json_invalid") or "password" in field:
        return f"{field}: {said}"
    value = str(first["input"])
    shown = repr(value if len(value) <= LONGEST_SHOWN else value[:LONGEST_SHOWN] + "...")
    return f"{field} = {shown}: {said}"


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """OpenAPI 3.1."""
    models = {
        Fault,
        *(each.gives for each in routes if each.gives is not Text),
        *(each.body for each in routes if each.body is not Nothing),
    }
    asked = [(each, "validation") for each in models if each in {route.body for route in routes}]
    given = [(each, "serialization") for each in models if each not in {route.body for route in routes}]
    _, schemas = models_json_schema([*asked, *given], ref_template=_SCHEMAS)  # pyright: ignore[reportArgumentType]
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(PREFIX + route.path, {})[route.method.lower()] = _operation(route)
    return {
        "openapi": "3.1.0",
        "info": {"title": "recio", "version": __version__, "description": (
            "What recio shows and does. At the machine itself reading needs no login. Money and quantities are decimal"
            " strings, times RFC 3339 in UTC, and null is unknown.")},
        "paths": paths,
        "components": {
            "schemas": schemas["$defs"],
            "securitySchemes": {
                "token": {"type": "http", "scheme": "bearer", "description": "Reads only: recio login token NAME."},
                "session": {"type": "apiKey", "in": "cookie", "name": COOKIE},
            },
        },
    }  # fmt: skip


def _operation(route: Route) -> dict[str, Any]:
    has_body = route.body is not Nothing
    refused = sorted({*ALWAYS, *(WITH_BODY if has_body else ()), *route.refusals})
    good = {"description": route.gives.__doc__ or "So it is.", "content": _content(route)}
    told: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "parameters": [
            *_parameters(route.parts, "path"),
            *_parameters(route.query, "query"),
            *_of_acts(route),
        ],
        "security": [{}, {"token": []}, {"session": []}],
        "responses": {
            **{str(status): good for status in route.statuses},
            **{str(each): {"description": REFUSED[each], "content": _json(Fault)} for each in refused},
        },
    }
    if route.is_old:
        told["deprecated"] = True
    if has_body:
        told["requestBody"] = {"required": True, "content": _json(route.body)}
    return told


def _content(route: Route) -> dict[str, Any]:
    return {route.media: {"schema": {"type": "string"}}} if route.gives is Text else _json(route.gives)


def _json(model: type[BaseModel]) -> dict[str, Any]:
    return {"application/json": {"schema": {"$ref": _SCHEMAS.format(model=model.__name__)}}}


def _parameters(model: type[BaseModel], place: str) -> list[dict[str, Any]]:
    schema = model.model_json_schema()
    defined: dict[str, Any] = schema.get("$defs", {})
    needed = schema.get("required", [])
    return [
        {
            "name": name,
            "in": place,
            "required": place == "path" or name in needed,
            "schema": _without_null(_inlined(each, defined)),
        }
        for name, each in schema.get("properties", {}).items()
    ]


def _of_acts(route: Route) -> list[dict[str, Any]]:
    if route.method != "POST" or route.may is May.ANYBODY:
        return []
    said = {HALT_TOKEN_HEADER: "At the machine itself: what the file halt-token of data_dir has.",
            CSRF_HEADER: "With a session: the csrf of /me."}  # fmt: skip
    return [
        {"name": name, "in": "header", "required": False, "description": words, "schema": {"type": "string"}}
        for name, words in said.items()
    ]


def _inlined(schema: dict[str, Any], defined: Mapping[str, Any]) -> dict[str, Any]:
    if "$ref" in schema:
        rest = {name: value for name, value in schema.items() if name != "$ref"}
        return defined[schema["$ref"].rsplit("/", 1)[1]] | rest
    if "anyOf" in schema:
        return schema | {"anyOf": [_inlined(each, defined) for each in schema["anyOf"]]}
    return schema


def _without_null(schema: dict[str, Any]) -> dict[str, Any]:
    """What may be left out is left out: a query has no null."""
    choices = [each for each in schema.get("anyOf", []) if each.get("type") != "null"]
    if not choices:
        return schema
    rest = {name: value for name, value in schema.items() if name not in ("anyOf", "default")}
    return rest | (choices[0] if len(choices) == 1 else {"anyOf": choices})
