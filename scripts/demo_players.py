"""The players of the demo: which there are, whose history they feed, and what they play."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from home_assistant import Client, DemoError

from simulators.catalogue import Catalogue, CatalogueMovie

COMPONENTS: Final = Path(__file__).parent / "demo_components"
"""The integrations that the players belong to."""
BEGUN: Final = 0.35
"""The part of an item that was played before the demo began."""

type Json = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Player:
    """A media player: `integration` is what Up Next knows it by, `feeds` are trackers."""

    integration: str
    name: str
    feeds: tuple[str, ...]
    persons: tuple[str, ...] = ()

    @property
    def key(self) -> str:
        """Return what its entities are named after."""
        return self.name.lower().replace(" ", "_")

    @property
    def entity_id(self) -> str:
        """Return the media player's own entity."""
        return f"media_player.{self.key}"

    @property
    def playback(self) -> str:
        """Return the sensor that says what is scrobbled of it."""
        return f"sensor.{self.key}_playback"

    @property
    def scrobble(self) -> str:
        """Return the event entity of what is told of it."""
        return f"event.{self.key}_scrobble"


LIVING_ROOM: Final = Player(
    integration="jellyfin_ha",
    name="Living room",
    feeds=("simkl", "kinopub"),
    persons=("Demo",),
)
BEDROOM: Final = Player(integration="zidoo", name="Bedroom", feeds=("trakt",))
PLAYERS: Final = (LIVING_ROOM, BEDROOM)
CONFIGURATION: Final[Sequence[Mapping[str, str]]] = tuple(
    {"platform": player.integration, "name": player.name} for player in PLAYERS
)
"""What Home Assistant's configuration says of them."""


@dataclass(slots=True)
class Couch:
    """Somebody who has the remote controls."""

    client: Client
    catalogue: Catalogue
    accounts: Mapping[str, Json] = field(default_factory=dict)
    """Tracker -> config entry."""

    async def map_players(self) -> None:
        """Add Scrobbling with all players, unless there is one."""
        self.accounts = await self.client.accounts()
        known = {entry["entry_id"] for entry in self.accounts.values()}
        if any(e["entry_id"] not in known for e in await self.client.entries()):
            return
        unique_ids = await self.client.unique_ids()
        entry = await self.client.add_entry("scrobbling")
        for player in PLAYERS:
            await self.client.add_subentry(
                entry["entry_id"],
                "player",
                entity=player.entity_id,
                accounts=[unique_ids[tracker] for tracker in player.feeds],
                persons=list(player.persons),
            )

    async def play_episode(self) -> None:
        """Let the living room go on with what its first account watches next."""
        account = self.accounts[LIVING_ROOM.feeds[0]]["entry_id"]
        answer = await self.client.action(
            "up_next.get_next_episodes", account=account, limit=1
        )
        item: Json = answer["accounts"][0]["episodes"][0]["item"]
        show = self.catalogue.find_show({}, item["title"])
        if show is None:
            raise DemoError(f"Nobody knows {item['title']}.")
        episode = show.episode(item["season"], item["episode"])
        assert episode is not None
        await self._play(
            LIVING_ROOM,
            "tvshow",
            episode.runtime,
            media_title=episode.title,
            media_series_title=show.title,
            media_season=episode.season,
            media_episode=episode.number,
            app_name=LIVING_ROOM.persons[0],
        )

    async def play_file(self, movie: CatalogueMovie) -> None:
        """Play a movie in the bedroom, of which only the name of the file is known."""
        name = f"{movie.title.replace(' ', '.')}.{movie.year}.1080p.WEB.mkv"
        await self._play(
            BEDROOM,
            "movie",
            movie.runtime,
            media_title=name,
            media_uri=f"/mnt/films/{name}",
        )

    async def _play(
        self, player: Player, kind: str, runtime: float, **told: object
    ) -> None:
        extra = {**told, "duration": runtime, "position": round(runtime * BEGUN)}
        await self.client.action(
            "media_player.play_media",
            entity_id=player.entity_id,
            media_content_type=kind,
            media_content_id=f"{player.integration}-1",
            extra=extra,
        )
