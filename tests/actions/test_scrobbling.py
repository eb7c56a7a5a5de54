"""The actions about scrobbling, called as Home Assistant does."""

from __future__ import annotations

from typing import Any

import pytest
import voluptuous as vol

from homeassistant.exceptions import HomeAssistantError
from homeassistant.helpers import device_registry as dr, entity_registry as er
from simulators.service import Fault
from simulators.simkl import Simkl
from simulators.trakt import Trakt

from ..conftest import AddAccount, Serve
from ..couch import Couch, Evening, episode_of, movie_of, plays_of, twins
from ..home import Player, entity_of


@pytest.fixture
def trakt(evening: Evening) -> Trakt:
    """Return the Trakt that the couch feeds, instead of the one that other actions are tested with."""
    return evening.trakt


@pytest.fixture
async def plex(evening: Evening) -> Player:
    """Return a player whose titles are believed."""
    return await evening.couch.add("plex", "plex", evening.account)


async def refused(couch: Couch, action: str, /, **data: Any) -> str:
    """Call an action that has to fail; return what is said."""
    with pytest.raises(HomeAssistantError) as caught:
        await couch.act(action, **data)
    assert str(caught.value) != caught.value.translation_key, "no text"
    assert "{" not in str(caught.value)
    return str(caught.value)


# by hand ----------------------------------------------------------------------------------------------------------


async def test_scrobbling_by_hand(couch: Couch, trakt: Trakt) -> None:
    movie = trakt.catalogue.movies[-1]
    item = {"title": movie.title, "type": "movie"}
    answer = await couch.act("scrobble", action="start", **item)
    assert answer["accounts"][0]["result"] == "done"
    assert trakt.account.watching is not None
    assert trakt.account.watching.title is movie
    await couch.act("scrobble", action="pause", progress="40", **item)
    assert trakt.account.watching is None
    assert [round(p.progress) for p in trakt.account.saved()[:1]] == [40]
    await couch.act("scrobble", action="Stop", progress=79, **item)
    assert not plays_of(trakt, movie)
    answer = await couch.act("scrobble", action="stop", progress=80, **item)
    assert plays_of(trakt, movie)
    assert (
        answer["accounts"][0]["plays"][0]["label"] == movie.title + f" ({movie.year})"
    )


async def test_scrobbling_an_episode_by_hand(couch: Couch, trakt: Trakt) -> None:
    show = trakt.catalogue.shows[1]
    episode = show.episodes[-1]
    before = len(plays_of(trakt, episode))
    await couch.act(
        "scrobble",
        action="stop",
        progress=95,
        title=show.title,
        season=episode.season,
        episode=episode.number,
    )
    assert len(plays_of(trakt, episode)) == before + 1


async def test_what_scrobbling_by_hand_needs(couch: Couch, trakt: Trakt) -> None:
    movie = trakt.catalogue.movies[-1]
    item = {"title": movie.title, "type": "movie"}
    for action in ("pause", "stop"):
        said = await refused(couch, "scrobble", action=action, **item)
        assert "progress" in said
    assert "what is meant" in await refused(couch, "scrobble", action="start")
    show = trakt.catalogue.shows[1].title
    said = await refused(couch, "scrobble", action="start", title=show, type="show")
    assert "not possible with the type show" in said
    for wrong in ({"action": "play"}, {"action": "stop", "progress": 101}, {}):
        with pytest.raises(vol.Invalid):
            await couch.act("scrobble", **{**item, **wrong})


async def test_a_service_that_can_not_be_told(
    couch: Couch, trakt: Trakt, serve: Serve
) -> None:
    trakt.scrobble_permission = False
    movie = trakt.catalogue.movies[-1]
    item = {"title": movie.title, "type": "movie"}
    said = await refused(couch, "scrobble", action="start", **item)
    assert "not allowed to scrobble" in said


