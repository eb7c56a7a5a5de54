"""How well a title fits what a player says, as points, and when that is enough."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from math import log10
import re
from typing import Final

from ..library import ShowDetail
from ..media import Episode, Ids, MediaType, Movie, Show
from .observation import Media, MediaKind
from .parts import split_bare_year, split_country, split_names, split_year
from .titles import VARIANT, plain, similarity

# points
TITLE: Final = 60.0
NOT_THE_SAME: Final = -12.0
YEAR_EQUAL: Final = 20.0
YEAR_NEAR: Final = 10.0
YEAR_UNKNOWN: Final = 6.0
YEAR_TWO_OFF: Final = -10.0
RUNTIME_FITS: Final = 12.0
RUNTIME_NEAR: Final = 2.0
RUNTIME_OFF: Final = -6.0
RUNTIME_FAR_OFF: Final = -25.0
EPISODE_EXISTS: Final = 6.0
EPISODE_MISSING: Final = -30.0
EPISODE_TITLE_FITS: Final = 15.0
EPISODE_TITLE_OFF: Final = -6.0
COUNTRY_EQUAL: Final = 8.0
COUNTRY_OTHER: Final = -12.0
MOST_FOR_VOTES: Final = 5.0

SURE: Final = 72.0
LIKELY: Final = 62.0
LEAD: Final = 8.0
"""Points that the best must be ahead of the next."""
FAR_MORE_VOTES: Final = 20
"""A tie is broken by this many times the votes of every rival."""

LEAST_SIMILAR: Final = 0.8
"""Titles less alike than this are others."""
RUNTIME_TOLERANCE: Final = 0.04
"""The part of a runtime by which versions of one film differ: that of a film at television speed."""
_MINUTES: Final = 180.0
_NEAR: Final = 0.15
_FAR: Final = 0.33


class Certainty(StrEnum):
    """How sure it is what a player plays. The values are translation keys."""

    SURE = "sure"
    LIKELY = "likely"
    """Nothing speaks against it, but little for it."""
    AMBIGUOUS = "ambiguous"
    """Several titles fit, or one badly."""
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """One way to read a title: what of it is the name, and what tells one of several of that name."""

    name: str
    year: int | None = None
    country: str | None = None
    """ISO 3166, lower case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a player says, as far as it helps to find the title. `duration` is seconds, of one episode."""

    types: frozenset[MediaType]
    wordings: tuple[Wording, ...]
    season: int | None = None
    episode: int | None = None
    episode_title: str = ""
    duration: float | None = None

    @classmethod
    def of(cls, media: Media, duration: float | None) -> Question:
        """Make the question from what a player reports; `duration` is seconds, of the whole."""
        name = media.series or media.title
        if media.kind is MediaKind.EPISODE:
            types = {MediaType.SHOW}
        elif media.kind is MediaKind.MOVIE:
            types = {MediaType.MOVIE}
        else:
            types = {MediaType.MOVIE, MediaType.SHOW}
        return cls(
            types=frozenset(types),
            wordings=tuple(
                wording
                for one in (name, *media.titles)
                for wording in wordings(one, media.year)
            ),
            season=media.season,
            episode=media.episode,
            episode_title=media.title if media.series else "",
            duration=duration / media.parts if duration else None,
        )

    @property
    def numbered(self) -> bool:
        """Say whether it names an episode by its numbers."""
        return self.season is not None and self.episode is not None

    def without_numbers(self) -> Question:
        """Return the question for the show alone."""
        return replace(self, season=None, episode=None)


def wordings(name: str, year: int | None) -> tuple[Wording, ...]:
    """Return the ways to read a title that says more than a name: "The Office (US)", "Doctor Who 2005"."""
    stripped, found = split_year(name)
    year = year or found
    stripped, country = split_country(stripped)
    ways = [Wording(name=stripped, year=year, country=country)]
    if country and "(" not in name and "[" not in name:
        # "This Is US" may be its name
        ways.insert(0, Wording(name=name, year=year))
    if year is None and (bare := split_bare_year(stripped)):
        ways.append(Wording(name=bare[0], year=bare[1], country=country))
    return tuple(ways)


@dataclass(frozen=True, slots=True, kw_only=True)
class Candidate:
    """A title that may be meant, with what is known of it; everything but the item may be unknown.

    `aliases` are further names. `votes` say how popular it is, as a service counts; `country` is ISO 3166, lower
    case: services that tell either can say it here. `episodes` are the known ones by season and number, `complete`
    that there are no others.
    """

    item: Movie | Show
    aliases: tuple[str, ...] = ()
    votes: int | None = None
    country: str | None = None
    episodes: Mapping[tuple[int, int], Episode] = field(default_factory=dict)
    complete: bool = False

    def knowing(self, detail: ShowDetail | None) -> Candidate:
        """Return this show with all its episodes."""
        if detail is None:
            return self
        episodes = {
            (one.episode.season, one.episode.number): one.episode
            for one in detail.episodes
        }
        return replace(self, episodes=episodes, complete=True)

    def has(self, season: int, number: int) -> bool | None:
        """Say whether there is this episode; None when that is not known."""
        if (season, number) in self.episodes:
            return True
        return False if self.complete else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Score:
    """How well a candidate fits.

    `similarity` is that of the names, 1 when they are the same. `exists` says whether the episode does, None when
    that is unknown or there is none. `runtime_off` is how far the duration is from the runtime, as a part of it.
    `contradicted` says that something speaks against it.
    """

    candidate: Candidate
    points: float
    similarity: float
    exists: bool | None = None
    runtime_off: float | None = None
    contradicted: bool = False
    year_told: bool = False

    @property
    def proven(self) -> bool:
        """Say whether more than the name speaks for it: its episode exists, or the film of just that name fits."""
        if self.candidate.item.type is MediaType.SHOW:
            return self.exists is True
        return (
            self.similarity == 1
            and self.runtime_off is not None
            and self.runtime_off <= RUNTIME_TOLERANCE
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The candidates that fit, best first, and whether the best one is meant."""

    certainty: Certainty
    scores: tuple[Score, ...] = ()

    @property
    def best(self) -> Score | None:
        """Return the one that fits best."""
        return self.scores[0] if self.scores else None


