"""All viewings of one audience: several players may show one viewing, one player shows one after another."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from math import inf
from typing import Final
from uuid import uuid4

from .calls import Call, Moment, PlayerSettings, Resolution, Rhythm, View
from .clock import Clock
from .ledger import Counted, Ledger
from .observation import Media, Observation, PlayerState
from .players import Player
from .position import BACK, EPSILON, Timeline
from .present import Present
from .saved import SavedSession, restore, save, save_closed
from .session import Away, Member, Report, Session
from .subject import CLIP, Resolutions, Subject
from .telling import Terms

REMEMBERED: Final = 200
"""So many resolutions are kept for titles that come back."""
ALIKE_FOR: Final = 30.0
"""Seconds for which two players must stand at the same place for one that names its title poorly to be the other."""

_ACTIVE: Final = frozenset(
    {PlayerState.PLAYING, PlayerState.PAUSED, PlayerState.BUFFERING}
)
_AWAY: Final = {
    PlayerState.IDLE: Away.IDLE,
    PlayerState.UNAVAILABLE: Away.UNAVAILABLE,
}


class Viewings:
    """The viewings of one audience. Time is an input: what comes out depends on what goes in alone.

    `settings` gives a player's settings at any time; that they changed has to be said by `look_again`. `ledger` are
    the viewings counted before; the present ones are to be kept together with `save`, since playing without being
    counted changes them too.
    """

    def __init__(
        self,
        *,
        rhythm: Rhythm,
        ledger: Iterable[Counted] = (),
        settings: Callable[[str], PlayerSettings],
        new_viewing: Callable[[], str] = lambda: uuid4().hex,
    ) -> None:
        self._terms = Terms(
            rhythm=rhythm,
            ledger=Ledger(ledger),
            settings=settings,
            new_viewing=new_viewing,
        )
        self._players: dict[str, Player] = {}
        self._present = Present()
        self._resolutions = Resolutions(REMEMBERED)
        self._alike: dict[tuple[str, str], float] = {}
        self._saved: dict[Session, SavedSession] = {}
        self._next = inf
        self._clock = Clock()
        self.revision = 0
        """Rises with everything that may be worth showing or saving."""

    @property
    def ledger(self) -> tuple[Counted, ...]:
        """Return the counted viewings, oldest first."""
        return self._terms.ledger.entries

    def recount(self, ledger: Iterable[Counted]) -> None:
        """Know these counted viewings, and no others."""
        self._terms.ledger.reload(ledger)
        self.look_again()

    def look_again(self) -> None:
        """Note that the settings of players may have changed."""
        for session in self._present:
            self._present.touch(session)
        self.revision += 1

    def changed(self) -> set[str]:
        """Return the players that reported, or whose view changed but for the time, since this was asked last."""
        players, self._present.players = self._present.players, set()
        return players

    def due(self) -> float | None:
        """Return the monotonic time at which to `tick` if nothing is observed before; None for never."""
        return None if self._next == inf else self._next

    def tick(self, now: Moment) -> list[Call]:
        """Do what is due by now. A late tick does it as of when it was due."""
        return self._catch_up(self._clock.read(now))

    def observe(self, player: str, seen: Observation) -> list[Call]:
        """Take in what a player reports."""
        self._present.players.add(player)
        known = self._players.get(player)
        repeats = known is not None and known.repeats(seen)
        if repeats and seen.monotonic < self._next:
            return []
        now = self._clock.read(Moment(monotonic=seen.monotonic, at=seen.at))
        calls = self._catch_up(now)
        if repeats:
            return calls
        if known is None:
            known = self._players[player] = Player(name=player)
        media = known.media(seen)
        if seen.state not in _ACTIVE:
            calls += self._leaves(known, _AWAY.get(seen.state), now)
        elif media is None or media.ignored or self._is_clip(media, seen.duration):
            calls += self._leaves(known, Away.INTERRUPTED, now)
        else:
            calls += self._shows(known, media, seen, now)
        known.note(seen, now)
        return calls + self._check(now)

    def resolve(
        self, signature: str, resolution: Resolution, now: Moment
    ) -> list[Call]:
        """Take in what a signature was identified as, for the first time or anew."""
        now = self._clock.read(now)
        calls = self._catch_up(now)
        if self._resolutions.get(signature) == resolution:
            return calls
        self._resolutions.remember(signature, resolution)
        for session in self._present.called(signature):
            self._touch(session, now)
            leader = session.members.get(session.leader)
            if session.subject.signature == signature:
                calls += session.resolve(resolution, now)
            elif leader is not None and leader.signature == signature:
                calls += session.describe(leader.media, resolution, now)
        torn = self._present.torn()
        for known in [p for name, p in self._players.items() if name in torn]:
            calls += self._displace(known, now)
        return calls + self._check(now)

    def forget_player(self, player: str, now: Moment) -> list[Call]:
        """Follow a player no more; what it alone showed ends here."""
        self._present.players.add(player)
        now = self._clock.read(now)
        calls = self._catch_up(now)
        known = self._players.pop(player, None)
        if known is not None:
            calls += self._leaves(known, None, now)
        calls += self._close_left_by(player, now)
        return calls + self._check(now)

    def view(self, player: str, now: Moment) -> View | None:
        """Return what a player shows, or showed and may come back to; None when there is nothing."""
        known = self._players.get(player)
        if known is not None and known.session is not None:
            return known.session.view(now.monotonic)
        left = self._present.left_by(player)
        return left[-1].view(now.monotonic) if left else None

    def save(
        self, now: Moment | None = None, *, anew: bool = True
    ) -> tuple[SavedSession, ...]:
        """Return what has to outlive a restart, as of `now` or else of the last event.

        Not all `anew`: viewings of which there is no news are as they were when they were saved last.
        """
        now = self._clock.last if now is None else self._clock.read(now)
        if now is None:
            return ()
        present = self._present
        changed = list(present) if anew else present.unsaved
        saved = self._saved | {session: save(session, now) for session in changed}
        present.unsaved.clear()
        self._saved = {session: saved[session] for session in present}
        return (
            *self._saved.values(),
            *(done for known in self._players.values() for done in known.done.values()),
        )

    def restore(self, saved: Sequence[SavedSession], now: Moment) -> None:
        """Take up what was saved before a restart: its players have some time to show it again."""
        now = self._clock.read(now)
        for one in saved:
            if one.resolution is not None:
                self._resolutions.remember(one.signature, one.resolution)
            if one.closed:
                name = one.player
                self._players.setdefault(name, Player(name=name)).finish(one)
            elif one.viewing not in self._terms.ledger:
                self._present.add(restore(one, self._terms, now))
        self._plan()

    # what players do

    def _shows(
        self, known: Player, media: Media, seen: Observation, now: Moment
    ) -> list[Call]:
        """Take in that a player shows something that may be a movie or an episode."""
        calls: list[Call] = []
        session = known.session
        joins = session is None or not self._is_of(session, known, media)
        if session is None or joins:
            if known.is_done(media.signature, seen):
                return self._leaves(known, Away.INTERRUPTED, now)
            session = self._find(media.signature) or self._open(known, media, seen, now)
            calls += self._leaves(known, Away.INTERRUPTED, now, to=session)
            known.session = session
        self._touch(session, now)
        calls += self._joins(session, known, media, seen, now)
        if session.leader == known.name:
            calls += self._moves(session, known, seen, now, joins=joins)
        return calls + self._displace(known, now)

    def _is_clip(self, media: Media, duration: float | None) -> bool:
        """Say whether something is too short for what it names itself: the trailer, perhaps."""
        signature = media.signature
        resolution, session = self._resolutions.get(signature), self._find(signature)
        length = None if resolution is None else resolution.runtime
        if length is None and session is not None and session.confirmed:
            length = session.subject.whole
        return bool(duration and length and duration < CLIP * length)

    def _is_of(self, session: Session, known: Player, media: Media) -> bool:
        """Say whether what a player shows is the item of a viewing."""
        if known.goes_on_with(media):
            return True
        signature, subject = media.signature, session.subject
        return signature in subject.signatures or bool(
            subject.tokens & self._resolutions.tokens(signature)
        )

    def _find(self, signature: str) -> Session | None:
        tokens = self._resolutions.tokens(signature)
        return self._present.of_item(signature, tokens)

    def _open(
        self, known: Player, media: Media, seen: Observation, now: Moment
    ) -> Session:
        session = Session(
            terms=self._terms,
            viewing=self._terms.new_viewing(),
            started_at=now.at,
            leader=known.name,
            subject=Subject(
                media=media,
                signature=media.signature,
                resolution=self._resolutions.get(media.signature),
            ),
            timeline=Timeline(at=now.monotonic),
            state=seen.state,
            since=now.monotonic,
        )
        self._present.add(session)
        return session

    def _joins(
        self,
        session: Session,
        known: Player,
        media: Media,
        seen: Observation,
        now: Moment,
    ) -> list[Call]:
        """Note what a player says of the viewing that it shows, and who leads now."""
        name, signature = known.name, media.signature
        before = session.members.get(name)
        session.members[name] = Member(
            state=seen.state,
            media=media,
            signature=signature,
            duration=seen.duration,
            shadow=before is not None and before.shadow,
        )
        session.reports[name] = Report(
            signature=signature, position=seen.position, position_at=seen.position_at
        )
        if session.members[name].shadow:
            return []
        names = session.subject.signatures
        if before is not None:
            names.discard(before.signature)
        names |= {m.signature for m in session.members.values() if not m.shadow}
        self._lead(session)
        if session.leader != name:
            return []
        return session.describe(media, self._resolutions.get(signature), now)

    def _moves(
        self,
        session: Session,
        known: Player,
        seen: Observation,
        now: Moment,
        *,
        joins: bool,
    ) -> list[Call]:
        """Let the leading player move the viewing."""
        calls: list[Call] = []
        session.measure(seen.duration)
        slack = session.come_back(now)
        report = known.position(seen, now, joins=joins, clock_set=self._clock.set_at)
        if report is not None:
            position, age = report
            old = session.subject.offset + session.timeline.here
            if slack and position + age > old + slack >= position >= old - BACK:
                age = 0.0  # the player's clock is wrong
            part = session.subject.part_at(position + age)
            if part != session.subject.part:
                following = session.part_from_here(part, now)
                calls += session.close(now)
                session = self._succeed(session, following)
            session.report(position, age=age, slack=slack)
        session.follow(seen.state, now.monotonic)
        return calls

    def _leaves(
        self,
        known: Player,
        reason: Away | None,
        now: Moment,
        *,
        to: Session | None = None,
    ) -> list[Call]:
        """Take in that a player shows no viewing but `to`, for a reason that lets it come back to others, or none."""
        calls: list[Call] = []
        left, known.session = known.session, None
        for session in self._present.left_by(known.name, and_now=left):
            if session is to:
                continue
            self._touch(session, now)
            session.members.pop(known.name, None)
            if self._lead(session):
                leader = session.members[session.leader]
                session.follow(leader.state, now.monotonic)
            elif session.leader != known.name:
                continue
            elif reason is not None:
                session.leave(reason, now.monotonic)
            elif session.away is Away.RESTART:
                # some players begin switched off, until they have heard from their device
                session.leave(Away.IDLE, now.monotonic)
            else:
                calls += self._close(session, now)
        return calls

    def _lead(self, session: Session) -> bool:
        """Let the player lead that knows best what it shows; False when there is none."""
        ranks = {n: m.media.rank for n, m in session.members.items() if not m.shadow}
        if not ranks:
            return False
        best = max(ranks.values())
        if ranks.get(session.leader) is not best:
            leader = next(name for name, rank in ranks.items() if rank is best)
            resolution = self._resolutions.get(session.members[leader].signature)
            session.hand_over(leader, resolution)
        return True

    def _displace(self, known: Player, now: Moment) -> list[Call]:
        """End what a player showed before, once it is clear that it shows another item."""
        if known.session is None:
            return []
        if known.session.subject.clip:
            return self._leaves(known, Away.INTERRUPTED, now)
        if not known.session.subject.eligible:
            return []
        return self._close_left_by(known.name, now)

    # what becomes of viewings

    def _touch(self, session: Session, now: Moment) -> None:
        """Bring a viewing that changes up to date."""
        session.advance(now.monotonic)
        self._present.touch(session)

    def _check(self, now: Moment) -> list[Call]:
        """Let every viewing do what is due, and plan for the next time."""
        calls: list[Call] = []
        self._unite(now)
        self._mind_ledger()
        for session in self._present.turns(now.monotonic):
            calls += session.check(now)
            if session.successor is not None:
                self._succeed(session, session.successor)
            elif session.closed:
                self._drop(session, now)
            self._mind_ledger()
        self._unite(now)
        self._pair(now)
        self._plan()
        return calls

    def _mind_ledger(self) -> None:
        """Look again at viewings of items of which others have counted something."""
        if changed := self._terms.ledger.changed:
            for session in self._present.sharing(changed):
                self._present.touch(session)
            changed.clear()

    def _catch_up(self, now: Moment) -> list[Call]:
        calls: list[Call] = []
        while self._next <= now.monotonic + EPSILON:
            calls += self._check(now.earlier(self._next))
        return calls

    def _plan(self) -> None:
        alike = [since + ALIKE_FOR for since in self._alike.values()]
        self._next = min([self._present.next(), *alike])
        self.revision += 1

    def _close(self, session: Session, now: Moment) -> list[Call]:
        calls = session.close(now)
        self._drop(session, now)
        return calls

    def _close_left_by(self, player: str, now: Moment) -> list[Call]:
        calls: list[Call] = []
        for session in self._present.left_by(player):
            self._touch(session, now)
            calls += self._close(session, now)
        return calls

    def _drop(self, session: Session, now: Moment) -> None:
        """Forget a viewing that closed, but for what its players would repeat of it."""
        self._present.remove(session)
        for name, report in session.reports.items():
            known = self._players.get(name)
            if known is None:
                continue
            shows = known.session is session
            if shows:
                known.session = None
            if shows or report.position_at is not None:
                known.finish(save_closed(session, name, report, now))

    def _succeed(self, session: Session, successor: Session) -> Session:
        """Put the viewing that goes on in the place of the one that closed."""
        self._replace(session, successor)
        self._present.add(successor)
        return successor

    def _replace(self, session: Session, by: Session) -> None:
        self._present.remove(session)
        for name in session.members:
            if self._players[name].session is session:
                self._players[name].session = by

    def _unite(self, now: Moment) -> None:
        """Make one of viewings that turned out to be of one item."""
        while (same := self._present.same_item()) is not None:
            self._absorb(*same, now)

    def _absorb(self, session: Session, other: Session, now: Moment) -> None:
        """Let one viewing take over the players of another, which was the same all along."""
        if session.told is None and other.told is not None:
            session, other = other, session
        self._touch(session, now)
        self._touch(other, now)
        was_away, leader = session.away is not None, session.leader
        self._replace(other, session)
        session.subject.signatures |= other.subject.signatures
        session.reports |= other.reports
        session.members |= other.members
        session.timeline.played = max(session.timeline.played, other.timeline.played)
        if not self._lead(session) or (session.leader == leader and not was_away):
            return
        slack, position = session.come_back(now), other.timeline.position
        if position is not None:
            session.report(session.subject.offset + position, slack=slack)
        state = session.members[session.leader].state
        session.follow(state, now.monotonic)

    def _pair(self, now: Moment) -> None:
        """Find viewings that are one, though one of the players names it too poorly to tell."""
        alike: dict[tuple[str, str], float] = {}
        for vague in self._present.vague():
            for other in self._present.as_long_as(vague):
                vague.advance(now.monotonic)
                other.advance(now.monotonic)
                if not vague.looks_like(other):
                    continue
                key = (vague.viewing, other.viewing)
                since = self._alike.get(key, now.monotonic)
                if now.monotonic - since < ALIKE_FOR - EPSILON:
                    alike[key] = since
                    continue
                self._touch(other, now)
                self._replace(vague, other)
                for member in vague.members.values():
                    member.shadow = True
                other.members |= vague.members
                other.reports |= vague.reports
                break
        self._alike = alike