async def test_checking_in(couch: Couch, trakt: Trakt) -> None:
    movie = trakt.catalogue.movies[-1]
    item = {"title": movie.title, "type": "movie"}
    answer = await couch.act("check_in", **item)
    assert answer["accounts"][0]["result"] == "done"
    assert trakt.account.watching is not None
    assert trakt.account.watching.action == "checkin"
    said = await refused(couch, "check_in", **item)
    assert "checked in somewhere already" in said


# what titles are taken for ----------------------------------------------------------------------------------------


async def test_what_waits(couch: Couch, trakt: Trakt, evening: Evening) -> None:
    assert await couch.act("get_matches") == {"waiting": [], "corrections": []}
    old, new = twins(trakt.catalogue)
    stopped = await couch.watch(movie_of(old, year=None))
    answer = await couch.act("get_matches")
    (title,) = answer["waiting"]
    assert title["label"] == "Zwillinge"
    assert title["player"] == "tv"
    assert title["guess"] == []
    assert {c["label"] for c in title["candidates"][:2]} == {
        "Zwillinge (1961)",
        "Zwillinge (2019)",
    }
    (play,) = title["plays"]
    assert play["account"] == evening.account.title
    assert play["progress"] == 98.0
    assert play["watched_at"][:13] == stopped.isoformat()[:13]
    assert answer["corrections"] == []

    # a candidate can be handed on as it is
    (wanted,) = [c for c in title["candidates"] if c["label"] == "Zwillinge (1961)"]
    answer = await couch.act("resolve_match", match=title["match"], **wanted["item"])
    assert answer == {
        "match": title["match"],
        "label": "Zwillinge",
        "items": [wanted],
        "moved": 0,
    }
    await couch.until(lambda: plays_of(trakt, old), "the play is sent")
    assert not plays_of(trakt, new)
    answer = await couch.act("get_matches")
    assert answer["waiting"] == []
    assert answer["corrections"] == [
        {
            "match": title["match"],
            "label": "Zwillinge",
            "whole_show": False,
            "ignored": False,
            "items": [wanted],
            "season_shift": 0,
            "episode_shift": 0,
        }
    ]

    # the correction is changed by its match, and the play moves along
    (other,) = [c for c in title["candidates"] if c["label"] == "Zwillinge (2019)"]
    answer = await couch.act("resolve_match", match=title["match"], **other["item"])
    assert answer["moved"] == 1
    await couch.until(lambda: plays_of(trakt, new), "the play is moved")
    assert not plays_of(trakt, old)

    assert await couch.act("forget_match", match=title["match"]) == {
        "match": title["match"]
    }
    assert (await couch.act("get_matches"))["corrections"] == []
    said = await refused(couch, "forget_match", match=title["match"])
    assert title["match"] in said
    # the play is still where it was moved, and can be corrected by its match
    answer = await couch.act("resolve_match", match=title["match"], **wanted["item"])
    assert answer["moved"] == 1


async def test_what_a_player_plays(
    couch: Couch, trakt: Trakt, plex: Player, evening: Evening
) -> None:
    """Named by its entity, its device, or by what was made for it here; while it plays and afterwards."""
    hass = couch.hass
    wrong, right, *others = trakt.catalogue.movies[-7:]
    device = dr.async_get(hass).async_get_or_create(
        config_entry_id=evening.account.entry_id, identifiers={("plex", "1")}
    )
    er.async_get(hass).async_update_entity(plex.entity_id, device_id=device.id)
    subentry = list(couch.entry.subentries)[1]
    devices = dr.async_entries_for_config_entry(
        dr.async_get(hass), couch.entry.entry_id
    )
    mine = ("up_next", f"scrobbling_{subentry}")
    ours = next(one for one in devices if mine in one.identifiers)
    plex.play(movie_of(wrong))
    await couch.until(lambda: couch.phase(plex) == "playing")
    await couch.look(60)
    assert trakt.account.watching is not None
    assert trakt.account.watching.title is wrong
    for name, movie in zip(
        (
            plex.entity_id,
            entity_of(hass, couch.entry, index=1).entity_id,
            entity_of(hass, couch.entry, "scrobble", index=1).entity_id,
            device.id,
            ours.id,
        ),
        [right, *others],
        strict=False,
    ):
        await couch.act(
            "resolve_match",
            player=name,
            title=movie.title,
            year=movie.year,
            type="movie",
        )
        state = entity_of(hass, couch.entry, index=1)
        assert state.attributes["title"] == movie.title
        assert state.attributes["match_method"] == "correction"
        await couch.until(
            lambda movie=movie: (
                trakt.account.watching and trakt.account.watching.title is movie
            ),
            "it is told at once",
        )
    plex.stop()
    await couch.look(60)
    answer = await couch.act(
        "resolve_match", player=plex.entity_id, title=wrong.title, type="movie"
    )
    assert answer["items"][0]["label"].startswith(wrong.title)


