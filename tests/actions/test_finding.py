"""Which accounts and which media item an action's data means, and how what is not clear is refused."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Any

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry
import voluptuous as vol

from custom_components.up_next.account import Capability
from custom_components.up_next.actions import lookup
from custom_components.up_next.actions.texts import text as text_of
from custom_components.up_next.const import DOMAIN
from custom_components.up_next.media import Ids, Movie, Show
from custom_components.up_next.services import ACTIONS
from homeassistant.config_entries import ConfigEntryDisabler
from homeassistant.core import HomeAssistant
from homeassistant.helpers import device_registry as dr
from homeassistant.helpers.template import Template
from simulators.catalogue import CatalogueMovie
from simulators.kinopub import KinoPub
from simulators.service import Service
from simulators.simkl import Simkl
from simulators.trakt import Trakt

from ..accounts import House, coordinator_of
from ..conftest import AddAccount, Serve
from .conftest import Act, down, fields, next_episode, quick, started

type Refusal = Callable[..., Awaitable[str]]


# accounts -----------------------------------------------------------------------------------------------------


@pytest.fixture
async def two(
    account: MockConfigEntry, serve: Serve, add_account: AddAccount
) -> tuple[MockConfigEntry, MockConfigEntry]:
    """Return an account at Trakt and one at KinoPub."""
    _, other = await started(serve, add_account, KinoPub)
    return account, other


def device(hass: HomeAssistant, entry: MockConfigEntry) -> str:
    """Return the id of an account's device."""
    (found,) = dr.async_entries_for_config_entry(dr.async_get(hass), entry.entry_id)
    return found.id


async def test_devices_and_entries(
    hass: HomeAssistant, two: tuple[MockConfigEntry, MockConfigEntry], act: Act
) -> None:
    """An account is named by its device or its entry, alone or in a list; twice is once."""
    first, second = two
    for given, expected in (
        (device(hass, first), [first]),
        ([device(hass, second)], [second]),
        (second.entry_id, [second]),
        ([first.entry_id, device(hass, second)], [first, second]),
        ([first.entry_id, device(hass, first), " "], [first]),
    ):
        answer = await act("get_unwatched", account=given)
        assert [part["entry_id"] for part in answer["accounts"]] == [
            entry.entry_id for entry in expected
        ]


async def test_account_left_out(
    two: tuple[MockConfigEntry, MockConfigEntry], act: Act, refusal: Refusal
) -> None:
    """It may be left out, or be blank, when only one account can do it."""
    first, second = two
    names = ", ".join(sorted((first.title, second.title)))
    blanks: tuple[dict[str, Any], ...] = (
        {},
        {"account": []},
        {"account": ""},
        {"account": None},
    )
    for blank in blanks:
        assert await refusal("get_unwatched", **blank) == (
            "ServiceValidationError: Several accounts can do get_unwatched:"
            f" {names}. Say which one with account"
        )
        answer = await act("rate", **fields(next_episode(first)), rating="8", **blank)
        assert answer["accounts"][0]["entry_id"] == first.entry_id


async def test_wrong_accounts(
    hass: HomeAssistant, two: tuple[MockConfigEntry, MockConfigEntry], refusal: Refusal
) -> None:
    first, second = two
    other = MockConfigEntry(domain="other", title="Other")
    other.add_to_hass(hass)
    strange = dr.async_get(hass).async_get_or_create(
        config_entry_id=other.entry_id, identifiers={("other", "1")}
    )
    players = MockConfigEntry(domain=DOMAIN, title="Scrobbling", data={})
    players.add_to_hass(hass)
    for wrong in ("nonsense", other.entry_id, strange.id, players.entry_id):
        assert await refusal("get_unwatched", account=[first.entry_id, wrong]) == (
            f"ServiceValidationError: {wrong} is not an account of Up Next. Choose the"
            " device of an account, or give the ID of its config entry"
        )
    assert await refusal("get_watchlist", account=second.entry_id) == (
        "ServiceValidationError: The action get_watchlist is not possible with"
        f" {second.title}: the service or the account's plan does not allow it"
    )


