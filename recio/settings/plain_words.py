"""A refused setting in words of recio.toml: what may be written there instead, never a word of the language that checks it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import ErrorDetails

from recio.settings.units import ZERO, shown

PLAIN = {
    "int_type": "must be a whole number, without quotes",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number, without quotes",
    "int_parsing_size": "must be a smaller whole number",
    "float_type": "must be a number, without quotes",
    "float_parsing": "must be a number, without quotes",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false, without quotes",
    "bool_parsing": "must be true or false, without quotes",
    "string_type": "must be a text in quotes",
    "string_sub_type": "must be a text in quotes",
    "string_too_short": "must not be empty",
    "tuple_type": "must be a list: write it in [square brackets]",
    "list_type": "must be a list: write it in [square brackets]",
    "dict_type": "must be a table",
    "mapping_type": "must be a table",
    "model_type": "must be a table",
    "too_short": "must name at least one",
    "missing": "is missing: write it",
}
"""What is said of each kind of fault that has one sentence for all."""
BOUNDS = {
    "greater_than": ("gt", "must be more than {}"),
    "greater_than_equal": ("ge", "must be at least {}"),
    "less_than": ("lt", "must be less than {}"),
    "less_than_equal": ("le", "must be at most {}"),
}
OWN = ("value_error", ZERO)
"""The faults that recio's own checks find, in their own words."""
PATTERNS = {
    "series": "must be a series ticker in capital letters, as KXBTC15M",
    "symbols": "must be a coin in capital letters, as BTC",
    "strategies": "must be a name in small letters, as calm: letters, digits, - and _",
}


def sentence(detail: ErrorDetails, keys: list[str], value: Any) -> str:
    """What is wrong with this value, and what to write. `value` is as written in the file."""
    kind, context = detail["type"], detail.get("ctx", {})
    if kind in ("enum", "literal_error"):
        return f"write {_choices(str(context.get('expected', '')), value)}"
    if kind == "string_pattern_mismatch":
        return next((said for key, said in PATTERNS.items() if key in keys), "is written otherwise")
    if kind in BOUNDS:
        name, words = BOUNDS[kind]
        return words.format(_number(context, name))
    if kind in OWN:
        return detail["msg"].removeprefix("Value error, ")
    return PLAIN.get(kind, "is not what may stand here: see recio.toml for what it may be")


def _number(context: Mapping[str, Any], name: str) -> str:
    bound = context.get(name)
    return f"{bound:g}" if isinstance(bound, float) else shown(bound)


def _choices(expected: str, value: Any) -> str:
    """`'a', 'b' or 'c'` in the quotes of recio.toml; one that differs by capitals alone is named by itself."""
    names = [part.strip().strip("'") for part in expected.replace(" or ", ",").split(",") if part.strip()]
    same = next((name for name in names if isinstance(value, str) and value.strip().lower() == name), None)
    quoted = [f'"{name}"' for name in ([same] if same else names)]
    return " or ".join([", ".join(quoted[:-1]), quoted[-1]]) if len(quoted) > 1 else quoted[0]
