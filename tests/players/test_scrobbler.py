"""Scrobbling as a whole: a media player's states in, requests to the trackers and entities out."""

from __future__ import annotations

import pytest
from pytest_homeassistant_custom_component.common import (
    async_capture_events,
    async_mock_service,
)

from custom_components.up_next.const import DOMAIN
from custom_components.up_next.media import Episode
from custom_components.up_next.players.events import EVENT_SCROBBLE
from homeassistant.const import STATE_OFF, STATE_ON, STATE_UNKNOWN
from homeassistant.helpers import entity_registry as er
from simulators.kinopub import KinoPub
from simulators.service import Fault, Service
from simulators.simkl import Simkl
from simulators.trakt import Trakt

from ..home import Home, Player, mapping, next_episode, scrobble, told, unseen_movie

MINUTE = 60.0


async def test_episode_is_watched(home: Home) -> None:
    service, account = await home.sign_in(Trakt)
    unwatched = int(home.house.value(account, "unwatched_episodes"))
    episode = next_episode(account)
    tv, entry = await home.feed(account)
    assert home.playback(entry).state == "idle"
    tv.play(episode)
    await home.settle()
    assert home.playback(entry).state == "playing"
    # at once, long before anything is told
    assert home.house.value(account, "now_watching") == episode.label
    assert home.house.value(account, "watching") == STATE_ON
    await home.wait(14)
    assert told(service) == []
    await home.wait(1)
    assert told(service) == [("start", 1)]
    assert episode.runtime is not None
    await home.wait(0.8 * episode.runtime - 30)
    assert home.playback(entry).state == "playing"
    # nothing happens when it has been watched; that is shown within a minute
    await home.wait(0.2 * episode.runtime)
    assert home.playback(entry).state == "watched"
    assert home.house.value(account, "watching") == STATE_ON
    plays = len(service.account.plays)
    tv.stop()
    await home.wait(15)
    assert told(service) == [("start", 1), ("stop", 99)]
    assert len(service.account.plays) == plays + 1
    assert home.house.value(account, "unwatched_episodes") == str(unwatched - 1)
    assert home.house.value(account, "now_watching") == "nothing"
    assert home.house.value(account, "watching") == STATE_OFF
    assert home.playback(entry).state == "idle"


# what accounts are told -----------------------------------------------------------------------------------------------


async def watch_with_a_break(home: Home, tv: Player, episode: Episode) -> None:
    """Watch twenty minutes with a pause of two and a jump, then stop."""
    tv.play(episode)
    await home.wait(5 * MINUTE)
    tv.pause(episode, 5 * MINUTE)
    await home.wait(2 * MINUTE)
    tv.play(episode, 5 * MINUTE)
    await home.wait(5 * MINUTE)
    tv.play(episode, 25 * MINUTE)
    await home.wait(5 * MINUTE)
    tv.stop()
    await home.wait(MINUTE)


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        # a position is kept by a stop below 80 %
        (Trakt, [("start", 15), ("stop", 300), ("start", 300), ("start", 1500), ("stop", 1800)]),
        (Simkl, [("start", 15), ("pause", 300), ("start", 300), ("stop", 1800)]),
        (KinoPub, [("marktime", 300), ("marktime", 1800)]),
    ],
    ids=lambda one: getattr(one, "name", ""),
)  # fmt: skip
async def test_every_service_is_told_what_it_wants(
    home: Home, kind: type[Service], wanted: list[tuple[str, int]]
) -> None:
    """The positions that are told, in seconds."""
    service, account = await home.sign_in(kind)
    episode = next_episode(account)
    tv, _ = await home.feed(account)
    await watch_with_a_break(home, tv, episode)
    assert episode.runtime is not None
    share = 1.0 if kind is KinoPub else 100 / episode.runtime
    assert told(service) == [(what, round(second * share)) for what, second in wanted]


async def test_every_account_shows_it_in_its_own_words(home: Home) -> None:
    """A player's item may have been recognized at another service: its links and pictures are of no use here."""
    trakt, first = await home.sign_in(Trakt)
    simkl, second = await home.sign_in(Simkl)
    episode = next_episode(first)
    tv, _ = await home.feed(first, second)
    tv.play(episode)
    await home.settle()
    for service, account in ((trakt, first), (simkl, second)):
        attributes = home.house.state(account, "now_watching").attributes
        assert service.name in attributes["link"]
        assert attributes["entity_picture"]
    # a jump is shown at both, in the same words
    tv.play(episode, 600)
    await home.settle()
    attributes = home.house.state(second, "now_watching").attributes
    assert (simkl.name in attributes["link"], attributes["position"]) == (True, 600)


