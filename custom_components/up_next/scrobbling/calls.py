"""What following viewings takes in beside observations, and what comes out of it: plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from ..media import Episode, Playable
from ..writes import ScrobbleAction
from .ledger import Counted
from .observation import Media, MediaKind


@dataclass(frozen=True, slots=True, kw_only=True)
class Moment:
    """Now. `monotonic` (seconds) measures how long something took; `at` is the wall clock (UTC), which may jump."""

    monotonic: float
    at: datetime

    def earlier(self, monotonic: float) -> Moment:
        """Return the moment that was at an earlier `monotonic`."""
        ago = timedelta(seconds=self.monotonic - monotonic)
        return Moment(monotonic=monotonic, at=self.at - ago)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thresholds:
    """From where on something counts as watched, in percent of its length (50-95)."""

    movie: float = 80.0
    episode: float = 80.0

    def of(self, item: Playable | None, kind: MediaKind) -> float:
        """Return the threshold of an item, or of what is not identified yet: the higher one when nothing tells."""
        if item is not None:
            return self.episode if isinstance(item, Episode) else self.movie
        match kind:
            case MediaKind.MOVIE:
                return self.movie
            case MediaKind.EPISODE:
                return self.episode
            case MediaKind.VIDEO:
                return max(self.movie, self.episode)


@dataclass(frozen=True, slots=True, kw_only=True)
class PlayerSettings:
    """How the viewings of one player are followed; all but `thresholds` are seconds."""

    thresholds: Thresholds = field(default_factory=Thresholds)
    dwell: float = 15.0
    """What must really play before anything is told: zapping is nobody's business."""
    buffering: float = 60.0
    """Buffering for longer is a pause."""
    idle: float = 10.0
    """How long a player may be idle and go on, where its source does not need longer: some show buffering so."""
    unavailable: float = 60.0
    interrupted: float = 240.0
    """How long something else, never scrobbled, may play in between: advertisements."""
    restart: float = 180.0
    """How long a player has after a restart of Home Assistant to show what it played before."""
    pause_watched: float = 600.0
    """A pause this long ends a viewing that counts as watched: the credits are not coming."""
    pause_ends: float = 3600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Rhythm:
    """What is to be told beside beginnings and ends.

    `pause_after`: seconds that a pause must last. `seeks`: a new start after a seek. `heartbeat`: seconds after
    which a start is repeated while it plays; None for never.
    """

    pause_after: float = 5.0
    seeks: bool = False
    heartbeat: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolution:
    """What was found for a signature.

    `items` are several for a file with several episodes, none when a person has to decide. `tokens` name the item
    beside `ledger.tokens_of`: two items that share one are the same. `runtime` is in seconds, of the whole file.
    """

    items: tuple[Playable, ...] = ()
    tokens: frozenset[str] = frozenset()
    runtime: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Something to tell about a viewing.

    `item` is None when it was watched, but nobody knows yet what it was: nothing else is told of such viewings.
    `progress` (percent 0-100), `position` and `duration` (seconds) are None where no length is known. `viewing`
    names the viewing, also after a restart. `player` is the one that led. `counted` is there when it was watched.
    `resumed`: a start that ends a pause. `rewatch`: an earlier viewing of the item was counted. `media` is what the
    player said of it.
    """

    action: ScrobbleAction
    signature: str
    item: Playable | None
    progress: float | None
    position: float | None
    duration: float | None
    at: datetime
    started_at: datetime
    viewing: str
    player: str
    counted: Counted | None = None
    resumed: bool = False
    rewatch: bool = False
    media: Media | None = None


class Phase(StrEnum):
    """Where a viewing stands."""

    CANDIDATE = "candidate"
    """Too short for anything to be told, or not identified."""
    PLAYING = "playing"
    PAUSED = "paused"
    HELD = "held"
    """The player shows it no more, and may come back to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class View:
    """What a player's sensor shows.

    `resolved`: None while it is being identified, False when a person has to decide. `position`, `duration` and
    `played` are seconds, `progress` percent (0-100). `watched`: it counts as watched if it ends now. `silent`:
    nothing is told, because it goes on with what was counted already, or is a clip.
    """

    phase: Phase
    signature: str
    media: Media
    item: Playable | None
    resolved: bool | None
    position: float | None
    duration: float | None
    progress: float | None
    played: float
    watched: bool
    silent: bool
    viewing: str
    started_at: datetime
