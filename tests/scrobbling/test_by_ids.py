"""Ids that players report: verified, not believed blindly, and good even when nobody knows them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from custom_components.up_next.media import Episode, Ids, Movie, Show
from custom_components.up_next.scrobbling.identify import (
    CatalogueUnavailable,
    Certainty,
    Identification,
    Method,
    identify,
)
from custom_components.up_next.scrobbling.observation import Media, MediaKind

from .catalogues import (
    BREAKING_BAD,
    HEAT,
    FakeCatalogue,
    FakeDecisions,
    breaking_bad,
    detail_of,
    run,
)

FILM = Media(kind=MediaKind.MOVIE, title="Heat", source="kodi", ids=Ids.of(tmdb=949))
OTHER = Show(title="Breaking Bed", year=2012, ids=Ids.of(tmdb=62086))
"""Its id is that of an episode of Breaking Bad, in another of the service's lists."""
EPISODE = Media(
    kind=MediaKind.EPISODE,
    title="Cat's in the Bag...",
    series="Breaking Bad",
    season=1,
    episode=2,
    source="kodi",
    ids=Ids.of(tmdb=62086, tvdb=349235),
)
NAMED = replace(EPISODE, ids=Ids(), show_ids=Ids.of(tvdb=81189))


@pytest.fixture
def catalogue() -> FakeCatalogue:
    return FakeCatalogue(
        all=[HEAT, OTHER, BREAKING_BAD], details={BREAKING_BAD: breaking_bad()}
    )


async def ask(
    catalogue: FakeCatalogue, media: Media, decisions: FakeDecisions | None = None
) -> Identification:
    found = await identify(media, None, catalogue, decisions or FakeDecisions(), run)
    if found.method is Method.IDS and found.certainty is Certainty.SURE:
        assert found.unasked
        assert found.items
    return found


def numbers(found: Identification) -> list[tuple[int, int]]:
    return [(i.season, i.number) for i in found.items if isinstance(i, Episode)]


# movies -----------------------------------------------------------------------------------------------------------


async def test_a_film(catalogue: FakeCatalogue) -> None:
    found = await ask(catalogue, replace(FILM, ids=Ids.of(tmdb=949, tvdb=222)))
    assert found.method is Method.IDS
    (item,) = found.items
    assert item.ids == Ids({**HEAT.ids.values, "tvdb": "222"})
    assert (item.runtime, found.runtime) == (HEAT.runtime, HEAT.runtime)
    assert found.candidates == (item,)


async def test_a_film_of_the_library(catalogue: FakeCatalogue) -> None:
    catalogue.own = [BREAKING_BAD, HEAT]
    found = await ask(catalogue, FILM)
    assert found.items == (HEAT,)
    assert catalogue.requests == []


async def test_answers_are_kept(catalogue: FakeCatalogue) -> None:
    decisions = FakeDecisions()
    first = await ask(catalogue, FILM, decisions)
    catalogue.requests.clear()
    assert (await ask(catalogue, FILM, decisions)).items == first.items
    assert catalogue.requests == []


async def test_a_film_that_nobody_knows(catalogue: FakeCatalogue) -> None:
    media = replace(FILM, title="Home video", year=2020, ids=Ids.of(tmdb=5))
    found = await ask(catalogue, media)
    assert found.items == (Movie(title="Home video", year=2020, ids=Ids.of(tmdb=5)),)
    assert found.certainty is Certainty.SURE
    assert found.runtime is None


async def test_a_film_while_nobody_can_be_asked(catalogue: FakeCatalogue) -> None:
    catalogue.down = True
    decisions = FakeDecisions()
    found = await ask(catalogue, FILM, decisions)
    assert found.items == (Movie(title="Heat", ids=Ids.of(tmdb=949)),)
    assert decisions.kept == {}


async def test_a_translated_name_is_no_objection(catalogue: FakeCatalogue) -> None:
    found = await ask(catalogue, replace(FILM, title="Схватка", year=1996))
    assert found.items == (HEAT,)
    assert found.method is Method.IDS