async def test_one_viewing_is_told_to_all(home: Home) -> None:
    """Each account hears of it in its own rhythm, under the ids of any of them."""
    trakt, first = await home.sign_in(Trakt)
    simkl, second = await home.sign_in(Simkl)
    kinopub, third = await home.sign_in(KinoPub)
    episode = next_episode(first)
    tv, _ = await home.feed(first, second, third)
    tv.play(episode)
    await home.wait(20 * MINUTE)
    tv.pause(episode, 20 * MINUTE)
    await home.wait(30)
    for account in (first, second, third):
        watching = home.house.value(account, "now_watching")
        assert watching.startswith(f"{episode.show.title} {episode.code}")
        assert home.house.value(account, "watching") == STATE_OFF
    tv.play(episode, 20 * MINUTE)
    assert episode.runtime is not None
    await home.wait(episode.runtime - 20 * MINUTE - 30)
    tv.stop()
    await home.wait(2 * MINUTE)
    share = round(100 * 20 * MINUTE / episode.runtime)
    assert told(trakt) == [
        ("start", 1),
        ("stop", share),
        ("start", share),
        ("stop", 99),
    ]
    # it need not know of a pause of half a minute
    assert told(simkl) == [("start", 1), ("stop", 99)]
    assert [what for what, _ in told(kinopub)] == ["marktime", "toggle"]
    for account in (first, second, third):
        assert home.house.value(account, "now_watching") == "nothing"


async def test_group_and_child_are_one_viewing(home: Home) -> None:
    """A universal player says what its child says, a moment later."""
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    child = home.player("child", "plex")
    group = home.player("group", "universal")
    await scrobble(home.hass, mapping(group, account), mapping(child, account))

    async def both(state: str, position: float) -> None:
        for player in (child, group):
            more = {"active_child": child.entity_id} if player is group else {}
            player.play(movie, position, state=state, media_content_id=7, **more)
            await home.wait(1)

    await both("playing", 0)
    await home.wait(30)
    assert told(service) == [("start", 0)]
    await both("paused", 32)
    await both("playing", 32)
    assert movie.runtime is not None
    await home.wait(movie.runtime - 90)
    child.stop()
    await home.wait(2)
    group.stop()
    await home.wait(MINUTE)
    assert told(service) == [("start", 0), ("stop", 99)]


async def test_group_alone_is_believed_as_its_child(home: Home) -> None:
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    child = home.player("child", "plex")
    group = home.player("group", "universal")
    entry = await scrobble(home.hass, mapping(group, account))
    group.play(movie)
    await home.settle()
    # a title from nobody knows where
    assert home.playback(entry).state == "needs_decision"
    group.stop()
    await home.wait(MINUTE)
    group.play(movie, active_child=child.entity_id)
    await home.wait(20)
    assert home.playback(entry).state == "playing"
    assert told(service) == [("start", 0)]


async def test_player_that_is_believed_settles_it(home: Home) -> None:
    """Of two that say the same, one may be believed where the other is not."""
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    cast, plex = home.player("cast", "cast"), home.player("plex", "plex")
    entry = await scrobble(home.hass, mapping(cast, account), mapping(plex, account))
    cast.play(movie)
    await home.settle()
    assert home.playback(entry, 0).state == "needs_decision"
    plex.play(movie)
    await home.wait(20)
    assert home.playback(entry, 0).state == "playing"
    assert home.playback(entry, 1).state == "playing"
    assert told(service) == [("start", 0)]


async def test_player_is_asked_for_its_position(home: Home) -> None:
    """Kodi's state is only right after it was asked; its answers are no reason to ask more."""
    _, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    kodi = home.player("kodi", "kodi")
    plex = home.player("plex", "plex")
    await scrobble(home.hass, mapping(kodi, account), mapping(plex, account))
    asked = async_mock_service(home.hass, "homeassistant", "update_entity")
    began = home.travel.now
    times: list[float] = []

    async def answer(call: object) -> None:
        times.append(home.travel.now - began)
        kodi.play(movie, home.travel.now - began)

    home.hass.services.async_register("homeassistant", "update_entity", answer)
    kodi.play(movie)
    plex.play(movie)
    await home.wait(100)
    assert times == [2, 32, 62, 92]
    began = home.travel.now
    times.clear()
    kodi.play(movie, 3000)
    await home.wait(10)
    assert times == [2]
    kodi.stop()
    await home.wait(100)
    assert times == [2]
    assert not asked


