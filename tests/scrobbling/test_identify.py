"""From what a player says to the item: the order of evidence, what may be scrobbled unasked, what is remembered."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from hypothesis import given, strategies as st
from mashumaro.codecs.orjson import ORJSONDecoder, ORJSONEncoder
import pytest

from custom_components.up_next.media import Episode, Ids, Movie, Show
from custom_components.up_next.scrobbling.identify import (
    CatalogueUnavailable,
    Certainty,
    Decision,
    Identification,
    Method,
    choose,
    identify,
)
from custom_components.up_next.scrobbling.observation import Ignored, Media, MediaKind

from .catalogues import (
    BREAKING_BAD,
    HEAT,
    THE_HEAT,
    FakeCatalogue,
    FakeDecisions,
    breaking_bad,
    detail_of,
    run,
)

HEAT_1986 = Movie(title="Heat", year=1986, runtime=6060, ids=Ids.of(tmdb=31650))
TITAN = Show(title="Attack on Titan", year=2013, anime=True, ids=Ids.of(tmdb=1429))
FILM = Media(kind=MediaKind.MOVIE, title="Heat", source="jellyfin", titled_well=True)
EPISODE = Media(
    kind=MediaKind.EPISODE,
    title="Cat's in the Bag...",
    series="Breaking Bad",
    season=1,
    episode=2,
    source="jellyfin",
    titled_well=True,
)


@pytest.fixture
def catalogue() -> FakeCatalogue:
    return FakeCatalogue(
        all=[THE_HEAT, HEAT_1986, HEAT, BREAKING_BAD, TITAN],
        details={
            BREAKING_BAD: breaking_bad(),
            TITAN: detail_of(TITAN, {0: 5, 1: 25, 2: 12, 3: 22, 4: 28}),
        },
    )


@pytest.fixture
def decisions() -> FakeDecisions:
    return FakeDecisions()


class Asker:
    """Identifies with one catalogue and one memory."""

    def __init__(self, catalogue: FakeCatalogue, decisions: FakeDecisions) -> None:
        self.catalogue = catalogue
        self.decisions = decisions

    async def __call__(
        self, media: Media, duration: float | None = None
    ) -> Identification:
        return await identify(media, duration, self.catalogue, self.decisions, run)


@pytest.fixture
def ask(catalogue: FakeCatalogue, decisions: FakeDecisions) -> Asker:
    return Asker(catalogue, decisions)


# by name ----------------------------------------------------------------------------------------------------------


async def test_an_episode_by_search(ask: Asker) -> None:
    found = await ask(EPISODE, 2895)
    assert found.certainty is Certainty.SURE
    assert found.method is Method.SEARCH
    assert found.unasked
    (item,) = found.items
    assert isinstance(item, Episode)
    assert item.ids == Ids.of(imdb="tt1054724", tmdb=62086, tvdb=349235)
    assert found.runtime == 2880
    assert found.duration == 2895
    assert found.candidates == (BREAKING_BAD,)
    assert found.score is not None
    assert found.score > 72
    assert ask.catalogue.requests == [
        ("search", "Breaking Bad", ""),
        ("detail", "Breaking Bad"),
    ]


async def test_a_film_by_search(ask: Asker) -> None:
    """Of three films, the one of this very name that is as long."""
    found = await ask(FILM, 10212)
    assert found.items == (HEAT,)
    assert found.certainty is Certainty.SURE
    assert found.unasked
    assert found.runtime == HEAT.runtime
    assert found.candidates[0] == HEAT
    assert HEAT_1986 in found.candidates


async def test_without_a_runtime_two_films_are_two(ask: Asker) -> None:
    found = await ask(FILM, None)
    assert found.certainty is Certainty.AMBIGUOUS
    assert found.items == ()
    assert not found.unasked
    assert {HEAT, HEAT_1986} <= set(found.candidates)


async def test_only_well_titled_players_need_no_asking(ask: Asker) -> None:
    for media, duration in ((FILM, 10212), (EPISODE, 2895)):
        found = await ask(replace(media, titled_well=False, source="cast"), duration)
        assert found.certainty is Certainty.SURE
        assert found.items
        assert not found.unasked


@pytest.mark.parametrize(
    ("duration", "unasked"),
    [(10200, True), (10590, True), (10620, False), (9800, True), (9780, False)],
)
async def test_a_film_agrees_within_4_percent(
    catalogue: FakeCatalogue, duration: int, unasked: bool
) -> None:
    catalogue.all = [HEAT]
    found = await identify(
        replace(FILM, year=1995), duration, catalogue, FakeDecisions(), run
    )
    assert found.items == (HEAT,)
    assert found.unasked is unasked


async def test_only_the_exact_name_needs_no_asking(ask: Asker) -> None:
    ask.catalogue.all = [THE_HEAT]
    found = await ask(replace(FILM, title="Heatt, The"), THE_HEAT.runtime)
    assert not found.unasked


async def test_an_episode_that_does_not_exist(ask: Asker) -> None:
    found = await ask(replace(EPISODE, season=9, episode=4), 2895)
    assert found.certainty is Certainty.NONE
    assert found.items == ()
    assert found.candidates == (BREAKING_BAD,)


async def test_a_show_that_nobody_can_read(ask: Asker) -> None:
    """The show is found, its episodes are not known: ask."""
    ask.catalogue.details = {}
    found = await ask(EPISODE, 2895)
    assert found.certainty is Certainty.SURE
    assert found.items == (Episode(show=BREAKING_BAD, season=1, number=2),)
    assert not found.unasked
    found = await ask(replace(EPISODE, season=2), 9000)
    assert found.certainty is Certainty.LIKELY


async def test_specials_are_a_season(ask: Asker) -> None:
    found = await ask(
        replace(EPISODE, series="Attack on Titan", season=0, episode=3, title="")
    )
    assert found.unasked
    assert [(i.season, i.number) for i in found.items if isinstance(i, Episode)] == [
        (0, 3)
    ]


async def test_several_episodes_in_a_file(ask: Asker) -> None:
    found = await ask(replace(EPISODE, last_episode=4, title=""), 3 * 2880)
    assert [i.number for i in found.items if isinstance(i, Episode)] == [2, 3, 4]
    assert found.runtime == 3 * 2880
    assert found.unasked
    too_many = await ask(replace(EPISODE, episode=6, last_episode=9))
    assert too_many.certainty is Certainty.AMBIGUOUS
    assert too_many.items == ()


async def test_counted_through_all_seasons(ask: Asker) -> None:
    """Anime is numbered so by many: offered, never taken for granted."""
    anime = replace(EPISODE, series="Attack on Titan", episode=60, title="")
    found = await ask(anime, 1440)
    assert found.certainty is Certainty.LIKELY
    assert not found.unasked
    (item,) = found.items
    assert isinstance(item, Episode)
    assert (item.season, item.number) == (4, 1)
    without_season = replace(anime, season=None, episode=26)
    found = await ask(without_season, 1440)
    assert found.certainty is Certainty.LIKELY
    (item,) = found.items
    assert isinstance(item, Episode)
    assert (item.season, item.number) == (2, 1)
    assert (await ask(replace(anime, episode=900), 1440)).items == ()


async def test_an_episode_by_its_title(ask: Asker) -> None:
    """Some players tell the show and the title, but no numbers."""
    nameless = replace(EPISODE, season=None, episode=None)
    found = await ask(nameless, 2895)
    assert found.certainty is Certainty.LIKELY
    assert not found.unasked
    (item,) = found.items
    assert isinstance(item, Episode)
    assert (item.season, item.number) == (1, 2)
    other = await ask(replace(nameless, title="Some other"), 2895)
    assert other.certainty is Certainty.AMBIGUOUS
    assert other.items == ()


async def test_local_and_original_name(ask: Asker) -> None:
    film = replace(FILM, title="Схватка / Heat", titles=("Схватка", "Heat"))
    found = await ask(film, 10212)
    assert found.items == (HEAT,)
    assert found.unasked
    assert ask.catalogue.asked("search") == [("Heat", "")]


async def test_year_first(ask: Asker) -> None:
    found = await ask(replace(FILM, title="Heat", year=1995))
    assert found.items == (HEAT,)
    assert found.certainty is Certainty.SURE
    assert not found.unasked, "nothing says how long it is"
    assert ask.catalogue.asked("search") == [("Heat", "1995")]


async def test_a_year_that_databases_see_differently(ask: Asker) -> None:
    found = await ask(replace(FILM, year=1994), 10212)
    assert found.items == (HEAT,)
    assert ask.catalogue.asked("search") == [("Heat", "1994"), ("Heat", "")]


async def test_at_most_three_searches(ask: Asker) -> None:
    names = ("One / Two / Three / Four", "One", "Two", "Three", "Four")
    found = await ask(replace(FILM, title=names[0], titles=names[1:], year=2000))
    assert found.certainty is Certainty.NONE
    assert len(ask.catalogue.asked("search")) == 3


async def test_video_may_be_either(ask: Asker) -> None:
    video = replace(FILM, kind=MediaKind.VIDEO)
    assert (await ask(video, 10212)).items == (HEAT,)
    assert (await ask(replace(video, title="Breaking Bad"), 2895)).items == ()


async def test_nameless(ask: Asker) -> None:
    found = await ask(replace(FILM, title=""), 10212)
    assert found.certainty is Certainty.NONE
    assert ask.catalogue.requests == []


async def test_one_title_of_two_services(ask: Asker) -> None:
    """A title that two services know by different ids is one."""
    ask.catalogue.all = [HEAT, replace(HEAT, ids=Ids.of(kinopub=5))]
    found = await ask(FILM, 10212)
    assert found.items == (HEAT,)
    assert found.candidates == (HEAT,)


# the own library --------------------------------------------------------------------------------------------------


async def test_the_library_needs_no_search(ask: Asker) -> None:
    ask.catalogue.own = [THE_HEAT, HEAT, BREAKING_BAD]
    found = await ask(FILM, 10212)
    assert found.items == (HEAT,)
    assert found.method is Method.LIBRARY
    assert found.unasked
    assert ask.catalogue.requests == []
    ask.catalogue.near = {("Breaking Bad", 1, 2): breaking_bad().episodes[1].episode}
    found = await ask(EPISODE, 2895)
    assert found.items
    assert found.method is Method.LIBRARY
    assert found.unasked
    assert ask.catalogue.requests == []


async def test_the_library_reads_the_show(ask: Asker) -> None:
    ask.catalogue.own = [BREAKING_BAD]
    found = await ask(EPISODE, 2895)
    assert found.method is Method.LIBRARY
    assert found.unasked
    assert ask.catalogue.requests == [("detail", "Breaking Bad")]


async def test_a_remake_of_what_is_in_the_library(ask: Asker) -> None:
    """A title in the library is no proof that it is meant."""
    ask.catalogue.own = [HEAT_1986]
    found = await ask(FILM, 10212)
    assert found.items == (HEAT,)
    assert found.method is Method.SEARCH
    found = await ask(replace(FILM, content_id="other"))
    assert found.certainty is Certainty.AMBIGUOUS


async def test_a_name_like_one_in_the_library(ask: Asker) -> None:
    """As long as it is not the very name, others are looked for."""
    own = Movie(title="The Arrival", year=1996, runtime=6900, ids=Ids.of(tmdb=1))
    other = Movie(title="Arrival", year=2016, runtime=6960, ids=Ids.of(tmdb=2))
    ask.catalogue.own = [own]
    ask.catalogue.all = [own, other]
    found = await ask(replace(FILM, title="Arrival"), 6960)
    assert found.items != (own,)
    assert set(found.candidates) == {own, other}


async def test_the_wrong_remake_of_a_show(ask: Asker) -> None:
    """Both have the episode; its title tells which."""
    old = Show(title="Ghosts", year=2019, ids=Ids.of(tmdb=1))
    new = Show(title="Ghosts", year=2021, ids=Ids.of(tmdb=2))
    ask.catalogue.all = [old, new]
    ask.catalogue.own = [old]
    ask.catalogue.details = {
        old: detail_of(old, {1: ["Who Do You Think You Are?", "Gorilla War"]}),
        new: detail_of(new, {1: ["Pilot", "Hello!"]}),
    }
    told = replace(EPISODE, series="Ghosts", title="Hello!")
    found = await ask(told)
    assert found.items
    assert found.candidates[0] == new
    assert found.unasked
    untold = await ask(replace(told, content_id="other", title="", episode=1))
    assert untold.items
    assert untold.candidates[0] == old, "the one in the library has the episode"


# memory -----------------------------------------------------------------------------------------------------------


async def test_answers_are_remembered(ask: Asker) -> None:
    first = await ask(EPISODE, 2895)
    ask.catalogue.requests.clear()
    second = await ask(replace(EPISODE, source="plex"), 2895)
    assert second.items == first.items
    assert second.method is Method.CACHE
    assert second.unasked
    assert second.score == first.score
    assert ask.catalogue.requests == []
    assert ask.decisions.lasts == {EPISODE.signature: timedelta(days=180)}


async def test_memory_does_not_make_a_player_title_well(ask: Asker) -> None:
    assert (await ask(EPISODE, 2895)).unasked
    assert not (await ask(replace(EPISODE, titled_well=False), 2895)).unasked


async def test_a_film_agrees_each_time(ask: Asker) -> None:
    """A remembered film is not believed for one that is much longer or shorter."""
    assert (await ask(FILM, 10212)).unasked
    near = await ask(FILM, 10900)
    assert near.method is Method.CACHE
    assert not near.unasked
    assert (await ask(FILM, None)).method is Method.CACHE
    other = await ask(FILM, 6060)
    assert other.items == (HEAT_1986,)
    assert other.method is Method.SEARCH


async def test_what_was_not_sure_is_asked_again(ask: Asker) -> None:
    """Players often tell the duration late: what is ambiguous without it need not be so with it."""
    assert (await ask(FILM, None)).certainty is Certainty.AMBIGUOUS
    assert ask.decisions.lasts[FILM.signature] == timedelta(days=180)
    ask.catalogue.requests.clear()
    again = await ask(FILM, None)
    assert again.certainty is Certainty.AMBIGUOUS
    assert HEAT in again.candidates
    assert ask.catalogue.requests == []
    assert (await ask(FILM, 10212)).items == (HEAT,)


async def test_misses_are_remembered_for_a_day(ask: Asker) -> None:
    unknown = replace(FILM, title="Nobody knows this")
    assert (await ask(unknown)).certainty is Certainty.NONE
    assert ask.decisions.lasts == {unknown.signature: timedelta(hours=24)}
    ask.catalogue.requests.clear()
    assert (await ask(unknown)).certainty is Certainty.NONE
    assert ask.catalogue.requests == []


async def test_trouble_is_not_remembered(ask: Asker) -> None:
    ask.catalogue.down = True
    with pytest.raises(CatalogueUnavailable):
        await ask(EPISODE, 2895)
    assert ask.decisions.kept == {}
    ask.catalogue.down = False
    assert (await ask(EPISODE, 2895)).unasked


async def test_decisions_can_be_stored(ask: Asker) -> None:
    await ask(EPISODE, 2895)
    await ask(FILM, 10212)
    for decision in ask.decisions.kept.values():
        stored = ORJSONEncoder(Decision).encode(decision)
        assert ORJSONDecoder(Decision).decode(stored) == decision


# the user's word --------------------------------------------------------------------------------------------------


async def test_a_correction_is_final(ask: Asker) -> None:
    ask.decisions.kept[FILM.signature] = Decision(by_person=True, items=(HEAT_1986,))
    found = await ask(FILM, 10212)
    assert found.items == (HEAT_1986,)
    assert found.method is Method.CORRECTION
    assert found.certainty is Certainty.SURE
    assert found.unasked
    assert ask.catalogue.requests == []


async def test_a_correction_beats_the_ids_of_the_very_same_item(ask: Asker) -> None:
    wrong = replace(FILM, ids=Ids.of(tmdb=31650), source="kodi")
    ask.decisions.kept[wrong.signature] = Decision(by_person=True, items=(HEAT,))
    assert (await ask(wrong, 10212)).items == (HEAT,)


async def test_a_correction_of_a_name_does_not_touch_ids(ask: Asker) -> None:
    ask.decisions.kept[FILM.signature] = Decision(by_person=True, items=(HEAT_1986,))
    found = await ask(replace(FILM, source="kodi", ids=Ids.of(tmdb=949)), 10212)
    assert found.items == (HEAT,)
    assert found.method is Method.IDS


async def test_the_word_that_it_is_nothing(ask: Asker) -> None:
    ask.decisions.kept[FILM.signature] = Decision(by_person=True)
    found = await ask(FILM, 10212)
    assert (found.items, found.certainty) == ((), Certainty.NONE)
    assert found.method is Method.CORRECTION
    assert not found.unasked


async def test_a_correction_of_a_whole_show(ask: Asker) -> None:
    """Episodes are found by the player's numbers and the shifts, whatever the player calls the show."""
    other = replace(EPISODE, series="BB", season=11, episode=1, titled_well=False)
    ask.decisions.kept[other.show_signature] = Decision(
        by_person=True, show=BREAKING_BAD, season_shift=-10, shift=1
    )
    found = await ask(other, 2895)
    (item,) = found.items
    assert isinstance(item, Episode)
    assert (item.show, item.season, item.number) == (BREAKING_BAD, 1, 2)
    assert found.method is Method.CORRECTION
    assert found.unasked
    assert other.signature not in ask.decisions.kept, "the next word on it must count"
    missing = await ask(replace(other, season=30))
    assert missing.items == ()
    assert missing.certainty is Certainty.AMBIGUOUS
    assert missing.candidates == (BREAKING_BAD,)
    assert not missing.unasked