async def test_ignoring(couch: Couch, trakt: Trakt, plex: Player) -> None:
    movie = trakt.catalogue.movies[-1]
    await couch.watch(movie_of(movie), player=plex)
    await couch.until(lambda: plays_of(trakt, movie), "it is counted")
    answer = await couch.act("resolve_match", player=plex.entity_id, ignore=True)
    assert (answer["items"], answer["moved"]) == ([], 1)
    await couch.until(lambda: not plays_of(trakt, movie), "it is taken back")
    (correction,) = (await couch.act("get_matches"))["corrections"]
    assert correction["ignored"] is True
    assert correction["items"] == []
    await couch.watch(movie_of(movie), player=plex)
    assert not plays_of(trakt, movie)
    await couch.act("forget_match", match=correction["match"])
    await couch.watch(movie_of(movie), player=plex)
    await couch.until(lambda: plays_of(trakt, movie), "it counts again")
    said = await refused(
        couch, "resolve_match", player=plex.entity_id, ignore=True, title=movie.title
    )
    assert "ignore" in said


async def test_ignoring_a_show(couch: Couch, trakt: Trakt, plex: Player) -> None:
    """Nothing of it is scrobbled until that is forgotten."""
    show = trakt.catalogue.shows[-1]
    one, two = show.episodes[:2]
    named = {"player": plex.entity_id, "ignore": True, "whole_show": True}
    await couch.watch(movie_of(trakt.catalogue.movies[-1]), player=plex)
    assert "whole_show" in await refused(couch, "resolve_match", **named)
    await couch.watch(episode_of(show, one), player=plex)
    await couch.until(lambda: plays_of(trakt, one), "it is counted")
    answer = await couch.act("resolve_match", **named)
    assert (answer["items"], answer["moved"]) == ([], 1)
    await couch.until(lambda: not plays_of(trakt, one), "it is taken back")
    (correction,) = (await couch.act("get_matches"))["corrections"]
    assert correction["match"] == answer["match"]
    assert correction["label"] == show.title
    assert (correction["ignored"], correction["whole_show"]) == (True, True)
    plex.play(episode_of(show, two))
    await couch.look(20)
    state = entity_of(couch.hass, couch.entry, index=1)
    assert (state.state, state.attributes["reason"]) == ("ignored", "never")
    plex.stop()
    await couch.look(30)
    await couch.act("forget_match", match=answer["match"])
    await couch.watch(episode_of(show, two), player=plex)
    await couch.until(lambda: plays_of(trakt, two), "it counts again")


