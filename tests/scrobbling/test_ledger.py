"""What was counted, and under which names it is known."""

from __future__ import annotations

from datetime import timedelta

from mashumaro.codecs.orjson import ORJSONDecoder, ORJSONEncoder

from custom_components.up_next.media import Episode, Ids, Movie, Playable, Show
from custom_components.up_next.scrobbling.ledger import (
    WINDOW,
    Counted,
    Ledger,
    signature_token,
    tokens_of,
)

from .watching import START

HOUR = timedelta(hours=1)


def counted(viewing: str, *tokens: str, after: timedelta = timedelta()) -> Counted:
    return Counted(viewing=viewing, tokens=frozenset(tokens), at=START + after)


def episode(
    number: int = 2, *, show: Ids | None = None, ids: Ids | None = None
) -> Episode:
    return Episode(
        show=Show(title="Silo", year=2023, ids=show or Ids()),
        season=0,
        number=number,
        ids=ids or Ids(),
    )


def same(one: Playable, other: Playable) -> bool:
    return bool(tokens_of(one) & tokens_of(other))


def test_names_of_movies() -> None:
    """A movie is known by any of its ids, and by its title and year when there are none."""
    heretic = Movie(title="Heretic", year=2024, ids=Ids.of(imdb="tt1", tmdb=5))
    assert same(heretic, Movie(title="Ketzer", ids=Ids.of(tmdb=5)))
    assert not same(heretic, Movie(title="Heretic", ids=Ids.of(tmdb=6)))
    assert not same(heretic, Movie(title="Heretic", year=2024))
    assert same(Movie(title="Heretic ", year=2024), Movie(title="heretic", year=2024))
    assert not same(
        Movie(title="Heretic", year=2012), Movie(title="Heretic", year=2024)
    )
    assert tokens_of(Movie(title="A", ids=Ids.of(slug="a", tmdb=1))) == {"tmdb:movie:1"}


def test_names_of_episodes() -> None:
    """An episode is known by its own ids, or by its show's with its numbers; never by the show's alone."""
    mine = episode(show=Ids.of(tvdb=7), ids=Ids.of(imdb="tt9"))
    assert same(mine, episode(show=Ids.of(tvdb=7)))
    assert same(mine, episode(ids=Ids.of(imdb="tt9")))
    assert not same(mine, episode(3, show=Ids.of(tvdb=7)))
    assert same(episode(), episode())
    assert not same(episode(), episode(3))
    assert not same(Movie(title="x", ids=Ids.of(tmdb=7)), episode(ids=Ids.of(tmdb=7)))


def test_newest_of_an_item() -> None:
    """Of an item, the newest viewing is kept, under all names it ever had."""
    ledger = Ledger()
    ledger.add(counted("first", "a", "b"))
    kept = ledger.add(counted("second", "b", "c", after=HOUR))
    assert [entry.viewing for entry in ledger.entries] == ["second"]
    assert kept.tokens == {"a", "b", "c"}
    assert "first" not in ledger
    assert "second" in ledger
    for token in "abc":
        assert ledger.earlier([token]) == kept
    assert ledger.earlier(["d"]) is None


def test_order_does_not_matter() -> None:
    """What is read from a store comes in any order."""
    new, old = counted("new", "a", after=HOUR), counted("old", "a")
    assert Ledger([new, old]).entries == Ledger([old, new]).entries == (new,)


def test_a_name_that_players_share() -> None:
    """Two items that some player called the same are two items."""
    ledger = Ledger()
    ledger.add(counted("one", "a", signature_token("night court")))
    ledger.add(counted("other", "b", signature_token("night court"), after=HOUR))
    assert {entry.viewing for entry in ledger.entries} == {"one", "other"}
    # what nobody could name takes the name it gets later
    ledger.add(counted("unknown", signature_token("x")))
    ledger.add(counted("known", "c", signature_token("x"), after=HOUR))
    assert "unknown" not in ledger


def test_recent() -> None:
    """A viewing is recent for a week; a clock set back does not make it old."""
    entry = counted("one", "a")
    ledger = Ledger([entry])
    assert ledger.recent(["a"], START + WINDOW - HOUR) == entry
    assert ledger.recent(["a"], START - HOUR) == entry
    assert ledger.recent(["a"], START + WINDOW) is None
    assert ledger.earlier(["a"]) == entry


def test_played_since() -> None:
    ledger = Ledger([counted("one", "a")])
    for again in (False, True, False):
        entry = ledger.earlier(["a"])
        assert entry is not None
        ledger.played(entry, 100, again=again)
    entry = ledger.earlier(["a"])
    assert entry is not None
    assert (entry.played_since, entry.again) == (300, True)
    ledger.played(counted("another", "b"), 100, again=True)
    assert ledger.entries == (entry,)


def test_undone() -> None:
    ledger = Ledger([counted("one", "a")])
    ledger.reload([])
    assert ledger.earlier(["a"]) is None


def test_stored() -> None:
    """An entry survives being stored as text."""
    entry = counted("one", "a", "b")
    text = ORJSONEncoder(Counted).encode(entry)
    assert ORJSONDecoder(Counted).decode(text) == entry
