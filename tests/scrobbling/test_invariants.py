"""What holds whatever players report, whenever Home Assistant restarts and whatever turns out to be what."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from hypothesis import HealthCheck, given, settings, strategies as st
import pytest

from custom_components.up_next.media import Episode, Ids, Movie, Show
from custom_components.up_next.scrobbling.calls import Resolution, Rhythm
from custom_components.up_next.scrobbling.observation import (
    Media,
    MediaKind,
    PlayerState,
    Rank,
)
from custom_components.up_next.writes import ScrobbleAction

from .watching import ADVERTISEMENT, Heard, Room, Title, movie

LONGEST_GRACE: Final = 300.0
FASTER: Final = 2.2
"""At double speed, and a little late, this much of an item is played in a second."""
UNSEEN: Final = 75.0
"""Seconds that may be played while a player is unavailable."""


def _episode(name: str, number: int) -> Episode:
    ids = Ids.of(tvdb=500 + number)
    show = Show(title="Silo", ids=Ids.of(tvdb=7))
    return Episode(show=show, season=1, number=number, title=name, ids=ids)


def _episodes(name: str, *items: Episode, length: float, rank: Rank) -> Title:
    media = Media(
        kind=MediaKind.EPISODE,
        title=name,
        series="Silo",
        season=1,
        episode=items[0].number,
        rank=rank,
        source="jellyfin" if len(items) > 1 else "",
        content_id=name,
    )
    return Title(name=name, media=media, items=items, length=length, runtime=length)


ONE, TWO = _episode("one", 1), _episode("two", 2)
TITLES: Final = (
    _episodes("one", ONE, length=2700.0, rank=Rank.LIBRARY),
    _episodes("the first", ONE, length=2700.0, rank=Rank.NUMBERS),
    _episodes("two", TWO, length=2700.0, rank=Rank.LIBRARY),
    _episodes("one and two", ONE, TWO, length=5400.0, rank=Rank.NUMBERS),
    movie("film"),
    movie("short", 240.0),
    replace(movie("endless", None), runtime=None),
    replace(movie("unsaid", None), runtime=2700.0),
    replace(movie("unknown", 2700.0, rank=Rank.TITLE), items=()),
    replace(movie("clip", 100.0), runtime=7200.0),
    replace(
        movie("vague", 2700.0),
        media=Media(kind=MediaKind.VIDEO, title="Silo", rank=Rank.GROUP),
        items=(),
    ),
    ADVERTISEMENT,
)
PLAYERS: Final = ("tv", "bed")
ACTIVE: Final = (PlayerState.PLAYING, PlayerState.PAUSED, PlayerState.BUFFERING)
LATER: Final = Resolution(items=(Movie(title="later", ids=Ids.of(imdb="tt99")),))


@dataclass(frozen=True)
class Event:
    """Something that happens `after` seconds."""

    after: float
    kind: str
    player: str
    title: int
    state: PlayerState
    position: str
    by: float


EVENTS = st.builds(
    Event,
    after=st.one_of(
        st.integers(0, 30),
        st.sampled_from([5, 10, 15, 60, 120, 600, 1300, 2000, 2650, 2700, 3700]),
    ).map(float),
    kind=st.sampled_from(
        ["report"] * 12
        + ["same"] * 5
        + ["next", "noise", "seek", "restart", "clock", "resolve", "rename", "forget"]
    ),
    player=st.sampled_from(PLAYERS),
    title=st.integers(0, len(TITLES) - 1),
    state=st.sampled_from([PlayerState.PLAYING] * 6 + list(PlayerState)),
    position=st.sampled_from(
        ["true"] * 8 + ["none", "start", "stale", "undated", "end"]
    ),
    by=st.floats(-2700, 2700),
)


@dataclass
class Play:
    """What a player really does."""

    title: Title | None = None
    position: float = 0.0
    moving: bool = False
    at: float = 0.0
    date: float = 0.0
    away: bool = False


@dataclass
class World:
    """Players that do what the events say, and report it truly or not."""

    room: Room
    t: float = 0.0
    players: dict[str, Play] = field(default_factory=dict)
    names: dict[str, set[str]] = field(default_factory=dict)
    """What each signature was ever identified as."""
    played: dict[str, float] = field(default_factory=lambda: defaultdict(float))
    """Seconds for which each signature may have been played."""

    def run(self, events: Sequence[Event]) -> list[Heard]:
        for event in events:
            self._pass(event.after)
            self._happen(event)
        for player in PLAYERS:
            self.room.end(self.t, PlayerState.OFF, player=player)
        self._pass(LONGEST_GRACE)
        self.room.wait(self.t)
        self.room.tick(self.t)
        return self.room.heard

    def _pass(self, seconds: float) -> None:
        for play in self.players.values():
            if play.moving and play.title is not None:
                self.played[play.title.media.signature] += FASTER * seconds
                play.position += seconds
                if play.title.length:
                    play.position = min(play.position, play.title.length)
        self.t += seconds

    def _may_have_played(self, seconds: float) -> None:
        for play in self.players.values():
            if play.title is not None:
                self.played[play.title.media.signature] += seconds

    def _happen(self, event: Event) -> None:
        play = self.players.setdefault(event.player, Play())
        match event.kind:
            case "restart":
                self.room.restart(self.t, event.after)
                self.t = self.room.t
                self._may_have_played(event.after * 1.25 + 60)
                for other in self.players.values():
                    other.position += event.after if other.moving else 0
                return
            case "clock":
                self.room.set_clock(self.t, event.by)
                return
            case "forget":
                self.room.wait(self.t)
                self.room.forget(event.player)
                return
            case "resolve" | "rename":
                self.room.wait(self.t)
                title = TITLES[event.title]
                if title.media.ignored is None:
                    items = LATER if event.kind == "resolve" else title.resolution
                    assert items is not None
                    self._resolve(title, items)
                return
            case "report":
                if play.title is not TITLES[event.title]:
                    play.title, play.position = TITLES[event.title], 0.0
            case "next":
                play.title, play.position = TITLES[event.title], 0.0
            case "seek":
                play.position = max(0.0, play.position + event.by)
        if play.title is None:
            return
        self._report(event, play)

    def _resolve(self, title: Title, resolution: Resolution) -> None:
        self.room.resolve(title, resolution)
        names = self.names.setdefault(title.media.signature, set())
        names |= {item.title or "" for item in resolution.items}

    def _report(self, event: Event, play: Play) -> None:
        title, state = play.title, event.state
        assert title is not None
        if event.kind == "noise":
            state = PlayerState.PLAYING if play.moving else PlayerState.PAUSED
        if play.away or state is PlayerState.UNAVAILABLE:
            self._may_have_played(UNSEEN)
        play.away = state is PlayerState.UNAVAILABLE
        play.moving = state is PlayerState.PLAYING
        if state not in ACTIVE:
            self.room.end(self.t, state, player=event.player)
            return
        position: float | None = play.position
        if event.kind != "noise":
            play.at, play.date = play.position, self.t
        match event.position if event.kind != "noise" else "stale":
            case "none":
                position = None
            case "start":
                position = play.position = play.at = 0.0
            case "end":
                position = play.position = play.at = title.length or 100.0
            case "stale":
                position = play.at
        dated = False if event.position == "undated" else play.date
        self.room.play(self.t, title, position, state, player=event.player, dated=dated)
        if title.media.ignored is None and title.media.signature not in self.names:
            assert title.resolution is not None
            self._resolve(title, title.resolution)


def live(
    events: Sequence[Event], *, lazy: bool = False, heartbeat: bool = False
) -> World:
    rhythm = Rhythm(seeks=True, heartbeat=900.0 if heartbeat else None)
    world = World(Room(rhythm=rhythm, identify=False, lazy=lazy))
    world.run(events)
    return world


LIVES = st.lists(EVENTS, min_size=15, max_size=60)
CAREFUL = settings(
    max_examples=120,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)


@CAREFUL
@given(LIVES, st.booleans())
def test_calls(events: list[Event], heartbeat: bool) -> None:
    """Every call makes sense by itself, and after those before it."""
    world = live(events, heartbeat=heartbeat)
    last: dict[str, ScrobbleAction] = {}
    ignored = {t.media.signature for t in TITLES if t.media.ignored is not None}
    clip = next(t for t in TITLES if t.name == "clip").media.signature
    for heard in world.room.heard:
        call = heard.call
        before = last.get(call.viewing)
        assert before not in (ScrobbleAction.STOP, ScrobbleAction.WATCHED)
        assert call.signature not in ignored
        assert call.progress is None or 0 <= call.progress <= 100
        assert call.position is None or call.position >= 0
        assert call.item is not None or call.action is ScrobbleAction.WATCHED
        assert call.resumed is (
            call.action is ScrobbleAction.START and before is ScrobbleAction.PAUSE
        )
        assert (call.counted is not None) is (call.action is ScrobbleAction.WATCHED)
        assert (call.progress is None) is (call.duration is None)
        match call.action:
            case ScrobbleAction.PAUSE:
                assert before is ScrobbleAction.START
                assert call.progress is not None
                assert 1 <= call.progress < 80
            case ScrobbleAction.STOP:
                assert before is not None
                assert call.progress is None or 1 <= call.progress <= 79.9
            case ScrobbleAction.WATCHED:
                assert call.progress is not None
                assert call.progress >= 80 - 1e-6
        if call.signature == clip:
            assert call.item == LATER.items[0]
        last[call.viewing] = call.action


@CAREFUL
@given(LIVES)
def test_counting(events: list[Event]) -> None:
    """An item counts once, and once more for every half of it that was really played."""
    world = live(events)
    counted: dict[str, int] = defaultdict(int)
    played: dict[str, float] = defaultdict(float)
    lengths: dict[str, float] = {}
    for heard in world.room.heard:
        call = heard.call
        if call.action is ScrobbleAction.WATCHED:
            name = (call.item.title or "") if call.item else call.signature
            counted[name] += 1
            assert call.duration is not None
            lengths[name] = min(call.duration, lengths.get(name, call.duration))
    for signature, seconds in world.played.items():
        for name in {signature, *world.names.get(signature, ())}:
            played[name] += seconds
    for name, times in counted.items():
        assert times <= 1 + played[name] / (lengths[name] / 2), (name, times)


@CAREFUL
@given(LIVES)
def test_nothing_is_left(events: list[Event]) -> None:
    """Once all players are off, all viewings are over."""
    viewings = live(events).room.viewings
    assert viewings.due() is None
    assert all(one.closed for one in viewings.save())
    for player in PLAYERS:
        assert viewings.view(player, live([]).room.now) is None


@CAREFUL
@given(LIVES)
def test_late_ticks(events: list[Event]) -> None:
    """What is told does not depend on when somebody ticks, but for being told later."""
    # what the clock said at a moment that is noticed later, nobody knows
    events = [event for event in events if event.kind != "clock"]
    told = [
        (h.call.action, h.call.item, h.call.viewing, h.call.at)
        for h in live(events).room.heard
    ]
    late = [
        (h.call.action, h.call.item, h.call.viewing, h.call.at)
        for h in live(events, lazy=True).room.heard
    ]
    assert [one[:3] for one in late] == [one[:3] for one in told]
    for (*_, at), (*_, late_at) in zip(told, late, strict=True):
        assert abs((at - late_at).total_seconds()) < 0.001


def of_one(events: Sequence[Event], player: str, titles: range) -> list[Event]:
    """Return what happens to one player alone, with titles of its own; at which second instead of after how many."""
    happening, t = [], 0.0
    for event in events:
        t += event.after
        if event.kind not in ("restart", "clock", "resolve"):
            title = titles[event.title % len(titles)]
            happening.append(replace(event, after=t, player=player, title=title))
    return happening


@CAREFUL
@given(LIVES, LIVES, st.booleans())
def test_others_change_nothing(
    mine: list[Event], theirs: list[Event], heartbeat: bool
) -> None:
    """What is told of a player's viewings does not depend on what others watch elsewhere meanwhile."""
    events = of_one(mine, "tv", range(4)) + of_one(theirs, "bed", range(4, 10))
    events.sort(key=lambda event: event.after)
    at = [0.0, *(event.after for event in events)]
    together = [
        replace(event, after=event.after - before)
        for event, before in zip(events, at, strict=False)
    ]
    alone = [e if e.player == "tv" else replace(e, kind="same") for e in together]
    told = [
        [
            replace(h.call, viewing="", counted=None)
            for h in live(lived, heartbeat=heartbeat).room.heard
            if h.call.player == "tv"
        ]
        for lived in (together, alone)
    ]
    assert told[0] == told[1]


