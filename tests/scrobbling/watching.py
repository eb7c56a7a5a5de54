"""People in front of players: a clock, players that report, and what is told of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
import zlib

from custom_components.up_next.media import Ids, Movie, Playable
from custom_components.up_next.scrobbling.calls import (
    Call,
    Moment,
    PlayerSettings,
    Resolution,
    Rhythm,
    View,
)
from custom_components.up_next.scrobbling.observation import (
    Ignored,
    Media,
    MediaKind,
    Observation,
    PlayerState,
    Rank,
)
from custom_components.up_next.scrobbling.viewings import Viewings
from custom_components.up_next.writes import ScrobbleAction

START = datetime(2026, 11, 21, 18, tzinfo=UTC)
SEEKS = Rhythm(seeks=True)


@dataclass(frozen=True, kw_only=True)
class Title:
    """Something to watch: what players call it, and what it is."""

    name: str
    media: Media
    items: tuple[Playable, ...] | None = ()
    """None: it is never identified."""
    length: float | None = None
    runtime: float | None = None

    @property
    def resolution(self) -> Resolution | None:
        if self.items is None:
            return None
        tokens = (
            frozenset({f"test:{self.name}"}) if len(self.items) == 1 else frozenset()
        )
        return Resolution(items=self.items, tokens=tokens, runtime=self.runtime)


def movie(
    name: str,
    length: float | None = 7200.0,
    *,
    runtime: float | None = None,
    kind: MediaKind = MediaKind.MOVIE,
    rank: Rank = Rank.LIBRARY,
) -> Title:
    """Return a movie that players know by its ids."""
    ids = Ids.of(imdb=f"tt{zlib.crc32(name.encode()):07}")
    media = Media(kind=kind, title=name, ids=ids, rank=rank)
    return Title(
        name=name,
        media=media,
        items=(Movie(title=name, ids=ids),),
        length=length,
        runtime=runtime or length,
    )


ADVERTISEMENT = Title(
    name="advertisement",
    media=Media(kind=MediaKind.VIDEO, title="Ad", ignored=Ignored.TOO_SHORT),
    length=30.0,
)


@dataclass(frozen=True, kw_only=True)
class Heard:
    """A call, and at which second it was made."""

    t: float
    call: Call

    @property
    def brief(self) -> tuple[ScrobbleAction, str | None, float | None]:
        item = self.call.item
        progress = self.call.progress
        return (
            self.call.action,
            None if item is None else item.title,
            None if progress is None else round(progress),
        )


@dataclass
class Room:
    """One audience, and the players it watches.

    Seconds `t` run from 0, whatever restarts and clocks do. `lazy`: nobody ticks; the engine has to catch up.
    """

    rhythm: Rhythm = SEEKS
    settings: Callable[[str], PlayerSettings] = lambda player: PlayerSettings()
    identify: bool = True
    lazy: bool = False
    t: float = 0.0
    heard: list[Heard] = field(default_factory=list)
    _booted: float = 0.0
    _shift: float = 0.0
    _names: Iterator[int] = field(default_factory=count)
    resolved: dict[str, Resolution] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.viewings = self._new(())

    def _new(self, ledger: object) -> Viewings:
        return Viewings(
            rhythm=self.rhythm,
            ledger=ledger,  # type: ignore[arg-type]
            settings=self.settings,
            new_viewing=lambda: f"viewing {next(self._names)}",
        )

    @property
    def now(self) -> Moment:
        return self.moment(self.t)

    def moment(self, t: float) -> Moment:
        return Moment(monotonic=t - self._booted, at=self.wall(t))

    def wall(self, t: float) -> datetime:
        return START + timedelta(seconds=t + self._shift)

    def wait(self, until: float) -> None:
        """Let time pass, ticking exactly when it is due."""
        while not self.lazy:
            due = self.viewings.due()
            if due is None or due + self._booted > until:
                break
            assert due + self._booted >= self.t - 1e-9, "due in the past"
            self.t = max(self.t, due + self._booted)
            self._hear(self.viewings.tick(self.now))
            following = self.viewings.due()
            assert following is None or following > due, "nothing came of a tick"
        self.t = until

    def tick(self, t: float) -> None:
        self.t = t
        self._hear(self.viewings.tick(self.now))

    def play(
        self,
        t: float,
        title: Title | None,
        position: float | None,
        state: PlayerState = PlayerState.PLAYING,
        *,
        player: str = "tv",
        dated: float | bool | None = True,
        length: float | None = -1.0,
        rank: Rank | None = None,
    ) -> None:
        """Report that something plays; `dated` is when the position was true, False for no date."""
        self.wait(t)
        media = None if title is None else title.media
        if media is not None and rank is not None:
            media = replace(media, rank=rank)
        date = None
        if position is not None and dated is not False:
            date = self.wall(t if dated is True or dated is None else float(dated))
        if length == -1.0:
            length = None if title is None else title.length
        self._hear(
            self.viewings.observe(
                player,
                Observation(
                    state=state,
                    monotonic=self.now.monotonic,
                    at=self.now.at,
                    media=media,
                    position=position,
                    position_at=date,
                    duration=length,
                ),
            )
        )
        if title is None or title.media.ignored is not None:
            return
        if self.identify and title.resolution is not None:
            self.resolve(title)

    def pause(
        self, t: float, title: Title, position: float | None, *, player: str = "tv"
    ) -> None:
        self.play(t, title, position, PlayerState.PAUSED, player=player)

    def end(
        self, t: float, state: PlayerState = PlayerState.IDLE, *, player: str = "tv"
    ) -> None:
        """Report that nothing plays any more."""
        self.play(t, None, None, state, player=player)

    def resolve(self, title: Title, resolution: Resolution | None = None) -> None:
        """Say what something is."""
        resolution = resolution or title.resolution
        assert resolution is not None
        signature = title.media.signature
        self.resolved[signature] = resolution
        self._hear(self.viewings.resolve(signature, resolution, self.now))

    def restart(self, t: float, down: float = 60.0) -> None:
        """End Home Assistant and begin it again: the monotonic clock begins anew."""
        self.wait(t)
        self.tick(t)
        saved, ledger = self.viewings.save(self.now), self.viewings.ledger
        self.t += down
        self._booted = self.t
        self.viewings = self._new(ledger)
        self.viewings.restore(saved, self.now)

    def set_clock(self, t: float, by: float) -> None:
        """Move the wall clock."""
        self.wait(t)
        self._shift += by

    def forget(self, player: str = "tv") -> None:
        self._hear(self.viewings.forget_player(player, self.now))

    def view(self, player: str = "tv") -> View:
        view = self.viewings.view(player, self.now)
        assert view is not None
        return view

    def _hear(self, calls: list[Call]) -> None:
        self.heard += [Heard(t=self.t, call=call) for call in calls]

    @property
    def told(self) -> list[tuple[ScrobbleAction, str | None, float | None]]:
        """Return what was told: action, title, percent."""
        return [heard.brief for heard in self.heard]
