"""What is known of titles, and what is not known because nobody could be asked."""

from __future__ import annotations

import pytest

from custom_components.up_next.media import Ids, MediaType, Movie, Show
from custom_components.up_next.players.catalogue import Catalogue
from custom_components.up_next.scrobbling.identify import CatalogueUnavailable
from homeassistant.core import HomeAssistant
from simulators.service import Fault
from simulators.simkl import Simkl
from simulators.trakt import Trakt

from ..accounts import House, coordinator_of
from ..conftest import AddAccount, Serve

MOVIES = frozenset({MediaType.MOVIE})


async def test_nobody_there(hass: HomeAssistant, house: House) -> None:
    """Without accounts nothing is known, and nothing will be."""
    catalogue = Catalogue(hass=hass, accounts=[])
    assert await catalogue.search("Dune", MOVIES, None) == []
    assert await catalogue.by_ids(Ids.of(imdb=1), MOVIES) == []
    assert await catalogue.detail(Show(title="Silo")) is None
    assert catalogue.episode(Show(title="Silo"), 1, 1) is None
    assert list(catalogue.titles()) == []


async def test_accounts_that_do_not_run(
    hass: HomeAssistant, house: House, serve: Serve, add_account: AddAccount
) -> None:
    """They may know it: that none can be asked is no answer."""
    await add_account(await serve(Trakt), setup=False)
    catalogue = Catalogue(hass=hass, accounts=[])
    with pytest.raises(CatalogueUnavailable):
        await catalogue.search("Dune", MOVIES, None)


async def test_signed_out(
    hass: HomeAssistant, house: House, serve: Serve, add_account: AddAccount
) -> None:
    trakt, simkl = await serve(Trakt), await serve(Simkl)
    trakt.pacing = simkl.pacing = False
    one = coordinator_of(await add_account(trakt))
    other = coordinator_of(await add_account(simkl))
    title = trakt.catalogue.movies[0].title
    both = Catalogue(hass=hass, accounts=[one, other])
    assert [m.title for m in await both.search(title, MOVIES, None)][:1] == [title]
    one.sign_in_required = True
    assert [m.title for m in await both.search(title, MOVIES, None)][:1] == [title]
    assert await both.search("Xyzzy", MOVIES, None) == []
    with pytest.raises(CatalogueUnavailable):
        await Catalogue(hass=hass, accounts=[one]).search(title, MOVIES, None)
    found = await both.by_ids(
        Ids.of(imdb=trakt.catalogue.movies[0].ids["imdb"]), MOVIES
    )
    assert [item.title for item in found if isinstance(item, Movie)] == [title]
    assert await both.detail(Show(title="Silo")) is None
    assert await both.detail(Show(title="?", ids=Ids.of(simkl=1))) is None
    known = next(s for s in both.titles() if isinstance(s, Show))
    assert await both.detail(known) is not None


async def test_the_service_that_knows_it_is_believed(
    hass: HomeAssistant, house: House, serve: Serve, add_account: AddAccount
) -> None:
    """One that finds something else entirely does not keep the next from being asked."""
    trakt, simkl = await serve(Trakt), await serve(Simkl)
    trakt.pacing = simkl.pacing = False
    accounts = [
        coordinator_of(await add_account(trakt)),
        coordinator_of(await add_account(simkl)),
    ]
    trakt.catalogue.movies[-1].title = "Etwas im Gang"
    simkl.catalogue.movies[-2].title = "Zwillinge im Schnee"
    both = Catalogue(hass=hass, accounts=accounts)
    found = await both.search("Zwillinge im Schnee", MOVIES, None)
    assert [movie.title for movie in found] == ["Zwillinge im Schnee"]
    # where nobody knows it, there is still something to choose from
    found = await both.search("Sommer im Haus", MOVIES, None)
    assert [movie.title for movie in found] == ["Etwas im Gang"]
    simkl.faults.append(Fault(kind="status", times=99, status=503))
    with pytest.raises(CatalogueUnavailable):
        await both.search("Sommer im Haus", MOVIES, None)