async def test_player_that_can_not_be_asked(home: Home) -> None:
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    kodi = home.player("kodi", "kodi")
    await scrobble(home.hass, mapping(kodi, account))
    kodi.play(movie)
    await home.wait(100)
    assert told(service) == [("start", 0)]


# what accounts show ---------------------------------------------------------------------------------------------------


async def test_simkl_shows_what_plays_while_a_player_feeds_it(home: Home) -> None:
    """Simkl itself never says what plays: the entities come with the first player."""
    _, account = await home.sign_in(Simkl)
    assert home.house.find(account, "now_watching") is None
    tv, entry = await home.feed(account)
    await home.settle()
    assert home.house.value(account, "now_watching") == "nothing"
    assert home.house.value(account, "watching") == STATE_OFF
    name = home.house.entity_id(account, "now_watching")
    assert name is not None
    er.async_get(home.hass).async_update_entity(name, name="Telly")
    # a restart of either must not take them away
    assert await home.hass.config_entries.async_reload(account.entry_id)
    assert await home.hass.config_entries.async_reload(entry.entry_id)
    await home.settle()
    registered = er.async_get(home.hass).async_get(name)
    assert registered is not None
    assert registered.name == "Telly"
    episode = next_episode(account)
    tv.play(episode)
    await home.settle()
    assert home.house.value(account, "watching") == STATE_ON
    state = home.house.state(account, "now_watching")
    assert state.state == episode.label
    assert state.attributes["position"] == 0
    assert state.attributes["state"] == "playing"
    home.hass.config_entries.async_remove_subentry(entry, next(iter(entry.subentries)))
    await home.settle()
    assert home.house.find(account, "now_watching") is None
    assert home.house.find(account, "watching") is None


async def test_entities_go_when_scrobbling_does(home: Home) -> None:
    _, account = await home.sign_in(Simkl)
    _, entry = await home.feed(account)
    await home.settle()
    assert home.house.find(account, "watching") is not None
    await home.hass.config_entries.async_remove(entry.entry_id)
    await home.settle()
    assert home.house.find(account, "watching") is None


async def test_position_is_written_once(home: Home) -> None:
    """A position does not tick: only a jump is worth a new state."""
    _, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    tv, entry = await home.feed(account)
    tv.play(movie)
    await home.wait(20)
    ours, theirs = home.playback(entry), home.house.state(account, "now_watching")
    for second in range(30, 300, 10):
        await home.wait(10)
        tv.play(movie, second)
    await home.settle()
    assert home.playback(entry) is ours
    assert home.house.state(account, "now_watching") is theirs
    assert ours.attributes["position"] == 0
    tv.play(movie, 2000)
    await home.settle()
    for state in (home.playback(entry), home.house.state(account, "now_watching")):
        assert state.attributes["position"] == 2000
        assert state.attributes["progress"] == round(2000 / movie.runtime * 100, 1)  # type: ignore[operator]
        assert state.attributes["updated_at"] == home.clock.now().isoformat()


async def test_the_later_of_two_is_shown(home: Home) -> None:
    """What plays goes before what is paused."""
    service, account = await home.sign_in(Trakt)
    movie, episode = unseen_movie(account), next_episode(account)
    tv = home.player("tv", "plex")
    bed = home.player("bed", "plex")
    await scrobble(home.hass, mapping(tv, account), mapping(bed, account))
    tv.play(movie)
    await home.wait(20)
    bed.play(episode)
    await home.wait(20)
    assert home.house.value(account, "now_watching") == episode.label
    bed.pause(episode, 20)
    await home.settle()
    assert home.house.value(account, "now_watching") == movie.label
    tv.pause(movie, 40)
    await home.settle()
    assert home.house.value(account, "now_watching") == episode.label
    assert home.house.value(account, "watching") == STATE_OFF
    assert [what for what, _ in told(service)] == ["start", "start"]


async def test_the_other_of_two_goes_on(home: Home) -> None:
    """Of what plays elsewhere all is known when it is its turn, though nothing was reported of it since."""
    _, account = await home.sign_in(Trakt)
    movie, episode = unseen_movie(account), next_episode(account)
    tv = home.player("tv", "plex")
    bed = home.player("bed", "plex")
    await scrobble(home.hass, mapping(tv, account), mapping(bed, account))
    tv.play(movie)
    await home.wait(5 * MINUTE)
    bed.play(episode)
    await home.wait(MINUTE)
    # the later one buffers while the other reports something
    bed.stop()
    await home.wait(3)
    tv.play(movie, 6 * MINUTE + 3)
    await home.settle()
    assert home.house.value(account, "now_watching") == episode.label
    bed.play(episode, MINUTE)
    await home.wait(4 * MINUTE)
    bed.report("off")
    await home.settle()
    state = home.house.state(account, "now_watching")
    assert state.state == movie.label
    assert state.attributes["position"] == 10 * MINUTE + 3
    assert state.attributes["updated_at"] == home.clock.now().isoformat()


