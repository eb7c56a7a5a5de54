"""Names of movies and shows: their plain form, and how alike two are."""

from __future__ import annotations

from functools import lru_cache
import re
from typing import Final
import unicodedata

from rapidfuzz.fuzz import ratio

VARIANT: Final = 0.97
"""The similarity of names that differ in an article, or in how a number is written."""
FUZZY: Final = 0.95
"""The most that names can be alike which are not the same."""
OTHER_NUMBER: Final = 0.6
"""The most that names with different numbers can be alike: a sequel is not its predecessor."""
SHORT: Final = 4
"""Names of up to this many characters must be the same, letter by letter."""


# the plain form -----------------------------------------------------------------------------------------------------

_LETTERS: Final = str.maketrans(
    {
        "œ": "oe",
        "æ": "ae",
        "ø": "o",
        "ł": "l",
        "đ": "d",
        "ð": "d",
        "þ": "th",
        "\u0131": "i",
    }
)
_ARTICLES: Final = (
    r"the|an?|der|die|das|eine?|les?|la|une?|el|los|las|una|il|lo|gli|het|een|os?|as"
)
_TURNED_ROUND: Final = re.compile(rf"(.+), ({_ARTICLES})", re.IGNORECASE)
_LEADING_ARTICLE: Final = re.compile(rf"(?:(?:{_ARTICLES}) |l (?=\w))(.+)")
_ABBREVIATION: Final = re.compile(r"(?<!\w)\w(?:[.*]\w(?!\w))+[.*]?")
_APOSTROPHE: Final = re.compile(r"(?<=\w)['\u2018\u2019`\u00b4\u02bc](?=\w)")
_NOT_WORD: Final = re.compile(r"[\W_]+")
_EDITION: Final = re.compile(
    r"(.*?\w)(?: the)? (?:"
    r"(?:directors|final|extended|theatrical|unrated|uncut|special|ultimate|collectors|anniversary|imax|restored)"
    r"(?: cut| edition| version)|\d+th anniversary edition|remastered|unrated|extended"
    r")"
)


@lru_cache(maxsize=16384)
def plain(text: str) -> str:
    """Return a name without case, accents, punctuation and words about its edition, "X, The" turned round."""
    text = " ".join(text.split())
    if turned := _TURNED_ROUND.fullmatch(text):
        text = f"{turned[2]} {turned[1]}"
    text = _unaccented(text).translate(_LETTERS)
    text = _ABBREVIATION.sub(_joined, text)
    text = text.replace("&", " and ").replace(" + ", " and ")
    text = _NOT_WORD.sub(" ", _APOSTROPHE.sub("", text)).strip()
    if (edition := _EDITION.fullmatch(text)) and not re.fullmatch(
        _ARTICLES, edition[1]
    ):
        text = edition[1]
    return text


def _joined(match: re.Match[str]) -> str:
    return match[0].replace(".", "").replace("*", "")


def _unaccented(text: str) -> str:
    """Return the text casefolded and without the accents of Latin, Greek, Cyrillic, Hebrew and Arabic.

    The marks of other scripts are vowels or consonants of their own, and stay.
    """
    if text.isascii():
        return text.lower()
    # some letters have their capitals undone only when they are taken apart
    text = unicodedata.normalize("NFKD", text).casefold()
    kept = (
        letter
        for letter in unicodedata.normalize("NFKD", text)
        if not ((mark := unicodedata.combining(letter)) >= 200 or 10 <= mark <= 36)
    )
    return unicodedata.normalize("NFC", "".join(kept))


# numbers in names ---------------------------------------------------------------------------------------------------

_UNITS: Final = {
    "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6", "seven": "7", "eight": "8",
    "nine": "9", "ten": "10", "eleven": "11", "twelve": "12", "thirteen": "13",
}  # fmt: skip
_ROMAN: Final = {
    "ii": "2", "iii": "3", "iv": "4", "v": "5", "vi": "6", "vii": "7", "viii": "8", "ix": "9", "xi": "11",
    "xii": "12", "xiii": "13", "xiv": "14", "xv": "15", "xvi": "16", "xvii": "17", "xviii": "18", "xix": "19",
    "xx": "20",
}  # fmt: skip
_ROMAN_AT_END: Final = {"i": "1", "x": "10"}
"""Letters that are words of their own as well: numbers only at the end, or after "part"."""
_SHORTENED: Final = {"vol": "volume", "pt": "part", "ep": "episode", "chap": "chapter"}
_PARTS: Final = frozenset({"volume", "part", "episode", "chapter", "season", "book"})


@lru_cache(maxsize=16384)
def canonical(text: str) -> str:
    """Return a plain name without its leading article, with numbers after the first word as digits."""
    name = text
    if article := _LEADING_ARTICLE.fullmatch(name):
        name = article[1]
    first, *others = name.split(" ")
    words = [first]
    for index, word in enumerate(others):
        word = _SHORTENED.get(word, word)
        word = _UNITS.get(word) or _ROMAN.get(word) or word
        if index == len(others) - 1 or words[-1] in _PARTS:
            word = _ROMAN_AT_END.get(word, word)
        words.append(word)
    return " ".join(words)


def numbers(text: str) -> tuple[str, ...]:
    """Return the numbers among the words of a canonical name, sorted."""
    return tuple(
        sorted(word.lstrip("0") or "0" for word in text.split(" ") if word.isdigit())
    )


def similarity(one: str, other: str) -> float:
    """Say how alike two names are: 1 the same, 0.97 variants of each other, up to 0.95 otherwise."""
    left, right = plain(one), plain(other)
    if not left or not right:
        return 0.0
    if left == right:
        return 1.0
    if len(left) <= SHORT or len(right) <= SHORT:
        return 0.0
    left, right = canonical(left), canonical(right)
    if left == right:
        return VARIANT
    alike = min(ratio(left, right) / 100, FUZZY)
    return min(alike, OTHER_NUMBER) if numbers(left) != numbers(right) else alike
