"""Titles that wait for a person, and the repair that pages through them."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from datetime import timedelta

import pytest
from pytest_homeassistant_custom_component.common import MockConfigEntry

from custom_components.up_next.players import matches as matches_module
from homeassistant.data_entry_flow import FlowResultType, InvalidData
from simulators.service import Fault
from simulators.simkl import Simkl
from simulators.trakt import Trakt

from ..conftest import AddAccount, Serve
from ..couch import Couch, choices, episode_of, movie_of, plays_of, twins, value_of
from ..home import entity_of

MENU, FORM, ABORT, END = (
    FlowResultType.MENU,
    FlowResultType.FORM,
    FlowResultType.ABORT,
    FlowResultType.CREATE_ENTRY,
)


async def test_choosing_sends_the_play_with_its_own_time(
    couch: Couch, trakt: Trakt
) -> None:
    old, new = twins(trakt.catalogue)
    stopped = await couch.watch(movie_of(new, year=None))
    assert couch.issue is not None
    assert couch.issue.translation_placeholders == {"count": "1"}
    assert [title.label for title in couch.waiting] == ["Zwillinge"]
    await couch.later(3600)
    driver = await couch.fix()
    assert driver.at["type"] is MENU
    assert driver.at["description_placeholders"]["plays"] == "1"
    assert driver.at["description_placeholders"]["player"] == "tv"
    await driver.choose("pick")
    assert {c["label"] for c in choices(driver.at)[:2]} == {
        "Zwillinge (2019) · Movie",
        "Zwillinge (1961) · Movie",
    }
    await driver.send({"choice": value_of(driver, "1961")})
    assert driver.at["type"] is END
    await couch.until(lambda: plays_of(trakt, old), "the play is sent")
    assert abs((plays_of(trakt, old)[0] - stopped).total_seconds()) < 120
    assert not plays_of(trakt, new)
    assert couch.issue is None
    assert not couch.waiting

    # the answer is remembered: the next time nobody is asked
    await couch.later(8 * 86_400)
    await couch.watch(movie_of(new, year=None))
    await couch.until(lambda: len(plays_of(trakt, old)) == 2, "the second play is sent")
    assert couch.issue is None


async def test_every_account_is_told(
    couch: Couch, trakt: Trakt, serve: Serve, add_account: AddAccount
) -> None:
    simkl = await serve(Simkl, movies=40)
    simkl.pacing = False
    old, _ = twins(trakt.catalogue)
    there, _ = twins(simkl.catalogue)
    player = await couch.add("set", "cast", account_of(couch), await add_account(simkl))
    before = simkl.state()["plays"]
    stopped = await couch.watch(movie_of(old, year=None), player=player)
    (title,) = couch.waiting
    assert (len(title.plays), title.viewings) == (2, 1)
    driver = await couch.fix()
    assert driver.at["description_placeholders"]["plays"] == "1"
    await driver.choose("pick")
    await driver.send({"choice": value_of(driver, "1961")})
    assert driver.at["type"] is END
    await couch.until(lambda: plays_of(trakt, old), "Trakt is told")
    await couch.until(lambda: simkl.state()["plays"] == before + 1, "Simkl is told")
    (at,) = simkl.shelf.entries[int(there.ids["simkl"])].watched.values()
    assert abs(at - stopped) < timedelta(minutes=2)


async def test_what_is_likely_stands_first(couch: Couch, trakt: Trakt) -> None:
    """A player whose titles are not believed: what fits is asked about, once."""
    show = trakt.catalogue.shows[1]
    first, second = [e for e in show.aired(trakt.clock.now()) if e.season == 1][-2:]
    before = plays_of(trakt, first)
    await couch.watch(episode_of(show, first))
    (title,) = couch.waiting
    assert [item.label for item in title.guess] == [
        f"{show.title} S01E{first.number:02d} {first.title}"
    ]
    driver = await couch.fix()
    await driver.choose("pick")
    value = choices(driver.at)[0]["value"]
    assert choices(driver.at)[0]["label"] == f"{show.title} ({show.year}) · Show"
    (marker,) = driver.at["data_schema"].schema
    assert marker.default() == value
    await driver.send({"choice": value})
    assert driver.at["type"] is END
    await couch.until(lambda: len(plays_of(trakt, first)) > len(before), "it is sent")

    # the answer holds for the whole show
    before = plays_of(trakt, second)
    await couch.watch(episode_of(show, second))
    assert couch.issue is None
    await couch.until(
        lambda: len(plays_of(trakt, second)) > len(before), "the next one, too"
    )


async def test_searching(couch: Couch, trakt: Trakt) -> None:
    old, _ = twins(trakt.catalogue)
    await couch.watch(movie_of(old, title="Xyzzy", year=None))
    driver = await couch.fix()
    assert "pick" not in driver.at["menu_options"]
    await driver.choose("search")
    await driver.send({"text": "Quux"})
    assert driver.at["errors"] == {"base": "nothing_found"}
    trakt.faults.append(Fault(kind="status", match="/search/", times=99, status=503))
    await driver.send({"text": "Zwillinge"})
    assert driver.at["errors"] == {"base": "search_failed"}
    trakt.faults.clear()
    await driver.send({"text": "  "})
    assert driver.at["errors"] == {"base": "nothing_found"}
    await driver.send({"text": "Zwillinge"})
    assert driver.at["step_id"] == "pick"
    wanted = value_of(driver, "1961")
    await driver.send({"choice": wanted})
    assert driver.at["type"] is END
    await couch.until(lambda: plays_of(trakt, old), "the play is sent")


async def test_several_services_are_searched(
    couch: Couch, trakt: Trakt, serve: Serve, add_account: AddAccount
) -> None:
    simkl = await serve(Simkl, movies=40)
    simkl.pacing = False
    await add_account(simkl)
    twins(trakt.catalogue)
    only = simkl.catalogue.movies[-3]
    only.title = "Kenn ich nur hier"
    await couch.watch(movie_of(only, title="Xyzzy", year=None))
    driver = await couch.fix()
    await driver.choose("search")
    # what the player's own services find is enough
    await driver.send({"text": "Zwillinge"})
    assert len(choices(driver.at)) == 2
    driver = await couch.fix()
    await driver.choose("search")
    await driver.send({"text": "Kenn ich nur hier"})
    assert choices(driver.at)[0]["label"] == f"Kenn ich nur hier ({only.year}) · Movie"


async def test_what_several_services_know_comes_once(
    couch: Couch, trakt: Trakt, serve: Serve, add_account: AddAccount
) -> None:
    simkl = await serve(Simkl, movies=40)
    simkl.pacing = False
    other = await add_account(simkl)
    old, new = twins(trakt.catalogue)
    twins(simkl.catalogue)
    player = await couch.add("set", "cast", account_of(couch), other)
    await couch.watch(movie_of(old, title="Xyzzy", year=None), player=player)
    driver = await couch.fix()
    await driver.choose("search")
    await driver.send({"text": "Zwillinge"})
    assert len(choices(driver.at)) == 2
    await driver.send({"choice": value_of(driver, "2019")})
    await couch.until(lambda: plays_of(trakt, new), "Trakt is told")
    play = couch.scrobbler.history.newest()[-1].item
    assert play is not None
    assert {"trakt", "simkl"} <= play.ids.values.keys()
    # one of them does not answer: the other does
    await couch.watch(movie_of(old, title="Plugh", year=None), player=player)
    trakt.faults.append(Fault(kind="status", match="/search/", times=99, status=503))
    driver = await couch.fix()
    await driver.choose("search")
    await driver.send({"text": "Zwillinge"})
    assert len(choices(driver.at)) == 2


async def test_naming_the_episode(couch: Couch, trakt: Trakt) -> None:
    """The numbers that the player says are of no episode."""
    show = trakt.catalogue.shows[1]
    episode = next(e for e in show.episodes if (e.season, e.number) == (1, 2))
    before = len(plays_of(trakt, episode))
    await couch.watch(episode_of(show, episode, season=7, number=12, title="?"))
    driver = await couch.fix()
    await driver.choose("pick")
    await driver.send({"choice": choices(driver.at)[0]["value"]})
    assert driver.at["step_id"] == "episode"
    await driver.send({"season": 9, "episode": 99, "whole_show": False})
    assert driver.at["errors"] == {"base": "episode_unknown"}
    await driver.send({"season": 9, "episode": 99, "whole_show": True})
    assert driver.at["errors"] == {"base": "episode_unknown"}
    await driver.send({"season": 1, "episode": 2, "whole_show": True})
    assert driver.at["type"] is END
    await couch.until(
        lambda: len(plays_of(trakt, episode)) > before, "the play is sent"
    )

    # the next episode follows by the same shift
    following = next(e for e in show.episodes if (e.season, e.number) == (1, 3))
    before = len(plays_of(trakt, following))
    await couch.watch(episode_of(show, following, season=7, number=13, title="?"))
    assert couch.issue is None
    await couch.until(
        lambda: len(plays_of(trakt, following)) > before, "the next one, too"
    )


async def test_the_service_can_not_be_asked(couch: Couch, trakt: Trakt) -> None:
    """Nothing is decided while it is not known which episodes there are."""
    show = trakt.catalogue.shows[1]
    episode = show.episodes[0]
    await couch.watch(episode_of(show, episode, season=7, title="?"))
    driver = await couch.fix()
    await driver.choose("pick")
    trakt.faults.append(Fault(kind="status", match="/shows/", times=99, status=503))
    await couch.look(60)
    value = choices(driver.at)[0]["value"]
    await driver.send({"choice": value})
    assert driver.at["errors"] == {"base": "search_failed"}
    assert couch.waiting
    assert not couch.scrobbler.matches.corrections
    trakt.faults.clear()
    await driver.send({"choice": value})
    assert driver.at["step_id"] == "episode"


async def test_an_episode_by_its_title_alone(couch: Couch, trakt: Trakt) -> None:
    """The player says nothing but the title: the show that is chosen has one episode of that name."""
    show = trakt.catalogue.shows[1]
    episode = show.episodes[0]
    episode.title = "Holston's Pick"
    before = len(plays_of(trakt, episode))
    await couch.watch(
        episode_of(show, episode),
        media_content_type="video",
        media_series_title=None,
        media_season=None,
        media_episode=None,
    )
    driver = await couch.fix()
    await driver.choose("search")
    await driver.send({"text": show.title})
    await driver.send({"choice": choices(driver.at)[0]["value"]})
    assert driver.at["type"] is END
    await couch.until(lambda: len(plays_of(trakt, episode)) > before, "it is sent")
    # that says nothing of other titles
    (word,) = couch.scrobbler.matches.corrections.values()
    assert word.show is None


async def test_an_episode_that_a_player_calls_a_movie(
    couch: Couch, trakt: Trakt
) -> None:
    show = trakt.catalogue.shows[1]
    episode = show.episodes[0]
    before = len(plays_of(trakt, episode))
    await couch.watch(
        movie_of(
            trakt.catalogue.movies[0], title="Xyzzy", year=None, runtime=episode.runtime
        )
    )
    driver = await couch.fix()
    await driver.choose("search")
    await driver.send({"text": show.title})
    await driver.send({"choice": choices(driver.at)[0]["value"]})
    assert driver.at["step_id"] == "episode"
    assert "whole_show" not in driver.at["data_schema"].schema
    await driver.send({"season": episode.season, "episode": episode.number})
    assert driver.at["type"] is END
    await couch.until(
        lambda: len(plays_of(trakt, episode)) > before, "the play is sent"
    )


async def test_never(couch: Couch, trakt: Trakt) -> None:
    old, _ = twins(trakt.catalogue)
    await couch.watch(movie_of(old, year=None))
    driver = await couch.fix()
    await driver.choose("never")
    assert driver.at["type"] is FORM
    assert couch.waiting, "nothing happens without being asked"
    await driver.send({})
    assert driver.at["type"] is END
    assert couch.issue is None
    couch.player.play(movie_of(old, year=None))
    await couch.look(5)
    state = entity_of(couch.hass, couch.entry)
    assert (state.state, state.attributes["reason"]) == ("ignored", "never")
    await couch.look(old.runtime)
    couch.player.stop()
    await couch.look(600)
    assert couch.issue is None
    assert not plays_of(trakt, old)


async def test_never_a_whole_show(couch: Couch, trakt: Trakt) -> None:
    """A show that nobody wants to be asked about again, with whatever episode comes next."""
    show = trakt.catalogue.shows[1]
    one, two, three = show.episodes[:3]
    before = [len(plays_of(trakt, episode)) for episode in (one, two, three)]
    for episode in (one, two):
        await couch.watch(episode_of(show, episode, season=7, title="?"))
    assert len(couch.waiting) == 2
    driver = await couch.fix()
    await driver.choose("never")
    await driver.send({"whole_show": True})
    assert driver.at["type"] is END
    assert couch.issue is None
    await couch.watch(episode_of(show, three))
    assert couch.issue is None
    after = [len(plays_of(trakt, episode)) for episode in (one, two, three)]
    assert after == before
    # what was said of one episode counts more than what was said of its show
    await couch.act(
        "resolve_match",
        player=couch.player.entity_id,
        title=show.title,
        season=three.season,
        episode=three.number,
    )
    await couch.watch(episode_of(show, three))
    await couch.until(lambda: len(plays_of(trakt, three)) > before[2])


async def test_never_while_it_plays(couch: Couch, trakt: Trakt) -> None:
    """What is on screen is ignored at once, and asks no more when it ends."""
    old, _ = twins(trakt.catalogue)
    await couch.watch(movie_of(old, year=None))
    couch.player.play(movie_of(old, year=None))
    await couch.until(lambda: couch.phase() == "needs_decision")
    await couch.look(old.runtime * 0.9)
    driver = await couch.fix()
    await driver.choose("never")
    await driver.send({})
    await couch.until(lambda: couch.phase() == "ignored", couch.phase())
    couch.player.stop()
    await couch.look(600)
    assert couch.issue is None
    assert not couch.scrobbler.matches.plays


async def test_forgetting_the_plays(couch: Couch, trakt: Trakt) -> None:
    old, _ = twins(trakt.catalogue)
    await couch.watch(movie_of(old, year=None))
    driver = await couch.fix()
    await driver.choose("drop")
    assert driver.at["description_placeholders"]["plays"] == "1"
    await driver.send({})
    assert driver.at["type"] is END
    assert couch.issue is None
    await couch.watch(movie_of(old, year=None))
    assert couch.issue is not None, "the next one asks again"


async def test_deciding_later(couch: Couch, trakt: Trakt) -> None:
    old, _ = twins(trakt.catalogue)
    await couch.watch(movie_of(old, year=None))
    await couch.watch(movie_of(old, title="Xyzzy", year=None))
    driver = await couch.fix()
    assert driver.at["description_placeholders"]["count"] == "2"
    assert driver.at["description_placeholders"]["title"] == "Zwillinge"
    await driver.choose("later")
    assert driver.at["description_placeholders"]["count"] == "1"
    assert driver.at["description_placeholders"]["title"] == "Xyzzy"
    await driver.choose("later")
    assert (driver.at["type"], driver.at["reason"]) == (ABORT, "left_for_later")
    assert couch.issue is not None


async def test_deciding_while_it_plays(couch: Couch, trakt: Trakt) -> None:
    """What plays on is told of from then on."""
    old, _ = twins(trakt.catalogue)
    await couch.watch(movie_of(old, year=None))
    await couch.later(9 * 86_400)
    couch.player.play(movie_of(old, year=None))
    await couch.until(lambda: couch.phase() == "needs_decision")
    await couch.look(120)
    driver = await couch.fix()
    await driver.choose("pick")
    await driver.send({"choice": value_of(driver, "1961")})
    await couch.until(lambda: couch.phase() == "playing", couch.phase())
    await couch.until(lambda: trakt.account.watching is not None, "the start is told")
    assert trakt.account.watching is not None
    assert trakt.account.watching.title is old


# clicking twice, and elsewhere ------------------------------------------------------------------------------------


async def test_answering_twice_at_once_counts_once(couch: Couch, trakt: Trakt) -> None:
    old, new = twins(trakt.catalogue)
    await couch.watch(movie_of(old, year=None))
    await couch.watch(movie_of(new, title="Xyzzy", year=None))
    driver = await couch.fix()
    await driver.choose("pick")
    value = value_of(driver, "1961")
    await asyncio.gather(
        *(
            driver.manager.async_configure(driver.id, {"choice": value})
            for _ in range(2)
        ),
        return_exceptions=True,
    )
    await couch.until(lambda: plays_of(trakt, old), "the play is sent")
    await couch.look(60)
    assert len(plays_of(trakt, old)) == 1
    assert [title.label for title in couch.waiting] == ["Xyzzy"]


async def test_a_second_click_does_not_answer_for_the_next_title(
    couch: Couch, trakt: Trakt
) -> None:
    old, new = twins(trakt.catalogue)
    await couch.watch(movie_of(old, year=None))
    await couch.watch(movie_of(new, title="Xyzzy", year=None))
    for option in ("never", "drop"):
        driver = await couch.fix()
        await driver.choose(option)
        with pytest.raises(InvalidData):
            await driver.choose(option)
        assert len(couch.waiting) == 2
    await driver.send({})
    assert [title.label for title in couch.waiting] == ["Xyzzy"]
    await driver.send({})
    assert [title.label for title in couch.waiting] == ["Xyzzy"]


async def test_two_windows(couch: Couch, trakt: Trakt) -> None:
    """What was decided in one window is not decided about again in another, nor the next title in its place."""
    old, new = twins(trakt.catalogue)
    await couch.watch(movie_of(old, year=None))
    await couch.watch(movie_of(new, title="Xyzzy", year=None))
    one, other = await couch.fix(), await couch.fix()
    third = await couch.fix()
    await one.choose("pick")
    await other.choose("pick")
    await third.choose("never")
    value = value_of(one, "1961")
    await one.send({"choice": value})
    assert one.at["description_placeholders"]["title"] == "Xyzzy"
    await other.send({"choice": value})
    assert other.at["description_placeholders"]["title"] == "Xyzzy"
    await third.send({})
    assert third.at["description_placeholders"]["title"] == "Xyzzy"
    await couch.until(lambda: plays_of(trakt, old), "the play is sent")
    assert len(plays_of(trakt, old)) == 1
    assert [title.label for title in couch.waiting] == ["Xyzzy"]


async def test_a_viewing_that_another_player_named_counts_once(
    couch: Couch, trakt: Trakt
) -> None:
    """A television and a media server show the same; only one of them knows what it is."""
    old, _ = twins(trakt.catalogue)
    server = await couch.add("server", "kodi", account_of(couch))
    ids = {"imdb": old.ids["imdb"]}
    server.play(movie_of(old), media_content_id=ids)
    await couch.until(lambda: couch.phase(server) == "playing", couch.phase(server))
    # another length: else the two were taken for one at once
    await couch.watch(movie_of(old, title="Xyzzy", year=None, runtime=old.runtime - 9))
    server.stop()
    await couch.look(60)
    await couch.until(lambda: plays_of(trakt, old), "the server's play is sent")
    driver = await couch.fix()
    await driver.choose("search")
    await driver.send({"text": "Zwillinge"})
    wanted = value_of(driver, "1961")
    await driver.send({"choice": wanted})
    assert driver.at["type"] is END
    await couch.look(60)
    assert len(plays_of(trakt, old)) == 1


# what lasts -------------------------------------------------------------------------------------------------------


async def test_waiting_survives_a_restart(couch: Couch, trakt: Trakt) -> None:
    old, _ = twins(trakt.catalogue)
    stopped = await couch.watch(movie_of(old, year=None))
    await couch.restart()
    await couch.later(86_400)
    assert couch.issue is not None
    driver = await couch.fix()
    await driver.choose("pick")
    await driver.send({"choice": value_of(driver, "1961")})
    await couch.until(lambda: plays_of(trakt, old), "the play is sent")
    assert abs((plays_of(trakt, old)[0] - stopped).total_seconds()) < 120
    await couch.restart()
    assert couch.issue is None


async def test_the_candidates_outlast_what_was_remembered(
    couch: Couch, trakt: Trakt
) -> None:
    """What was found is forgotten after a while; the play still knows what it may be."""
    old, _ = twins(trakt.catalogue)
    await couch.watch(movie_of(old, year=None))
    await couch.scrobbler.matches.forget(couch.waiting[0].signature)
    await couch.restart()
    driver = await couch.fix()
    await driver.choose("pick")
    assert len(choices(driver.at)) >= 2


async def test_plays_wait_thirty_days(
    couch: Couch, trakt: Trakt, caplog: pytest.LogCaptureFixture
) -> None:
    old, _ = twins(trakt.catalogue)
    await couch.watch(movie_of(old, year=None))
    await couch.later(timedelta(days=29.9).total_seconds())
    assert couch.issue is not None
    await couch.later(timedelta(hours=5).total_seconds())
    await couch.look(900)
    assert couch.issue is None
    assert "nobody named are dropped" in caplog.text
    await couch.restart()
    assert couch.issue is None


async def test_not_too_many_wait(
    couch: Couch,
    trakt: Trakt,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr(matches_module, "MOST_WAITING", 2)
    movie = movie_of(trakt.catalogue.movies[-1], year=None)
    for title in ("Xyzzy", "Quux", "Plugh"):
        await couch.watch(replace(movie, title=title))
    await couch.look(60)
    assert [title.label for title in couch.waiting] == ["Quux", "Plugh"]
    assert "1 play(s)" in caplog.text
    await couch.restart()
    assert [title.label for title in couch.waiting] == ["Quux", "Plugh"]


async def test_the_account_was_removed(couch: Couch, trakt: Trakt) -> None:
    old, _ = twins(trakt.catalogue)
    await couch.watch(movie_of(old, year=None))
    driver = await couch.fix()
    await driver.choose("pick")
    value = value_of(driver, "1961")
    await couch.hass.config_entries.async_remove(account_of(couch).entry_id)
    await couch.look(60)
    assert couch.issue is None
    assert not couch.scrobbler.matches.plays
    await driver.send({"choice": value})
    assert driver.at["type"] is END
    assert not plays_of(trakt, old)


async def test_scrobbling_was_disabled_meanwhile(couch: Couch, trakt: Trakt) -> None:
    old, _ = twins(trakt.catalogue)
    await couch.watch(movie_of(old, year=None))
    driver = await couch.fix()
    await couch.hass.config_entries.async_unload(couch.entry.entry_id)
    for option in ("pick", "drop", "never", "later"):
        await driver.choose(option)
        assert (driver.at["type"], driver.at["reason"]) == (ABORT, "not_loaded")
        assert await couch.hass.config_entries.async_setup(couch.entry.entry_id)
        await couch.hass.async_block_till_done()
        driver = await couch.fix()
        await couch.hass.config_entries.async_unload(couch.entry.entry_id)


async def test_scrobbling_was_set_up_anew_meanwhile(couch: Couch, trakt: Trakt) -> None:
    """A window from before knows nothing of what waits now: it asks anew."""
    old, new = twins(trakt.catalogue)
    await couch.watch(movie_of(old, year=None))
    driver = await couch.fix()
    await driver.choose("pick")
    value = value_of(driver, "1961")
    await couch.restart()
    await driver.send({"choice": value})
    assert driver.at["step_id"] == "title", "it is asked once more"
    assert couch.waiting
    await driver.choose("never")
    await couch.restart()
    await driver.send({})
    assert couch.waiting
    await driver.choose("pick")
    await driver.send({"choice": value_of(driver, "2019")})
    assert driver.at["type"] is END
    assert not couch.waiting
    await couch.until(lambda: plays_of(trakt, new), "the play is sent")
    assert not plays_of(trakt, old), "the window from before did nothing"


# what could not be looked up ------------------------------------------------------------------------------------------


async def test_nobody_is_asked_about_what_no_service_could_be_asked(
    couch: Couch, trakt: Trakt
) -> None:
    """The internet was down: what is recognized later is sent, what is not is asked about then."""
    old, _ = twins(trakt.catalogue)
    sure = trakt.catalogue.movies[-3]
    plex = await couch.add("plex", "plex", account_of(couch))
    trakt.faults.append(Fault(kind="status", match="/search/", times=9999, status=503))
    for player, item in (
        (couch.player, movie_of(old, year=None)),
        (plex, movie_of(sure)),
    ):
        player.play(item)
        await couch.look((item.runtime or 0) * 0.98)
        player.stop()
        await couch.look(30)
    await couch.until(lambda: len(couch.scrobbler.matches.plays) == 2, "both are kept")
    assert couch.issue is None
    await couch.restart()
    assert couch.issue is None
    trakt.faults.clear()
    await couch.look(1300)
    await couch.until(lambda: couch.issue is not None, "one has to be asked about")
    assert [title.label for title in couch.waiting] == ["Zwillinge"]
    await couch.until(lambda: plays_of(trakt, sure), "the other one is sent")
    driver = await couch.fix()
    await driver.choose("pick")
    assert len(choices(driver.at)) >= 2


async def test_ids_that_name_no_episode(couch: Couch, trakt: Trakt) -> None:
    """The ids name a show that has no such episode: the show is offered, and a person's word on it wins."""
    show = trakt.catalogue.shows[1]
    kodi = await couch.add("kodi", "stremio", account_of(couch))
    episode = show.episodes[1]
    before = len(plays_of(trakt, episode))
    kodi.play(
        episode_of(show, episode),
        media_title=show.title,
        media_series_title=None,
        imdb_id=show.ids["imdb"],
        season=8,
        episode=40,
        type="series",
    )
    await couch.until(lambda: couch.phase(kodi) == "needs_decision", couch.phase(kodi))
    await couch.look(episode.runtime * 0.98)
    kodi.stop()
    await couch.look(60)
    driver = await couch.fix()
    await driver.choose("pick")
    assert choices(driver.at)[0]["label"].startswith(show.title)
    await driver.send({"choice": choices(driver.at)[0]["value"]})
    assert driver.at["step_id"] == "episode"
    await driver.send(
        {"season": episode.season, "episode": episode.number, "whole_show": True}
    )
    assert driver.at["type"] is END, driver.at
    await couch.until(
        lambda: len(plays_of(trakt, episode)) > before, "the play is sent"
    )