async def test_ids_of_another_film(catalogue: FakeCatalogue) -> None:
    """Name and year both say that the ids are wrong."""
    catalogue.own = [HEAT]
    found = await ask(catalogue, replace(FILM, title="Casablanca", year=1942))
    assert found.method is not Method.IDS
    assert found.items == ()


async def test_something_with_ids(catalogue: FakeCatalogue) -> None:
    """What is either a movie or an episode is what somebody knows by these ids."""
    video = replace(FILM, kind=MediaKind.VIDEO)
    assert (await ask(catalogue, video)).items == (HEAT,)
    episode = replace(video, title="Something", ids=Ids.of(tvdb=349235))
    assert numbers(await ask(catalogue, episode)) == [(1, 2)]
    nobody = replace(video, title="Something", ids=Ids.of(tvdb=5))
    assert (await ask(catalogue, nobody)).items == ()
    catalogue.down = True
    with pytest.raises(CatalogueUnavailable):
        await ask(catalogue, video)


# episodes ---------------------------------------------------------------------------------------------------------


async def test_an_episode(catalogue: FakeCatalogue) -> None:
    found = await ask(catalogue, EPISODE)
    assert numbers(found) == [(1, 2)]
    assert found.method is Method.IDS
    (item,) = found.items
    assert isinstance(item, Episode)
    assert item.show == BREAKING_BAD
    assert found.candidates == (BREAKING_BAD,)


async def test_an_episode_of_the_library(catalogue: FakeCatalogue) -> None:
    catalogue.own = [OTHER, BREAKING_BAD]
    catalogue.near = {("Breaking Bad", 1, 2): breaking_bad().episodes[1].episode}
    assert numbers(await ask(catalogue, EPISODE)) == [(1, 2)]
    assert catalogue.requests == []


async def test_ids_beat_numbers(catalogue: FakeCatalogue) -> None:
    """The order on a disc is not that of the broadcast."""
    found = await ask(catalogue, replace(EPISODE, episode=5))
    assert numbers(found) == [(1, 2)]
    found = await ask(
        catalogue, replace(EPISODE, episode=3, show_ids=Ids.of(tvdb=81189))
    )
    assert numbers(found) == [(1, 2)]


async def test_ids_of_an_episode_of_another_show(catalogue: FakeCatalogue) -> None:
    """Nothing but the ids speaks for it: they are somebody else's."""
    found = await ask(
        catalogue,
        replace(EPISODE, series="Silo", title="Freedom Day", season=1, episode=1),
    )
    assert found.method is not Method.IDS
    assert found.items == ()


async def test_ids_of_the_show_in_the_wrong_place(catalogue: FakeCatalogue) -> None:
    """Some add-ons give an episode the ids of its show."""
    found = await ask(catalogue, replace(EPISODE, ids=Ids.of(imdb="tt0903747")))
    assert numbers(found) == [(1, 2)]
    (item,) = found.items
    assert item.ids.get("imdb") == "tt1054724"
    assert isinstance(item, Episode)
    assert item.show == BREAKING_BAD


async def test_the_same_number_in_another_list(catalogue: FakeCatalogue) -> None:
    """A show that happens to have the number of the episode is not meant."""
    catalogue.details = {}
    found = await ask(catalogue, replace(EPISODE, ids=Ids.of(tmdb=62086)))
    assert found.method is not Method.IDS
    assert all(
        isinstance(item, Episode) and item.show == BREAKING_BAD for item in found.items
    )


async def test_an_episode_that_nobody_knows(catalogue: FakeCatalogue) -> None:
    media = replace(EPISODE, series="Unknown", ids=Ids.of(tvdb=77), year=2020)
    found = await ask(catalogue, media)
    assert found.items == (
        Episode(
            show=Show(title="Unknown", year=2020),
            season=1,
            number=2,
            title="Cat's in the Bag...",
            ids=Ids.of(tvdb=77),
        ),
    )
    assert found.certainty is Certainty.SURE


