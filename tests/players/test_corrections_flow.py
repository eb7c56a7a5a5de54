"""The options of Scrobbling: corrections and finished plays, as a person puts them right."""

from __future__ import annotations

from custom_components.up_next.media import Movie, Show
from custom_components.up_next.scrobbling.identify import Decision
from homeassistant.data_entry_flow import FlowResultType
from simulators.service import Fault
from simulators.trakt import Trakt

from ..couch import Couch, choices, episode_of, movie_of, plays_of, twins, value_of
from ..flows import Driver, options
from ..home import Player

ABORT, END = FlowResultType.ABORT, FlowResultType.CREATE_ENTRY


async def open_list(couch: Couch, name: str) -> Driver:
    """Open the corrections, or the last plays."""
    driver = await options(couch.hass, couch.entry.entry_id)
    assert driver.at["menu_options"] == ["corrections", "plays"]
    await driver.choose(name)
    return driver


async def test_there_is_nothing_to_correct(couch: Couch) -> None:
    driver = await open_list(couch, "corrections")
    assert (driver.at["type"], driver.at["reason"]) == (ABORT, "no_corrections")
    driver = await open_list(couch, "plays")
    assert (driver.at["type"], driver.at["reason"]) == (ABORT, "no_plays")


async def test_not_running(couch: Couch) -> None:
    driver = await options(couch.hass, couch.entry.entry_id)
    entries = couch.hass.config_entries
    for option in ("corrections", "plays"):
        assert await entries.async_unload(couch.entry.entry_id)
        await driver.choose(option)
        assert driver.at["reason"] == "not_loaded"
        driver = await options(couch.hass, couch.entry.entry_id)
        assert driver.at["reason"] == "not_loaded"
        assert await entries.async_setup(couch.entry.entry_id)
        driver = await options(couch.hass, couch.entry.entry_id)


async def decide(couch: Couch, mark: str) -> None:
    """Answer the repair about the title that waits."""
    driver = await couch.fix()
    await driver.choose("pick")
    await driver.send({"choice": value_of(driver, mark)})


async def test_never_a_corrected_show(couch: Couch, trakt: Trakt) -> None:
    """What was said of a whole show is taken back for all of it."""
    show = trakt.catalogue.shows[1]
    one, two = show.episodes[:2]
    await couch.watch(episode_of(show, one, title="?"))
    await decide(couch, show.title)
    for _ in range(2):
        driver = await open_list(couch, "corrections")
        (choice,) = choices(driver.at)
        await driver.send({"choice": choice["value"]})
        if "never" in driver.at["menu_options"]:
            await driver.choose("never")
    assert choice["label"] == f"{show.title} → Never to be scrobbled"
    counted = len(plays_of(trakt, two))
    await couch.watch(episode_of(show, two))
    assert couch.issue is None
    assert len(plays_of(trakt, two)) == counted


async def test_set_up_anew_meanwhile(couch: Couch, trakt: Trakt) -> None:
    """A window from before knows nothing of what runs now."""
    old, _ = twins(trakt.catalogue)
    await couch.watch(movie_of(old, year=None))
    await decide(couch, "1961")
    for option in ("search", "never"):
        driver = await open_list(couch, "corrections")
        await driver.send({"choice": choices(driver.at)[0]["value"]})
        await couch.restart()
        await driver.choose(option)
        assert driver.at["step_id"] == "init"
    (word,) = couch.scrobbler.matches.corrections.values()
    assert [item.label for item in word.items] == [f"{old.title} (1961)"]


async def test_changing_a_correction(couch: Couch, trakt: Trakt) -> None:
    old, new = twins(trakt.catalogue)
    await couch.watch(movie_of(old, year=None))
    await decide(couch, "1961")
    await couch.until(lambda: plays_of(trakt, old), "the play is sent")
    driver = await open_list(couch, "corrections")
    (choice,) = choices(driver.at)
    assert choice["label"] == "Zwillinge → Zwillinge (1961)"
    await driver.send({"choice": choice["value"]})
    assert driver.at["menu_options"] == ["search", "never", "remove"]
    await driver.choose("search")
    trakt.faults.append(Fault(kind="status", match="/search/", times=99, status=503))
    await driver.send({"text": "Zwillinge"})
    assert driver.at["errors"] == {"base": "search_failed"}
    trakt.faults.clear()
    await driver.send({"text": "Zwillinge"})
    assert "move" in driver.at["data_schema"].schema
    await driver.send({"choice": value_of(driver, "2019"), "move": True})
    assert driver.at["type"] is END
    await couch.until(lambda: plays_of(trakt, new), "the play is moved")
    assert not plays_of(trakt, old)
    driver = await open_list(couch, "corrections")
    assert choices(driver.at)[0]["label"] == "Zwillinge → Zwillinge (2019)"
    assert couch.entry.options == {}