async def test_accounts_that_are_not_loaded(
    hass: HomeAssistant,
    two: tuple[MockConfigEntry, MockConfigEntry],
    act: Act,
    refusal: Refusal,
) -> None:
    """An outage of one account does not change what an action without account means; disabling it does."""
    first, second = two
    entry_id, device_id = second.entry_id, device(hass, second)
    assert await hass.config_entries.async_unload(entry_id)
    for given in (entry_id, device_id):
        assert await refusal("get_unwatched", account=given) == (
            f"ServiceValidationError: The account {second.title} is not running. See"
            " Settings > Devices & services for why"
        )
    assert "Several accounts can do get_unwatched" in await refusal("get_unwatched")
    await act("refresh")
    await hass.config_entries.async_set_disabled_by(entry_id, ConfigEntryDisabler.USER)
    answer = await act("get_unwatched")
    assert answer["accounts"][0]["entry_id"] == first.entry_id
    assert await hass.config_entries.async_unload(first.entry_id)
    assert "is not running" in await refusal("get_unwatched")
    assert "No account is running" in await refusal("refresh")
    assert await hass.config_entries.async_remove(first.entry_id)
    assert "No account can do get_unwatched. Add one" in await refusal("get_unwatched")


# what a media item is -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "text"),
    [
        ({}, "Say what is meant: give a title or IDs"),
        ({"title": " ", "ids": {}, "year": None}, "Say what is meant"),
        ({"type": "movie"}, "Say what is meant"),
        ({"year": 2020, "season": 1}, "Say what is meant"),
        ({"ids": {"slug": "silo"}}, "Say what is meant"),
        ({"title": "Silo", "episode": 3}, "An episode was given without its season"),
        ({"title": "Silo", "type": "movie", "season": 1}, "A movie has no season"),
        ({"title": "Silo", "type": "movie", "episode_ids": {"tvdb": 1}}, "A movie has"),
        ({"title": "Silo", "type": "show", "season": 1}, "A whole show has no season"),
        ({"title": "Silo", "type": "season"}, "A season needs its number in season"),
        (
            {"title": "Silo", "type": "season", "season": 1, "episode": 2},
            "A season needs its number in season",
        ),
        ({"title": "Silo", "type": "episode"}, "An episode needs the numbers"),
        (
            {"title": "Silo", "type": "episode", "season": 1},
            "An episode needs the numbers",
        ),
        (
            {"title": "Silo", "season": 1, "episode": None},
            "An episode needs the numbers",
        ),
        (
            {"title": "Silo", "season": 1, "episode_ids": {"tvdb": 1}},
            "An episode needs the numbers",
        ),
        (
            {"episode_ids": {"tvdb": 424242}},
            "The episode tvdb 424242 is not in the library",
        ),
    ],
)
async def test_fields_that_do_not_fit(
    account: MockConfigEntry,
    trakt: Trakt,
    refusal: Refusal,
    data: dict[str, Any],
    text: str,
) -> None:
    trakt.requests.clear()
    error = await refusal("mark_watched", **data)
    assert error.startswith(f"ServiceValidationError: {text}")
    assert not trakt.requests


@pytest.mark.parametrize(
    "data",
    [
        {"title": True},
        {"title": ["Silo"]},
        {"title": "Silo", "season": True, "episode": 1},
        {"title": "Silo", "season": "one", "episode": 1},
        {"title": "Silo", "season": 1.5, "episode": 1},
        {"title": "Silo", "season": -1, "episode": 1},
        {"title": "Silo", "season": "1e300", "episode": 1},
        {"title": "Silo", "season": [1], "episode": 1},
        {"title": "Silo", "season": {}, "episode": 1},
        {"title": "Silo", "year": 12},
        {"title": "Silo", "type": "film"},
        {"ids": "tt1160419"},
        {"ids": {"imdb": "Dune"}},
        {"ids": {"tmdb": 0}},
        {"ids": {"tmdb": True}},
        {"ids": {"tm db": 1}},
        {"title": "Silo", "rewatch": "perhaps"},
        {"title": "Silo", "account": [1.5, {}]},
        {"title": "Silo", "unknown_field": 1},
    ],
)
async def test_values_that_are_none(
    account: MockConfigEntry, act: Act, data: dict[str, Any]
) -> None:
    """What is of the wrong kind never gets as far as an account."""
    with pytest.raises(vol.Invalid):
        await act("mark_watched", **data)


