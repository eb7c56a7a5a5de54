"""The face every tracker shows, and what it is handed."""

from __future__ import annotations

from abc import ABC, abstractmethod
import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import ClassVar, Protocol

from aiohttp import ClientSession
from yarl import URL

from ..account import Account, Capability, Quota
from ..library import Library, Play, Playback, ShowDetail
from ..media import Ids, MediaItem, MediaType, Playable
from ..writes import Receipt, Write
from .oauth import DeviceSignIn, TokenStore


class FieldKind(StrEnum):
    """How a field is shown and checked."""

    TEXT = "text"
    SECRET = "secret"
    """A key or token, made by a service: blanks around it come from copying and are dropped."""
    PASSWORD = "password"
    """A secret that a person thought of: every character counts, blanks too."""
    URL = "url"
    SWITCH = "switch"
    """On or off: the value is "True", or missing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One thing to type in; `name` is also the key of its text and of its value in `TrackerContext.credentials`."""

    name: str
    kind: FieldKind = FieldKind.TEXT
    required: bool = True
    default: str = ""

    @property
    def secret(self) -> bool:
        """Say whether it is never shown again once it is kept."""
        return self.kind in (FieldKind.SECRET, FieldKind.PASSWORD)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fields:
    """A sign-in step that asks for credentials.

    `links` are the addresses that its text names (where to register an app, ...), by placeholder: translated texts
    hold no addresses. A field called "base_url" takes the place of the advanced field of that name.
    """

    fields: tuple[Field, ...]
    name: str = "credentials"
    links: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class DeviceCode:
    """A sign-in step that shows a code and waits until it was entered at the service."""

    name: str = "device"


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """A sign-in step that lets one choose among what the service offers: `Tracker.choices(name)`."""

    name: str


type SignInStep = Fields | DeviceCode | Choice


@dataclass(frozen=True, slots=True, kw_only=True)
class Option:
    """A setting of an account that its user may change at any time.

    The choices are `choices`, with translated names, or, when empty, what `Tracker.choices(name)` offers.
    The value in `TrackerContext.options` is a list of choices when `multiple`, else one choice or "".
    """

    name: str
    choices: tuple[str, ...] = ()
    multiple: bool = False
    default: tuple[str, ...] = ()


class Runner(Protocol):
    """Runs a blocking function off the event loop."""

    def __call__[T](self, function: Callable[..., T], /, *args: object) -> Awaitable[T]:
        """Call `function` with `args` in a worker thread."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchivedPlay:
    """A play for the archive; it has a calendar date or none.

    `title` names what was watched by the most telling id there is: two plays of one title on one date are one
    viewing. So are two with one `Play.id`, whose title or date was changed meanwhile. `logged_at` (UTC) is when the
    play was entered at the service.
    """

    play: Play
    title: str
    logged_at: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ArchiveCount:
    """How much an archive holds: plays, and distinct titles."""

    plays: int
    titles: int


class PlayArchive(Protocol):
    """The plays of one account whose service tells only the newest ones. It outlives the account's entry."""

    async def put(
        self, source: str, plays: Sequence[ArchivedPlay], *, window: bool = False
    ) -> None:
        """Add plays, or bring them up to date. `source` says where they were read ("rss", ...).

        A `window` holds the newest plays that the source knows: what it told before and does not tell any more,
        though both logged and watched after the oldest of these, was taken back at the service and is forgotten.
        """

    async def read(self, limit: int | None = None, offset: int = 0) -> Sequence[Play]:
        """Return plays, those watched last first, those without a date last."""

    async def count(self) -> ArchiveCount:
        """Return how much is kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrackerContext:
    """What a tracker is handed: it opens no session, reads no clock and stores nothing by itself.

    `credentials` are what the user typed (client id, secret, key). `base_url` replaces all hosts of the service
    (mirror, self-hosted server, simulator). `options` are the account's settings by `Option.name`.
    `now` returns UTC. `run` runs blocking work (decoding) off the event loop. `archive` is None while signing in and
    signing out, when nothing is kept.
    """

    session: ClientSession
    user_agent: str
    tokens: TokenStore
    credentials: Mapping[str, str] = field(default_factory=dict)
    options: Mapping[str, str | Sequence[str]] = field(default_factory=dict)
    base_url: str | None = None
    now: Callable[[], datetime] = lambda: datetime.now(UTC)
    run: Runner = asyncio.to_thread
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    archive: PlayArchive | None = None

    def chosen(self, option: Option) -> tuple[str, ...]:
        """Return the chosen values of an option, or its default."""
        value = self.options.get(option.name)
        if value is None:
            return option.default
        if isinstance(value, str):
            return (value,) if value else ()
        return tuple(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Refresh:
    """A library, and in how many seconds to ask again. The library is `previous` itself when nothing moved.

    `while_fed` takes the place of `next_in` where our own players tell what plays now; None: it is all the same.
    `settled` is False while the library may not show yet what was written before it was read.
    """

    library: Library
    next_in: float
    while_fed: float | None = None
    settled: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Page[T]:
    """Part of a list, and the cursor of the next part; None at the end."""

    items: tuple[T, ...]
    cursor: str | None = None
    total: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """What to search for: free text, narrowed by type and year, or external ids."""

    text: str = ""
    types: frozenset[MediaType] = frozenset({MediaType.MOVIE, MediaType.SHOW})
    year: int | None = None
    ids: Ids = field(default_factory=Ids)
    limit: int = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """Something found: a movie or a show, in the service's order."""

    item: MediaItem


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedWrite:
    """A write as the outbox sends it.

    `unsure` is True when an earlier attempt got no answer: it may have been carried out already, so look before
    repeating what the service does not de-duplicate. `created_at` (UTC) is when it was asked for.
    """

    write: Write
    created_at: datetime
    unsure: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ScrobbleRhythm:
    """What a service wants to hear of a playback, beside its end.

    `starts`: when it begins and goes on. `seeks`: a new start after a seek. `pause_after`: seconds that a pause must
    last to be told. How often a start is repeated follows from `Capability.HEARTBEAT`.
    """

    starts: bool = True
    seeks: bool = False
    pause_after: float = 5.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """How a service can tell by itself that something happened: it posts to an address that its user enters there.

    `template` is the text that the user enters there to be sent; it arrives at `Tracker.nudge`, filled in. How to set
    it up is told by the text of the options step `<tracker>_push`.
    """

    template: str