async def test_changing_it_for_the_future_only(couch: Couch, trakt: Trakt) -> None:
    old, new = twins(trakt.catalogue)
    await couch.watch(movie_of(old, year=None))
    await decide(couch, "1961")
    await couch.until(lambda: plays_of(trakt, old), "the play is sent")
    driver = await open_list(couch, "corrections")
    await driver.send({"choice": choices(driver.at)[0]["value"]})
    await driver.choose("search")
    await driver.send({"text": "Zwillinge"})
    await driver.send({"choice": value_of(driver, "2019"), "move": False})
    assert driver.at["type"] is END
    await couch.look(120)
    assert not plays_of(trakt, new)
    await couch.later(8 * 86_400)
    await couch.watch(movie_of(old, year=None))
    await couch.until(lambda: plays_of(trakt, new), "the next one is another")


async def test_removing_a_correction(couch: Couch, trakt: Trakt) -> None:
    old, _ = twins(trakt.catalogue)
    await couch.watch(movie_of(old, year=None))
    await decide(couch, "1961")
    driver = await open_list(couch, "corrections")
    other = await open_list(couch, "corrections")
    value = choices(driver.at)[0]["value"]
    await driver.send({"choice": value})
    await driver.choose("remove")
    assert driver.at["type"] is END
    # the list of another window is out of date
    await other.send({"choice": value})
    assert (other.at["type"], other.at["reason"]) == (ABORT, "no_corrections")
    await couch.later(8 * 86_400)
    await couch.watch(movie_of(old, year=None))
    assert couch.issue is not None, "it is asked about again"


async def test_correcting_a_whole_show(couch: Couch, trakt: Trakt) -> None:
    """The episodes are counted differently: the shift is changed, for all of them."""
    show = trakt.catalogue.shows[1]
    one, two, three = [e for e in show.episodes if e.season == 1][:3]
    await couch.watch(episode_of(show, one, season=7, title="?"))
    driver = await couch.fix()
    await driver.choose("pick")
    await driver.send({"choice": choices(driver.at)[0]["value"]})
    await driver.send({"season": 1, "episode": 2, "whole_show": True})
    assert driver.at["type"] is END
    counts = [len(plays_of(trakt, e)) for e in (one, two, three)]
    await couch.look(60)
    driver = await open_list(couch, "corrections")
    (choice,) = choices(driver.at)
    assert choice["label"] == f"{show.title} → {show.title} ({show.year}) S-6 E+1"
    await driver.send({"choice": choice["value"]})
    assert driver.at["menu_options"] == ["episode", "search", "never", "remove"]
    await driver.choose("episode")
    await driver.send({"season": 1, "episode": 99, "whole_show": True, "move": True})
    assert driver.at["errors"] == {"base": "episode_unknown"}
    await driver.send({"season": 1, "episode": 1, "whole_show": True, "move": True})
    assert driver.at["type"] is END
    await couch.until(lambda: len(plays_of(trakt, one)) > counts[0], "it is moved")
    driver = await open_list(couch, "corrections")
    assert choices(driver.at)[0]["label"].endswith("S-6")
    before = len(plays_of(trakt, two))
    await couch.watch(episode_of(show, two, season=7, title="?"))
    await couch.until(lambda: len(plays_of(trakt, two)) > before, "the next one, too")


async def test_never_and_after_all(couch: Couch, trakt: Trakt, plex: Player) -> None:
    movie = trakt.catalogue.movies[-1]
    await couch.watch(movie_of(movie), player=plex)
    await couch.until(lambda: plays_of(trakt, movie), "it is counted")
    driver = await open_list(couch, "plays")
    await driver.send({"choice": choices(driver.at)[0]["value"]})
    await driver.choose("never")
    assert driver.at["type"] is END
    await couch.until(lambda: not plays_of(trakt, movie), "it is taken back")
    driver = await open_list(couch, "corrections")
    (choice,) = choices(driver.at)
    assert choice["label"].endswith("→ Never to be scrobbled")
    await driver.send({"choice": choice["value"]})
    assert driver.at["menu_options"] == ["search", "remove"]
    await driver.choose("search")
    await driver.send({"text": movie.title})
    await driver.send({"choice": value_of(driver, f"{movie.title} ("), "move": True})
    assert driver.at["type"] is END
    # for a while Trakt takes it for the viewing that it was told of
    await couch.later(3 * 3600)
    await couch.watch(movie_of(movie), player=plex)
    await couch.until(lambda: plays_of(trakt, movie), "it counts again")