async def test_an_episode_while_nobody_can_be_asked(catalogue: FakeCatalogue) -> None:
    catalogue.down = True
    decisions = FakeDecisions()
    both = replace(EPISODE, show_ids=Ids.of(tvdb=81189), last_episode=3)
    found = await ask(catalogue, both, decisions)
    assert numbers(found) == [(1, 2), (1, 3)]
    assert [item.ids for item in found.items] == [EPISODE.ids, Ids()]
    assert decisions.kept == {}
    # nothing would name the second one
    assert numbers(await ask(catalogue, replace(EPISODE, last_episode=3))) == [(1, 2)]
    with pytest.raises(CatalogueUnavailable):
        await ask(catalogue, replace(EPISODE, episode=None))


async def test_ids_of_the_show(catalogue: FakeCatalogue) -> None:
    found = await ask(catalogue, NAMED)
    assert numbers(found) == [(1, 2)]
    assert found.method is Method.IDS
    catalogue.own = [BREAKING_BAD]
    catalogue.requests.clear()
    assert numbers(await ask(catalogue, NAMED)) == [(1, 2)]
    assert catalogue.asked("by_ids") == []


async def test_a_show_that_nobody_knows(catalogue: FakeCatalogue) -> None:
    found = await ask(
        catalogue, replace(NAMED, series="Unknown", show_ids=Ids.of(tvdb=5))
    )
    assert found.items == (
        Episode(
            show=Show(title="Unknown", ids=Ids.of(tvdb=5)),
            season=1,
            number=2,
            title="Cat's in the Bag...",
        ),
    )


async def test_a_show_that_nobody_can_read(catalogue: FakeCatalogue) -> None:
    catalogue.details = {}
    found = await ask(catalogue, replace(NAMED, ids=Ids.of(tvdb=77)))
    (item,) = found.items
    assert isinstance(item, Episode)
    assert item.show.ids == BREAKING_BAD.ids
    assert item.ids == Ids.of(tvdb=77)


async def test_a_show_without_that_episode(catalogue: FakeCatalogue) -> None:
    """The show is sure: another of that name is not looked for."""
    remake = Show(title="Breaking Bad", year=2030, ids=Ids.of(tmdb=9))
    catalogue.all = [*catalogue.all, remake]
    catalogue.details = {
        **catalogue.details,
        remake: detail_of(remake, {9: 9}),
    }
    found = await ask(catalogue, replace(NAMED, season=9, episode=9))
    assert found.items == ()
    assert found.certainty is Certainty.AMBIGUOUS
    assert [show.title for show in found.candidates] == ["Breaking Bad"]
    assert found.candidates[0].ids.get("tvdb") == "81189"
    assert not found.unasked
    # its own ids name it even so
    found = await ask(
        catalogue, replace(NAMED, season=9, episode=9, ids=Ids.of(tvdb=77))
    )
    assert numbers(found) == [(9, 9)]


async def test_numbers_through_all_seasons(catalogue: FakeCatalogue) -> None:
    found = await ask(catalogue, replace(NAMED, episode=10))
    assert numbers(found) == [(2, 3)]
    assert found.certainty is Certainty.LIKELY
    assert not found.unasked


async def test_several_episodes_in_a_file(catalogue: FakeCatalogue) -> None:
    found = await ask(catalogue, replace(EPISODE, last_episode=3))
    assert numbers(found) == [(1, 2), (1, 3)]
    assert [item.ids.get("tvdb") for item in found.items] == ["349235", "349238"]
    found = await ask(catalogue, replace(NAMED, last_episode=3))
    assert numbers(found) == [(1, 2), (1, 3)]


async def test_only_the_show_is_named(catalogue: FakeCatalogue) -> None:
    found = await ask(catalogue, replace(NAMED, season=None, episode=None))
    assert numbers(found) == [(1, 2)], "by the title of the episode"
    assert found.certainty is Certainty.LIKELY
