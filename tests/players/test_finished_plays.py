"""Plays that were counted already: given to what was really watched, taken back, and counted anew."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from custom_components.up_next.media import Ids, Movie
from custom_components.up_next.players import finished_plays
from custom_components.up_next.players.deciding import Word, async_resolve
from custom_components.up_next.players.store import CountedPlay
from custom_components.up_next.writes import (
    MarkWatched,
    Outcome,
    Scrobble,
    ScrobbleAction,
    supersedes,
)
from simulators.catalogue import CatalogueMovie
from simulators.kinopub import KinoPub
from simulators.service import Fault
from simulators.simkl import Simkl
from simulators.trakt import Trakt
from simulators.trakt_v1 import TraktV1

from ..accounts import coordinator_of
from ..conftest import AddAccount, Serve
from ..couch import Couch, Evening, episode_of, movie_of, plays_of
from ..home import Player, next_episode


def known(entry: CatalogueMovie) -> Movie:
    """Return a movie by its ids."""
    return Movie(
        title=entry.title,
        year=entry.year,
        runtime=entry.runtime,
        ids=Ids.of(trakt=entry.ids["trakt"], imdb=entry.ids["imdb"]),
    )


async def correct(couch: Couch, player: Player, item: Movie | None) -> int:
    """Say what a player played last."""
    subentry = list(couch.entry.subentries)[couch.players.index(player)]
    media = couch.scrobbler.media_of(subentry)
    assert media is not None
    word = Word(item=item)
    decided = await couch.wait_for(
        async_resolve(couch.scrobbler, media, word, player=subentry, move=True)
    )
    return decided.moved


def counted(couch: Couch) -> list[CountedPlay]:
    """Return what accounts have counted."""
    return [
        play
        for play in couch.scrobbler.history.newest()
        if not play.audience.startswith("player:")
    ]


async def test_moving(couch: Couch, trakt: Trakt, plex: Player) -> None:
    wrong, right = trakt.catalogue.movies[-2:]
    await couch.watch(movie_of(wrong), player=plex)
    await couch.until(lambda: plays_of(trakt, wrong), "it is counted")
    watched = plays_of(trakt, wrong)
    await couch.later(7200)
    assert await correct(couch, plex, known(right)) == 1
    await couch.until(lambda: plays_of(trakt, right) == watched, "it is moved")
    assert not plays_of(trakt, wrong)
    await couch.until(lambda: counted(couch)[0].play_ids, "the new play has its id")
    (play,) = counted(couch)
    assert play.item is not None
    assert play.item.title == right.title

    # moved on once more, by the id that it has now
    assert await correct(couch, plex, known(wrong)) == 1
    await couch.until(lambda: plays_of(trakt, wrong) == watched, "it is moved back")
    assert not plays_of(trakt, right)
    # there is nothing left to correct
    assert await correct(couch, plex, known(wrong)) == 0
    await couch.look(60)
    assert len(plays_of(trakt, wrong)) == 1


async def test_taking_back(couch: Couch, trakt: Trakt, plex: Player) -> None:
    movie = trakt.catalogue.movies[-1]
    earlier = trakt.account.add_play(movie, None, trakt.clock.now())
    await couch.later(10 * 86_400)
    await couch.watch(movie_of(movie), player=plex)
    await couch.until(lambda: len(plays_of(trakt, movie)) == 2, "it is counted")
    assert await correct(couch, plex, None) == 1
    await couch.until(lambda: len(plays_of(trakt, movie)) == 1, "it is taken back")
    assert plays_of(trakt, movie) == [earlier.at]
    assert not couch.scrobbler.history.newest()
    await couch.restart()
    assert not couch.scrobbler.history.newest()


async def test_what_is_on_its_way(couch: Couch, trakt: Trakt, plex: Player) -> None:
    """The service is down: what was counted wrongly and its correction reach it in the right order."""
    wrong, right = trakt.catalogue.movies[-2:]
    plex.play(movie_of(wrong))
    await couch.until(lambda: couch.phase(plex) == "playing")
    trakt.faults.append(Fault(kind="reset", match="POST", times=9999))
    await couch.look(wrong.runtime * 0.98)
    plex.stop()
    stopped = trakt.clock.now()
    await couch.look(60)
    assert not plays_of(trakt, wrong)
    assert await correct(couch, plex, known(right)) == 1
    await couch.later(3 * 3600)
    trakt.faults.clear()
    await couch.look(8 * 3600)
    assert not plays_of(trakt, wrong)
    (at,) = plays_of(trakt, right)
    assert abs((at - stopped).total_seconds()) < 120


def test_late_news_do_not_drop_what_plays() -> None:
    """A play of yesterday that is sent now says nothing of what began meanwhile."""
    now = datetime.now(UTC)
    start = Scrobble(
        item=Movie(title="Dune"),
        action=ScrobbleAction.START,
        at=now,
        viewing="1",
        started_at=now,
    )
    late = replace(
        start,
        action=ScrobbleAction.WATCHED,
        at=now - timedelta(days=1),
        viewing="2",
    )
    assert not supersedes(late, start)
    assert supersedes(replace(late, at=now + timedelta(hours=2)), start)


async def test_an_account_that_is_not_running(
    couch: Couch, trakt: Trakt, plex: Player, evening: Evening
) -> None:
    """It hears of the correction when it is back."""
    wrong, right = trakt.catalogue.movies[-2:]
    await couch.watch(movie_of(wrong), player=plex)
    await couch.until(lambda: plays_of(trakt, wrong), "it is counted")
    entries = couch.hass.config_entries
    assert await entries.async_unload(evening.account.entry_id)
    assert await correct(couch, plex, known(right)) == 1
    await couch.look(60)
    assert plays_of(trakt, wrong)
    assert await entries.async_setup(evening.account.entry_id)
    await couch.until(lambda: plays_of(trakt, right), "it is moved")
    assert not plays_of(trakt, wrong)


async def test_an_account_that_was_removed(
    couch: Couch, trakt: Trakt, plex: Player, evening: Evening
) -> None:
    wrong, right = trakt.catalogue.movies[-2:]
    await couch.watch(movie_of(wrong), player=plex)
    await couch.until(lambda: plays_of(trakt, wrong), "it is counted")
    await couch.hass.config_entries.async_remove(evening.account.entry_id)
    assert await correct(couch, plex, known(right)) == 0
    await couch.look(60)
    assert plays_of(trakt, wrong)
    assert not plays_of(trakt, right)


async def test_a_play_that_was_refused(
    couch: Couch, trakt: Trakt, plex: Player, evening: Evening
) -> None:
    """The service does not know what it was taken for: the correction leaves nothing to be decided."""
    right, wrong = trakt.catalogue.movies[-2:]
    plex.play(movie_of(wrong))
    await couch.until(lambda: couch.phase(plex) == "playing")
    for entry in (trakt.catalogue.movies, trakt.catalogue._by_id):
        entry.clear() if isinstance(entry, list) else None
    trakt.catalogue._by_id.clear()
    await couch.look(wrong.runtime * 0.98)
    plex.stop()
    outbox = coordinator_of(evening.account).outbox
    await couch.until(lambda: outbox.failed, "it is refused")
    trakt.catalogue.movies.append(right)
    for namespace, value in right.ids.items():
        trakt.catalogue._by_id["movie", namespace, str(value)] = right
    assert await correct(couch, plex, known(right)) == 1
    assert not outbox.failed
    await couch.until(lambda: plays_of(trakt, right), "it is sent")


async def test_a_service_that_added_nothing(
    couch: Couch, trakt: Trakt, plex: Player
) -> None:
    """What was there before is not taken away with what was not added."""
    wrong, right = trakt.catalogue.movies[-2:]
    await couch.watch(movie_of(wrong), player=plex)
    await couch.until(lambda: counted(couch)[0].added, "it is counted")
    (play,) = counted(couch)
    couch.scrobbler.history.replace(replace(play, added=False, play_ids=()))
    assert await correct(couch, plex, known(right)) == 1
    await couch.until(lambda: plays_of(trakt, right), "the right one is sent")
    assert plays_of(trakt, wrong)


async def test_a_service_without_single_plays(
    couch: Couch, serve: Serve, add_account: AddAccount
) -> None:
    service: TraktV1 = await serve(TraktV1, movies=40)
    account = await add_account(service)
    player = await couch.add("kodi", "jellyfin", account)
    wrong, right = service.catalogue.movies[-2:]
    await couch.watch(movie_of(wrong, year=None), player=player)
    if couch.waiting:
        media, word = couch.waiting[0].media, Word(item=known(wrong))
        await async_resolve(couch.scrobbler, media, word, move=True)
    await couch.until(
        lambda: counted(couch) and counted(couch)[0].added, "it is counted"
    )
    before = service.state()
    assert await correct(couch, player, known(right)) == 1
    await couch.until(
        lambda: any("unseen" in r.path for r in service.requests),
        "the mark is taken back",
    )
    await couch.look(60)
    assert service.state()["plays"] == before["plays"]


# services that hold one mark for all viewings -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", [Simkl, KinoPub])
@pytest.mark.parametrize("fault", ["status", "reset", "lost", None])
async def test_an_earlier_mark_stays(
    couch: Couch,
    serve: Serve,
    add_account: AddAccount,
    kind: type[Simkl | KinoPub],
    fault: str | None,
) -> None:
    """Whether the play that is taken back was never sent, or nobody knows, or it changed nothing."""
    service = await serve(kind)
    service.pacing = False
    account = coordinator_of(await add_account(service))
    episode = next_episode(account.config_entry)
    player = await couch.add("bedroom", "plex", account.config_entry)
    mark = MarkWatched(item=episode, watched_at=service.clock.now())
    (receipt,) = await couch.wait_for(account.async_write([mark], 10))
    assert receipt is not None
    assert receipt.outcome is Outcome.DONE
    await couch.later(10 * 86_400)

    player.play(episode)
    await couch.until(lambda: couch.phase(player) == "playing")
    await couch.look((episode.runtime or 0) * 0.98)
    if fault is not None:
        service.faults.append(
            Fault(kind=fault, match="scrobble/stop|watching", times=999, status=503)
        )
    service.requests.clear()
    player.stop()
    await couch.look(20)
    assert service.requests
    assert await correct(couch, player, None) == 1
    service.faults.clear()
    await couch.look(7200)
    assert not account.outbox.pending
    assert not account.outbox.failed
    assert not couch.scrobbler.history.newest()
    page = await couch.wait_for(account.tracker.history(item=episode))
    assert len(page.items) == 1
    told = [(r.path, r.query.get("status")) for r in service.requests]
    assert ("/sync/history/remove", None) not in told
    assert ("/v1/watching/toggle", "0") not in told


# what is taken back by other ways ---------------------------------------------------------------------------------


async def watch_the_end(couch: Couch, player: Player, movie: CatalogueMovie) -> None:
    """Watch less than half, to the end: too little for a second viewing of what counts already."""
    item = movie_of(movie)
    player.play(item, movie.runtime * 0.7)
    await couch.look(movie.runtime * 0.29)
    player.stop()
    await couch.look(60)


@pytest.mark.parametrize("action", ["undo_play", "mark_unwatched"])
async def test_watched_again_it_counts_again(
    couch: Couch, trakt: Trakt, plex: Player, action: str
) -> None:
    movie = trakt.catalogue.movies[-1]
    await couch.watch(movie_of(movie), player=plex)
    await couch.until(lambda: plays_of(trakt, movie), "it is counted")
    await couch.look(600)
    await watch_the_end(couch, plex, movie)
    await couch.look(600)
    assert len(plays_of(trakt, movie)) == 1, "the end of it is no second viewing"
    await call(couch, action, movie)
    assert not plays_of(trakt, movie)
    assert not couch.scrobbler.history.newest()
    await couch.later(2 * 3600)
    await watch_the_end(couch, plex, movie)
    await couch.until(lambda: plays_of(trakt, movie), "it is counted again")


async def test_a_play_that_somebody_else_added(
    couch: Couch, trakt: Trakt, plex: Player
) -> None:
    """Undoing another play of the same movie leaves ours counted."""
    movie = trakt.catalogue.movies[-1]
    other = trakt.account.add_play(movie, None, trakt.clock.now())
    await couch.later(10 * 86_400)
    await couch.watch(movie_of(movie), player=plex)
    await couch.until(lambda: counted(couch) and counted(couch)[0].play_ids)
    await call(couch, "undo_play", movie, play=str(other.id))
    assert len(counted(couch)) == 1
    await call(couch, "undo_play", movie, play=counted(couch)[0].play_ids[0])
    assert not counted(couch)


@pytest.mark.parametrize("season", [True, False])
async def test_a_whole_show(
    couch: Couch, trakt: Trakt, plex: Player, season: bool
) -> None:
    """What covers an episode takes it back, too; other shows and movies stay counted."""
    show, other = trakt.catalogue.shows[1:3]
    movie = trakt.catalogue.movies[-1]
    episode = show.episodes[0]
    await couch.watch(episode_of(show, episode), player=plex)
    await couch.watch(episode_of(other, other.episodes[-1]), player=plex)
    await couch.watch(movie_of(movie), player=plex)
    assert len(counted(couch)) == 3
    fields: dict[str, Any] = {"title": show.title, "type": "show"}
    if season:
        fields = {"title": show.title, "season": episode.season}
    await couch.act("mark_unwatched", **fields)
    assert len(counted(couch)) == 2


async def call(couch: Couch, action: str, movie: CatalogueMovie, **more: str) -> None:
    data = {"title": movie.title, "year": movie.year, "type": "movie", **more}
    await couch.act(action, **data)
    await couch.look(60)


# files with two episodes ------------------------------------------------------------------------------------------


async def test_a_file_that_holds_two_episodes(
    couch: Couch, trakt: Trakt, plex: Player
) -> None:
    """Counted as one episode, it turns out to hold two; then as one, after all."""
    show = trakt.catalogue.shows[-1]
    one, two = [e for e in show.episodes if e.season == 1][:2]
    await couch.watch(episode_of(show, one), player=plex)
    await couch.until(lambda: counted(couch) and counted(couch)[0].added)
    plays = couch.scrobbler.history.of_signature(counted(couch)[0].signature)
    first = counted(couch)[0].item
    assert first is not None
    second = replace(
        first, number=2, title=two.title, ids=Ids.of(trakt=two.ids["trakt"])
    )
    before = len(plays_of(trakt, two))
    moved = await finished_plays.async_move(couch.scrobbler, plays, [first, second])
    assert moved == 1
    await couch.until(lambda: len(plays_of(trakt, two)) == before + 1)
    assert len(counted(couch)) == 2
    plays = couch.scrobbler.history.of_signature(plays[0].signature)
    assert len([p for p in plays if not p.audience.startswith("player:")]) == 2
    await finished_plays.async_move(couch.scrobbler, plays, [second])
    await couch.until(lambda: len(counted(couch)) == 1)
    await couch.look(60)
    assert len(plays_of(trakt, two)) == before + 1