@pytest.mark.parametrize(
    ("action", "data"),
    [
        ("set_progress", {"title": "Silo", "progress": 101}),
        ("set_progress", {"title": "Silo", "progress": "nan"}),
        ("set_progress", {"title": "Silo", "position": False}),
        ("rate", {"title": "Silo", "rating": 0}),
        ("rate", {"title": "Silo", "rating": None}),
        ("rate", {"title": "Silo"}),
        ("search", {"query": " "}),
        ("search", {"query": "Silo", "type": "episode"}),
        ("get_history", {"limit": 501}),
    ],
)
async def test_values_out_of_range(
    account: MockConfigEntry, act: Act, action: str, data: dict[str, Any]
) -> None:
    with pytest.raises(vol.Invalid):
        await act(action, **data)


def test_values_from_templates() -> None:
    """Numbers arrive as text or floats, titles as numbers, and what is missing as None or as nothing."""
    schema = vol.Schema(dict(ACTIONS["mark_watched"].fields))
    assert schema(
        {
            "title": 1917,
            "year": "2019",
            "season": 2.0,
            "episode": " 03 ",
            "type": " Episode ",
            "ids": {"IMDb": 133093, "tmdb": "603", "tvdb": None, "trakt": ""},
            "episode_ids": "",
            "rewatch": None,
            "account": None,
        }
    ) == {
        "title": "1917",
        "year": 2019,
        "season": 2,
        "episode": 3,
        "type": "episode",
        "ids": Ids.of(imdb="tt0133093", tmdb=603),
        "episode_ids": Ids(),
        "rewatch": False,
        "account": [],
    }
    assert schema({"title": 1.5})["title"] == "1.5"


async def test_answers_can_be_handed_on(
    hass: HomeAssistant, account: MockConfigEntry, act: Act
) -> None:
    """What an answer calls `item` is what an action takes, also after a template has had it."""
    answer = await act("get_next_episodes", limit=1)
    rendered = Template("{{ answer.accounts[0].episodes[0].item }}", hass).async_render(
        {"answer": answer}
    )
    assert rendered == answer["accounts"][0]["episodes"][0]["item"]
    marked = await act("mark_watched", **rendered)
    assert marked["accounts"][0]["result"] == "done"


async def test_a_whole_show_is_not_meant_by_accident(
    account: MockConfigEntry, trakt: Trakt, act: Act, refusal: Refusal
) -> None:
    """Season and episode without a value may be a template's mistake."""
    title = next_episode(account).show.title
    plays = trakt.state()["plays"]
    assert await refusal("mark_watched", title=title, season=None, episode="") == (
        f"ServiceValidationError: {title} is a show, but season or episode came without a"
        " value. Give both numbers, or the type show for the whole show"
    )
    assert trakt.state()["plays"] == plays
    # a movie has neither
    movie = trakt.catalogue.movies[0]
    answer = await act("mark_watched", title=movie.title, year=movie.year, season=None)
    assert answer["accounts"][0]["result"] == "already"
    answer = await act(
        "mark_watched", title=title, type="show", season=None, episode=None
    )
    assert answer["accounts"][0]["result"] == "done"


# by ids -------------------------------------------------------------------------------------------------------


async def test_by_ids(account: MockConfigEntry, trakt: Trakt, act: Act) -> None:
    """Ids of what the library holds need no lookup; those of anything else go to the service as they are."""
    episode = next_episode(account)
    answer = await act(
        "mark_watched",
        ids={"tvdb": episode.show.ids.get("tvdb")},
        season=str(episode.season),
        episode=str(episode.number),
    )
    (play,) = answer["accounts"][0]["plays"]
    assert play["item"]["ids"]["trakt"] == episode.show.ids.get("trakt")
    assert not trakt.count("GET /search")
    movie = trakt.catalogue.movies[-1]
    answer = await act("mark_watched", type="movie", ids={"imdb": movie.ids["imdb"]})
    assert answer["accounts"][0]["result"] == "done"
    # without its type it has to be looked up
    trakt.requests.clear()
    answer = await act("mark_watched", ids={"tmdb": movie.ids["tmdb"]})
    assert answer["accounts"][0]["result"] == "already"
    assert trakt.count("GET /search/tmdb") == 1


