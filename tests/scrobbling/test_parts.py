"""What stands in titles beside the name."""

from __future__ import annotations

from hypothesis import given, strategies as st
import pytest

from custom_components.up_next.media import Ids
from custom_components.up_next.scrobbling.parts import (
    looks_like_file,
    read_name,
    split_bare_year,
    split_country,
    split_names,
    split_numbers,
    split_year,
    without_path,
)


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Breaking Bad S01E02", ("Breaking Bad", 1, 2, None, "")),
        ("Breaking Bad - s1.e2 - Pilot", ("Breaking Bad", 1, 2, None, "Pilot")),
        ("Show S1:E2", ("Show", 1, 2, None, "")),
        ("S1 E8 - Title", ("", 1, 8, None, "Title")),
        ("Doctor Who 2005 S00E01", ("Doctor Who 2005", 0, 1, None, "")),
        ("Daily S2024E101", ("Daily", 2024, 101, None, "")),
        ("Show S01E02E03", ("Show", 1, 2, 3, "")),
        ("Show S01E02-E04 Two", ("Show", 1, 2, 4, "Two")),
        ("Show S01E02-03", ("Show", 1, 2, 3, "")),
        ("Show S01E02E03E04", ("Show", 1, 2, 4, "")),
        ("Show S01E02-720p", ("Show", 1, 2, None, "720p")),
        ("Show S01E09-E02", ("Show", 1, 9, None, "")),
        ("Show S01E02-E99", ("Show", 1, 2, None, "")),
        ("Show 1x03", ("Show", 1, 3, None, "")),
        ("Show - 01x02-03 - Title", ("Show", 1, 2, 3, "Title")),
        ("Show 1x02-1x03", ("Show", 1, 2, 3, "")),
        ("Show (S01E02)", ("Show", 1, 2, None, "")),
        ("Show Season 1 Episode 2", ("Show", 1, 2, None, "")),
        ("Show, Season 1, Ep. 2: Title", ("Show", 1, 2, None, "Title")),
        ("Staffel 1, Folge 2", ("", 1, 2, None, "")),
        ("Show 1. Staffel, Folge 2: Titel", ("Show", 1, 2, None, "Titel")),
        ("Série Saison 1 Épisode 2", ("Série", 1, 2, None, "")),
        ("Temporada 2 Capítulo 3", ("", 2, 3, None, "")),
        ("T1:E2", ("", 1, 2, None, "")),
        ("Слово пацана 1 сезон 2 серия", ("Слово пацана", 1, 2, None, "")),
        ("Шоу. Сезон 1, Серия 2", ("Шоу", 1, 2, None, "")),
        ("Шоу 1-й сезон, 2-я серия", ("Шоу", 1, 2, None, "")),
        ("Stagione 1 Episodio 2", ("", 1, 2, None, "")),
    ],
)
def test_split_numbers(text: str, wanted: tuple[object, ...]) -> None:
    found = split_numbers(text)
    assert found is not None
    assert wanted == (
        found.series,
        found.season,
        found.episode,
        found.last_episode,
        found.title,
    )


@pytest.mark.parametrize(
    "text",
    ["", "Heat", "Apollo 13", "1920x1080", "Se7en", "Blade Runner 2049", "Class E1", "4x4", "U2 3D", "24", "S1M0NE"],
)  # fmt: skip
def test_no_numbers(text: str) -> None:
    assert split_numbers(text) is None


@given(st.integers(0, 9999), st.integers(0, 9999), st.sampled_from("Ss\u0422"))
def test_any_numbers(season: int, episode: int, letter: str) -> None:
    found = split_numbers(f"Name {letter}{season:02d}E{episode:02d} Title")
    if letter == "\u0422":  # a Cyrillic letter
        assert found is None
        return
    assert found is not None
    assert (found.season, found.episode) == (season, episode)
    assert (found.series, found.title) == ("Name", "Title")


@given(st.text(max_size=300))
def test_nothing_raises(text: str) -> None:
    split_numbers(text)
    read_name(text)
    looks_like_file(text)
    split_bare_year(text)
    split_country(text)
    without_path(text)


def test_split_year() -> None:
    assert split_year("Heat (1995)") == ("Heat", 1995)
    assert split_year("Heat [1995]") == ("Heat", 1995)
    assert split_year("1917 (2019)") == ("1917", 2019)
    assert split_year("1917") == ("1917", None)
    assert split_year("(1995)") == ("(1995)", None)
    assert split_year("Heat (3000)") == ("Heat (3000)", None)
    assert split_bare_year("Doctor Who 2005") == ("Doctor Who", 2005)
    assert split_bare_year("2012") is None
    assert split_bare_year("Heat") is None


def test_split_country() -> None:
    assert split_country("The Office (US)") == ("The Office", "us")
    assert split_country("The Office (UK)") == ("The Office", "gb")
    assert split_country("The Office US") == ("The Office", "us")
    assert split_country("This Is Us") == ("This Is Us", None)
    assert split_country("Life (XX)") == ("Life (XX)", None)


def test_read_name() -> None:
    named = read_name("Схватка / Heat (1995) {imdb-tt0113277} [tmdbid=949]")
    assert named.name == "Схватка / Heat"
    assert named.others == ("Схватка", "Heat")
    assert named.year == 1995
    assert named.ids == Ids.of(imdb="tt0113277", tmdb=949)
    assert read_name("Face/Off").others == ()
    assert split_names("A / B / C") == ("A / B / C", "A", "B", "C")
    assert split_names("A / ") == ("A / ",)


@pytest.mark.parametrize(
    "text",
    [
        "Heat.1995.1080p.BluRay.x264.mkv",
        "Heat (1995)-trailer.mkv",
        "movie.mp4",
        "Some Film 1080p",
        "Some Film WEB-DL",
        "breaking_bad_pilot",
        "[Group] Attack on Titan - 60",
    ],
)
def test_files(text: str) -> None:
    assert looks_like_file(text)


@pytest.mark.parametrize(
    "text",
    ["", "Heat", "S.W.A.T.", "M.A.S.H", "Mr. Robot", "[REC]", "[REC] 2", "WALL-E", "9-1-1", "The.", "Vol. 2", "tick-tick"],
)  # fmt: skip
def test_no_files(text: str) -> None:
    assert not looks_like_file(text)


def test_without_path() -> None:
    assert without_path("/mnt/films/Heat.mkv") == "Heat.mkv"
    assert without_path("smb:\\\\nas\\films\\Heat.mkv") == "Heat.mkv"
    assert without_path("http://nas/a/Heat.mkv?token=1/2") == "Heat.mkv"
    assert without_path("Heat") == "Heat"
    assert without_path("/") == ""
