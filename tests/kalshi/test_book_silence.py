"""A book channel that has died alone is told from a quiet market, by asking."""

from __future__ import annotations

from recio.kalshi.book_silence import (
    ANSWER_SECONDS,
    QUIET_SECONDS,
    SUSPECT_SECONDS,
    BookSilence,
    Verdict,
)
from recio.units import Ticker

ONE, OTHER = Ticker("A"), Ticker("B")


def looked(silence: BookSilence, times: list[float], *shown: Ticker) -> list[Verdict]:
    return [silence.look(each, shown) for each in times]


def test_silence_is_asked_about_once_doubted_and_then_dead():
    silence = BookSilence()
    assert looked(silence, [0, 1, 2, 3], ONE) == [
        Verdict.NOTHING,
        Verdict.NOTHING,
        Verdict.ASK,
        Verdict.NOTHING,
    ]
    assert silence.seconds(SUSPECT_SECONDS) == 0.0
    assert silence.seconds(4) == 4.0
    assert looked(silence, [2 + ANSWER_SECONDS, 2.1 + ANSWER_SECONDS], ONE) == [Verdict.NOTHING, Verdict.DEAD]


def test_an_answer_ends_the_doubt_and_another_book_is_asked_for_next():
    silence = BookSilence()
    assert looked(silence, [0, 2], ONE, OTHER)[-1] is Verdict.ASK
    assert silence.asked_of == ONE
    silence.messages += 1
    assert silence.seconds(10) == 0.0
    assert looked(silence, [10, 10 + QUIET_SECONDS], ONE, OTHER) == [Verdict.NOTHING, Verdict.ASK]
    assert silence.asked_of == OTHER


def test_where_every_book_is_empty_nothing_is_asked_and_nothing_doubted():
    silence = BookSilence()
    assert set(looked(silence, [0, 2, 4, 60])) == {Verdict.NOTHING}
    assert silence.seconds(60) == 0.0


def test_books_that_are_waited_for_are_the_question_and_no_other_is_put():
    silence = BookSilence()
    asked = [silence.look(each, [ONE], others_asked=True) for each in (0, 2, 4, 60)]
    assert set(asked) == {Verdict.NOTHING}
    assert silence.seconds(60) == 60.0
    assert looked(silence, [61, 62], ONE) == [Verdict.ASK, Verdict.NOTHING]


def test_a_subscription_that_is_made_anew_is_not_judged_by_the_one_before():
    silence = BookSilence()
    looked(silence, [0, 2], ONE)
    silence.begin_anew()
    assert silence.seconds(60) == 0.0
    assert looked(silence, [60, 61], ONE) == [Verdict.NOTHING, Verdict.NOTHING]