async def test_flicker_is_not_shown(home: Home) -> None:
    """Plex is idle while it buffers, and an advertisement is no other title; lights hang on this."""
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    tv, entry = await home.feed(account)
    tv.play(movie)
    await home.wait(MINUTE)
    tv.stop()
    await home.wait(5)
    assert home.house.value(account, "watching") == STATE_ON
    assert home.playback(entry).state == "playing"
    tv.play(movie, 60)
    await home.wait(MINUTE)
    tv.report(
        "playing", media_content_type="video", media_title="Ad", media_duration=30
    )
    await home.wait(30)
    assert home.house.value(account, "watching") == STATE_ON
    assert home.house.value(account, "now_watching") == movie.label
    assert home.playback(entry).state == "playing"
    await home.wait(240)
    assert home.house.value(account, "watching") == STATE_OFF
    state = home.playback(entry)
    assert (state.state, state.attributes["reason"]) == ("ignored", "not_video")
    assert [what for what, _ in told(service)] == ["start", "stop"]


async def test_what_is_only_glanced_at_is_soon_gone(home: Home) -> None:
    """Nothing of it was told; music that follows is no advertisement in between."""
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    tv, entry = await home.feed(account)
    tv.play(movie)
    await home.wait(5)
    assert home.house.value(account, "watching") == STATE_ON
    tv.report("playing", media_content_type="music", media_title="Song")
    await home.settle()
    assert home.house.value(account, "watching") == STATE_OFF
    assert home.playback(entry).state == "ignored"
    tv.play(movie)
    await home.wait(5)
    tv.report("unavailable")
    await home.settle()
    assert home.house.value(account, "watching") == STATE_OFF
    assert home.playback(entry).state == "idle"
    await home.wait(10 * MINUTE)
    assert told(service) == []


async def test_unknown_is_not_off(home: Home) -> None:
    """A player tells what plays though the service is gone; without one, nothing is known."""
    service, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    tv, _ = await home.feed(account)
    tv.play(movie)
    await home.wait(20)
    service.faults.append(Fault("reset", times=10_000))
    await home.wait(20 * MINUTE)
    assert home.house.value(account, "watching") == STATE_ON
    tv.stop()
    await home.wait(MINUTE)
    assert home.house.value(account, "watching") == STATE_UNKNOWN


# what a player shows --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("share", "more", "after"), [(0.8, -66, 66), (0.85, 0, 60)])
async def test_watched_is_shown_at_once(
    home: Home, share: float, more: float, after: float
) -> None:
    """Lights may go on with the credits: by playing over the threshold, or a minute after a jump beyond it."""
    _, account = await home.sign_in(Trakt)
    movie = unseen_movie(account)
    assert movie.runtime is not None
    tv, entry = await home.feed(account)
    tv.play(movie, 1000)
    await home.wait(100)
    # no whole minute, at which everything is looked at
    tv.play(movie, share * movie.runtime + more)
    await home.wait(after - 1)
    assert home.playback(entry).state == "playing"
    await home.wait(2)
    assert home.playback(entry).state == "watched"


async def test_player_sensor(home: Home) -> None:
    _, account = await home.sign_in(Trakt)
    episode = next_episode(account)
    tv, entry = await home.feed(account)
    began = home.clock.now().isoformat()
    tv.play(episode, media_content_id=7)
    await home.settle()
    state = home.playback(entry)
    assert state.state == "playing"
    attributes = dict(state.attributes)
    picture = attributes.pop("entity_picture")
    assert picture.startswith("/api/up_next/")
    assert attributes.pop("ids") == dict(episode.ids.values)
    assert attributes.pop("show_ids") == dict(episode.show.ids.values)
    assert attributes.pop("options")
    assert attributes.pop("score") > 70
    assert attributes == {
        "device_class": "enum",
        "friendly_name": "tv Playback",
        "reported": f"{episode.show.title} {episode.code} - {episode.title}",
        "match_method": "library",
        "match_certainty": "sure",
        "progress": 0.0,
        "position": 0,
        "duration": episode.runtime,
        "updated_at": began,
        "started_at": began,
        "label": episode.label,
        "type": "episode",
        "title": episode.title,
        "show": episode.show.title,
        "season": episode.season,
        "episode": episode.number,
    }
    tv.pause(episode, 0)
    await home.settle()
    assert home.playback(entry).state == "paused"
    await home.wait(2 * 60 * MINUTE)
    assert home.playback(entry).state == "idle"
    assert "label" not in home.playback(entry).attributes
    movie = unseen_movie(account)
    tv.play(movie)
    await home.settle()
    state = home.playback(entry)
    assert state.attributes["year"] == movie.year
    assert state.attributes["type"] == "movie"
    assert "season" not in state.attributes


