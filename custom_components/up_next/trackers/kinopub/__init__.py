"""KinoPub (apis/kinopub_firstlight.md sections 0-7): a video service that remembers what was watched."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import ClassVar, Final

from ...account import Account, Capability
from ...library import Library, Play, ShowDetail
from ...media import Ids, MediaItem, Movie, Show, show_of
from ...writes import CheckIn, Receipt, Scrobble, Write
from ..errors import NotFound, TrackerError
from ..oauth import DeviceSignIn
from ..tracker import (
    Candidate,
    DeviceCode,
    Field,
    FieldKind,
    Fields,
    Option,
    Page,
    Query,
    QueuedWrite,
    Refresh,
    ScrobbleRhythm,
    SignInStep,
    Tracker,
    TrackerContext,
)
from .client import Client, DeviceFlow
from .finding import Finder
from .plays import plays_of, read_page
from .reading import Reader
from .scrobbling import Scrobbler
from .shapes import IMAGE_HOSTS, Shapes, enriched
from .writing import Writer

FOLDER: Final = Option(name="folder")
NAMES: Final = Option(
    name="names", choices=("original", "local"), default=("original",)
)


class KinoPub(Tracker):
    """KinoPub for one account.

    There are no air dates: an episode is out when KinoPub has it. A title has at most one play, at the time of the
    last change of its mark. What is playing now is inferred from the history.
    """

    key: ClassVar[str] = "kinopub"
    name: ClassVar[str] = "KinoPub"
    may: ClassVar[Capability] = (
        Capability.UNWATCHED
        | Capability.WATCHLIST
        | Capability.PLAYBACKS
        | Capability.NOW_WATCHING
        | Capability.HISTORY
        | Capability.SUBSCRIPTION
        | Capability.SEARCH
        | Capability.MARK_WATCHED
        | Capability.REMOVE_PLAY
        | Capability.LIST_MOVIES
        | Capability.LIST_SHOWS
        | Capability.SET_PROGRESS
        | Capability.CLEAR_PROGRESS
        | Capability.SCROBBLE
    )
    sign_in: ClassVar[tuple[SignInStep, ...]] = (
        Fields(
            fields=(
                Field(name="client_id"),
                Field(name="client_secret", kind=FieldKind.SECRET),
            ),
            links={"support": "support@kino.pub"},
        ),
        DeviceCode(),
    )
    options: ClassVar[tuple[Option, ...]] = (FOLDER, NAMES)
    image_hosts: ClassVar[frozenset[str]] = IMAGE_HOSTS
    rhythm: ClassVar[ScrobbleRhythm] = ScrobbleRhythm(starts=False)

    def __init__(self, context: TrackerContext) -> None:
        """Open the account; nothing is asked of the service yet."""
        super().__init__(context)
        chosen = next(iter(context.chosen(FOLDER)), "")
        folder = int(chosen) if chosen.isascii() and chosen.isdecimal() else 0
        can = self.may if folder else self.may & ~Capability.WATCHLIST
        self._shapes = Shapes(local=context.chosen(NAMES) == ("local",))
        self._client = Client(context)
        self._finder = Finder(self._client, self._shapes)
        self._reader = Reader(
            context, self._client, self._shapes, folder=folder, can=can
        )
        self._writer = Writer(
            context,
            self._client,
            self._shapes,
            self._finder,
            self._reader,
            folder=folder,
        )
        self._scrobbler = Scrobbler(self._writer, self._reader)

    def device_sign_in(self) -> DeviceSignIn:
        return DeviceFlow(self._client)

    async def choices(self, name: str) -> Mapping[str, str]:
        if name != FOLDER.name:
            raise NotImplementedError
        return await self._reader.folders()

    async def account(self) -> Account:
        account = await self._reader.account()
        with suppress(TrackerError):  # it only names the device in the user's list
            await self._client.post(
                "device/notify",
                title="Home Assistant",
                hardware="Home Assistant",
                software=self.context.user_agent.partition(" ")[0],
            )
        return account

    async def refresh(self, previous: Library | None) -> Refresh:
        if previous is not None:
            self._finder.library = previous
        refresh = await self._reader.refresh(previous)
        self._finder.library = refresh.library
        return refresh

    async def show(self, show: Ids) -> ShowDetail:
        # ids alone are enough for what the library holds, and for the service's own ids
        item_id = await self._finder.find(Show(title="", ids=show))
        known = self._finder.known_show(item_id)
        item = await self._reader.detail(item_id, described=known is not None)
        if not item.seasons:
            raise NotFound(f"item {item_id} has no seasons")
        return self._shapes.detail(item, enriched(self._shapes.show(item), known))

    async def history(
        self, cursor: str | None = None, item: MediaItem | None = None
    ) -> Page[Play]:
        if item is None:
            return await read_page(self._client, self._reader, self._shapes, cursor)
        title = item if isinstance(item, Movie) else show_of(item)
        assert title is not None
        state = await self._reader.state(await self._finder.find(title))
        plays = plays_of(self._shapes, state, title, item)
        return Page(items=tuple(plays), total=len(plays))

    async def search(self, query: Query) -> Sequence[Candidate]:
        return await self._finder.search(query)

    def combine(self, writes: Sequence[Write]) -> int:
        return self._writer.combine(writes)

    async def send(self, writes: Sequence[QueuedWrite]) -> Sequence[Receipt]:
        if isinstance(writes[0].write, Scrobble | CheckIn):
            return [await self._scrobbler.send(queued) for queued in writes]
        return await self._writer.send(writes)

    async def sign_out(self) -> None:
        await self._client.post("device/unlink")
