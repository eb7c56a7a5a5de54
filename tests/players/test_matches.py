"""What is remembered about titles: answers, a person's word, and what waits for it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from custom_components.up_next.media import Episode, Ids, Movie, Show
from custom_components.up_next.players.deciding import Word, async_forget, async_resolve
from custom_components.up_next.players.matches import offered, reported, waiting_play
from custom_components.up_next.scrobbling.calls import Call
from custom_components.up_next.scrobbling.identify import (
    CatalogueUnavailable,
    Certainty,
    Decision,
    Identification,
    Method,
)
from custom_components.up_next.scrobbling.observation import Media, MediaKind
from custom_components.up_next.writes import ScrobbleAction
from homeassistant.util import dt as dt_util
from simulators.service import Fault
from simulators.trakt import Trakt

from ..couch import Couch, Evening, episode_of, movie_of, plays_of, twins

FILM = Media(kind=MediaKind.MOVIE, title="Dune")
SHOW = Show(title="Silo", ids=Ids.of(tmdb=125988))


@pytest.mark.parametrize(
    ("media", "said"),
    [
        (FILM, "Dune"),
        (replace(FILM, year=2021), "Dune (2021)"),
        (
            Media(
                kind=MediaKind.EPISODE,
                series="Silo",
                season=1,
                episode=2,
                title="Holston's Pick",
            ),
            "Silo S01E02 - Holston's Pick",
        ),
        (
            Media(
                kind=MediaKind.EPISODE,
                series="Silo",
                season=0,
                episode=2,
                last_episode=3,
            ),
            "Silo S00E02-E03",
        ),
        (
            Media(kind=MediaKind.EPISODE, series="One Piece", episode=1015),
            "One Piece E1015",
        ),
        (Media(kind=MediaKind.VIDEO, named="video|||"), "video|||"),
    ],
)
def test_what_a_player_says_for_people(media: Media, said: str) -> None:
    assert reported(media) == said


def test_what_is_offered() -> None:
    """What was found likely first, and nothing twice."""
    other = Show(title="Silos", ids=Ids.of(tmdb=2))
    episode = Episode(show=SHOW, season=1, number=1)
    found = Identification(
        media=FILM,
        items=(episode, replace(episode, number=2)),
        certainty=Certainty.LIKELY,
        candidates=(other, replace(SHOW, year=2023)),
    )
    assert offered(found) == (SHOW, other)
    movie = Movie(title="Dune")
    assert offered(Identification(media=FILM, candidates=(movie, other))) == (
        movie,
        other,
    )


def test_what_waits() -> None:
    """Only what was watched to its end, and of which something is known."""
    now = dt_util.utcnow()
    call = Call(
        action=ScrobbleAction.WATCHED,
        signature=FILM.signature,
        item=None,
        progress=95,
        position=None,
        duration=None,
        at=now,
        started_at=now,
        viewing="1",
        player="tv",
    )
    assert waiting_play("anna", call, None) is None
    known = waiting_play("anna", replace(call, media=FILM), None)
    assert known is not None
    assert known.looked_up is False
    found = Identification(media=replace(FILM, year=2021))
    play = waiting_play("anna", replace(call, media=FILM), found)
    assert play is not None
    assert (play.media.year, play.looked_up) == (2021, True)
    stopped = replace(call, media=FILM, action=ScrobbleAction.STOP)
    assert waiting_play("anna", stopped, found) is None


# decisions --------------------------------------------------------------------------------------------------------


async def test_answers_expire(couch: Couch) -> None:
    matches = couch.scrobbler.matches
    answer = Decision(items=(Movie(title="Dune"),), method=Method.SEARCH)
    await matches.remember("a", answer, timedelta(hours=1))
    assert matches.get("a") == answer
    await couch.later(3599)
    assert matches.get("a") == answer
    await couch.later(60)
    assert matches.get("a") is None
    await matches.remember("b", answer, timedelta(hours=1))
    await couch.later(7200)
    await couch.restart()
    assert couch.scrobbler.matches.get("b") is None


async def test_a_persons_word_lasts(couch: Couch) -> None:
    matches = couch.scrobbler.matches
    word = Decision(items=(Movie(title="Dune"),), media=FILM)
    await matches.correct("a", word)
    await matches.correct("b", word)
    await matches.correct("a", replace(word, items=()))
    await matches.remember("b", Decision(method=Method.SEARCH), timedelta(days=180))
    await couch.later(60 * 86_400)
    await couch.restart()
    matches = couch.scrobbler.matches
    assert list(matches.corrections) == ["b", "a"]
    assert matches.corrections["b"] == replace(word, by_person=True)
    assert matches.media_of("b") == FILM
    assert matches.media_of("c") is None
    assert await matches.forget("b")
    assert not await matches.forget("b")
    await couch.restart()
    assert list(couch.scrobbler.matches.corrections) == ["a"]


async def test_forgetting_what_was_only_found(couch: Couch, trakt: Trakt) -> None:
    """An answer that was found can be forgotten, too: it is looked for anew."""
    old, _ = twins(trakt.catalogue)
    await couch.watch(movie_of(old, year=None))
    (title,) = couch.waiting
    assert await async_forget(couch.scrobbler, title.signature)
    assert [one.signature for one in couch.waiting] == [title.signature]
    # what was meant meanwhile is one of a kind
    old.title = "Drillinge"
    assert await async_forget(couch.scrobbler, title.signature)
    (title,) = couch.waiting
    assert title.candidates[0].title == "Zwillinge"
    assert [c.year for c in title.candidates if c.title == "Zwillinge"] == [2019]


async def test_a_word_that_was_given_before(couch: Couch, trakt: Trakt) -> None:
    """A play that comes to wait though a person has decided about its title meanwhile is sent by itself."""
    old, _ = twins(trakt.catalogue)
    couch.player.play(movie_of(old, year=None))
    await couch.until(lambda: couch.phase() == "needs_decision")
    await couch.look(old.runtime * 0.98)
    couch.player.stop()
    await couch.look(1)
    # the player is quiet, and its viewing not yet over
    movie = Movie(title=old.title, year=old.year, ids=Ids.of(trakt=old.ids["trakt"]))
    media = couch.scrobbler.media_of(next(iter(couch.entry.subentries)))
    assert media is not None
    await async_resolve(couch.scrobbler, media, Word(item=movie), move=True)
    await couch.until(lambda: plays_of(trakt, old), "it is sent")
    await couch.look(900)
    assert couch.issue is None
    assert len(plays_of(trakt, old)) == 1


async def test_a_word_while_nobody_can_be_asked(couch: Couch, trakt: Trakt) -> None:
    """Other titles of the show wait until they can be looked up; then they go without anybody."""
    show = trakt.catalogue.shows[1]
    one, two = [e for e in show.episodes if e.season == 1][:2]
    before = len(plays_of(trakt, two))
    for episode in (one, two):
        await couch.watch(episode_of(show, episode, season=7, title="?"))
    assert len(couch.waiting) == 2
    known = couch.waiting[0].candidates[0]
    assert isinstance(known, Show)
    word = Word(item=known, season_shift=-6)
    trakt.faults.append(Fault(kind="status", match=r"/shows/", times=99, status=503))
    await couch.later(120)
    with pytest.raises(CatalogueUnavailable):
        await async_resolve(couch.scrobbler, couch.waiting[0].media, word, move=True)
    trakt.faults.clear()
    await couch.until(lambda: len(couch.waiting) == 2)
    await async_resolve(couch.scrobbler, couch.waiting[0].media, word, move=True)
    await couch.until(lambda: not couch.waiting, "both are sent")
    await couch.until(lambda: len(plays_of(trakt, two)) == before + 1, "it is sent")


async def test_a_word_in_spite_of_ids(
    couch: Couch, trakt: Trakt, evening: Evening
) -> None:
    """Ids that are wrong in the person's own media library: the word on the show wins, and on that show only."""
    wrong, right, third = trakt.catalogue.shows[1:4]
    player = await couch.add("box", "stremio", evening.account)
    episode = next(e for e in right.episodes if (e.season, e.number) == (1, 2))
    before = len(plays_of(trakt, episode))

    def play(season: int, number: int, imdb: int | str) -> None:
        player.report(
            "playing",
            media_content_type="tvshow",
            media_title="Mixed up",
            media_duration=episode.runtime,
            media_position=0,
            media_position_updated_at=trakt.clock.now(),
            imdb_id=imdb,
            season=season,
            episode=number,
            type="series",
        )

    play(1, 1, wrong.ids["imdb"])
    await couch.until(lambda: couch.phase(player) == "playing")
    subentry = list(couch.entry.subentries)[1]
    media = couch.scrobbler.media_of(subentry)
    assert media is not None
    assert media.show_ids
    show = Show(title=right.title, ids=Ids.of(trakt=right.ids["trakt"]))
    await async_resolve(
        couch.scrobbler, media, Word(item=show), player=subentry, move=True
    )
    await couch.until(
        lambda: trakt.account.watching and trakt.account.watching.title is right,
        "what plays is told anew",
    )
    play(1, 2, wrong.ids["imdb"])
    await couch.look(episode.runtime * 0.98)
    player.stop()
    await couch.look(60)
    await couch.until(lambda: len(plays_of(trakt, episode)) == before + 1)
    # another show of this name, with other ids, is another show
    play(1, 3, third.ids["imdb"])
    await couch.look(60)
    assert trakt.account.watching is not None
    assert trakt.account.watching.title is third