REST: Final = (
    PlayerState.IDLE,
    PlayerState.BUFFERING,
    PlayerState.PAUSED,
    PlayerState.UNAVAILABLE,
)


@CAREFUL
@given(
    restarts=st.lists(
        st.tuples(st.integers(0, 2690), st.integers(0, 120)), min_size=1, max_size=4
    ),
    breaks=st.lists(
        st.tuples(st.integers(0, 2680), st.sampled_from(REST), st.integers(1, 9)),
        max_size=4,
    ),
    every=st.sampled_from([None, 10, 30]),
    ending=st.sampled_from([PlayerState.IDLE, PlayerState.OFF, None]),
)
def test_one_view_one_play(
    restarts: list[tuple[int, int]],
    breaks: list[tuple[int, PlayerState, int]],
    every: int | None,
    ending: PlayerState | None,
) -> None:
    """Somebody watches an episode from start to end: it counts once, whatever happens meanwhile."""
    title, room = TITLES[0], Room()
    doing: dict[int, PlayerState] = {}
    for at in range(0, 2690, every or 2690):
        doing[at] = PlayerState.PLAYING
    for at, state, seconds in breaks:
        for second in range(at, at + seconds):
            doing.pop(second, None)
        doing[at], doing[at + seconds] = state, PlayerState.PLAYING
    down = dict(restarts)
    for at in sorted({*doing, *down}):
        if at < room.t:
            continue
        if at in down:
            room.restart(at, down[at])
            if room.t < 2690:
                room.play(room.t, title, room.t)
            continue
        state = doing[at]
        known = state in ACTIVE
        room.play(at, title if known else None, at if known else None, state)
    if ending is not None:
        room.end(max(room.t, 2695), ending)
    room.wait(20000)
    counted = [h for h in room.heard if h.call.action is ScrobbleAction.WATCHED]
    assert len(counted) == 1