async def test_ids_of_nothing(account: MockConfigEntry, refusal: Refusal) -> None:
    assert await refusal("mark_watched", ids={"tmdb": 424242}) == (
        "ServiceValidationError: tmdb 424242 could not be looked up. Say with type"
        " whether it is a movie or a show"
    )


async def test_ids_of_two(
    account: MockConfigEntry, trakt: Trakt, refusal: Refusal
) -> None:
    """Ids that name two titles are refused: a TMDB number can be a movie's and a show's."""
    shows = coordinator_of(account).data.overview.shows
    ids = {"imdb": shows[0].show.ids.get("imdb"), "tvdb": shows[1].show.ids.get("tvdb")}
    text = await refusal("mark_watched", type="show", ids=ids)
    assert "may mean several titles at" in text
    assert shows[0].show.title in text
    assert shows[1].show.title in text
    trakt.catalogue.movies[-1].ids["tmdb"] = 900_001
    trakt.catalogue.shows[-1].ids["tmdb"] = 900_001
    trakt.catalogue._by_id["movie", "tmdb", "900001"] = trakt.catalogue.movies[-1]
    trakt.catalogue._by_id["show", "tmdb", "900001"] = trakt.catalogue.shows[-1]
    coordinator = coordinator_of(account)
    coordinator.data = replace(
        coordinator.data, library=replace(coordinator.data.library, watchlist=())
    )
    text = await refusal("mark_watched", ids={"tmdb": 900_001})
    assert "Add the year, the type or IDs" in text


async def test_episodes_by_their_own_ids(
    account: MockConfigEntry, trakt: Trakt, act: Act, refusal: Refusal
) -> None:
    """An episode's own ids do where the library knows it, or beside its show."""
    episode = next_episode(account)
    answer = await act(
        "rate", episode_ids={"trakt": episode.ids.get("trakt")}, rating=7
    )
    assert answer["accounts"][0]["result"] == "done"
    show = trakt.catalogue.show("trakt", episode.show.ids.get("trakt") or "")
    assert show is not None
    first = next(episode for episode in show.episodes if episode.season == 1)
    answer = await act(
        "mark_unwatched", title=show.title, episode_ids={"tvdb": first.ids["tvdb"]}
    )
    (play,) = answer["accounts"][0]["plays"]
    assert (play["item"]["season"], play["item"]["episode"]) == (
        first.season,
        first.number,
    )
    assert await refusal(
        "mark_watched", title=show.title, episode_ids={"tvdb": 424242}
    ) == (
        f"ServiceValidationError: {show.title} has no episode with these IDs. Give its"
        " season and episode numbers"
    )
    down(trakt)
    other = coordinator_of(account).data.overview.shows[1].show
    assert "HomeAssistantError: The service of" in await refusal(
        "mark_watched", title=other.title, episode_ids={"tvdb": 424242}
    )


# by name ------------------------------------------------------------------------------------------------------


async def test_by_name_in_the_library(
    account: MockConfigEntry, trakt: Trakt, act: Act
) -> None:
    """Case, accents and punctuation do not matter, and nothing is asked."""
    episode = next_episode(account)
    trakt.requests.clear()
    for spelled in (
        episode.show.title.upper(),
        f"  {episode.show.title.replace(' ', '  -  ')} ",
        f"{episode.show.title} ({episode.show.year})",
    ):
        answer = await act("rate", **fields(episode) | {"title": spelled}, rating=5)
        assert answer["accounts"][0]["result"] in ("done", "already")
    assert not trakt.count("GET /search")


