"""The numbered instants of the order path at which a test may end the process as kill -9 does; it decides nothing.

Nothing happens at them unless RECIO_CRASH_AT="<point>:<nth>" was armed, which is refused anywhere
but in environment "sim". A name and its number never change their meaning: reports refer to both. Numbers 12 to 14,
17 to 19, 21 and 22 were steps inside an order's transaction, which is one statement now.
"""

from __future__ import annotations

import os
import signal
from enum import IntEnum, unique

from recio.test_hooks.arming import Armed, armed_by

VARIABLE = "RECIO_CRASH_AT"


@unique
class CrashPoint(IntEnum):
    """Where the process may die, in the order in which an order passes."""

    ENTRY_DECIDED = 1
    ENTRY_INTENT_SENT = 2
    EXIT_DECIDED = 3
    EXIT_INTENT_SENT = 4

    ENTRY_INTENT_TAKEN = 10
    ENTRY_APPROVED = 11
    ENTRY_COMMITTED = 15
    EXIT_INTENT_TAKEN = 16
    EXIT_COMMITTED = 20
    COMMAND_QUEUED = 23
    EXIT_ASKED = 24

    COMMAND_TAKEN = 30
    COMMAND_MAY_LEAVE = 31
    ROOM_GRANTED = 32
    REQUEST_BEGUN = 33
    REQUEST_HEADERS_WRITTEN = 34
    REQUEST_BODY_WRITTEN = 35
    REQUEST_ON_ITS_WAY = 36
    ANSWER_BEGUN = 37
    ANSWER_BODY_BEGUN = 38
    ANSWER_READ = 39
    REQUEST_UNRESOLVED = 40
    OUTCOME_MADE = 41
    OUTCOME_QUEUED = 42

    OUTCOME_TAKEN = 50
    OUTCOME_BEGUN = 51
    ORDER_MOVED = 52
    MOVE_LOGGED = 53
    TRADE_MOVED = 54
    OUTCOME_BEFORE_COMMIT = 55
    OUTCOME_COMMITTED = 56
    ROWS_PUBLISHED = 57
    ROWS_COMPARED = 58

    FACT_TAKEN = 60
    FACT_BEGUN = 61
    FILL_INSERTED = 62
    FILL_LOGGED = 63
    SETTLEMENT_INSERTED = 64
    SETTLEMENT_PAID = 65
    ABSENCE_BEFORE_COMMIT = 66
    FACT_BEFORE_COMMIT = 67
    FACT_COMMITTED = 68
    FILL_COMMITTED = 69
    SETTLEMENT_COMMITTED = 70
    SETTLE_REQUEST_TAKEN = 71
    SETTLE_REQUEST_BEFORE_COMMIT = 72
    SETTLE_REQUEST_COMMITTED = 73
    FORGOTTEN_ORDER_WRITTEN = 74
    BRINGING_IN_BEFORE_COMMIT = 75

    FILL_HINT_HEARD = 80
    ORDER_HINT_HEARD = 81
    ORDER_HINT_SENT = 82
    LISTENING_ANEW = 83
    COMPARISON_BEGUN = 84
    AS_OF_READ = 85
    BALANCE_READ = 86
    POSITIONS_READ = 87
    FILLS_READ = 88
    FILL_SENT = 89
    ORDERS_READ = 90
    ORDER_SENT = 91
    ABSENCE_PROVEN = 92
    ABSENCE_SENT = 93
    ORDERS_RESOLVED = 94
    SETTLEMENTS_READ = 95
    SETTLEMENT_SENT = 96
    ACCOUNT_PUBLISHED = 97
    RESTING_READ = 98
    FILLS_SIFTED = 99
    PAST_ORDERS_READ = 100
    PAST_ORDER_SENT = 101

    LOCK_HELD = 110
    POOL_OPENED = 111
    SCHEMA_BEFORE_COMMIT = 112
    SCHEMA_COMMITTED = 113
    IDENTITY_CLAIMED = 114
    RUN_BEFORE_COMMIT = 115
    RUN_COMMITTED = 116
    ROWS_READ_AT_START = 117
    LEFT_OVERS_TOLD = 118
    BACKFILL_KNOWN = 119
    LIMITS_LEARNT = 120

    STOP_ASKED = 130
    DECIDERS_STOPPED = 131
    ORDERS_ANSWERED = 132
    SENDERS_STOPPED = 133
    ANSWERS_RECORDED = 134
    UNANSWERED_BEGUN = 135
    UNANSWERED_BEFORE_COMMIT = 136
    UNANSWERED_COMMITTED = 137
    KEEPERS_STOPPED = 138


_armed: Armed | None = None


def reached(point: CrashPoint) -> None:
    """The process is at this point; it dies here if a test asked for it."""
    if _armed is not None and _armed.is_due(point.name):
        os.write(2, f"crash point {point.value} {point.name} reached\n".encode())
        os.kill(os.getpid(), signal.SIGKILL)


def arm(asked: str | None, *, simulated: bool) -> CrashPoint | None:
    """Arm what the environment variable asks for. Raises BadConfig where it may not be, or names nothing."""
    global _armed
    _armed = armed_by(
        VARIABLE,
        asked,
        CrashPoint.__members__,
        simulated=simulated,
        does="ends the daemon",
        example="ENTRY_COMMITTED:2",
    )
    return None if _armed is None else CrashPoint[_armed.name]