class Tracker(ABC):
    """A service that records what a person watched, for one account.

    Every method may raise the errors of `errors`. Nothing here is safe to call after `close`.
    """

    key: ClassVar[str]
    """The registry key and prefix of unique ids, as "trakt"."""
    name: ClassVar[str]
    """The service's own name, as people know it."""
    may: ClassVar[Capability]
    """The most this service can know and do."""
    sign_in: ClassVar[tuple[SignInStep, ...]]
    """The steps of signing in, in order."""
    options: ClassVar[tuple[Option, ...]] = ()
    push: ClassVar[Push | None] = None
    """How it can tell by itself that something happened; None where it can't."""
    media_server: ClassVar[str | None] = None
    """The integration, as "plex", whose players name what they play by ids that this service can look up."""
    image_hosts: ClassVar[frozenset[str]] = frozenset()
    """Where pictures may be fetched from; a custom base URL's own host comes on top."""
    settles_after: ClassVar[float] = 0.0
    """Seconds for which the service's own answers may be out of date after a write: reading waits that long."""
    rhythm: ClassVar[ScrobbleRhythm] = ScrobbleRhythm()
    """What it wants to hear of a playback, for trackers with `Capability.SCROBBLE`."""
    attribution: ClassVar[str | None] = None
    """What the service asks to be shown beside its data."""

    def __init__(self, context: TrackerContext) -> None:
        self.context = context

    @classmethod
    def keep(cls, credentials: Mapping[str, str]) -> Mapping[str, str]:
        """Return what is stored of typed credentials; given what is stored, return it unchanged.

        For a secret that the service takes in another form than people type it: the typed form is never kept.
        """
        return credentials

    @property
    def quota(self) -> Quota | None:
        """Return the daily allowance as the last answer told it; None when unknown."""
        return None

    def device_sign_in(self) -> DeviceSignIn:
        """Return the device flow, for trackers whose `sign_in` has a `DeviceCode`."""
        raise NotImplementedError

    async def choices(self, name: str) -> Mapping[str, str]:
        """Return what can be chosen for the `Choice` or `Option` called `name`: value -> name for people."""
        raise NotImplementedError

    def nudge(self, told: bytes = b"") -> bool:
        """Take note that the service told of something by itself, and say whether it may concern this account.

        `told` is all that came: `Push.template` filled in, or anything else, as anybody may have sent it. No request
        is made and no error raised.
        """
        return True

    @abstractmethod
    async def account(self) -> Account:
        """Ask who signed in and what this account can do."""

    @abstractmethod
    async def refresh(self, previous: Library | None) -> Refresh:
        """Bring the library up to date with as few requests as possible."""

    @abstractmethod
    async def show(self, show: Ids) -> ShowDetail:
        """Read all seasons and episodes of one show, with what was watched. Raises NotFound."""

    @abstractmethod
    async def history(
        self, cursor: str | None = None, item: MediaItem | None = None
    ) -> Page[Play]:
        """Read plays, newest first: all of them, or those of one item. `cursor` continues a former page."""

    @abstractmethod
    async def search(self, query: Query) -> Sequence[Candidate]:
        """Search the service's catalogue, best first."""

    async def bookmark(self, item_id: str) -> Playback | None:
        """Ask where one title was stopped; None when it was not. For trackers with `LOOK_UP_PLAYBACK`.

        `item_id` is the service's own id of a movie or a show; of a show, this is the episode stopped in last.
        Raises NotFound for what can't be an id.
        """
        raise NotImplementedError

    async def item_of(self, content_id: str) -> Playable | None:
        """Look up what a player of `media_server` calls by this id; None when the server does not have it, or is down.

        The id is that of one server: the player's may be another one, whose item it is not.
        """
        raise NotImplementedError

    @abstractmethod
    def combine(self, writes: Sequence[Write]) -> int:
        """Return how many of these, from the first, one `send` takes (at least 1)."""

    @abstractmethod
    async def send(self, writes: Sequence[QueuedWrite]) -> Sequence[Receipt]:
        """Carry out writes, in order; one receipt per write. An error means that none got its receipt."""

    async def sign_out(self) -> None:
        """End the grant at the service, where it can be ended. Best effort: may raise."""
        return

    def can_picture(self, url: str) -> bool:
        """Say whether a picture may be fetched from this address."""
        address = URL(url)
        own = URL(self.context.base_url) if self.context.base_url else None
        if own is not None and (address.scheme, address.host, address.port) == (
            own.scheme,
            own.host,
            own.port,
        ):
            return True
        return address.scheme == "https" and address.host in self.image_hosts
