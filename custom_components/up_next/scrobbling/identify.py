"""Which movie or episode a player plays: by ids, by the user's word, from memory, from the library, by search."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from enum import StrEnum
from typing import Final, Protocol

from ..media import Episode, Ids, MediaType, Movie, Playable, Show
from .by_ids import ById, by_ids
from .filenames import parse, read_file
from .lookup import Catalogue, CatalogueUnavailable, Lookup, Run
from .matching import (
    RUNTIME_TOLERANCE,
    Candidate,
    Certainty,
    Question,
    Score,
    Verdict,
    decide,
    disagree,
    distinct,
)
from .observation import Ignored, Media
from .placing import Placement, place

__all__ = [
    "Catalogue",
    "CatalogueUnavailable",
    "Certainty",
    "Decision",
    "Decisions",
    "Identification",
    "Method",
    "Run",
    "choose",
    "identify",
]

FOUND_LASTS: Final = timedelta(days=180)
"""How long an answer is kept, and a question that waits for the user's."""
MISS_LASTS: Final = timedelta(hours=24)
MOST_CANDIDATES: Final = 6
_SHORTEST: Final = 120.0
_SHORTEST_WITHOUT_IDS: Final = 300.0
_SAME_DURATION: Final = 0.02
_OTHER_CUT: Final = 0.15
_MAY_MATTER: Final = 22.0
"""Points by which knowing the episodes can change how two shows stand to each other."""


class Method(StrEnum):
    """How it was found what a player plays. The values are translation keys."""

    IDS = "ids"
    CORRECTION = "correction"
    CACHE = "cache"
    LIBRARY = "library"
    SEARCH = "search"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identification:
    """What a player plays, and how that was found.

    `items` are several for a file with several episodes, none when it is not known or not sure enough. `score` is in
    points, None where names were not compared. `runtime` is seconds of all items, None when unknown. `candidates`
    are the titles to choose from, best first. `unasked` says that it may be scrobbled without asking. `ignored` is
    set when it is too short to be what it is called, or the user's word is that it is nothing to be scrobbled.
    """

    media: Media
    """What the player said, with what was learned since: from its own integration, from a file's name."""
    duration: float | None = None
    """What the player reported as its length, in seconds."""
    items: tuple[Playable, ...] = ()
    certainty: Certainty = Certainty.NONE
    method: Method | None = None
    score: float | None = None
    runtime: float | None = None
    candidates: tuple[Movie | Show, ...] = ()
    unasked: bool = False
    ignored: Ignored | None = None

    @property
    def signature(self) -> str:
        """Return what names the title among all that players report."""
        return self.media.signature

    @property
    def show_signature(self) -> str:
        """Return what names its show, for corrections of all episodes; "" for none."""
        return self.media.show_signature


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """What is remembered under a signature: an answer that was found, or the user's word.

    The word on one title is `items`. That on a whole show, remembered under its `show_signature`, is `show`, and what
    must be added to the numbers that players say. With neither, it is never to be scrobbled. `proven` says that more
    than a name spoke for what was found; `duration` is what the player reported then, in seconds. `media` is what the
    player said that the user's word is about.
    """

    by_person: bool = False
    items: tuple[Playable, ...] = ()
    show: Show | None = None
    season_shift: int = 0
    shift: int = 0
    certainty: Certainty = Certainty.SURE
    method: Method | None = None
    score: float | None = None
    candidates: tuple[Movie | Show, ...] = ()
    proven: bool = False
    duration: float | None = None
    media: Media | None = None

    @property
    def never(self) -> bool:
        """Say whether it is the user's word that this is nothing to be scrobbled."""
        return self.by_person and not self.items and self.show is None


class Decisions(Protocol):
    """The decisions that are remembered."""

    def get(self, signature: str) -> Decision | None:
        """Return the decision under a signature, the user's before any other; none that has expired."""

    async def remember(
        self, signature: str, decision: Decision, lasts: timedelta
    ) -> None:
        """Keep an answer that was found. The user's word is not replaced by it."""


