"""Names compared as people would."""

from __future__ import annotations

from hypothesis import given, strategies as st
import pytest

from custom_components.up_next.scrobbling.titles import (
    FUZZY,
    OTHER_NUMBER,
    VARIANT,
    canonical,
    numbers,
    plain,
    similarity,
)

NAMES = st.text(max_size=40)


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("Amélie", "amelie"),
        ("Shōgun", "shogun"),
        ("Łódź", "lodz"),
        ("Ærø œuvre", "aero oeuvre"),
        ("Straße", "strasse"),
        ("Þór", "thor"),
        ("Чёрное зеркало", "черное зеркало"),
        ("Йога", "иога"),
        ("기생충", "기생충"),
        # marks that are sounds of their own
        ("ガンダム", "ガンダム"),
        ("हिन्दी", "हिन्दी".replace(" ", "")),
        ("S.W.A.T.", "swat"),
        ("M*A*S*H", "mash"),
        ("Marvel's Agents of S.H.I.E.L.D.", "marvels agents of shield"),
        ("E.T. the Extra-Terrestrial", "et the extra terrestrial"),
        ("Mr. Robot", "mr robot"),
        ("Fast & Furious", "fast and furious"),
        ("Law&Order", "law and order"),
        ("Romeo + Juliet", "romeo and juliet"),
        ("Ocean\u2019s Eleven", "oceans eleven"),
        ("Don't Look Up", "dont look up"),
        ("Expanse, The", "the expanse"),
        ("Boot, Das", "das boot"),
        ("  Two   spaces ", "two spaces"),
        ("Spider-Man: No Way Home", "spider man no way home"),
        ("Alien - Director's Cut", "alien"),
        ("Blade Runner: The Final Cut", "blade runner"),
        ("Aliens (Special Edition)", "aliens"),
        ("Wings of Desire Remastered", "wings of desire"),
        ("The Lord of the Rings (Extended Edition)", "the lord of the rings"),
        # names, not editions
        ("The Final Cut", "the final cut"),
        ("Uncut Gems", "uncut gems"),
        ("Remastered", "remastered"),
        ("", ""),
        ("!!!", ""),
    ],
)
def test_plain(name: str, wanted: str) -> None:
    if name == "हिन्दी":
        # the vowel signs are not taken for accents
        assert plain(name) != plain("हनद")
        return
    assert plain(name) == wanted


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("the expanse", "expanse"),
        ("la casa de papel", "casa de papel"),
        ("exorcist ii the heretic", "exorcist 2 the heretic"),
        ("rocky v", "rocky 5"),
        ("v for vendetta", "v for vendetta"),
        ("dune part two", "dune part 2"),
        ("guardians of the galaxy vol 2", "guardians of the galaxy volume 2"),
        ("part i", "part 1"),
        ("henry iv pt i", "henry 4 part 1"),
        ("fast x", "fast 10"),
        ("spy x family", "spy x family"),
        ("the king and i am", "king and i am"),
        ("seven samurai", "seven samurai"),
    ],
)
def test_canonical(name: str, wanted: str) -> None:
    assert canonical(name) == wanted


def test_numbers() -> None:
    assert numbers("2 fast 2 furious") == ("2", "2")
    assert numbers("blade runner 2049") == ("2049",)
    assert numbers("007 skyfall 0") == ("0", "7")
    assert numbers("se7en") == ()


@pytest.mark.parametrize(
    ("one", "other", "least", "most"),
    [
        ("Heat", "HEAT", 1, 1),
        ("Heat", "The Heat", 0, 0),
        ("Her", "Here", 0, 0),
        ("The Expanse", "Expanse", VARIANT, VARIANT),
        ("Rocky 3", "Rocky III", VARIANT, VARIANT),
        ("Rocky III", "Rocky II", 0, OTHER_NUMBER),
        ("Dune", "Dune: Part Two", 0, 0),
        ("Stranger Things", "Strange Things", 0.9, FUZZY),
        ("Ghostbusters", "Ghostbuster", 0.9, FUZZY),
        ("Blade Runner", "Blade Runner 2049", 0, OTHER_NUMBER),
        ("Спайдермен", "Человек-паук", 0, 0.5),
        ("", "", 0, 0),
        ("!!!", "???", 0, 0),
    ],
)
def test_similarity(one: str, other: str, least: float, most: float) -> None:
    assert least <= similarity(one, other) <= most


@given(NAMES, NAMES)
def test_similarity_is_fair(one: str, other: str) -> None:
    """It is the same both ways, between 0 and 1, and 1 only for names with one plain form."""
    found = similarity(one, other)
    assert found == similarity(other, one)
    assert 0 <= found <= 1
    assert (found == 1) is (plain(one) == plain(other) != "")


@given(NAMES)
def test_plain_is_final(name: str) -> None:
    once = plain(name)
    assert plain(once) == once
    assert once == once.strip()
    assert "  " not in once