@pytest.mark.parametrize("kind", [Trakt, Simkl, KinoPub])
async def test_by_name_at_the_service(
    *,
    house: House,
    serve: Serve,
    add_account: AddAccount,
    act: Act,
    refusal: Refusal,
    kind: type[Service],
) -> None:
    """The only title of that name is taken, with a year that may be off by one; nothing else is."""
    service, _ = await started(serve, add_account, kind)
    movie = service.catalogue.movies[-1]
    answer = await act(
        "mark_watched", title=movie.title.lower(), type="movie", year=movie.year + 1
    )
    (play,) = answer["accounts"][0]["plays"]
    assert play["item"]["title"].endswith(movie.title)
    assert play["item"]["year"] == movie.year
    service.requests.clear()
    other = service.catalogue.movies[-2]
    text = await refusal("mark_watched", title=other.title, type="movie", year=1901)
    assert f"knows no movie or show called {other.title} (1901). Similar: " in text
    assert f"{other.title} ({other.year}, movie, " in text
    part = other.title.split()[-1]
    text = await refusal("mark_watched", title=part, type="movie")
    assert f"knows no movie or show called {part}" in text
    text = await refusal("mark_watched", title="Zzyzx Qqq")
    assert text.endswith(
        "knows no movie or show called Zzyzx Qqq. Check the spelling, or give IDs"
    )


def twins(service: Service, *years: int) -> list[CatalogueMovie]:
    """Give the last movies, which nobody watched, the same name."""
    movies: list[CatalogueMovie] = service.catalogue.movies[-len(years) :]
    for movie, year in zip(movies, years, strict=True):
        movie.title, movie.year = "Dune", year
    return movies


@pytest.mark.parametrize("kind", [Trakt, Simkl])
async def test_ambiguous(
    *,
    house: House,
    serve: Serve,
    add_account: AddAccount,
    act: Act,
    refusal: Refusal,
    kind: type[Service],
) -> None:
    """Of several with the same name none is taken without the year; all are named."""
    service: Any = await serve(kind, movies=20, watched=50)
    service.pacing = False
    movies = twins(service, 1984, 2000, 2021)
    entry = await add_account(service)
    coordinator = coordinator_of(entry)
    coordinator.data = replace(
        coordinator.data,
        library=replace(coordinator.data.library, watchlist=(), movies={}),
    )
    text = await refusal("mark_watched", title="dune", type="movie")
    assert text.startswith(
        f"ServiceValidationError: dune may mean several titles at {entry.title}: Dune ("
    )
    for movie in movies:
        assert f"Dune ({movie.year}, movie, " in text
    assert text.endswith(". Add the year, the type or IDs")
    for given, year in (({"year": 2021}, 2021), ({"year": 1999}, 2000)):
        answer = await act("mark_watched", title="Dune", type="movie", **given)
        (play,) = answer["accounts"][0]["plays"]
        assert play["item"]["year"] == year
    answer = await act("mark_watched", title="Dune (1984)")
    assert answer["accounts"][0]["plays"][0]["item"]["year"] == 1984


async def test_no_more_than_five_are_named(
    house: House, serve: Serve, add_account: AddAccount, refusal: Refusal
) -> None:
    service: Any = await serve(Trakt, movies=20, watched=50)
    twins(service, *range(1950, 2020, 10))
    await add_account(service)
    text = await refusal("add_to_watchlist", title="Dune")
    assert text.count("Dune (19") + text.count("Dune (20") == 5
    assert "; …. Add the year" in text


async def test_ambiguous_in_the_library(
    account: MockConfigEntry, act: Act, refusal: Refusal
) -> None:
    """A movie and a show of one name: the type tells."""
    coordinator = coordinator_of(account)
    listed = coordinator.data.library.watchlist
    show = next(entry.item for entry in listed if isinstance(entry.item, Show))
    movie = next(entry for entry in listed if isinstance(entry.item, Movie))
    assert isinstance(movie.item, Movie)
    named = replace(movie, item=replace(movie.item, title=show.title, year=1920))
    coordinator.data = replace(
        coordinator.data,
        library=replace(coordinator.data.library, watchlist=(*listed, named)),
    )
    text = await refusal("rate", title=show.title, rating=6)
    assert f"{show.title} ({show.year}, show, trakt" in text
    assert f"{show.title} (1920, movie, trakt" in text
    for kind in ("movie", "show"):
        answer = await act("rate", title=show.title, type=kind, rating=6)
        assert answer["accounts"][0]["result"] == "done"