# points of one candidate ----------------------------------------------------------------------------------------


def score(question: Question, candidate: Candidate) -> Score | None:
    """Count the points of a candidate; None when it is another title."""
    item = candidate.item
    if item.type not in question.types:
        return None
    named = max(
        (
            found
            for wording in question.wordings
            if (found := _named(wording, candidate)) is not None
        ),
        default=None,
        key=lambda found: found.points,
    )
    if named is None:
        return None
    points, contradicted = named.points, named.contradicted
    episode = exists = None
    if (
        item.type is MediaType.SHOW
        and question.season is not None
        and question.episode is not None
    ):
        exists = candidate.has(question.season, question.episode)
        episode = candidate.episodes.get((question.season, question.episode))
    if exists is not None:
        points += EPISODE_EXISTS if exists else EPISODE_MISSING
        contradicted = contradicted or not exists
    if episode is not None:
        points += _episode_title_points(question.episode_title, episode.title or "")
    runtime_points, off = _runtime(question.duration, item, episode)
    if candidate.votes:
        points += min(log10(candidate.votes + 1), MOST_FOR_VOTES)
    return replace(
        named,
        points=points + runtime_points,
        exists=exists,
        runtime_off=off,
        contradicted=contradicted or runtime_points == RUNTIME_FAR_OFF,
    )


def _named(wording: Wording, candidate: Candidate) -> Score | None:
    """Count the points for the name, and what stands beside it."""
    item = candidate.item
    title, year = split_year(item.title)
    title, country = split_country(title)
    country = candidate.country or country or _country_of(item.ids)
    alike = max(similarity(wording.name, name) for name in split_names(title))
    if candidate.aliases and alike < VARIANT:
        # an alias is as good as a variant
        other = max(similarity(wording.name, name) for name in candidate.aliases)
        alike = max(alike, min(other, VARIANT))
    if alike < LEAST_SIMILAR:
        return None
    points = TITLE * alike + (NOT_THE_SAME if alike < VARIANT else 0)
    year_points = _year_points(wording.year, item.year or year, item.type)
    if year_points is None:
        return None
    points += year_points
    contradicted = year_points < 0
    if wording.country and country:
        points += COUNTRY_EQUAL if wording.country == country else COUNTRY_OTHER
        contradicted = contradicted or wording.country != country
    return Score(
        candidate=candidate,
        points=points,
        similarity=alike,
        contradicted=contradicted,
        year_told=wording.year is not None,
    )


def _country_of(ids: Ids) -> str | None:
    """Return the country in a slug such as "the-office-us"."""
    _, dash, last = (ids.get("slug") or "").rpartition("-")
    return {"us": "us", "uk": "gb", "au": "au"}.get(last) if dash else None


