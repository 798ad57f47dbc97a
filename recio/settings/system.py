"""[database], [health], [recorder], [log] and [demo]: the daemon on its machine; nothing here trades."""

from __future__ import annotations

from enum import StrEnum
from typing import Annotated, Literal

from pydantic import Field, SecretStr, field_validator, model_validator

from recio.settings.addresses import checked_dsn
from recio.settings.section import Section
from recio.settings.units import Count, Seconds


class DatabaseSection(Section):
    dsn: SecretStr = SecretStr("")
    direct_dsn: SecretStr = SecretStr("")

    @field_validator("dsn", "direct_dsn")
    @classmethod
    def as_the_driver_takes_it(cls, value: SecretStr) -> SecretStr:
        checked_dsn(value.get_secret_value())
        return value

    @model_validator(mode="after")
    def of_one_database(self) -> DatabaseSection:
        if self.direct_dsn.get_secret_value() and not self.dsn.get_secret_value():
            raise ValueError(
                "database.direct_dsn goes around the pooler of database.dsn, which is empty: write that one too"
            )
        return self


class HealthSection(Section):
    """From where on something counts as sick and stops entries; times are host time."""

    max_book_age_seconds: Seconds = 15.0
    max_list_age_seconds: Seconds = 30.0
    max_unanswered_seconds: Seconds = 5.0
    max_unresolved_order_seconds: Seconds = 60.0
    max_task_age_seconds: Annotated[float, Field(ge=0.5, le=15)] = 12.0
    max_loop_lag_seconds: Seconds = 0.5
    max_database_seconds: Seconds = 1.0
    max_clock_offset_seconds: Seconds = 1.0
    min_free_disk_megabytes: Count = 500


class LogFormat(StrEnum):
    AUTO = "auto"
    JSON = "json"
    TEXT = "text"


class RecorderSection(Section):
    enabled: bool = True
    segment_minutes: Annotated[int, Field(ge=1, le=1_440)] = 60
    keep_days: Annotated[int, Field(ge=1, le=3_650)] = 14
    keep_megabytes: Annotated[int, Field(ge=1, le=1_000_000)] = 2_000


class LogSection(Section):
    format: LogFormat = LogFormat.AUTO
    level: Literal["debug", "info", "warning", "error"] = "info"


class DemoSection(Section):
    speed: float = Field(default=15.0, ge=1, le=60)
    seed: Annotated[int, Field(ge=0)] = 1
    window_seconds: Annotated[int, Field(ge=60, le=3_600)] = 900