async def test_lookup_fails(
    account: MockConfigEntry,
    trakt: Trakt,
    act: Act,
    refusal: Refusal,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What is not in the library can't be found by name while the service is down; by its ids it is queued."""
    quick(monkeypatch)
    movie = trakt.catalogue.movies[-1]
    down(trakt)
    text = await refusal("mark_watched", title=movie.title)
    assert text.startswith(
        f"HomeAssistantError: {movie.title} is not in the library of {account.title},"
        " and could not be looked up: The service of"
    )
    assert text.endswith("With IDs no lookup is needed")
    answer = await act("mark_watched", type="movie", ids={"imdb": movie.ids["imdb"]})
    assert answer["accounts"][0]["result"] == "queued"


async def test_an_account_that_can_not_search(
    account: MockConfigEntry, trakt: Trakt, refusal: Refusal
) -> None:
    coordinator = coordinator_of(account)
    owner = coordinator.data.library.account
    coordinator.data = replace(
        coordinator.data,
        library=replace(
            coordinator.data.library,
            account=replace(owner, can=owner.can & ~Capability.SEARCH),
        ),
    )
    trakt.requests.clear()
    movie = trakt.catalogue.movies[-1]
    assert "knows no movie or show called" in await refusal(
        "mark_watched", title=movie.title
    )
    assert not trakt.requests


async def test_what_is_being_watched_is_known(
    account: MockConfigEntry, trakt: Trakt, act: Act
) -> None:
    """A name with its year, too, and whatever else the library holds."""
    movie = trakt.catalogue.movies[-1]
    trakt.play(movie=int(movie.ids["trakt"]))
    await coordinator_of(account).async_refresh()
    trakt.requests.clear()
    answer = await act("rate", title=movie.title, rating=8)
    assert answer["accounts"][0]["result"] == "done"
    assert not trakt.count("GET /search")
    other = trakt.catalogue.movies[-2]
    answer = await act("rate", title=f"{other.title} ({other.year})", rating=8)
    assert answer["accounts"][0]["result"] == "done"
    assert trakt.count("GET /search") == 1


async def test_a_text_that_lacks_a_value(account: MockConfigEntry) -> None:
    """It is shown as it is rather than not at all."""
    coordinator = coordinator_of(account)
    assert "{seconds}" in await text_of(coordinator, "rate_limited")
    assert await text_of(coordinator, "no_such_text") == "no_such_text"


# names, by themselves -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        ("Shōgun", "shogun", True),
        ("Amélie", "AMELIE", True),
        ("S.W.A.T.", "SWAT", True),
        ("Schitt\u2019s Creek", "Schitts Creek", True),
        ("The Fast & the Furious", "The Fast and the Furious", True),
        ("Spider-Man: No Way Home", "Spider Man No Way Home", True),
        ("기생충", "기생충", True),
        ("Черное зеркало", "Чёрное зеркало", True),
        ("*batteries not included", "batteries not included", True),
        ("???", "!!!", False),
        ("Rocky", "Rocky V", False),
        ("House", "House of Cards", False),
        ("Stranger Things", "Stranger Thing", False),
    ],
)
def test_names(one: str, other: str, equal: bool) -> None:
    assert (lookup.normalised(one) == lookup.normalised(other)) is equal


def test_names_of_two_languages() -> None:
    """KinoPub writes both: either will do."""
    show = Show(title="Черное зеркало / Black Mirror", year=2011)
    for name in ("Black Mirror", "чёрное зеркало", "Черное зеркало / Black Mirror"):
        assert lookup.named([show], name, None) == [show]
    assert lookup.named([show], "Black", None) == []


def test_years() -> None:
    """The exact year wins over its neighbours; a title of unknown year is of no given year."""
    titles = [Movie(title="Battlestar", year=year) for year in (1978, 2003, 2004, None)]
    assert lookup.named(titles, "battlestar", 2003) == [titles[1]]
    assert lookup.named(titles, "battlestar", 2005) == [titles[2]]
    assert lookup.named(titles, "battlestar", 1990) == []
    assert lookup.named(titles, "battlestar", None) == titles
    assert lookup.split_year("Dune (2021)") == ("Dune", 2021)
    assert lookup.split_year("(2021)") == ("(2021)", None)