def _year_points(
    said: int | None, known: int | None, item_type: MediaType
) -> float | None:
    if said is None or known is None:
        return YEAR_UNKNOWN
    match abs(said - known):
        case 0:
            return YEAR_EQUAL
        case 1:
            return YEAR_NEAR
        case 2 if item_type is MediaType.SHOW:
            return YEAR_TWO_OFF
    return None


def _runtime(
    duration: float | None, item: Movie | Show, episode: Episode | None
) -> tuple[float, float | None]:
    """Return the points for the runtime, and how far off it is."""
    own = episode.runtime if episode else None
    runtime = own or item.runtime
    if not duration or not runtime:
        return 0.0, None
    difference = abs(duration - runtime)
    off = difference / runtime
    if difference <= _MINUTES or off <= RUNTIME_TOLERANCE:
        return RUNTIME_FITS, off
    if off <= _NEAR:
        return RUNTIME_NEAR, off
    if item.type is MediaType.SHOW:
        # how long episodes usually are says nothing against one that is not
        return (RUNTIME_OFF if own else 0.0), off
    return (RUNTIME_FAR_OFF if off > _FAR else RUNTIME_OFF), off


_UNTITLED: Final = re.compile(
    r"(?:\w+ )?\d+|(?:\w+ )?\d+ \w+|tb[acd]|to be (?:announced|determined)"
)


def _episode_title_points(said: str, known: str) -> float:
    """Compare titles of episodes, unless one is "Episode 3" or they are in different scripts."""
    left, right = plain(said), plain(known)
    if not left or not right or _is_latin(left) != _is_latin(right):
        return 0.0
    if _UNTITLED.fullmatch(left) or _UNTITLED.fullmatch(right):
        return 0.0
    alike = similarity(said, known)
    if alike >= 0.85:
        return EPISODE_TITLE_FITS
    return EPISODE_TITLE_OFF if alike < 0.5 else 0.0


def _is_latin(text: str) -> bool:
    return any("a" <= letter <= "z" for letter in text)


# which one is meant ---------------------------------------------------------------------------------------------


def decide(question: Question, candidates: Iterable[Candidate]) -> Verdict:
    """Say which candidate is meant, if any. Candidates that are the same title are taken together."""
    scores = sorted(
        (
            found
            for candidate in distinct(candidates)
            if (found := score(question, candidate)) is not None
        ),
        key=lambda found: -found.points,
    )
    return Verdict(certainty=_certainty(scores), scores=tuple(scores))


def _certainty(scores: Sequence[Score]) -> Certainty:
    if not scores or scores[0].points < LIKELY:
        return Certainty.NONE
    best, *rivals = scores
    if best.exists is False:
        return Certainty.AMBIGUOUS
    if not rivals or best.points - rivals[0].points >= LEAD:
        if best.points >= SURE:
            return Certainty.SURE
        return Certainty.AMBIGUOUS if best.contradicted else Certainty.LIKELY
    votes = max((rival.candidate.votes or 0 for rival in rivals), default=0)
    far_more = (best.candidate.votes or 0) >= FAR_MORE_VOTES * max(votes, 1)
    known = all(rival.candidate.votes is not None for rival in rivals)
    if far_more and known and not best.year_told and not best.contradicted:
        return Certainty.LIKELY
    return Certainty.AMBIGUOUS


def distinct(candidates: Iterable[Candidate]) -> list[Candidate]:
    """Leave out what names a title that stands before, as when two services found it."""
    kept: list[Candidate] = []
    for candidate in candidates:
        if not any(same_title(candidate.item, other.item) for other in kept):
            kept.append(candidate)
    return kept


def same_title(one: Movie | Show, other: Movie | Show) -> bool:
    """Say whether two are the same title: they share an id, or a name and year with no id that says otherwise."""
    if one.type is not other.type:
        return False
    if one.ids.shares(other.ids):
        return True
    if disagree(one.ids, other.ids) or one.year is None or one.year != other.year:
        return False
    return plain(one.title) == plain(other.title)


def disagree(one: Ids, other: Ids) -> bool:
    """Say whether both have an id in one namespace, and not the same."""
    return any(
        other.values.get(namespace, value) != value
        for namespace, value in one.values.items()
        if namespace != "slug"
    )


def resemblance(names: Iterable[str], item: Movie | Show) -> float:
    """Return how alike the names are to the title's, at best."""
    title, _ = split_year(item.title)
    return max(
        (similarity(name, own) for name in names for own in split_names(title)),
        default=0.0,
    )