# finished plays ---------------------------------------------------------------------------------------------------


async def test_a_finished_play(couch: Couch, trakt: Trakt, plex: Player) -> None:
    wrong, right = trakt.catalogue.movies[-2:]
    show = trakt.catalogue.shows[1]
    episode = next(e for e in show.episodes if (e.season, e.number) == (1, 1))
    other = next(e for e in show.episodes if (e.season, e.number) == (1, 2))
    before = len(plays_of(trakt, other))
    await couch.watch(movie_of(wrong), player=plex)
    await couch.watch(episode_of(show, episode), player=plex)
    await couch.until(lambda: plays_of(trakt, wrong), "it is counted")
    driver = await open_list(couch, "plays")
    assert [c["label"].partition(" · ")[2] for c in choices(driver.at)] == [
        f"{show.title} S01E01 {episode.title}",
        f"{wrong.title} ({wrong.year})",
    ]
    await driver.send({"choice": value_of(driver, wrong.title)})
    assert driver.at["menu_options"] == ["search", "undo", "never"]
    await driver.choose("search")
    await driver.send({"text": right.title})
    await driver.send({"choice": value_of(driver, f"{right.title} ("), "move": True})
    assert driver.at["type"] is END
    await couch.until(lambda: plays_of(trakt, right), "it is moved")
    assert not plays_of(trakt, wrong)

    driver = await open_list(couch, "plays")
    await driver.send({"choice": value_of(driver, show.title)})
    assert driver.at["menu_options"] == ["episode", "search", "undo", "never"]
    await driver.choose("episode")
    assert driver.at["description_placeholders"]["show"] == show.title
    await driver.send({"season": 1, "episode": 2, "whole_show": False, "move": True})
    assert driver.at["type"] is END
    await couch.until(lambda: len(plays_of(trakt, other)) == before + 1, "it is moved")


async def test_undoing_a_play(couch: Couch, trakt: Trakt, plex: Player) -> None:
    movie = trakt.catalogue.movies[-1]
    await couch.watch(movie_of(movie), player=plex)
    await couch.until(lambda: plays_of(trakt, movie), "it is counted")
    driver, other = await open_list(couch, "plays"), await open_list(couch, "plays")
    value = choices(driver.at)[0]["value"]
    await driver.send({"choice": value})
    await driver.choose("undo")
    assert driver.at["type"] is END
    await couch.until(lambda: not plays_of(trakt, movie), "it is taken back")
    await other.send({"choice": value})
    assert (other.at["type"], other.at["reason"]) == (ABORT, "no_plays")


async def test_undoing_in_two_windows(couch: Couch, trakt: Trakt, plex: Player) -> None:
    """What the second window shows is gone: the earlier play of the title is left alone."""
    movie = trakt.catalogue.movies[-1]
    for _ in range(2):
        await couch.watch(movie_of(movie), player=plex)
        await couch.later(9 * 86_400)
    await couch.until(lambda: len(plays_of(trakt, movie)) == 2, "both are counted")
    one, other = await open_list(couch, "plays"), await open_list(couch, "plays")
    for driver in (one, other):
        await driver.send({"choice": choices(driver.at)[0]["value"]})
    for driver in (one, other):
        await driver.choose("undo")
        assert driver.at["type"] is END
    await couch.until(lambda: len(plays_of(trakt, movie)) == 1, "one is taken back")
    await couch.look(120)
    assert len(plays_of(trakt, movie)) == 1


async def test_corrections_of_long_ago(couch: Couch) -> None:
    """What is not known any more of a correction does not keep it from being removed."""
    matches = couch.scrobbler.matches
    await matches.correct("movie|dune", Decision(items=(Movie(title="Dune"),)))
    await matches.correct("show|silo", Decision(show=Show(title="Silo")))
    driver = await open_list(couch, "corrections")
    assert [c["label"] for c in choices(driver.at)] == [
        "show|silo → Silo",
        "movie|dune → Dune",
    ]
    await driver.send({"choice": "movie|dune"})
    assert driver.at["menu_options"] == ["remove"]
    await driver.choose("remove")
    assert list(matches.corrections) == ["show|silo"]