async def identify(
    media: Media,
    duration: float | None,
    catalogue: Catalogue,
    decisions: Decisions,
    run: Run,
) -> Identification:
    """Say which movie or episode is meant; `duration` is what the player reports, in seconds.

    Raises CatalogueUnavailable when a service would have to be asked and can't: try again later.
    """
    found = await _identify(media, duration, Lookup(catalogue, run), decisions, run)
    shortest = _SHORTEST if media.ids or media.show_ids else _SHORTEST_WITHOUT_IDS
    short = found.runtime is None and duration and duration < shortest
    if short and found.method is not Method.CORRECTION:
        found = replace(found, unasked=False, ignored=Ignored.TOO_SHORT)
    return replace(found, duration=duration)


async def _identify(
    media: Media,
    duration: float | None,
    lookup: Lookup,
    decisions: Decisions,
    run: Run,
) -> Identification:
    signature = media.signature
    kept = decisions.get(signature)
    if kept is not None and kept.by_person:
        # the user's word on this very item: better than ids, which may be wrong in the user's own media library
        return _said(media, kept.items)
    if media.file:
        parsed = await run(parse, media.title)
        media = read_file(media, parsed)
        if parsed is not None and parsed.extra:
            return Identification(media=media, ignored=Ignored.NOT_VIDEO)
    word = word_on_show(media, decisions)
    if word is not None and word.never:
        return _said(media, ())
    if (media.ids or media.show_ids) and not _outranks_ids(word, media):
        if kept is not None and kept.method is Method.IDS and _agrees(media, kept):
            return _by_ids(media, ById(items=kept.items))
        if (known := await by_ids(media, lookup)) is not None:
            sure = known.certainty is Certainty.SURE
            if known.settled and lookup.asked and sure:
                decision = Decision(items=known.items, method=Method.IDS, proven=True)
                await decisions.remember(signature, decision, FOUND_LASTS)
            if sure or word is None:
                return _by_ids(media, known)
    if word is not None and word.show is not None:
        return await _choose(
            media,
            word.show,
            lookup,
            season_shift=word.season_shift,
            shift=word.shift,
        )
    if kept is not None and _holds(kept, duration):
        return _from_memory(media, kept, duration)
    decision = await _by_name(media, duration, lookup)
    lasts = MISS_LASTS if decision.certainty is Certainty.NONE else FOUND_LASTS
    await decisions.remember(signature, decision, lasts)
    return _found(media, decision)


async def choose(
    media: Media,
    chosen: Movie | Show | Episode,
    catalogue: Catalogue,
    run: Run,
    *,
    season_shift: int = 0,
    shift: int = 0,
) -> Identification:
    """Say what it means that the user chose a title for what a player plays.

    For a show, the episodes are those with the numbers that the player says, plus the shifts; without items when
    there are none: then an episode must be chosen. Raises CatalogueUnavailable.
    """
    if media.file and (parsed := await run(parse, media.title)):
        media = read_file(media, parsed)
    return await _choose(
        media, chosen, Lookup(catalogue, run), season_shift=season_shift, shift=shift
    )


async def _choose(
    media: Media,
    chosen: Movie | Show | Episode,
    lookup: Lookup,
    *,
    season_shift: int,
    shift: int,
) -> Identification:
    if not isinstance(chosen, Show):
        return _said(media, (chosen,))
    placed = await place(chosen, media, lookup, season_shift=season_shift, shift=shift)
    if placed.episodes:
        return _said(media, placed.episodes)
    return Identification(
        media=media,
        certainty=Certainty.AMBIGUOUS,
        method=Method.CORRECTION,
        candidates=(chosen,),
    )


def word_on_show(media: Media, decisions: Decisions) -> Decision | None:
    """Return the user's word on the show of an episode; None when it was said of another show of that name."""
    word = decisions.get(media.show_signature)
    said = word.media if word is not None else None
    if said is not None and not _may_be(media.show_ids, said.show_ids):
        return None
    return word


def _outranks_ids(word: Decision | None, media: Media) -> bool:
    """Say whether the user's word on a show was said in spite of such ids: then they are wrong."""
    if word is None or word.media is None or word.show is None:
        return False
    said = word.media
    if media.show_ids and said.show_ids:
        return media.show_ids.shares(said.show_ids)
    return bool(said.ids or said.show_ids)