async def test_sensor_says_what_needs_a_decision(home: Home) -> None:
    service, account = await home.sign_in(Trakt)
    tv, entry = await home.feed(account)
    events = async_capture_events(home.hass, EVENT_SCROBBLE)
    unknown = {
        "media_content_type": "movie",
        "media_title": "A film that nobody has ever heard of (1931)",
        "media_duration": 6000,
        "media_position": 0,
        "media_position_updated_at": home.clock.now(),
    }
    tv.report("playing", **unknown)
    await home.settle()
    assert home.playback(entry).state == "needs_decision"
    assert home.house.value(account, "now_watching") == "nothing"
    await home.wait(5990)
    tv.stop()
    await home.wait(20)
    assert home.playback(entry).state == "idle"
    assert told(service) == []
    assert [event.data["action"] for event in events] == ["needs_decision"]
    assert events[0].data["label"] == "A film that nobody has ever heard of (1931)"
    answer = await home.hass.services.async_call(
        DOMAIN, "get_matches", {}, blocking=True, return_response=True
    )
    (waiting,) = answer["waiting"]
    assert (waiting["match"], waiting["label"]) == (
        events[0].data["match"],
        events[0].data["label"],
    )


@pytest.mark.parametrize(
    ("attributes", "reason"),
    [
        ({"media_content_type": "music", "media_title": "Song"}, "not_video"),
        ({"media_content_type": "channel", "media_title": "News"}, "live_tv"),
        ({"media_content_type": "movie"}, "no_title"),
        (
            {
                "media_content_type": "movie",
                "media_title": "Heat",
                "media_library_title": "Preroll",
            },
            "preroll",
        ),
        (
            {
                "media_content_type": "movie",
                "media_title": "Short",
                "media_duration": 90,
            },
            "too_short",
        ),
    ],
)
async def test_sensor_says_why_something_is_ignored(
    home: Home, attributes: dict[str, object], reason: str
) -> None:
    service, account = await home.sign_in(Trakt)
    tv, entry = await home.feed(account)
    tv.report("playing", **attributes)
    await home.settle()
    state = home.playback(entry)
    assert (state.state, state.attributes["reason"]) == ("ignored", reason)
    await home.wait(100 * MINUTE)
    tv.stop()
    await home.wait(10 * MINUTE)
    assert told(service) == []


async def test_events(home: Home) -> None:
    """Everything that happens is an event, of the entity and on the bus."""
    _, account = await home.sign_in(Trakt)
    episode = next_episode(account)
    tv, entry = await home.feed(account)
    heard = async_capture_events(home.hass, EVENT_SCROBBLE)
    assert home.event(entry).state == STATE_UNKNOWN
    seen: list[tuple[str, float]] = []

    async def then(seconds: float) -> None:
        await home.wait(seconds)
        attributes = home.event(entry).attributes
        seen.append((attributes["event_type"], attributes["progress"]))

    tv.play(episode)
    await then(20)
    tv.pause(episode, 600)
    await then(20)
    tv.play(episode, 600)
    await then(20)
    tv.stop()
    await then(20)
    tv.play(episode, 2000)
    await then(20)
    assert episode.runtime is not None
    await home.wait(episode.runtime - 2030)
    tv.stop()
    await then(20)
    assert [what for what, _ in seen] == [
        "started",
        "paused",
        "resumed",
        "stopped",
        "started",
        "watched",
    ]
    assert seen[0][1] == 0.6
    assert [event.data["action"] for event in heard] == [what for what, _ in seen]
    first = dict(heard[0].data)
    assert first == {
        "action": "started",
        "player": "tv",
        "entity_id": tv.entity_id,
        "progress": 0.6,
        "label": episode.label,
        "type": "episode",
        "title": episode.title,
        "ids": dict(episode.ids.values),
        "show": episode.show.title,
        "show_ids": dict(episode.show.ids.values),
        "season": episode.season,
        "episode": episode.number,
    }
    state = home.event(entry)
    assert state.attributes["type"] == "episode"
    assert state.attributes["label"] == episode.label
    movie = unseen_movie(account)
    tv.play(movie)
    await home.wait(20)
    assert heard[-1].data["year"] == movie.year
    assert heard[-1].data["type"] == "movie"
