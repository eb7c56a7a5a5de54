"""The viewings that go on in one audience, found by what concerns them: of many, few have to be looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import count
from math import inf
from typing import Final

from .ledger import signature_token
from .position import EPSILON
from .session import ALIKE_LENGTH, Session

type _Key = str | tuple[str, object]
"""A name of the item (see `Subject.all_tokens`), or something else by which a viewing is found."""

_LEADER: Final = "leader"
_CALLED: Final = "called"
_LENGTH: Final = "length"
_VAGUE: Final = ("vague", True)
_CLIP: Final = ("clip", True)
_LEFT: Final = ("left", True)


class Present:
    """The viewings that go on, in the order in which they began.

    A viewing that changes has to be touched; what it is found by then follows.
    """

    def __init__(self) -> None:
        self._order = count()
        self._places: dict[Session, int] = {}
        self._keys: dict[Session, frozenset[_Key]] = {}
        self._by_key: dict[_Key, set[Session]] = {}
        self._shared: set[_Key] = set()
        """Names that several viewings have."""
        self._due: dict[Session, float] = {}
        self._unsorted: set[Session] = set()
        """Viewings that may be found by other keys than before,"""
        self._unplanned: set[Session] = set()
        """those that may be due at another time,"""
        self._waiting: dict[int, Session] = {}
        """and those in which there may be something to do, by their place."""
        self.unsaved: set[Session] = set()
        """Viewings that changed since this was emptied,"""
        self.players: set[str] = set()
        """and who showed, or shows, one that did."""

    def __iter__(self) -> Iterator[Session]:
        return iter(self._places)

    def add(self, session: Session) -> None:
        """Add a viewing that begins, or goes on after a restart."""
        self._places[session] = next(self._order)
        self.touch(session)

    def remove(self, session: Session) -> None:
        """Remove a viewing that is over, or became part of another."""
        self._note(session)
        self._file(session, frozenset())
        self.unsaved.discard(session)
        del self._keys[session]
        self._waiting.pop(self._places.pop(session), None)
        self._due.pop(session, None)
        self._unsorted.discard(session)
        self._unplanned.discard(session)

    def touch(self, session: Session) -> None:
        """Note that a viewing changes, or that something about it did."""
        self._note(session)
        self._unsorted.add(session)
        self._unplanned.add(session)
        self._waiting[self._places[session]] = session

    # what is found

    def of_item(self, signature: str, tokens: Iterable[str]) -> Session | None:
        """Return the first viewing of an item, or of what some player calls the same; None when there is none."""
        same = {s for s in self._found(tokens) if s.subject.eligible}
        same |= self._found((signature_token(signature),))
        return min(same, key=self._places.__getitem__, default=None)

    def sharing(self, tokens: Iterable[str]) -> list[Session]:
        """Return the viewings that one of these names is one of."""
        return self._in_order(self._found(tokens))

    def called(self, signature: str) -> list[Session]:
        """Return the viewings whose leading player calls, or called, them so."""
        return self._in_order(self._found(((_CALLED, signature),)))

    def left_by(self, player: str, *, and_now: Session | None = None) -> list[Session]:
        """Return the viewings that a player led, shows no more, and may come back to; `and_now` as well."""
        led = self._found(((_LEADER, player),))
        left = {session for session in led if session.away is not None}
        if and_now is not None:
            left.add(and_now)
        return self._in_order(left)

    def torn(self) -> set[str]:
        """Return the players that show a clip, or may come back to what they left for something else."""
        players = {session.leader for session in self._found((_LEFT,))}
        return players.union(*(clip.members for clip in self._found((_CLIP,))))

    def same_item(self) -> tuple[Session, Session] | None:
        """Return two viewings of one item; None when there are none."""
        self._sort()
        if not self._shared:
            return None
        owners: dict[str, Session] = {}
        for session in self._in_order(self._found(self._shared)):
            subject = session.subject
            for token in sorted(subject.tokens) if subject.eligible else ():
                if owners.setdefault(token, session) is not session:
                    return owners[token], session
        return None

    def vague(self) -> list[Session]:
        """Return the viewings whose item is named too poorly to tell what it is."""
        return self._in_order(self._found((_VAGUE,)))

    def as_long_as(self, session: Session) -> list[Session]:
        """Return the viewings of something about as long that is named better."""
        length = _length(session)
        if length is None:
            return []
        near = self._found((_LENGTH, length + by) for by in (-1, 0, 1))
        return self._in_order(s for s in near if not s.subject.vague)

    # what is due

    def next(self) -> float:
        """Return the monotonic time at which there is something to do if nothing happens before; `inf` for never."""
        for session in self._unplanned:
            due = session.due()
            self._due[session] = inf if due is None else due
        self._unplanned.clear()
        return min(self._due.values(), default=inf)

    def turns(self, now: float) -> Iterator[Session]:
        """Go through what was touched or is due by now, in order; what is touched meanwhile joins in."""
        for session, due in self._due.items():
            if due <= now + EPSILON:
                self._waiting[self._places[session]] = session
        while self._waiting:
            session = self._waiting.pop(min(self._waiting))
            self._note(session)
            self._unplanned.add(session)
            yield session

    # in which order they are kept

    def _note(self, session: Session) -> None:
        self.unsaved.add(session)
        self.players.add(session.leader)
        self.players.update(session.members)

    def _in_order(self, sessions: Iterable[Session]) -> list[Session]:
        return sorted(sessions, key=self._places.__getitem__)

    def _found(self, keys: Iterable[_Key]) -> set[Session]:
        self._sort()
        return {session for key in keys for session in self._by_key.get(key, ())}

    def _sort(self) -> None:
        for session in self._unsorted:
            self._note(session)
            self._file(session, frozenset(_keys(session)))
        self._unsorted.clear()

    def _file(self, session: Session, keys: frozenset[_Key]) -> None:
        """Have a viewing found by these keys and no others."""
        before = self._keys.get(session, frozenset())
        self._keys[session] = keys
        for key in before - keys:
            left = self._by_key[key]
            left.discard(session)
            if len(left) == 1:
                self._shared.discard(key)
            elif not left:
                del self._by_key[key]
        for key in keys - before:
            found = self._by_key.setdefault(key, set())
            found.add(session)
            if len(found) > 1 and isinstance(key, str):
                self._shared.add(key)


def _keys(session: Session) -> Iterator[_Key]:
    """Go through all that a viewing is found by."""
    subject = session.subject
    yield from subject.all_tokens
    yield (_LEADER, session.leader)
    yield (_CALLED, subject.signature)
    if (leader := session.members.get(session.leader)) is not None:
        yield (_CALLED, leader.signature)
    if (length := _length(session)) is not None:
        yield (_LENGTH, length)
    if subject.vague:
        yield _VAGUE
    if subject.clip:
        yield _CLIP
    if session.away is not None:
        yield _LEFT


def _length(session: Session) -> int | None:
    """Return the length as a number that differs by one at most between those that are about as long."""
    whole = session.subject.whole
    return int(whole // ALIKE_LENGTH) if whole else None
