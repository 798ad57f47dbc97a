"""A table of recio.toml as a frozen model: unknown keys and values of another type are refused, and nothing is converted."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationInfo, field_validator

from recio.settings.units import refuse_words


class Section(BaseModel):
    """A table of recio.toml. Values keep the type they were written in: "8710" is not a port."""

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    @field_validator("*", mode="before")
    @classmethod
    def as_written(cls, value: Any, info: ValidationInfo) -> Any:
        wanted: Any = cls.model_fields[info.field_name or ""].annotation
        if wanted is bool and not isinstance(value, bool):
            raise ValueError("must be true or false, without quotes")
        if wanted in (int, float):
            refuse_words(value)
        is_table: bool = isinstance(value, dict | Section)
        if isinstance(wanted, type) and issubclass(wanted, Section) and not is_table:
            raise ValueError(f"is a table: write [{info.field_name}] and its keys below it")
        return value
