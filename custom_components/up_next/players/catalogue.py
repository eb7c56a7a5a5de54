"""What is known of titles: the libraries of the accounts that a player feeds, then their services' search."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain

from homeassistant.core import HomeAssistant

from ..account import Capability
from ..actions.lookup import distinct, episode_in, titles_of
from ..const import CONF_TRACKER, DOMAIN
from ..coordinator import AccountCoordinator
from ..library import ShowDetail
from ..media import Episode, Ids, MediaItem, MediaType, Movie, Show
from ..scrobbling.identify import CatalogueUnavailable
from ..scrobbling.matching import LEAST_SIMILAR, resemblance
from ..trackers.errors import NotFound, TrackerError
from ..trackers.tracker import Query

SEARCH_LIMIT = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Catalogue:
    """The titles that some accounts know (`scrobbling.identify.Catalogue`), those named first asked first."""

    hass: HomeAssistant
    accounts: Sequence[AccountCoordinator]

    def titles(self) -> Iterable[Movie | Show]:
        """Go through the titles of the libraries; the same one may come more than once."""
        return chain.from_iterable(
            titles_of(account.data.library) for account in self.accounts
        )

    def episode(self, show: Show, season: int, number: int) -> Episode | None:
        """Return an episode, where a library happens to know it."""
        for account in self.accounts:
            found = episode_in(account.data.library, show, season, number)
            if found is not None:
                return found
        return None

    async def search(
        self, text: str, types: frozenset[MediaType], year: int | None
    ) -> Sequence[Movie | Show]:
        """Search where that is possible; the first service that finds something of such a name is believed."""
        query = Query(text=text, types=types, year=year, limit=SEARCH_LIMIT)
        others: list[Movie | Show] = []

        async def ask(account: AccountCoordinator) -> list[Movie | Show] | None:
            found = [
                item
                for item in await _search(account, query)
                if isinstance(item, (Movie, Show))
            ]
            if any(resemblance((text,), item) >= LEAST_SIMILAR for item in found):
                return found
            # what a service makes of words that it does not know is no answer
            others.extend(found)
            return None

        return await self._first(Capability.SEARCH, ask) or distinct(others)

    async def by_ids(
        self, ids: Ids, types: frozenset[MediaType]
    ) -> Sequence[MediaItem]:
        """Look titles up by their external ids."""
        query = Query(ids=ids, types=types, limit=SEARCH_LIMIT)

        async def ask(account: AccountCoordinator) -> list[MediaItem]:
            found = await _search(account, query)
            return [item for item in found if item.ids.shares(ids)]

        return await self._first(Capability.SEARCH, ask) or []

    async def detail(self, show: Show) -> ShowDetail | None:
        """Read the episodes of a show; None when no service knows it."""
        return await self._first(Capability.UNWATCHED, lambda a: _detail(a, show))

    async def _first[T](
        self,
        needs: Capability,
        ask: Callable[[AccountCoordinator], Awaitable[T | None]],
    ) -> T | None:
        """Return the first answer. Raises CatalogueUnavailable when there is none and a service could not be asked."""
        able = [account for account in self.accounts if needs in account.can]
        signed_in = [account for account in able if not account.sign_in_required]
        if not signed_in and (able or (not self.accounts and _are_any(self.hass))):
            raise CatalogueUnavailable("no account can be asked now")
        unreachable: TrackerError | None = None
        for account in signed_in:
            try:
                if answer := await ask(account):
                    return answer
            except NotFound:
                continue
            except TrackerError as error:
                unreachable = error
        if unreachable is not None:
            raise CatalogueUnavailable(str(unreachable)) from unreachable
        return None


def _are_any(hass: HomeAssistant) -> bool:
    """Say whether there are accounts at all: those that do not run now may know more when they do."""
    entries = hass.config_entries.async_entries(
        DOMAIN, include_ignore=False, include_disabled=False
    )
    return any(CONF_TRACKER in entry.data for entry in entries)


async def _search(account: AccountCoordinator, query: Query) -> list[MediaItem]:
    return [candidate.item for candidate in await account.tracker.search(query)]


async def _detail(account: AccountCoordinator, show: Show) -> ShowDetail | None:
    known = show.ids
    if not known:
        return None
    return await account.async_detail(known)
