"""What a bug report tells of scrobbling, and what it must not."""

from __future__ import annotations

import json

from custom_components.up_next.diagnostics import async_get_config_entry_diagnostics
from simulators.simkl import Simkl
from simulators.trakt import Trakt

from ..home import Home, mapping, next_episode, scrobble, unseen_movie


async def test_counts_only(home: Home) -> None:
    _, first = await home.sign_in(Trakt)
    _, second = await home.sign_in(Simkl)
    movie, episode = unseen_movie(first), next_episode(first)
    tv = home.player("living_room", "plex")
    bed = home.player("anna_s_bedroom", "cast")
    kids = home.player("kids", "kodi")
    entry = await scrobble(
        home.hass,
        mapping(tv, first, second, persons=["Anna"]),
        mapping(bed, first, condition="person.anna"),
        mapping(kids, first, observe_only=True),
    )
    home.hass.states.async_set("person.anna", "home")
    tv.play(movie, username="Anna")
    bed.play(episode)
    unknown = "A film that nobody has ever heard of"
    kids.report("playing", media_content_type="movie", media_title=unknown)
    await home.wait(20)
    told = await async_get_config_entry_diagnostics(home.hass, entry)
    version = told.pop("version")
    assert isinstance(version, str)
    assert told == {
        "players": {
            "count": 3,
            "by_integration": {"cast": 1, "kodi": 1, "plex": 1},
            "by_phase": {"needs_decision": 2, "playing": 1},
            "observe_only": 1,
            "with_condition": 1,
            "with_persons": 1,
        },
        "accounts_fed": 2,
        "recognized_by": {"library": 2, "search": 1},
        "waiting_titles": 0,
        "waiting_plays": 0,
        "decisions": 3,
        "corrections": 0,
        "counted": 0,
    }
    text = json.dumps(told).casefold()
    for secret in (
        movie.title,
        episode.show.title,
        "anna",
        "bed",
        str(first.unique_id),
    ):
        assert secret.casefold() not in text
