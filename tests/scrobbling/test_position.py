"""Where something stands between reports, and how much of it was played."""

from __future__ import annotations

from hypothesis import given, strategies as st
import pytest

from custom_components.up_next.scrobbling.position import Timeline


def timeline(
    position: float | None = 0.0,
    *,
    length: float | None = 2700.0,
    threshold: float = 80,
) -> Timeline:
    made = Timeline(at=0.0, length=length, threshold=threshold)
    made.move(True)
    if position is not None:
        made.report(position)
    return made


def test_moves_with_the_clock() -> None:
    line = timeline(100)
    line.advance(50)
    assert (line.position, line.played, line.progress) == (
        150,
        50,
        pytest.approx(5.556, abs=0.01),
    )
    line.move(False)
    line.advance(500)
    assert (line.position, line.played) == (150, 50)
    line.advance(400)
    assert line.at == 500


def test_stands_at_the_end() -> None:
    """Time at the end is not played."""
    line = timeline(2600)
    assert line.ends_at == 100
    line.advance(500)
    assert (line.position, line.played, line.ended_at) == (2700, 100, 100)
    assert line.at_end
    line.move(False)
    assert line.ends_at is None
    line.advance(600)
    line.move(True)
    assert line.ends_at == 600


@given(st.lists(st.floats(0, 400), max_size=20), st.floats(0, 3000))
def test_steps_do_not_matter(steps: list[float], position: float) -> None:
    """Many small steps lead where one big step does."""
    many, one = timeline(position), timeline(position)
    now = 0.0
    for step in steps:
        now += step
        many.advance(now)
    one.advance(now)
    assert many.position == pytest.approx(one.position)
    assert many.played == pytest.approx(one.played, abs=1e-6)
    assert many.watched is one.watched
    assert (many.ended_at is None) is (one.ended_at is None)


@pytest.mark.parametrize(
    ("after", "position", "sought", "played"),
    [
        (100, 100, 0, 100),
        (100, 92, 0, 92),  # a little late
        (100, 118, 0, 118),  # a little early
        (10, 20, 0, 20),  # double speed
        (10, 26, 0, 22),  # earlier than double speed explains: not all of it was played
        (10, 35, 25, 10),  # forward
        (100, 175, 75, 100),
        (100, 80, -20, 100),  # backward
        (100, 1, 0, 1),  # it stood still
        (130, 1, -129, 130),  # for so long that it must have gone back
        (25, 12, 0, 12),  # it moved slowly
        (40, 12, -28, 40),
    ],
)
def test_reports(after: float, position: float, sought: float, played: float) -> None:
    """A report is a correction, a stall or a seek."""
    line = timeline(0)
    line.advance(after)
    assert line.report(position) == pytest.approx(sought)
    assert line.position == position
    assert line.played == pytest.approx(played)


def test_skipping_is_not_playing() -> None:
    """Ten seconds forward, pressed again and again, is no way to have seen something."""
    line = timeline(0)
    now, position = 0.0, 0.0
    while position < 2200:
        now, position = now + 1, position + 11
        line.advance(now)
        line.report(position)
    assert line.played < 2.3 * now
    assert not line.watched


def test_unseen_time_may_have_been_played() -> None:
    """A player that was unavailable for a while went on, perhaps."""
    line = timeline(0)
    line.advance(100)
    line.report(100)
    line.move(False)
    line.advance(150)
    line.may_have_run(50)
    assert line.report(150) == 0
    assert line.played == 150
    other = timeline(0)
    other.advance(100)
    other.report(100)
    other.move(False)
    other.advance(150)
    assert other.report(150) == 50


def test_unknown_position() -> None:
    """Without a position, what was played is all there is to go by."""
    line = timeline(None)
    line.advance(2200)
    assert line.position is None
    assert line.progress == pytest.approx(81.48, abs=0.01)
    assert line.watched
    line.advance(9999)
    assert (line.played, line.ended_at) == (2700, 2700)