async def test_ignoring_one_of_two_shows_of_one_name(
    couch: Couch, trakt: Trakt, evening: Evening
) -> None:
    """What is said of one show is not of another that ids tell apart from it."""
    stremio = await couch.add("stremio", "stremio", evening.account)
    named = {"player": stremio.entity_id, "ignore": True, "whole_show": True}
    phases = []
    for show in trakt.catalogue.shows[-2:]:
        show.title = "Zwillinge"
        stremio.play(
            episode_of(show, show.episodes[0]),
            season=1,
            episode=1,
            imdb_id=show.ids["imdb"],
        )
        await couch.look(20)
        phases.append(couch.phase(stremio))
        if len(phases) == 1:
            await couch.act("resolve_match", **named)
            await couch.look(20)
            phases.append(couch.phase(stremio))
    assert phases == ["playing", "ignored", "playing"]


async def test_leaving_the_last_play(couch: Couch, trakt: Trakt, plex: Player) -> None:
    wrong, right = trakt.catalogue.movies[-2:]
    await couch.watch(movie_of(wrong), player=plex)
    await couch.until(lambda: plays_of(trakt, wrong), "it is counted")
    answer = await couch.act(
        "resolve_match",
        player=plex.entity_id,
        title=right.title,
        type="movie",
        move=False,
    )
    assert answer["moved"] == 0
    await couch.look(60)
    assert plays_of(trakt, wrong)


async def test_a_whole_show(couch: Couch, trakt: Trakt, plex: Player) -> None:
    """One episode says how the numbers of a show are shifted; finished plays follow, waiting ones are sent."""
    show = trakt.catalogue.shows[4]
    numbers = [(e.season, e.number) for e in show.episodes if e.season == 1]
    assert len(numbers) >= 6
    one, two, three = [
        next(e for e in show.episodes if (e.season, e.number) == (1, n))
        for n in (4, 5, 6)
    ]
    counts = {e.number: len(plays_of(trakt, e)) for e in show.episodes if e.season == 1}
    said = episode_of(show, one, number=1, title="")
    await couch.watch(said, player=plex)
    wrong = next(e for e in show.episodes if (e.season, e.number) == (1, 1))
    await couch.until(lambda: len(plays_of(trakt, wrong)) == counts[1] + 1)
    answer = await couch.act(
        "resolve_match",
        player=plex.entity_id,
        title=show.title,
        season=1,
        episode=4,
        whole_show=True,
    )
    assert answer["moved"] == 1
    await couch.until(lambda: len(plays_of(trakt, one)) == counts[4] + 1, "it is moved")
    assert len(plays_of(trakt, wrong)) == counts[1]
    (correction,) = (await couch.act("get_matches"))["corrections"]
    assert correction["whole_show"] is True
    assert correction["episode_shift"] == 3
    assert correction["label"] == show.title
    assert correction["match"] == answer["match"]
    await couch.watch(episode_of(show, two, number=2, title=""), player=plex)
    await couch.until(lambda: len(plays_of(trakt, two)) == counts[5] + 1)
    await couch.act("forget_match", match=answer["match"])
    await couch.watch(episode_of(show, three, number=3, title=""), player=plex)
    await couch.look(60)
    assert len(plays_of(trakt, three)) == counts[6]

    # without a shift: the show as such, with the numbers that the player says
    other = trakt.catalogue.shows[8]
    first = next(e for e in other.episodes if (e.season, e.number) == (1, 3))
    before = len(plays_of(trakt, first))
    answer = await couch.act(
        "resolve_match", player=plex.entity_id, title=other.title, type="show"
    )
    assert answer["items"][0]["item"]["episode"] == 3
    assert answer["moved"] == 1
    await couch.until(lambda: len(plays_of(trakt, first)) == before + 1, "it is moved")