async def test_choosing(catalogue: FakeCatalogue) -> None:
    found = await choose(FILM, HEAT_1986, catalogue, run)
    assert found.items == (HEAT_1986,)
    found = await choose(EPISODE, BREAKING_BAD, catalogue, run)
    assert [i.number for i in found.items if isinstance(i, Episode)] == [2]
    assert found.unasked
    found = await choose(EPISODE, BREAKING_BAD, catalogue, run, season_shift=5)
    assert found.items == ()
    found = await choose(EPISODE, BREAKING_BAD, catalogue, run, shift=-3)
    assert found.items == ()
    file = Media(kind=MediaKind.VIDEO, title="BB.S01E02.1080p.mkv", file=True)
    found = await choose(file, BREAKING_BAD, catalogue, run)
    assert [i.number for i in found.items if isinstance(i, Episode)] == [2]
    anime = replace(EPISODE, series="AoT", episode=60)
    found = await choose(anime, TITAN, catalogue, run)
    assert [(i.season, i.number) for i in found.items if isinstance(i, Episode)] == [
        (4, 1)
    ]


# files, clips -----------------------------------------------------------------------------------------------------


async def test_file_names(ask: Asker) -> None:
    file = Media(
        kind=MediaKind.VIDEO,
        title="Breaking.Bad.S01E02.1080p.WEB-DL.mkv",
        source="dlna_dmr",
        file=True,
    )
    found = await ask(file, 2895)
    assert [i.number for i in found.items if isinstance(i, Episode)] == [2]
    assert found.signature == file.signature
    assert found.show_signature == "show|breaking bad|"
    assert found.media.series == "Breaking Bad"
    assert not found.unasked
    ask.decisions.kept[found.show_signature] = Decision(by_person=True, show=TITAN)
    found = await ask(file, 2895)
    assert found.candidates == (TITAN,)
    with_ids = replace(file, title="Heat (1995) {tmdb-949}.mkv")
    found = await ask(with_ids, 10212)
    assert found.items == (HEAT,)
    assert found.method is Method.IDS


