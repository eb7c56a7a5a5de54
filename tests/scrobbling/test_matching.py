"""Which of several titles is meant: remakes, sequels, countries, number words, other scripts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given, strategies as st
import pytest

from custom_components.up_next.media import Episode, Ids, MediaType, Movie, Show
from custom_components.up_next.scrobbling.matching import (
    SURE,
    Candidate,
    Certainty,
    Question,
    Wording,
    decide,
    disagree,
    distinct,
    resemblance,
    same_title,
    score,
    wordings,
)
from custom_components.up_next.scrobbling.observation import Media, MediaKind

CASES: Any = json.loads(
    (Path(__file__).parent / "data" / "title_match_cases.json").read_text(
        encoding="utf-8"
    )
)
MOVIES = frozenset({MediaType.MOVIE})
SHOWS = frozenset({MediaType.SHOW})


def candidate(row: dict[str, Any]) -> Candidate:
    """Return a candidate of the case file; its runtimes are minutes."""
    aliases = tuple(row.get("aliases", ()))
    if original := row.get("original_title"):
        aliases = (original, *aliases)
    if row["kind"] == "movie":
        movie = Movie(title=row["title"], year=row["year"], runtime=row["runtime"] * 60)
        return Candidate(item=movie, aliases=aliases, votes=row["votes"])
    show = Show(title=row["title"], year=row["year"])
    episodes: dict[tuple[int, int], Episode] = {}
    for season, listed in row["seasons"].items():
        titles = [None] * listed if isinstance(listed, int) else listed
        for number, title in enumerate(titles, start=1):
            episodes[int(season), number] = Episode(
                show=show, season=int(season), number=number, title=title
            )
    return Candidate(
        item=show,
        aliases=aliases,
        votes=row["votes"],
        country=row.get("country"),
        episodes=episodes,
        complete=True,
    )


def question(row: dict[str, Any]) -> Question:
    """Return a question of the case file, as a player would put it; its duration is minutes."""
    titles = row["title"].split(" / ")
    media = Media(
        kind=MediaKind.MOVIE if row["kind"] == "movie" else MediaKind.EPISODE,
        title=row["title"] if row["kind"] == "movie" else "",
        series=row["title"] if row["kind"] == "show" else "",
        titles=tuple(titles) if len(titles) > 1 else (),
        season=row.get("season"),
        episode=row.get("episode"),
        year=row.get("year"),
    )
    return Question.of(media, row["duration"] * 60 if "duration" in row else None)


@pytest.mark.parametrize(
    "case", CASES["cases"], ids=lambda case: f"{case['set']}: {case['why']}"
)
def test_cases(case: dict[str, Any]) -> None:
    candidates = [candidate(row) for row in CASES["candidates"][case["set"]]]
    verdict = decide(question(case["query"]), candidates)
    assert verdict.certainty == case["status"]
    if case["expect"] is not None:
        assert verdict.best is not None
        assert verdict.best.candidate == candidates[case["expect"]]


@pytest.mark.parametrize(
    "case", CASES["cases"], ids=lambda case: f"{case['set']}: {case['why']}"
)
def test_order_does_not_matter(case: dict[str, Any]) -> None:
    candidates = [candidate(row) for row in CASES["candidates"][case["set"]]]
    there = decide(question(case["query"]), candidates)
    back = decide(question(case["query"]), candidates[::-1])
    assert there.certainty is back.certainty
    if there.certainty in (Certainty.SURE, Certainty.LIKELY):
        assert there.best == back.best


# single pieces of evidence ------------------------------------------------------------------------------------------

HEAT = Movie(title="Heat", year=1995, runtime=10200, ids=Ids.of(tmdb=949))
SHOW = Show(title="Silo", year=2023, runtime=3000, ids=Ids.of(tmdb=125988))


def film(**changes: Any) -> Question:
    names = changes.pop("name", "Heat")
    year = changes.pop("year", None)
    return Question(types=MOVIES, wordings=wordings(names, year), **changes)


def episode(**changes: Any) -> Question:
    asked = {"season": 1, "episode": 2, **changes}
    return Question(
        types=SHOWS, wordings=wordings(asked.pop("name", "Silo"), None), **asked
    )


def points(question: Question, candidate: Candidate) -> float | None:
    found = score(question, candidate)
    return found.points if found else None


@pytest.mark.parametrize(
    ("year", "wanted"),
    [(1995, 80), (1994, 70), (1996, 70), (None, 66), (1993, None), (2020, None)],
)
def test_year_of_a_film(year: int | None, wanted: float | None) -> None:
    assert points(film(year=year), Candidate(item=HEAT)) == wanted
    unknown = Candidate(item=Movie(title="Heat"))
    assert points(film(year=year), unknown) == 66


@pytest.mark.parametrize(("year", "wanted"), [(2023, 80), (2025, 50), (2026, None)])
def test_year_of_a_show(year: int, wanted: float | None) -> None:
    question = Question(types=SHOWS, wordings=(Wording(name="Silo", year=year),))
    assert points(question, Candidate(item=SHOW)) == wanted


@pytest.mark.parametrize(
    ("duration", "wanted"),
    [(10200, 12), (10380, 12), (10600, 12), (10700, 2), (8700, 2), (8000, -6), (6500, -25), (16000, -25), (None, 0)],
)  # fmt: skip
def test_runtime_of_a_film(duration: float | None, wanted: float) -> None:
    assert points(film(duration=duration), Candidate(item=HEAT)) == 66 + wanted
    assert points(film(duration=duration), Candidate(item=Movie(title="Heat"))) == 66


@pytest.mark.parametrize(
    ("usual", "own", "wanted"),
    [(3000, None, 12), (2700, None, 2), (6000, None, 0), (6000, 3000, 12), (3000, 6000, -6)],
)  # fmt: skip
def test_runtime_of_an_episode(usual: int, own: int | None, wanted: float) -> None:
    """How long episodes usually are says nothing against one that is not."""
    show = Show(title="Silo", runtime=usual)
    known = Episode(show=show, season=1, number=2, runtime=own)
    candidate = Candidate(item=show, episodes={(1, 2): known})
    assert points(episode(duration=3000.0), candidate) == 72 + wanted


def test_existence() -> None:
    known = Candidate(
        item=SHOW, episodes={(1, 2): Episode(show=SHOW, season=1, number=2)}
    )
    found = score(episode(), known)
    assert found is not None
    assert (found.points, found.exists, found.proven) == (72, True, True)
    found = score(episode(episode=3), known)
    assert found is not None
    assert (found.points, found.exists, found.proven) == (66, None, False)
    found = score(episode(episode=3), Candidate(item=SHOW, episodes={}, complete=True))
    assert found is not None
    assert (found.points, found.exists, found.contradicted) == (36, False, True)


@pytest.mark.parametrize(
    ("said", "known", "wanted"),
    [
        ("Freedom Day", "Freedom Day", 15), ("Freedom Days", "Freedom Day", 15), ("Freedom Day", "Machines", -6),
        ("", "Machines", 0), ("Machines", None, 0), ("Episode 2", "Machines", 0), ("Machines", "Folge 2", 0),
        ("TBA", "Machines", 0), ("Машины", "Machines", 0), ("Серия 2", "Machines", 0),
    ],
)  # fmt: skip
def test_episode_titles(said: str, known: str | None, wanted: float) -> None:
    row = Episode(show=SHOW, season=1, number=2, title=known)
    candidate = Candidate(item=SHOW, episodes={(1, 2): row})
    assert points(episode(episode_title=said), candidate) == 72 + wanted


def test_country() -> None:
    us = Candidate(item=Show(title="The Office", ids=Ids.of(slug="the-office-us")))
    gb = Candidate(item=Show(title="The Office"), country="gb")
    au = Candidate(item=Show(title="The Office (AU)"))
    unknown = Candidate(item=Show(title="The Office", ids=Ids.of(slug="the-office")))
    asked = Question(types=SHOWS, wordings=wordings("The Office (US)", None))
    assert [points(asked, one) for one in (us, gb, au, unknown)] == [74, 54, 54, 66]


def test_votes() -> None:
    liked = Candidate(item=HEAT, votes=99)
    assert points(film(), liked) == 68
    assert points(film(), Candidate(item=HEAT, votes=10**9)) == 71
    other = Candidate(item=Movie(title="Heat", year=1986))
    assert decide(film(), [liked, other]).certainty is Certainty.AMBIGUOUS
    rare = Candidate(item=other.item, votes=2)
    assert decide(film(), [liked, rare]).certainty is Certainty.LIKELY
    assert decide(film(year=1995), [liked, rare]).certainty is Certainty.SURE


def test_kinds() -> None:
    assert score(film(), Candidate(item=Show(title="Heat"))) is None
    either = Question(types=MOVIES | SHOWS, wordings=wordings("Heat", None))
    assert score(either, Candidate(item=Show(title="Heat"))) is not None


def test_a_contradiction_is_not_likely() -> None:
    asked = film(year=1995, duration=16000.0)
    found = decide(asked, [Candidate(item=HEAT)])
    assert found.best is not None
    assert found.best.contradicted
    assert found.certainty is Certainty.NONE
    show = Candidate(item=SHOW, country="us")
    countries = Question(
        types=SHOWS, wordings=(Wording(name="Silo", year=2023, country="gb"),)
    )
    found = decide(countries, [show])
    assert found.best is not None
    assert found.best.points == 68
    assert found.certainty is Certainty.AMBIGUOUS


def test_no_episode_is_never_likely() -> None:
    """However much speaks for the show."""
    asked = Question(
        types=SHOWS,
        wordings=(Wording(name="Silo", year=2023, country="us"),),
        season=9,
        episode=9,
        duration=3000.0,
    )
    known = Candidate(item=SHOW, country="us", votes=10**6, complete=True)
    found = decide(asked, [known])
    assert found.best is not None
    assert found.best.points > 72
    assert found.certainty is Certainty.AMBIGUOUS


def test_only_the_very_name_is_proof() -> None:
    exact = score(film(duration=10200.0), Candidate(item=HEAT))
    assert exact is not None
    assert exact.proven
    near = score(
        film(name="The Heatt", duration=10200.0),
        Candidate(item=Movie(title="The Heat", runtime=10200)),
    )
    assert near is not None
    assert not near.proven
    longer = score(film(duration=10700.0), Candidate(item=HEAT))
    assert longer is not None
    assert not longer.proven


# several ways to read a title ---------------------------------------------------------------------------------------


def test_wordings() -> None:
    assert wordings("Heat", 1995) == (Wording(name="Heat", year=1995),)
    assert wordings("Doctor Who 2005", None) == (
        Wording(name="Doctor Who 2005"),
        Wording(name="Doctor Who", year=2005),
    )
    assert wordings("The Office US", None) == (
        Wording(name="The Office US"),
        Wording(name="The Office", country="us"),
    )
    assert wordings("Ghosts (UK) (2019)", None) == (
        Wording(name="Ghosts", year=2019, country="gb"),
    )


def test_a_year_may_belong_to_the_name() -> None:
    runner = Candidate(item=Movie(title="Blade Runner 2049", year=2017))
    first = Candidate(item=Movie(title="Blade Runner", year=1982))
    found = decide(film(name="Blade Runner 2049"), [first, runner])
    assert found.best is not None
    assert found.best.candidate is runner
    assert len(found.scores) == 1
    old = Candidate(item=Show(title="Doctor Who", year=1963))
    new = Candidate(item=Show(title="Doctor Who", year=2005))
    found = decide(
        Question(types=SHOWS, wordings=wordings("Doctor Who 2005", None)), [old, new]
    )
    assert found.certainty is Certainty.SURE
    assert found.best is not None
    assert found.best.candidate is new


def test_question() -> None:
    media = Media(
        kind=MediaKind.EPISODE, title="Pilot", series="Silo", season=1, episode=1, last_episode=2
    )  # fmt: skip
    asked = Question.of(media, 6000.0)
    assert asked.duration == 3000, "of one of two episodes"
    assert asked.types == SHOWS
    assert asked.episode_title == "Pilot"
    assert asked.numbered
    assert not asked.without_numbers().numbered
    video = Question.of(Media(kind=MediaKind.VIDEO, title="Heat"), None)
    assert video.types == MOVIES | SHOWS
    assert video.episode_title == ""


# one title, found twice ---------------------------------------------------------------------------------------------


def test_same_title() -> None:
    by_other_ids = Movie(title="HEAT", year=1995, ids=Ids.of(kinopub=1))
    assert same_title(HEAT, by_other_ids)
    assert same_title(HEAT, Movie(title="Схватка", ids=Ids.of(tmdb=949)))
    assert not same_title(HEAT, Movie(title="Heat", year=1995, ids=Ids.of(tmdb=1)))
    assert not same_title(HEAT, Movie(title="Heat", year=1986))
    assert not same_title(Movie(title="Heat"), Movie(title="Heat"))
    assert not same_title(HEAT, Show(title="Heat", year=1995, ids=Ids.of(tmdb=949)))
    kept = distinct([Candidate(item=HEAT), Candidate(item=by_other_ids)])
    assert [one.item for one in kept] == [HEAT]


def test_slugs_prove_nothing() -> None:
    assert not disagree(Ids.of(slug="a"), Ids.of(slug="b"))
    assert disagree(Ids.of(tmdb=1), Ids.of(tmdb=2))
    assert not disagree(Ids.of(tmdb=1), Ids.of(imdb="tt0113277"))


def test_resemblance() -> None:
    both = Movie(title="Схватка / Heat (1995)")
    assert resemblance(("Heat",), both) == 1
    assert resemblance(("Схватка",), both) == 1
    assert resemblance((), both) == 0


@given(
    st.lists(st.sampled_from(["Heat", "The Heat", "Heat 2", "Heat (1986)", ""])),
    st.sampled_from(["Heat", "Heat 2", ""]),
)
def test_sure_means_ahead(titles: list[str], asked: str) -> None:
    """Whatever is compared, what is sure has a lead over every other title."""
    found = decide(
        film(name=asked, year=1995),
        [Candidate(item=Movie(title=title)) for title in titles],
    )
    if found.certainty is Certainty.SURE:
        best, *rivals = found.scores
        assert best.points >= SURE
        assert all(best.points - rival.points >= 8 for rival in rivals)
    else:
        assert found.best is None or found.best.points < SURE or len(found.scores) > 1