def _agrees(media: Media, kept: Decision) -> bool:
    """Say whether the ids that a title has now are of what was found by them: somebody may have put them right."""
    first = kept.items[0]
    if not isinstance(first, Episode):
        return _may_be(media.ids, first.ids)
    # some players give a show's ids for the episode's
    copied = media.ids.shares(first.show.ids)
    own = copied or _may_be(media.ids, first.ids)
    return own and _may_be(media.show_ids, first.show.ids)


def _may_be(ids: Ids, known: Ids) -> bool:
    return ids.shares(known) or not disagree(ids, known)


# the ways to say it -------------------------------------------------------------------------------------------------


def _said(media: Media, items: tuple[Playable, ...]) -> Identification:
    """Return the user's word."""
    return Identification(
        media=media,
        items=items,
        certainty=Certainty.SURE if items else Certainty.NONE,
        method=Method.CORRECTION,
        runtime=_runtime(items),
        candidates=_titles(items),
        unasked=bool(items),
        ignored=None if items else Ignored.NEVER,
    )


def _by_ids(media: Media, known: ById) -> Identification:
    return Identification(
        media=media,
        items=known.items,
        certainty=known.certainty,
        method=Method.IDS,
        runtime=_runtime(known.items),
        candidates=(known.show,) if known.show else _titles(known.items),
        unasked=known.certainty is Certainty.SURE,
    )


def _found(media: Media, decision: Decision) -> Identification:
    """Return an answer. It may be scrobbled unasked when it is sure, proven, and the player titles well."""
    sure = decision.certainty is Certainty.SURE
    return Identification(
        media=media,
        items=decision.items,
        certainty=decision.certainty,
        method=decision.method,
        score=decision.score,
        runtime=_runtime(decision.items),
        candidates=decision.candidates,
        unasked=sure and decision.proven and media.titled_well,
    )


def _from_memory(
    media: Media, kept: Decision, duration: float | None
) -> Identification:
    """Return a remembered answer; a film must agree with its runtime each time."""
    runtime = _runtime(kept.items)
    if kept.items and isinstance(kept.items[0], Movie):
        fits = bool(
            duration
            and runtime
            and abs(duration - runtime) <= RUNTIME_TOLERANCE * runtime
        )
        kept = replace(kept, proven=kept.proven and fits)
    if kept.items:
        kept = replace(kept, method=Method.CACHE)
    return _found(media, kept)


def _holds(kept: Decision, duration: float | None) -> bool:
    """Say whether a remembered answer answers this: with another duration it may be another film."""
    if duration is None or kept.duration is None:
        same = duration is kept.duration
    else:
        same = abs(duration - kept.duration) <= _SAME_DURATION * kept.duration
    if same or kept.certainty is not Certainty.SURE:
        return same
    runtime = _runtime(kept.items)
    if isinstance(kept.items[0], Episode) or not duration or not runtime:
        return True
    if kept.duration is None and not kept.proven:
        return False  # its length, not known then, may prove it now
    return abs(duration - runtime) <= _OTHER_CUT * runtime


def _runtime(items: Sequence[Playable]) -> float | None:
    """Return the seconds of all items together; None when one is unknown."""
    total = 0.0
    for item in items:
        if not (runtime := _length(item)):
            return None
        total += runtime
    return total or None


def _length(item: Playable) -> int | None:
    """Return the seconds of an item; how long the episodes of a show usually are says nothing of its specials."""
    if not isinstance(item, Episode):
        return item.runtime
    usual = item.show.runtime
    if item.season > 0:
        return item.runtime or usual
    # some services tell the usual length of those whose own they do not know
    return None if item.runtime == usual else item.runtime


def _titles(items: Sequence[Playable]) -> tuple[Movie | Show, ...]:
    first = items[0] if items else None
    if isinstance(first, Episode):
        return (first.show,)
    return (first,) if first else ()


# by name ------------------------------------------------------------------------------------------------------------


