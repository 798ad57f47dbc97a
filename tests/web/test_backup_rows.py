"""What the page says of backups: also how much a machine that is lost would take with it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from recio.messages.backups import StreamCopySeen
from recio.messages.past_account import BroughtIn
from recio.settings.config import Config
from recio.units import ClientOrderId
from recio.web.backup_rows import backup_rows
from tests.builders import NOW
from tests.rules.test_alert_rules import kept


def test_the_page_says_how_far_the_stream_in_the_bucket_reaches_and_why_it_goes_no_further():
    copy = StreamCopySeen(
        place="s3://b/f/", noted_at=NOW, reaches_at=NOW - timedelta(minutes=20), waiting=2, why="no room"
    )
    told = backup_rows(kept(copy=copy), Config())
    assert told is not None
    assert told["stream_copy"] == {
        "place": "s3://b/f/",
        "reaches_at": "2026-11-23T11:40:00.000Z",
        "behind_seconds": 1200.0,
        "waiting_files": 2,
        "failed": "no room",
    }
    assert ["no room; 2 full files of it wait" in each for each in told["problems"]] == [True]
    nothing = backup_rows(kept(copy=replace(copy, reaches_at=None)), Config())
    assert nothing is not None
    assert (nothing["stream_copy"]["reaches_at"], nothing["stream_copy"]["behind_seconds"]) == (None, None)
    none = backup_rows(kept(), Config())
    assert none is not None
    assert none["stream_copy"] is None


def test_the_page_says_what_was_brought_in_after_a_restore_and_what_nothing_explains():
    done = BroughtIn(
        restored_at=NOW,
        finished_at=NOW,
        orders=3,
        trades=1,
        fills=2,
        settlements=1,
        left_out=(ClientOrderId("recio-a-1-exit-1"),),
    )
    told = backup_rows(kept(brought_in=done), Config())
    assert told is not None
    assert told["restored"] == {
        "at": "2026-11-23T12:00:00.000Z",
        "done": True,
        "sentence": "brought in after the restore: 3 orders, 1 trade made anew of them, 2 fills, 1 settlement; not explained,"
        " look at the halt: recio-a-1-exit-1",
    }
    asking = backup_rows(kept(brought_in=replace(done, finished_at=None)), Config())
    assert asking is not None
    assert asking["restored"]["done"] is False
    assert "nothing is bought before" in asking["restored"]["sentence"]
    never = backup_rows(kept(), Config())
    assert never is not None
    assert never["restored"] is None