async def test_trailers_in_files(ask: Asker) -> None:
    found = await ask(
        Media(kind=MediaKind.VIDEO, title="Heat (1995)-trailer.mkv", file=True), 400
    )
    assert found.ignored is Ignored.NOT_VIDEO
    assert found.items == ()
    assert ask.catalogue.requests == []


async def test_too_short(ask: Asker) -> None:
    """Without a known runtime, a few minutes are a clip, not an episode."""
    ask.catalogue.all = [replace(BREAKING_BAD, runtime=None)]
    ask.catalogue.details = {
        BREAKING_BAD: detail_of(replace(BREAKING_BAD, runtime=None), {1: 7})
    }
    found = await ask(EPISODE, 240)
    assert found.ignored is Ignored.TOO_SHORT
    assert not found.unasked
    assert (await ask(EPISODE, 2895)).ignored is None
    with_ids = replace(EPISODE, source="kodi", ids=Ids.of(tmdb=1))
    assert (await ask(with_ids, 240)).ignored is None
    assert (await ask(with_ids, 100)).ignored is Ignored.TOO_SHORT
    ask.decisions.kept[with_ids.signature] = Decision(by_person=True, items=(HEAT,))
    assert (await ask(with_ids, 100)).ignored is None, "a person said what it is"
    short = replace(HEAT, title="Short", runtime=240)
    ask.catalogue.all = [short]
    assert (await ask(replace(FILM, title="Short"), 240)).ignored is None


