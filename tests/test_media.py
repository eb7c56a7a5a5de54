"""Identifiers and labels."""

from __future__ import annotations

from hypothesis import given, strategies as st
import pytest

from custom_components.up_next.media import Episode, Ids, Movie, Season, Show, show_of

VALUES = st.one_of(
    st.none(),
    st.integers(),
    st.text(max_size=12),
    st.booleans(),
    st.floats(),
    st.lists(st.integers(), max_size=2),
)


@pytest.mark.parametrize(
    ("raw", "clean"),
    [
        ("tt0133093", "tt0133093"),
        ("TT0133093", "tt0133093"),
        (133093, "tt0133093"),
        ("11639952", "tt11639952"),
        ("tt0", None),
        (0, None),
        ("nm0000206", None),
        (None, None),
        ("", None),
    ],
)
def test_imdb_ids_get_one_form(raw: object, clean: str | None) -> None:
    assert Ids.of(imdb=raw).get("imdb") == clean


@given(
    st.dictionaries(st.sampled_from(["imdb", "tmdb", "tvdb", "slug", "trakt"]), VALUES)
)
def test_any_mix_of_values_gives_clean_ids(raw: dict[str, object]) -> None:
    ids = Ids.of(raw)
    assert all(
        isinstance(value, str) and value not in ("", "0")
        for value in ids.values.values()
    )
    assert Ids.of(ids.values) == ids
    for namespace in ids.values:
        number = ids.number(namespace)
        assert number is None or number >= 0


def test_a_slug_identifies_nothing() -> None:
    one, other = Ids.of(slug="silo"), Ids.of(slug="silo", trakt=5)
    assert not one
    assert not one.shares(other)
    assert other.shares(Ids.of(trakt="5", imdb="tt1"))


def test_merging_keeps_ones_own_and_adds_the_rest() -> None:
    assert Ids.of(tmdb=1).merged(Ids.of(tmdb=2, tvdb=3)) == Ids.of(tmdb=1, tvdb=3)
    assert len({Ids.of(tmdb=1), Ids.of(tmdb="1")}) == 1


def test_labels_and_shows() -> None:
    show = Show(title="Silo")
    anime = Show(title="Mushishi", anime=True)
    episode = Episode(show=show, season=2, number=3, title="Solo")
    assert episode.label == "Silo S02E03 Solo"
    assert Episode(show=show, season=0, number=1).label == "Silo S00E01"
    assert Episode(show=anime, season=1, number=5).label == "Mushishi E05"
    assert Season(show=show, number=2).label == "Silo season 2"
    assert Movie(title="Heretic", year=2024).label == "Heretic (2024)"
    assert Movie(title="Heretic").label == "Heretic"
    assert [
        show_of(item)
        for item in (show, episode, Season(show=show, number=2), Movie(title="x"))
    ] == [
        show,
        show,
        show,
        None,
    ]