# files with two episodes ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "parts"), [(0.98, 2), (0.84, 1)])
async def test_a_file_with_two_episodes(
    couch: Couch, trakt: Trakt, share: float, parts: int
) -> None:
    show = trakt.catalogue.shows[1]
    one, two = [e for e in show.episodes if e.season == 1][:2]
    before = len(plays_of(trakt, one)), len(plays_of(trakt, two))
    await couch.watch(
        episode_of(show, one, runtime=one.runtime * 2),
        share=share,
        media_title=f"{show.title} S01E01-E02",
        media_series_title=None,
        media_season=None,
        media_episode=None,
    )
    (title,) = couch.waiting
    assert title.media.last_episode == 2
    driver = await couch.fix()
    await driver.choose("pick")
    await driver.send({"choice": choices(driver.at)[0]["value"]})
    assert driver.at["type"] is END, driver.at
    await couch.until(
        lambda: len(plays_of(trakt, one)) > before[0], "the first part is sent"
    )
    sent = [before[0] + 1, before[1] + parts - 1]
    await couch.until(lambda: [len(plays_of(trakt, e)) for e in (one, two)] == sent)
    await couch.look(60)
    assert [len(plays_of(trakt, e)) for e in (one, two)] == sent


async def test_naming_the_first_of_two_episodes(couch: Couch, trakt: Trakt) -> None:
    """The episode that is named is the first one in the file; the other follows."""
    show = trakt.catalogue.shows[1]
    one, two = [e for e in show.episodes if e.season == 1][1:3]
    before = len(plays_of(trakt, two))
    await couch.watch(
        episode_of(show, one, runtime=one.runtime * 2),
        media_title=f"{show.title} S07E01-E02",
        media_series_title=None,
        media_season=None,
        media_episode=None,
    )
    driver = await couch.fix()
    await driver.choose("pick")
    await driver.send({"choice": choices(driver.at)[0]["value"]})
    await driver.send({"season": 1, "episode": 2, "whole_show": False})
    assert driver.at["type"] is END, driver.at
    await couch.until(lambda: len(plays_of(trakt, two)) > before, "the second, too")


def account_of(couch: Couch) -> MockConfigEntry:
    """Return the account that the couch feeds."""
    entries = couch.hass.config_entries.async_entries("up_next")
    account = next(entry for entry in entries if entry is not couch.entry)
    assert isinstance(account, MockConfigEntry)
    return account
