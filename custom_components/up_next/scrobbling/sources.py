"""What the integrations behind media players are known to do: the one place for their quirks.

Found by reading their code and recording real players; docs/scrobbling.md tells users what follows from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType
from typing import Final


class Shape(StrEnum):
    """Where a player puts the names of things."""

    USUAL = "usual"
    SWAPPED = "swapped"
    """The show is in `media_title`, the episode's title in `media_series_title`."""
    OWN = "own"
    """Season, episode and ids have attributes of their own names, and the show is in `media_title`."""


class Types(StrEnum):
    """What `media_content_type` is worth."""

    TRUE = "true"
    """It says what the item is."""
    HINT = "hint"
    """What is no video is none; movie, show and video are confused."""
    USELESS = "useless"
    """It is the same for everything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """An integration that has media players.

    `tells`: it says what it plays; where it does not, there is nothing to scrobble. `library`: `media_content_id`
    names an item of a media library, for good. `titled_well`: its titles are believed without ids. `group`: it
    repeats what other players report. `polled`: its position is only right after it was asked for it. `person` is
    the attribute with the name of whom it plays for. `live`: all it shows is live television. `live_libraries` and
    `prerolls` are names of libraries, in lower case. `clips` says that the type "video" is for trailers and extras
    only. `untyped` says that an item without a type may be a movie or an episode all the same. `file` is the
    attribute with the path of what plays. `titled_apps` are ids of apps whose titles are believed on a player where
    others are not. `idle` are the seconds, at least, for which a player may be idle and go on. `undated` says that
    the date of a position is that of the report, however old the position is.
    """

    tells: bool = True
    shape: Shape = Shape.USUAL
    types: Types = Types.HINT
    library: bool = False
    titled_well: bool = False
    group: bool = False
    polled: bool = False
    live: bool = False
    clips: bool = False
    untyped: bool = False
    undated: bool = False
    idle: float = 0.0
    person: str | None = None
    file: str | None = None
    live_libraries: frozenset[str] = frozenset()
    prerolls: frozenset[str] = frozenset()
    titled_apps: frozenset[str] = frozenset()


_LOOKED_AT: Final = 15.0
"""Seconds that outlast one look at a player of which the integration looks every ten: it was idle just then."""

_NOTHING: Final = Source(tells=False)

SOURCES: Final[Mapping[str, Source]] = MappingProxyType(
    {
        # with a library of their own: ids are to be had
        "plex": Source(
            types=Types.TRUE,
            library=True,
            titled_well=True,
            clips=True,
            person="username",
            live_libraries=frozenset({"live tv"}),
            prerolls=frozenset({"preroll", "prerolls", "pre-roll", "pre-rolls"}),
        ),
        # its position stays what it was before a seek until it is asked again; add-ons type and name what they like;
        # where it has no websocket it is looked at now and then
        "kodi": Source(
            library=True,
            titled_well=True,
            polled=True,
            idle=_LOOKED_AT,
        ),
        # no type: live television, a trailer, a music video
        "jellyfin": Source(
            types=Types.TRUE,
            library=True,
            titled_well=True,
            idle=_LOOKED_AT,
        ),
        "emby": Source(
            types=Types.TRUE,
            library=True,
            titled_well=True,
            person="app_name",
        ),
        # trailers are "video"
        "embymedia": Source(
            types=Types.TRUE,
            library=True,
            titled_well=True,
            clips=True,
            undated=True,
        ),
        "jellyfin_ha": Source(
            types=Types.TRUE,
            library=True,
            titled_well=True,
            person="app_name",
        ),
        # it keeps to itself that the next episode of a show began until it is asked
        "stremio": Source(
            shape=Shape.OWN,
            types=Types.TRUE,
            titled_well=True,
            polled=True,
        ),
        # titles, as the app or the file has them
        "apple_tv": Source(
            titled_apps=frozenset({"com.apple.TVWatchList", "com.apple.TV"})
        ),
        "cast": Source(),
        "dlna_dmr": Source(polled=True),
        # every film is "music"
        "vlc_telnet": Source(types=Types.USELESS, untyped=True, idle=_LOOKED_AT),
        # what has no episode title is "movie", live or not
        "directv": Source(shape=Shape.SWAPPED, idle=_LOOKED_AT),
        # every file is "movie"; its path is an attribute
        "zidoo": Source(types=Types.USELESS, untyped=True, file="media_uri"),
        # live television under the type of shows
        "enigma2": Source(tells=False, live=True),
        "skyq": Source(tells=False, live=True),
        # sound or pictures of something else, or the name of an app
        "mpd": _NOTHING,
        "sonos": _NOTHING,
        "roku": _NOTHING,
        "androidtv": _NOTHING,
        "androidtv_remote": _NOTHING,
        "webostv": _NOTHING,
        "samsungtv": _NOTHING,
        "braviatv": _NOTHING,
        "philips_js": _NOTHING,
        "vizio": _NOTHING,
        "panasonic_viera": _NOTHING,
        "panasonic_bluray": _NOTHING,
        "xbox": _NOTHING,
        "ps4": _NOTHING,
        "playstation_network": _NOTHING,
        # what others report, once more
        "universal": Source(group=True),
        "group": Source(group=True),
    }
)
"""By the integration's domain."""