# limits -----------------------------------------------------------------------------------------------------------


async def test_at_most_four_shows_are_read(ask: Asker) -> None:
    """Of many shows of one name, only the first few are read whole."""
    shows = [
        Show(title="Ghosts", year=2000 + year, ids=Ids.of(tmdb=year + 1))
        for year in range(0, 18, 3)
    ]
    ask.catalogue.all = shows
    ask.catalogue.details = {show: detail_of(show, {1: 1}) for show in shows}
    found = await ask(replace(EPISODE, series="Ghosts", title=""))
    assert len(ask.catalogue.asked("detail")) == 4
    assert found.certainty is Certainty.AMBIGUOUS
    assert len(found.candidates) == 6


NAMES = st.sampled_from(
    ["Heat", "The Heat", "Breaking Bad", "Attack on Titan", "Nobody", "", "Heat (1995)"]
)
MEDIA = st.builds(
    Media,
    kind=st.sampled_from(MediaKind),
    title=NAMES,
    series=NAMES,
    season=st.none() | st.integers(0, 3),
    episode=st.none() | st.integers(0, 30),
    last_episode=st.none() | st.integers(0, 5),
    year=st.sampled_from([None, 1995, 2008]),
    ids=st.sampled_from([Ids(), Ids.of(tmdb=949), Ids.of(tvdb=349235), Ids.of(tmdb=7)]),
    show_ids=st.sampled_from([Ids(), Ids.of(tvdb=81189), Ids.of(tvdb=5)]),
    titled_well=st.booleans(),
    file=st.booleans(),
)


