"""Names of files, read for players that know nothing better."""

from __future__ import annotations

from hypothesis import given, settings, strategies as st
import pytest

from custom_components.up_next.media import Ids
from custom_components.up_next.scrobbling.filenames import FileName, parse, read_file
from custom_components.up_next.scrobbling.observation import Media, MediaKind


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        (
            "Heat.1995.1080p.BluRay.x264-GRP.mkv",
            FileName(kind=MediaKind.MOVIE, name="Heat", year=1995),
        ),
        (
            "Some.Film.1080p.mkv",
            FileName(kind=MediaKind.VIDEO, name="Some Film"),
        ),
        (
            "Breaking.Bad.S01E02.Cats.in.the.Bag.720p.mkv",
            FileName(
                kind=MediaKind.EPISODE,
                name="Breaking Bad",
                season=1,
                episode=2,
                title="Cats in the Bag",
            ),
        ),
        (
            "Breaking.Bad.S01E02-E03.720p.mkv",
            FileName(
                kind=MediaKind.EPISODE,
                name="Breaking Bad",
                season=1,
                episode=2,
                last_episode=3,
            ),
        ),
        (
            "The.Office.US.S02E01.mkv",
            FileName(
                kind=MediaKind.EPISODE, name="The Office (US)", season=2, episode=1
            ),
        ),
        (
            "[SubGroup] Attack on Titan - 60 [1080p].mkv",
            FileName(kind=MediaKind.EPISODE, name="Attack on Titan", episode=60),
        ),
        (
            "Doctor.Who.2005.S00E01.mkv",
            FileName(
                kind=MediaKind.EPISODE,
                name="Doctor Who",
                year=2005,
                season=0,
                episode=1,
            ),
        ),
        (
            "/tv/Breaking Bad (2008) {tvdb-81189}/Season 01/Breaking Bad - s01e02.mkv",
            FileName(
                kind=MediaKind.EPISODE,
                name="Breaking Bad",
                year=2008,
                season=1,
                episode=2,
                ids=Ids.of(tvdb=81189),
            ),
        ),
        (
            "Heat (1995)-trailer.mkv",
            FileName(kind=MediaKind.MOVIE, name="Heat", year=1995, extra=True),
        ),
    ],
)
def test_parse(name: str, wanted: FileName) -> None:
    assert parse(name) == wanted


def test_nothing_in_it() -> None:
    assert parse("") is None
    assert parse("1080p.mkv") is None


def test_trouble_in_guessit(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("a name it can't read")

    monkeypatch.setattr("guessit.guessit", fail)
    assert parse("Heat.1995.mkv") is None


@settings(max_examples=30, deadline=None)
@given(st.text(max_size=60))
def test_nothing_raises(name: str) -> None:
    read_file(Media(kind=MediaKind.VIDEO, title=name, file=True), parse(name))


FILE = Media(kind=MediaKind.VIDEO, title="a.mkv", source="vlc_telnet", file=True)


def test_an_episode() -> None:
    media = read_file(FILE, parse("Breaking.Bad.S01E02-E03.720p.mkv"))
    assert media.kind is MediaKind.EPISODE
    assert (media.series, media.season, media.episode) == ("Breaking Bad", 1, 2)
    assert media.last_episode == 3
    assert not media.file
    assert media.signature == FILE.signature
    assert media.show_signature == "show|breaking bad|"


def test_a_movie() -> None:
    media = read_file(FILE, parse("Heat (1995) {imdb-tt0113277}.mkv"))
    assert (media.kind, media.title, media.year) == (MediaKind.MOVIE, "Heat", 1995)
    assert media.ids == Ids.of(imdb="tt0113277")


def test_ids_beside_an_episode_are_the_shows() -> None:
    media = read_file(FILE, parse("Breaking Bad {tvdb-81189} S01E02.mkv"))
    assert media.show_ids == Ids.of(tvdb=81189)
    assert not media.ids


def test_what_can_not_be_read_stays() -> None:
    media = read_file(FILE, None)
    assert (media.title, media.kind, media.file) == ("a", MediaKind.VIDEO, False)
    odd = Media(kind=MediaKind.MOVIE, title="x y. nothing more", file=True)
    assert read_file(odd, None).title == "x y. nothing more"