async def _by_name(media: Media, duration: float | None, lookup: Lookup) -> Decision:
    question = Question.of(media, duration)
    pool = await lookup.shortlist(question)
    verdict = await _judge(question, pool, lookup)
    best = verdict.best
    known = best is not None and (best.proven or best.year_told)
    method = Method.LIBRARY
    if verdict.certainty is not Certainty.SURE or not known:
        own = len(pool)
        for text, year in _searches(question):
            pool.extend(await lookup.search(text, question, year))
            verdict = await _judge(question, pool, lookup)
            if verdict.certainty is not Certainty.NONE:
                break
        if not (best := verdict.best) or best.candidate.item not in pool[:own]:
            method = Method.SEARCH
    decision = Decision(
        method=method,
        certainty=verdict.certainty,
        score=best.points if best else None,
        candidates=_offered(verdict, pool),
        duration=duration,
    )
    if verdict.certainty in (Certainty.SURE, Certainty.LIKELY) and best:
        return await _settle(decision, best, media, lookup)
    return await _counted_through(decision, question, pool, media, lookup)


def _searches(question: Question) -> Iterator[tuple[str, int | None]]:
    """Yield what to search for, each with the year if there is one, and without: original names before local ones."""
    wordings = [w for w in question.wordings if " / " not in w.name]
    if len(wordings) < len(question.wordings):
        wordings.reverse()
    asked: set[tuple[str, int | None]] = set()
    for wording in wordings or question.wordings:
        for year in dict.fromkeys((wording.year, None)):
            if (wording.name, year) not in asked:
                asked.add((wording.name, year))
                yield wording.name, year


async def _judge(
    question: Question, items: Sequence[Movie | Show], lookup: Lookup
) -> Verdict:
    """Compare titles; shows that may be meant with the episodes they have."""
    candidates = distinct(Candidate(item=item) for item in items)
    verdict = decide(question, candidates)
    if not question.numbered or verdict.best is None:
        return verdict
    least = verdict.best.points - _MAY_MATTER
    near = [one.candidate for one in verdict.scores if one.points >= least]
    far = [one.candidate for one in verdict.scores if one.points < least]
    return decide(
        question, [*[await lookup.knowing(one, question) for one in near], *far]
    )


def _offered(
    verdict: Verdict, pool: Sequence[Movie | Show]
) -> tuple[Movie | Show, ...]:
    """Return the titles to choose from: those that fit, then whatever else was found."""
    fitting = [one.candidate for one in verdict.scores]
    others = [Candidate(item=item) for item in pool]
    return tuple(one.item for one in distinct([*fitting, *others])[:MOST_CANDIDATES])


async def _settle(
    decision: Decision, best: Score, media: Media, lookup: Lookup
) -> Decision:
    """Go from the title that fits best to what of it is played."""
    item = best.candidate.item
    if item.type is MediaType.MOVIE:
        return replace(decision, items=(item,), proven=best.proven)
    placed = await place(item, media, lookup)
    match placed.how:
        case Placement.EXACT:
            return replace(decision, items=placed.episodes, proven=best.proven)
        case Placement.UNCHECKED:
            return replace(decision, items=placed.episodes)
        case Placement.MISSING:
            return replace(decision, certainty=Certainty.AMBIGUOUS)
        case _:
            return replace(decision, items=placed.episodes, certainty=Certainty.LIKELY)


async def _counted_through(
    decision: Decision,
    question: Question,
    pool: Sequence[Movie | Show],
    media: Media,
    lookup: Lookup,
) -> Decision:
    """Try whether the number counts through all seasons of the one show that has the name."""
    if not question.numbered or question.season != 1:
        return decision
    verdict = decide(
        question.without_numbers(), [Candidate(item=item) for item in pool]
    )
    best = verdict.best
    clear = verdict.certainty in (Certainty.SURE, Certainty.LIKELY)
    if best is None or not clear or not isinstance(best.candidate.item, Show):
        return decision
    placed = await place(best.candidate.item, media, lookup)
    if placed.how is not Placement.ABSOLUTE:
        return decision
    return replace(
        decision,
        items=placed.episodes,
        certainty=Certainty.LIKELY,
        score=best.points,
        proven=False,
    )