def test_wrong_date() -> None:
    """The first report was said to be old, but the second shows that it was not."""
    line = timeline(None)
    line.report(600, age=300)
    assert (line.position, line.opened) == (900, 900)
    line.advance(10)
    assert line.report(610) == 0
    assert (line.position, line.opened, line.played) == (610, 610, 10)
    right = timeline(None)
    right.report(600, age=300)
    right.advance(10)
    assert right.report(910) == 0
    assert right.position == 910


def test_watched_needs_position_and_evidence() -> None:
    line = timeline(0)
    line.advance(2159)
    assert not line.watched
    line.advance(2160)
    assert line.watched
    skipped = timeline(0)
    skipped.advance(270)
    skipped.report(2400)
    assert not skipped.watched
    skipped.advance(270 + 59)
    assert not skipped.watched
    skipped.advance(270 + 60)
    assert skipped.watched


def test_half_is_evidence_enough() -> None:
    line = timeline(0)
    line.advance(1350)
    line.report(2600)
    assert line.watched


def test_opened_late() -> None:
    """What is opened beyond the threshold counts after a minute there, in short things after a tenth."""
    line = timeline(2300)
    line.advance(59)
    assert not line.watched
    line.advance(60)
    assert line.watched
    short = timeline(200, length=240)
    short.advance(23)
    assert not short.watched
    short.advance(24)
    assert short.watched


def test_rewind_and_latch() -> None:
    """Back before the threshold it is not watched any more, but for having been at 95 percent."""
    line = timeline(0)
    line.advance(2500)
    assert line.watched
    line.report(1000)
    assert not line.watched
    latched = timeline(0)
    latched.advance(2600)
    latched.report(1000)
    assert latched.watched
    assert latched.peak == pytest.approx(96.3, abs=0.01)


def test_threshold_of_its_own() -> None:
    line = timeline(0, threshold=50)
    line.advance(1350)
    assert line.watched
    late = timeline(0, threshold=95)
    late.advance(2500)
    assert not late.watched


def test_silent_poller() -> None:
    """A player that reported every ten seconds and stopped to is not believed for long."""
    line = timeline(0)
    for n in range(1, 7):
        line.advance(10.0 * n)
        line.report(10.0 * n)
    assert line.silent_at == 60 + 90
    line.advance(1000)
    assert (line.position, line.played) == (150, 150)
    line.report(1000)
    assert line.position == 1000


def test_silent_push_player() -> None:
    """Reports at odd times are no rhythm: silence says nothing."""
    line = timeline(0)
    for now in (5.0, 300.0, 310.0, 700.0, 701.0, 1200.0):
        line.advance(now)
        line.report(now)
    assert line.silent_at is None
    line.advance(2700)
    assert line.position == 2700


def test_slow_poller() -> None:
    line = timeline(0)
    for n in range(1, 7):
        line.advance(60.0 * n)
        line.report(60.0 * n)
    assert line.silent_at == 360 + 300


def test_length_becomes_known() -> None:
    line = timeline(2400, length=None)
    line.advance(30)
    assert line.progress is None
    assert not line.watched
    line.stretch(2700, 80)
    assert line.progress == 90
    assert not line.watched  # opened beyond the threshold, and played for half a minute
    line.advance(60)
    assert not line.watched
    line.advance(90)
    assert line.watched
    played = timeline(0, length=None)
    played.advance(2400)
    played.stretch(2700, 80)
    assert played.watched


def test_length_wavers() -> None:
    """A length that is a little different every time changes nothing about how the threshold was passed."""
    line = timeline(0)
    line.advance(100)
    line.report(2400)
    for n in range(1, 50):
        line.stretch(2700.0 + n % 2, 80)
        line.advance(100 + n)
    assert not line.watched


def test_length_is_lost() -> None:
    line = timeline(0)
    line.advance(2650)
    line.stretch(None, 80)
    assert not line.watched
    assert line.progress is None


def test_shorter_than_said() -> None:
    line = timeline(600, length=10000)
    line.stretch(500, 80)
    assert line.position == 500
    assert line.at_end
