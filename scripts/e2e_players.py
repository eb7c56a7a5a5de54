"""The players of the demo in the scripted run: what is told of them, and what a person has to decide."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from functools import partial
import time
from typing import Any

from checks import check, figure, until
from demo_players import BEDROOM, LIVING_ROOM, Player
from e2e_account import Account
from home_assistant import Client

PASSED = 0.82
"""The part of an item that is played when it is nearly over: it counts as watched from 0.8."""
MINUTE = 65
"""Seconds that must really have been played beyond that."""
IDLE = 30
"""Seconds within which a player that was switched off is believed to have stopped, and everybody is told."""
LOCKED = 21
"""Seconds for which Simkl takes nothing else after it was told of a playback."""
TELLS = ("/scrobble/", "/watching/toggle", "/watching/marktime")
"""What the paths contain by which services are told of a playback."""
WAITING = "waiting_titles"

type Json = dict[str, Any]


class Evening:
    """Two people watch, each at a player."""

    def __init__(self, client: Client, accounts: Mapping[str, Account]) -> None:
        """Watch with the players of the demo, which play already; `accounts` by tracker."""
        self.client = client
        self.accounts = accounts
        self.passed_at = 0.0

    async def begins(self) -> None:
        """Look at what is shown of the players, and go on near the end."""
        told = [self.accounts[tracker] for tracker in LIVING_ROOM.feeds]
        label = await self._recognized()
        for account in told:
            playing = await account.value("now_watching")
            check(playing == label, f"{account.title}: {playing}, without asking")
        await until("the start was not told", self._started, 40)
        for account in told:
            # Simkl wants some seconds between two of them
            await account.becomes("pending_writes", 0, 40)
        figure(f"{LIVING_ROOM.name}: the start was told")
        for action, wanted in (("media_pause", "paused"), ("media_play", "playing")):
            await self._do(LIVING_ROOM, action)
            await self._becomes(LIVING_ROOM, wanted)
        phase = (await self.client.state(BEDROOM.playback))["state"]
        check(phase == "needs_decision", f"{BEDROOM.name}: {phase}")
        for player in (LIVING_ROOM, BEDROOM):
            state = await self.client.state(player.entity_id)
            position = state["attributes"]["media_duration"] * PASSED
            await self._do(player, "media_seek", seek_position=position)
        self.passed_at = time.monotonic()

    async def ends(self) -> None:
        """Switch both players off, and name what was not recognized."""
        await asyncio.sleep(max(0.0, MINUTE - (time.monotonic() - self.passed_at)))
        await self._becomes(LIVING_ROOM, "watched", 60)
        await self._living_room_ends()
        told_at = time.monotonic()
        await self._bedroom_ends()
        await asyncio.sleep(max(0.0, LOCKED - (time.monotonic() - told_at)))

    async def _living_room_ends(self) -> None:
        told = [self.accounts[tracker] for tracker in LIVING_ROOM.feeds]
        before = {a.tracker: await a.number("unwatched_episodes") for a in told}
        for account in told:
            await account.client.forget(account.simulator)
        await self._do(LIVING_ROOM, "media_stop")
        await until("no event", lambda: self._event(LIVING_ROOM, "watched"), IDLE)
        for account in told:
            wanted = before[account.tracker] - 1
            await account.becomes("unwatched_episodes", wanted, IDLE)
            await until("it was not told", partial(self._tells, account), IDLE)
            await account.settles()
            tells = await self._tells(account)
            check(
                len(tells) == 1,
                f"{account.title}: {wanted + 1} -> {wanted} by {', '.join(tells)}",
            )

    async def _bedroom_ends(self) -> None:
        account = self.accounts[BEDROOM.feeds[0]]
        count = await account.number("watched_movies")
        await account.client.forget(account.simulator)
        await self._do(BEDROOM, "media_stop")
        await until("there is no repair", self._waits, IDLE)
        check(
            not await self._tells(account),
            f"{account.title}: nothing is told before somebody says what it was",
        )
        state = await self.client.state(BEDROOM.scrobble)
        label = state["attributes"]["label"]
        answer = await self.client.action(
            "up_next.resolve_match", player=BEDROOM.entity_id, title=label, type="movie"
        )
        figure(f"{label}: {answer}")
        await account.becomes("watched_movies", count + 1, IDLE)
        await until("it was not told", lambda: self._tells(account), IDLE)
        check(
            not await self._waits() and len(await self._tells(account)) == 1,
            f"{account.title}: told once, the repair is gone",
        )

    # what is seen ---------------------------------------------------------------------------------------------

    async def _recognized(self) -> str:
        """Wait until the living room's item is known; returns its label."""
        await self._becomes(LIVING_ROOM, "playing")
        attributes = (await self.client.state(LIVING_ROOM.playback))["attributes"]
        figure(
            f"{LIVING_ROOM.name}: {attributes['reported']} is {attributes['label']},"
            f" {attributes['match_certainty']} by {attributes['match_method']}"
        )
        label: str = attributes["label"]
        return label

    async def _started(self) -> bool:
        return await self._event(LIVING_ROOM, "started")

    async def _event(self, player: Player, wanted: str) -> bool:
        state = await self.client.state(player.scrobble)
        return bool(state["attributes"]["event_type"] == wanted)

    async def _becomes(self, player: Player, wanted: str, within: float = 10) -> None:
        async def shown() -> bool:
            state: str = (await self.client.state(player.playback))["state"]
            return state == wanted

        await until(f"{player.name} is not {wanted}", shown, within)
        figure(f"{player.name}: {wanted}")

    async def _waits(self) -> bool:
        """Say whether there is a repair about titles that nobody recognized."""
        listed: Json = await self.client.ws("repairs/list_issues")
        return any(issue["issue_id"] == WAITING for issue in listed["issues"])

    async def _tells(self, account: Account) -> list[str]:
        """Return the requests that told the account's service of a playback, or of a play."""
        writes = await account.writes()
        return [w for w in writes if "/sync/history" in w or any(t in w for t in TELLS)]

    # what is done ---------------------------------------------------------------------------------------------

    async def _do(self, player: Player, action: str, **data: float) -> None:
        await self.client.action(
            f"media_player.{action}", entity_id=player.entity_id, **data
        )
