"""What actions answer: plain JSON values. docs/actions.md describes the shapes; automations depend on them.

Times are ISO 8601 in UTC, durations seconds, dates "2026-11-20". A media item is given twice: `item` holds exactly
the fields that actions take, so that it can be handed on, and beside it stands what people read.
"""

from __future__ import annotations

from datetime import datetime

from homeassistant.util.json import JsonObjectType, JsonValueType

from ..coordinator import AccountCoordinator
from ..library import Play, Playback, ShowOverview, WatchlistEntry
from ..media import Episode, Ids, MediaItem, Movie, Season, Show, show_of
from ..pictures import picture_path


def item_fields(item: MediaItem) -> JsonObjectType:
    """Return the fields by which an action finds this media item."""
    title = item if isinstance(item, (Movie, Show)) else item.show
    fields: JsonObjectType = {
        "type": item.type.value,
        "title": title.title,
        "year": title.year,
        "ids": _ids(title.ids),
    }
    match item:
        case Season():
            fields["season"] = item.number
        case Episode():
            fields["season"] = item.season
            fields["episode"] = item.number
            fields["episode_ids"] = _ids(item.ids)
        case _:
            pass
    return fields


def described(account: AccountCoordinator, item: MediaItem) -> JsonObjectType:
    """Return a media item with what people read of it."""
    show = show_of(item)
    picture = None if isinstance(item, Season) else item.picture
    link = None if isinstance(item, Season) else item.url
    answer: JsonObjectType = {
        "item": item_fields(item),
        "label": item.label,
        "link": link or (show.url if show else None),
        "picture": picture_path(
            account.hass, account, picture or (show.picture if show else None)
        ),
    }
    if not isinstance(item, Season):
        answer["runtime"] = item.runtime
    if isinstance(item, Episode):
        answer["episode_title"] = item.title
        answer["aired"] = when(item.first_aired)
    return answer


def next_episode(
    account: AccountCoordinator, row: ShowOverview, episode: Episode
) -> JsonObjectType:
    """Return an episode to watch next, and how much of its show is left."""
    return {
        **described(account, episode),
        "unwatched": row.unwatched,
        "last_watched": when(row.last_watched_at),
    }


def unwatched_show(account: AccountCoordinator, row: ShowOverview) -> JsonObjectType:
    """Return a show with unwatched episodes."""
    following = row.next_episode
    return {
        **described(account, row.show),
        "unwatched": row.unwatched,
        "last_watched": when(row.last_watched_at),
        "next_episode": described(account, following) if following else None,
    }


def watchlist_entry(
    account: AccountCoordinator, entry: WatchlistEntry
) -> JsonObjectType:
    """Return an entry of the watchlist."""
    return {**described(account, entry.item), "listed": when(entry.listed_at)}


def play(account: AccountCoordinator, viewing: Play) -> JsonObjectType:
    """Return one viewing: `watched_at` is an instant, `watched_on` a date; both None when nobody knows.

    So is what was thought of it. `rewatch` is True or None: a play does not tell "no" from "not told".
    """
    return {
        **described(account, viewing.item),
        **play_times(viewing),
        "rating": viewing.rating,
        "rewatch": viewing.rewatch or None,
        "liked": viewing.liked,
    }


def playback(account: AccountCoordinator, stopped: Playback) -> JsonObjectType:
    """Return where something was stopped: position and duration are seconds, progress is percent."""
    return {
        **described(account, stopped.item),
        "playback": stopped.id,
        "state": stopped.state.value,
        "position": _rounded(stopped.position),
        "duration": _rounded(stopped.duration),
        "progress": _rounded(stopped.progress, 1),
        "updated_at": when(stopped.updated_at),
    }


def changed_play(viewing: Play) -> JsonObjectType:
    """Return a play that was added or removed, as short as it can be acted upon."""
    return {
        "item": item_fields(viewing.item),
        "label": viewing.item.label,
        **play_times(viewing),
    }


def play_times(viewing: Play) -> JsonObjectType:
    """Return a play's id and time."""
    return {
        "play": viewing.id,
        "watched_at": when(viewing.watched_at),
        "watched_on": viewing.watched_on.isoformat() if viewing.watched_on else None,
    }


def of(account: AccountCoordinator, **values: JsonValueType) -> JsonObjectType:
    """Return one account's part of an answer."""
    entry = account.config_entry
    return {"account": entry.title, "entry_id": entry.entry_id, **values}


def when(moment: datetime | None) -> str | None:
    """Return an instant as text."""
    return moment.isoformat() if moment else None


def _rounded(value: float | None, digits: int | None = None) -> float | None:
    return None if value is None else round(value, digits)


def _ids(ids: Ids) -> JsonObjectType:
    return dict(ids.values)