BETWEEN: Final = ("at once", "idle", "gone", "old position", "position first", "ads")


@CAREFUL
@given(
    between=st.lists(st.sampled_from(BETWEEN), min_size=1, max_size=5),
    every=st.sampled_from([None, 10, 30]),
    late=st.integers(0, 25),
    restart=st.integers(100, 20000),
    cast=st.booleans(),
)
def test_binge(
    between: list[str], every: int | None, late: int, restart: int, cast: bool
) -> None:
    """One episode after the other: each counts once, in order, and nothing else is told of."""
    room, begins = Room(), 0

    def show(title: Title, position: float) -> None:
        room.play(room.t, title, position)
        if cast:
            poor = replace(title, media=replace(title.media, rank=Rank.TITLE))
            room.play(room.t, poor, position, player="cast")

    titles = [
        _episodes(str(n), _episode(str(n), n), length=2700.0, rank=Rank.LIBRARY)
        for n in range(len(between) + 1)
    ]
    for number, title in enumerate(titles):
        reports = range(0, 2680, every) if every is not None else (0, 2600)
        for at in reports:
            now = begins + (late if at == 0 and begins else at)
            if now <= room.t > 0:
                continue
            if now > restart > room.t > begins:
                room.restart(restart, 20)
                show(title, room.t - begins)
            if now > room.t or now == 0:
                room.wait(now)
                show(title, now - begins)
        ends = begins + 2690
        if number == len(between):
            break
        match between[number]:
            case "idle":
                room.end(ends)
            case "gone":
                room.end(ends, PlayerState.UNAVAILABLE)
            case "old position":
                room.play(ends, titles[number + 1], 2670, dated=room.t)
            case "position first":
                room.play(ends, title, 0)
            case "ads":
                room.play(ends, ADVERTISEMENT, 0)
        begins = ends + 3
    for player in ("tv", "cast") if cast else ("tv",):
        room.end(ends, player=player)
    room.wait(ends + 1000)
    told: dict[str, list[ScrobbleAction]] = defaultdict(list)
    for heard in room.heard:
        assert heard.call.item is not None
        told[heard.call.item.title or ""].append(heard.call.action)
    names = [title.name for title in titles]
    assert told == {
        name: [ScrobbleAction.START, ScrobbleAction.WATCHED] for name in names
    }
    assert list(told) == names


@pytest.mark.parametrize("state", [PlayerState.IDLE, PlayerState.UNAVAILABLE])
def test_closed_stays_closed(state: PlayerState) -> None:
    """A player that shows its last report of a closed viewing again has nothing new to tell."""
    room, title = Room(), TITLES[0]
    room.play(0, title, 0)
    room.play(600, title, 600)
    room.end(700, state)
    room.wait(800)
    told = list(room.heard)
    for t in range(800, 6000, 100):
        room.play(t, title, 600, dated=600)
        room.end(t + 50, state)
    room.wait(9000)
    assert room.heard == told
    assert room.viewings.view("tv", room.now) is None