@given(MEDIA, st.sampled_from([None, 100.0, 2880.0, 10200.0]), st.booleans())
async def test_whatever_is_reported(
    media: Media, duration: float | None, down: bool
) -> None:
    """What goes unasked is sure, what is not sure has no items, and the second time nothing is asked."""
    catalogue = FakeCatalogue(
        all=[HEAT_1986, HEAT, BREAKING_BAD, TITAN],
        details={
            BREAKING_BAD: breaking_bad(),
            TITAN: detail_of(TITAN, {0: 5, 1: 25, 2: 12}),
        },
        down=down,
    )
    decisions = FakeDecisions()
    try:
        found = await identify(media, duration, catalogue, decisions, run)
    except CatalogueUnavailable:
        assert down
        assert not decisions.kept
        return
    assert found.signature == media.signature
    assert found.duration == duration
    if found.unasked:
        assert found.certainty is Certainty.SURE
        assert found.items
        assert media.titled_well or found.method is Method.IDS
    if found.certainty in (Certainty.NONE, Certainty.AMBIGUOUS):
        assert not found.items
    else:
        assert found.items
        assert found.candidates
    again = await identify(media, duration, catalogue, decisions, run)
    assert (again.items, again.certainty, again.unasked) == (
        found.items,
        found.certainty,
        found.unasked,
    )