async def test_what_resolving_needs(
    couch: Couch, trakt: Trakt, plex: Player, evening: Evening
) -> None:
    movie, show = trakt.catalogue.movies[-1], trakt.catalogue.shows[1]
    item = {"title": movie.title, "year": movie.year, "type": "movie"}
    assert "player or a match" in await refused(couch, "resolve_match", **item)
    said = await refused(couch, "resolve_match", player="media_player.no", **item)
    assert "media_player.no" in said
    said = await refused(couch, "resolve_match", player=plex.entity_id, **item)
    assert "has not played anything" in said
    said = await refused(couch, "resolve_match", match="movie|no", **item)
    assert "movie|no" in said
    await couch.watch(movie_of(movie, title="Xyzzy", year=None))
    named = {"player": couch.player.entity_id}
    assert "title or IDs" in await refused(couch, "resolve_match", **named)
    said = await refused(couch, "resolve_match", **named, title="No such thing")
    assert "No such thing" in said
    said = await refused(couch, "resolve_match", **named, title=show.title, type="show")
    assert "season and episode" in said
    season = {"title": show.title, "season": 1}
    assert "episode" in await refused(couch, "resolve_match", **named, **season)
    said = await refused(couch, "resolve_match", **named, **season, episode=999)
    assert "S01E999" in said
    said = await refused(
        couch, "resolve_match", **named, **season, episode=1, whole_show=True
    )
    assert "whole_show" in said
    one, other = trakt.catalogue.movies[-3:-1]
    other.title = one.title
    said = await refused(couch, "resolve_match", **named, title=one.title)
    assert "may mean several titles" in said
    said = await refused(couch, "resolve_match", **named, account="nobody", **item)
    assert "nobody" in said
    assert couch.waiting, "nothing was decided"
    # a service that was named is asked, and by ids none has to be
    answer = await couch.act(
        "resolve_match",
        **named,
        account=evening.account.entry_id,
        ids={"imdb": movie.ids["imdb"]},
        type="movie",
    )
    assert answer["items"][0]["label"] == f"{movie.title} ({movie.year})"


async def test_a_service_that_does_not_answer(couch: Couch, trakt: Trakt) -> None:
    show = trakt.catalogue.shows[1]
    await couch.watch(episode_of(show, show.episodes[0], season=7, title="?"))
    title = {"title": show.title, "type": "show"}
    named = {"player": couch.player.entity_id}
    trakt.faults.append(Fault(kind="status", match="/shows/", times=99, status=503))
    await couch.later(120)
    said = await refused(couch, "resolve_match", **named, **title)
    assert "later" in said
    assert couch.waiting
    # an episode needs no lookup
    answer = await couch.act(
        "resolve_match", **named, title=show.title, season=1, episode=2
    )
    assert answer["items"][0]["label"].startswith(f"{show.title} S01E02")


async def test_several_accounts(
    couch: Couch, trakt: Trakt, serve: Serve, add_account: AddAccount
) -> None:
    """The first account that knows the title is believed."""
    simkl = await serve(Simkl, movies=40)
    simkl.pacing = False
    account = await add_account(simkl)
    only = simkl.catalogue.movies[-1]
    only.title = "Kenn ich nur hier"
    await couch.watch(movie_of(only, title="Xyzzy", year=None))
    named = {"player": couch.player.entity_id, "title": only.title, "type": "movie"}
    said = await refused(
        couch, "resolve_match", **named, account=[evening_entry(couch).entry_id]
    )
    assert only.title in said
    answer = await couch.act("resolve_match", **named)
    assert answer["items"][0]["label"] == f"{only.title} ({only.year})"
    answer = await couch.act("resolve_match", **named, account=[account.entry_id])
    assert answer["items"][0]["label"] == f"{only.title} ({only.year})"


def evening_entry(couch: Couch) -> Any:
    """Return the account that the couch feeds."""
    return couch.hass.config_entries.async_entries("up_next")[0]


async def test_without_scrobbling(couch: Couch) -> None:
    await couch.hass.config_entries.async_unload(couch.entry.entry_id)
    for action, data in (
        ("get_matches", {}),
        ("forget_match", {"match": "x"}),
        ("resolve_match", {"match": "x", "ignore": True}),
    ):
        assert "not set up" in await refused(couch, action, **data)
    await couch.hass.config_entries.async_remove(couch.entry.entry_id)
    assert "not set up" in await refused(couch, "get_matches")