GENERIC: Final = Source()
"""What is assumed of an integration that nobody has looked at."""


def source_of(domain: str) -> Source:
    """Return what is known of an integration's players."""
    return SOURCES.get(domain, GENERIC)


APPS_IGNORED: Final = frozenset(
    {
        # Cast
        "233637de",  # YouTube
        "2dd6ba57",  # YouTube Music
        "8de0a9e5",  # YouTube Kids
        "cc32e753",  # Spotify
        "b3dcf968",  # Twitch
        # Android TV, Fire TV, webOS, Apple TV
        "com.google.android.youtube.tv",
        "com.google.android.youtube.tvkids",
        "com.google.android.youtube.tvunplugged",
        "com.google.ios.youtube",
        "com.google.ios.youtubekids",
        "com.google.ios.youtubeunplugged",
        "com.amazon.firetv.youtube",
        "youtube.leanback.v4",
        "tv.twitch",
        "tv.twitch.android.app",
        "com.spotify.client",
        "com.spotify.tv.android",
        "com.zhiliaoapp.musically",
    }
)
"""Ids of apps, in lower case, whose titles are those of clips, songs and channels."""

APP_NAMES_IGNORED: Final = frozenset(
    {
        "youtube",
        "youtube kids",
        "youtube music",
        "youtube tv",
        "twitch",
        "spotify",
        "tiktok",
    }
)
"""The same by name, in lower case."""


class Typed(StrEnum):
    """What a content type says of an item."""

    MOVIE = "movie"
    EPISODE = "episode"
    VIDEO = "video"
    CHANNEL = "channel"
    NO_VIDEO = "no_video"
    UNKNOWN = "unknown"


TYPES: Final[Mapping[str, Typed]] = MappingProxyType(
    {
        "movie": Typed.MOVIE,
        "tvshow": Typed.EPISODE,
        "episode": Typed.EPISODE,
        "season": Typed.EPISODE,
        "series": Typed.EPISODE,
        "video": Typed.VIDEO,
        "channel": Typed.CHANNEL,
        "channels": Typed.CHANNEL,
        **dict.fromkeys(
            (
                "music", "track", "song", "album", "artist", "contributing_artist", "composer", "genre", "audio",
                "audiobook", "playlist", "podcast", "radio", "image", "photo", "app", "apps", "game", "games", "url",
                "directory", "trailer", "musicvideo", "clip", "extra",
            ),
            Typed.NO_VIDEO,
        ),
    }
)  # fmt: skip
"""By `media_content_type` in lower case."""


ID_NAMESPACES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "imdb": "imdb",
        "tmdb": "tmdb",
        "themoviedb": "tmdb",
        "tvdb": "tvdb",
        "thetvdb": "tvdb",
        "trakt": "trakt",
        "simkl": "simkl",
        "tvmaze": "tvmaze",
        "mal": "mal",
        "anidb": "anidb",
        "anilist": "anilist",
        "kitsu": "kitsu",
        "kinopub": "kinopub",
    }
)
"""The names that media libraries give to external ids, in lower case -> ours. Others are of no use to a tracker."""

SHOW_ID_PREFIX: Final = "tvshow."
"""Stands before the name of an id that is the show's, as add-ons of Kodi write it."""


@dataclass(frozen=True, slots=True)
class OwnAttributes:
    """The attributes of `Shape.OWN`."""

    season: str = "season"
    episode: str = "episode"
    series: str = "series_title"
    episode_title: str = "episode_title"
    year: str = "year"
    imdb: str = "imdb_id"


OWN: Final = OwnAttributes()
