"""Tautulli against its simulator: signing in, what is playing, what was watched, and every refusal."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
import ipaddress
import json
import logging
from pathlib import Path
import ssl

from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from mashumaro.codecs.orjson import ORJSONDecoder, ORJSONEncoder
import pytest

from custom_components.up_next.account import Capability
from custom_components.up_next.library import Library, Play, PlaybackState, overview
from custom_components.up_next.media import Episode, Ids, Movie, Season, Show
from custom_components.up_next.trackers.errors import (
    AccessDenied,
    BadAnswer,
    RateLimited,
    Refused,
    SignInError,
    SignInRequired,
    TrackerError,
    Unavailable,
)
from custom_components.up_next.trackers.tautulli import IDLE, PAUSED, PLAYING, Tautulli
from custom_components.up_next.trackers.tracker import Query, QueuedWrite
from custom_components.up_next.trackers.transport import Transport
from custom_components.up_next.writes import MarkWatched, Outcome
from simulators.catalogue import Viewer, generate
from simulators.clock import Clock
from simulators.service import Fault
from simulators.tautulli import API_KEY, SERVER_ID, Tautulli as Simulator
from simulators.tautulli.items import episode_key, movie_key

from ..conftest import Serve
from .conftest import MakeContext

NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
MOVIE = movie_key(500000)
LEGACY_MOVIE = movie_key(500006)
EPISODE = episode_key(1000, 1, 2)
LEGACY_EPISODE = episode_key(1004, 1, 1)
HOUR = 3600.0

type Add = Callable[..., Tautulli]


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch, clock: Clock) -> None:
    """Repeat spoiled reads at once, and let time pass only when told."""
    monkeypatch.setattr(Transport, "retry_delays", (0.0, 0.0))
    clock.freeze(NOW)


@pytest.fixture
async def sim(serve: Serve) -> Simulator:
    service: Simulator = await serve(Simulator, shows=12, movies=12, viewer=Viewer())
    return service


@pytest.fixture
def add(sim: Simulator, make_context: MakeContext) -> Add:
    def make(user: str = "1001", base_url: str | None = None, **more: str) -> Tautulli:
        credentials = {"api_key": API_KEY, "user": user, **more}
        return Tautulli(make_context(base_url or sim.base_url, credentials=credentials))

    return make


@pytest.fixture
def tracker(add: Add) -> Tautulli:
    return add()


@dataclass
class Reader:
    """Refreshes an account, again and again from what it read last, as after a restart."""

    sim: Simulator
    tracker: Tautulli
    library: Library | None = None
    next_in: float = 0.0

    async def __call__(self) -> Library:
        refresh = await self.tracker.refresh(self.library)
        self.library, self.next_in = refresh.library, refresh.next_in
        return refresh.library

    def asked(self) -> list[str]:
        """Return the commands since the last call."""
        commands = [arguments["cmd"] for arguments in self.sim.asked]
        self.sim.asked.clear()
        return commands


@pytest.fixture
def read(sim: Simulator, tracker: Tautulli) -> Reader:
    return Reader(sim, tracker)


def labels(plays: Sequence[Play]) -> list[str]:
    return [play.item.label for play in plays]


# signing in ---------------------------------------------------------------------------------------------------


async def test_choosing_a_user(add: Add) -> None:
    tracker = add("")
    assert await tracker.choices("user") == {
        "0": "Local",
        "1001": "Avery",
        "1002": "blake",
    }


async def test_account(tracker: Tautulli, sim: Simulator) -> None:
    account = await tracker.account()
    assert (account.id, account.name) == (f"{SERVER_ID}:1001", "Avery")
    assert (
        account.can
        == tracker.may
        == (Capability.NOW_WATCHING | Capability.HISTORY | Capability.TOTALS)
    )
    assert account.url == sim.base_url


async def test_sign_in_with_a_wrong_key(sim: Simulator, tracker: Tautulli) -> None:
    sim.revoke_tokens()
    with pytest.raises(SignInError) as caught:
        await tracker.choices("user")
    assert caught.value.translation_key == "invalid_api_key"
    with pytest.raises(SignInError):
        await tracker.account()


async def test_sign_in_as_nobody(add: Add) -> None:
    with pytest.raises(SignInError):
        await add("777").account()


async def test_below_a_path(
    clock: Clock, sim: Simulator, add: Add, tmp_path: Path
) -> None:
    other = Simulator(sim.catalogue, Viewer(), clock)
    other.root = "/tautulli"
    async with other.serve() as url:
        assert (await add(base_url=f"{url}/tautulli").account()).name == "Avery"
        with pytest.raises(BadAnswer) as caught:
            await add(base_url=url).account()
        assert caught.value.answered


async def test_self_signed_by_choice(sim: Simulator, add: Add, tmp_path: Path) -> None:
    runner = web.AppRunner(sim.app(), access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0, ssl_context=self_signed(tmp_path))
    await site.start()
    try:
        url = f"https://127.0.0.1:{runner.addresses[0][1]}"
        with pytest.raises(Unavailable) as caught:
            await add(base_url=url).account()
        assert caught.value.translation_key == "bad_certificate"
        trusting = add(base_url=url, self_signed="True")
        assert (await trusting.account()).name == "Avery"
        # the choice of one account is not that of another on the same session
        with pytest.raises(Unavailable):
            await add(base_url=url).account()
        with pytest.raises(Unavailable):
            await add(base_url=url.replace("https", "http")).account()
    finally:
        await runner.cleanup()


def self_signed(folder: Path) -> ssl.SSLContext:
    """Make a certificate for loopback that nobody vouches for."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "loopback")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    today = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(today - timedelta(days=1))
        .not_valid_after(today + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    path = folder / "loopback.pem"
    path.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(path)
    return context


# refusals: the page's error table and more ---------------------------------------------------------------------


ENVELOPE = '{"response": {"result": "error", "message": "%s", "data": {}}}'


@pytest.mark.parametrize(
    ("fault", "error", "key"),
    [
        (
            {"status": 400, "body": ENVELOPE % "Invalid apikey"},
            SignInRequired,
            "sign_in_required",
        ),
        (
            {"status": 400, "body": ENVELOPE % "Parameter apikey is required"},
            SignInRequired,
            "sign_in_required",
        ),
        (
            {"status": 400, "body": ENVELOPE % "API not enabled"},
            AccessDenied,
            "api_disabled",
        ),
        (
            # the list names commands with "apikey" in them
            {
                "status": 400,
                "body": ENVELOPE
                % "Unknown command: x. Possible commands are: get_apikey",
            },
            Refused,
            "refused",
        ),
        (
            {"status": 500, "body": ENVELOPE % "Check the logs for errors", "times": 3},
            Unavailable,
            "unavailable",
        ),
        (
            {"status": 404, "body": '{"status": "404 Not Found", "error": true}'},
            BadAnswer,
            "bad_answer",
        ),
        ({"status": 303, "headers": {"Location": "/t/"}}, BadAnswer, "bad_answer"),
        (
            {"status": 200, "body": ENVELOPE % "Please use the /api/v2 endpoint."},
            Refused,
            "refused",
        ),
        # builds before 2.10.5
        (
            {"status": 200, "body": ENVELOPE % "Invalid apikey"},
            SignInRequired,
            "sign_in_required",
        ),
        # what a proxy in front of it says
        ({"status": 401, "body": "<html>"}, AccessDenied, "blocked"),
        ({"status": 403, "body": "no"}, AccessDenied, "blocked"),
        (
            {"status": 429, "headers": {"Retry-After": "99"}},
            RateLimited,
            "rate_limited",
        ),
        ({"status": 429}, RateLimited, "rate_limited"),
        ({"status": 502, "times": 3}, Unavailable, "unavailable"),
        ({"status": 200, "body": "[]"}, BadAnswer, "bad_answer"),
        ({"status": 200, "body": '{"response": []}'}, BadAnswer, "bad_answer"),
        (
            {
                "status": 200,
                "body": '{"response": {"result": "success", "data": []}}',
            },
            BadAnswer,
            "bad_answer",
        ),
        (
            {
                "status": 200,
                "body": '{"response": {"result": "success", "data": {"sessions": null}}}',
            },
            BadAnswer,
            "bad_answer",
        ),
    ],
)
async def test_refusals(
    sim: Simulator, read: Reader, fault: dict[str, object], error: type, key: str
) -> None:
    library = await read()
    sim.faults.append(Fault(kind="status", **fault))  # type: ignore[arg-type]
    with pytest.raises(TrackerError) as caught:
        await read()
    assert type(caught.value) is error
    assert caught.value.translation_key == key
    assert API_KEY not in str(caught.value)
    assert await read() is library


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("html", BadAnswer),
        ("empty", BadAnswer),
        ("broken_json", BadAnswer),
        ("drop", Unavailable),
        ("reset", Unavailable),
        ("lost", Unavailable),
    ],
)
async def test_faults(
    sim: Simulator, read: Reader, kind: str, error: type[TrackerError]
) -> None:
    library = await read()
    sim.faults.append(Fault(kind=kind, times=3))
    with pytest.raises(error):
        await read()
    sim.faults.clear()
    assert await read() is library


async def test_a_passing_fault_is_not_seen(sim: Simulator, read: Reader) -> None:
    sim.faults.append(Fault(kind="reset", times=2))
    assert (await read()).account.name == "Avery"


async def test_a_history_that_is_none_is_no_empty_one(
    sim: Simulator, read: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim.finish(MOVIE)
    await read()
    monkeypatch.setattr(sim, "_get_history", lambda _: {})
    with pytest.raises(BadAnswer):
        await read()


async def test_no_plex_server(
    sim: Simulator, tracker: Tautulli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sim, "_get_server_info", lambda _: {"pms_identifier": ""})
    with pytest.raises(BadAnswer):
        await tracker.account()


async def test_users_that_are_none(
    sim: Simulator, tracker: Tautulli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sim, "_get_user_names", lambda _: {})
    with pytest.raises(BadAnswer):
        await tracker.choices("user")


async def test_the_key_is_in_no_address_log_or_error(
    sim: Simulator, read: Reader, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    sim.finish(MOVIE)
    await read()
    sim.faults.append(Fault(kind="reset", times=3))
    with pytest.raises(Unavailable) as caught:
        await read()
    error: BaseException | None = caught.value
    while error is not None:
        assert API_KEY not in repr(error)
        error = error.__cause__ or error.__context__
    assert API_KEY not in caplog.text
    assert not any(API_KEY in str(request.query) for request in sim.requests)


# now watching -------------------------------------------------------------------------------------------------


async def test_idle(sim: Simulator, read: Reader) -> None:
    sim.finish(MOVIE, at=NOW - timedelta(days=3))
    library = await read()
    assert library.watching is None
    assert read.next_in == IDLE
    read.asked()
    assert await read() is library
    assert read.asked() == ["get_activity", "get_history"]


async def test_watching_an_episode(sim: Simulator, read: Reader) -> None:
    sim.start(EPISODE, offset=600)
    watching = (await read()).watching
    assert watching is not None
    item = watching.item
    assert isinstance(item, Episode)
    show = sim.catalogue.shows[0]
    episode = show.episode(1, 2)
    assert episode is not None
    assert (item.show.title, item.show.year) == (show.title, show.year)
    assert (item.season, item.number, item.title) == (1, 2, episode.title)
    assert item.show.ids.get("tvdb") == str(show.ids["tvdb"])
    assert item.show.ids.get("imdb") == show.ids["imdb"]
    assert item.ids.get("tvdb") == str(episode.ids["tvdb"])
    assert item.ids.get("plex") == f"{EPISODE:024x}"
    assert item.runtime == episode.runtime
    assert watching.state is PlaybackState.PLAYING
    assert (watching.position, watching.duration) == (600, episode.runtime)
    assert watching.progress == pytest.approx(60000 / episode.runtime)
    assert watching.updated_at == NOW
    rest = timedelta(seconds=episode.runtime - 600)
    assert watching.expires_at == NOW + rest + timedelta(minutes=5)
    assert read.next_in == PLAYING
    read.asked()
    await read()
    assert read.asked() == ["get_activity", "get_history"]


async def test_nothing_moves_while_it_plays_on(
    clock: Clock, sim: Simulator, read: Reader
) -> None:
    session = sim.start(MOVIE)
    library = await read()
    clock.advance(20)
    assert await read() is library
    # players report every ten seconds
    session.offset += 9
    assert await read() is library
    session.offset += 60
    skipped = await read()
    assert skipped.watching and skipped.watching.position == 89


async def test_pause_and_stop(clock: Clock, sim: Simulator, read: Reader) -> None:
    session = sim.start(MOVIE)
    await read()
    clock.advance(300)
    sim.set_state(session, "paused")
    paused = (await read()).watching
    assert paused is not None
    assert (paused.state, paused.position) == (PlaybackState.PAUSED, 300)
    assert paused.expires_at is None
    assert read.next_in == PAUSED
    clock.advance(HOUR)
    assert (await read()).watching is paused
    sim.set_state(session, "buffering")
    buffering = (await read()).watching
    assert buffering and buffering.state is PlaybackState.PLAYING
    sim.stop(session)
    stopped = await read()
    assert (stopped.watching, stopped.playbacks) == (None, ())
    assert read.next_in == IDLE


async def test_several_sessions(sim: Simulator, read: Reader) -> None:
    sim.start(EPISODE)
    first = sim.start(MOVIE)
    newest = sim.start(MOVIE + 1)
    sim.start(MOVIE + 2, user=1002)
    library = await read()
    assert [p.id for p in library.playbacks] == ["29", "28", "27"]
    assert library.watching is library.playbacks[0]
    sim.set_state(newest, "paused")
    library = await read()
    assert library.watching and library.watching.id == str(first.key)
    assert [p.id for p in library.playbacks] == ["28", "27", "29"]


@pytest.mark.parametrize(
    "other", [{"media_type": "track"}, {"media_type": "clip"}, {"live": True}]
)
async def test_music_trailers_and_television_are_left_out(
    sim: Simulator, read: Reader, other: dict[str, object]
) -> None:
    sim.start(MOVIE, **other)  # type: ignore[arg-type]
    assert (await read()).watching is None


async def test_another_user(sim: Simulator, add: Add) -> None:
    sim.start(MOVIE, user=0)
    sim.finish(MOVIE)
    library = (await add("0").refresh(None)).library
    assert library.account.id == f"{SERVER_ID}:0"
    assert library.watching is not None
    assert library.plays == ()


async def test_plex_down_is_not_nobody_watching(
    clock: Clock, sim: Simulator, read: Reader
) -> None:
    sim.start(MOVIE)
    library = await read()
    sim.plex_down = True
    with pytest.raises(Unavailable) as caught:
        await read()
    assert caught.value.answered
    sim.plex_down = False
    assert await read() is library


async def test_pushes_slow_polling_down(
    clock: Clock, sim: Simulator, read: Reader
) -> None:
    await read()
    read.tracker.nudge()
    await read()
    assert read.next_in == 5 * IDLE
    clock.advance(7 * HOUR)
    await read()
    assert read.next_in == IDLE


@pytest.mark.parametrize(
    ("told", "concerns"),
    [
        (b'{"user_id": "1001"}', True),
        (b'{"user_id": " 1001 "}', True),
        (b'{"user_id": "1002"}', False),
        (b'{"user_id": 0}', False),
        (b'{"user_id": "{user_id}"}', True),
        (b'{"user_id": ""}', True),
        (b"Test Notification", True),
        (b"", True),
    ],
)
async def test_whom_a_push_is_about(read: Reader, told: bytes, concerns: bool) -> None:
    """Only what is surely another user's is passed over, and tells nothing of whether this one's pushes come."""
    assert read.tracker.nudge(told) is concerns
    await read()
    assert read.next_in == (5 * IDLE if concerns else IDLE)


# history ------------------------------------------------------------------------------------------------------


async def test_first_reading(sim: Simulator, read: Reader) -> None:
    sim.watch(1000, 1, 1, NOW - timedelta(days=4))
    sim.watch(1000, 1, 2, NOW - timedelta(days=3))
    sim.watch(1001, 1, 1, NOW - timedelta(days=2))
    sim.watch_movie(500000, NOW - timedelta(days=1))
    sim.finish(MOVIE + 1, (0, 50), at=NOW - timedelta(hours=9))
    sim.start(MOVIE + 2)
    library = await read()
    assert read.asked() == [
        "get_activity",
        "get_user_names",
        "get_server_info",
        "get_history",
        "get_metadata",
        "get_metadata",
        "get_metadata",
    ]
    totals = library.totals
    assert (totals.movies, totals.shows, totals.episodes) == (1, 2, 3)
    movie = sim.catalogue.movies[0]
    play = library.plays[0]
    assert len(library.plays) == 4
    assert play.item.ids.get("tmdb") == str(movie.ids["tmdb"])
    assert play.item.runtime == movie.runtime
    assert play.watched_at == NOW - timedelta(days=1)
    episode = library.plays[-1].item
    assert isinstance(episode, Episode)
    assert episode.show.ids.get("tmdb") == str(sim.catalogue.shows[0].ids["tmdb"])
    # nothing is said about what is left of a show
    assert overview(library, NOW).unwatched == 0


async def test_a_viewing_in_two_parts(sim: Simulator, read: Reader) -> None:
    await read()
    sim.finish(MOVIE, (0, 40), at=NOW - timedelta(hours=20))
    assert (await read()).plays == ()
    sim.finish(MOVIE, (40, 98))
    library = await read()
    assert len(library.plays) == 1
    assert library.plays[0].watched_at == NOW


async def test_stopped_late_and_watched_to_the_end_later(
    clock: Clock, sim: Simulator, read: Reader
) -> None:
    """Tautulli begins a new group there: both rows are watched."""
    sim.watch_movie(500003, NOW - timedelta(days=40))
    await read()
    sim.finish(MOVIE, (0, 90))
    one = await read()
    assert len(one.plays) == 2
    clock.advance(30 * HOUR)
    sim.finish(MOVIE, (90, 100))
    assert len({row.reference_id for row in sim.rows[-2:]}) == 2
    read.asked()
    two = await read()
    assert two.plays == one.plays
    assert two.totals == one.totals
    assert read.asked() == ["get_activity", "get_history", "get_history"]
    # and the same when all is read at once
    whole = (await read.tracker.refresh(None)).library
    assert whole.plays == two.plays


async def test_watching_again_is_a_new_play(
    clock: Clock, sim: Simulator, read: Reader
) -> None:
    sim.finish(MOVIE)
    sim.finish(EPISODE)
    await read()
    clock.advance(30 * HOUR)
    sim.finish(MOVIE, (0, 50), (50, 100))
    sim.finish(EPISODE)
    library = await read()
    assert len(library.plays) == 4
    assert library.totals.movies == library.totals.episodes == 1
    clock.advance(1 * HOUR)
    sim.finish(MOVIE)
    assert len((await read()).plays) == 4, "within hours it is the same viewing"


async def test_a_newly_watched_episode(
    clock: Clock, sim: Simulator, read: Reader
) -> None:
    sim.watch(1000, 1, 1, NOW - timedelta(days=1))
    before = await read()
    clock.advance(100)
    sim.watch(1000, 1, 2)
    read.asked()
    after = await read()
    assert read.asked() == ["get_activity", "get_history"], "the show is known"
    assert after.totals.episodes == 2
    assert after.plays[1:] == before.plays
    assert after.movies == before.movies
    assert after.playbacks is before.playbacks
    sim.watch_movie(500001)
    read.asked()
    assert (await read()).plays[0].item.ids.get("imdb")
    assert read.asked() == ["get_activity", "get_history", "get_metadata"]


async def test_running_sessions_are_no_plays(
    clock: Clock, sim: Simulator, read: Reader
) -> None:
    await read()
    session = sim.start(MOVIE)
    clock.advance(session.item.runtime * 0.95)
    assert (await read()).plays == ()
    sim.stop(session)
    library = await read()
    assert len(library.plays) == 1
    assert library.watching is None


async def test_what_others_watch(sim: Simulator, read: Reader) -> None:
    sim.finish(MOVIE)
    before = await read()
    sim.finish(EPISODE, user=1002)
    after = await read()
    assert after.plays is before.plays
    assert after.movies is before.movies
    assert await read() is after


async def test_after_a_long_absence(clock: Clock, sim: Simulator, read: Reader) -> None:
    sim.finish(MOVIE)
    await read()
    for number in range(1, 8):
        clock.advance(50 * HOUR)
        sim.finish(MOVIE + number)
    library = await read()
    assert library.totals.movies == 8


async def test_deleted_rows_and_new_databases(sim: Simulator, read: Reader) -> None:
    sim.finish(MOVIE, at=NOW - timedelta(days=2))
    sim.finish(EPISODE)
    assert (await read()).totals.movies == 1
    del sim.rows[0]
    library = await read()
    assert library.totals.movies == 0
    assert len(library.plays) == 1


async def test_television_is_no_play(
    clock: Clock, sim: Simulator, read: Reader
) -> None:
    session = sim.start(MOVIE, live=True)
    clock.advance(500)
    sim.stop(session)
    assert (await read()).plays == ()


async def test_deleted_titles_keep_what_the_row_tells(
    sim: Simulator, read: Reader
) -> None:
    sim.finish(MOVIE)
    sim.finish(LEGACY_MOVIE)
    sim.finish(EPISODE)
    sim.deleted |= {MOVIE, LEGACY_MOVIE, EPISODE}
    plays = {play.item.type: play.item for play in (await read()).plays}
    assert len((await read()).plays) == 3
    episode = plays["episode"]  # type: ignore[index]
    assert episode.ids == Ids.of(plex=f"{EPISODE:024x}")


async def test_old_agents(sim: Simulator, read: Reader) -> None:
    sim.finish(LEGACY_MOVIE)
    sim.start(LEGACY_EPISODE)
    library = await read()
    movie = sim.catalogue.movie("trakt", LEGACY_MOVIE)
    assert movie is not None
    assert library.plays[0].item.ids == Ids.of(imdb=movie.ids["imdb"])
    assert library.watching is not None
    episode = library.watching.item
    assert isinstance(episode, Episode)
    assert episode.ids == Ids()
    assert episode.show.ids == Ids.of(tvdb=sim.catalogue.shows[4].ids["tvdb"])


async def test_a_rating_key_that_means_something_else_now(
    sim: Simulator, read: Reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    sim.finish(MOVIE)
    answer = sim._get_metadata({"rating_key": str(MOVIE + 1)})
    monkeypatch.setattr(sim, "_get_metadata", lambda _: answer)
    library = await read()
    assert library.plays[0].item.ids == Ids.of(plex=f"{MOVIE:024x}")
    assert library.plays[0].item.title == sim.catalogue.movies[0].title


async def test_the_library_survives_a_restart(
    clock: Clock, sim: Simulator, read: Reader, add: Add
) -> None:
    sim.finish(MOVIE)
    sim.finish(EPISODE)
    sim.start(MOVIE + 1)
    library = await read()
    stored = ORJSONEncoder(Library).encode(library)
    restored = ORJSONDecoder(Library).decode(stored)
    assert API_KEY.encode() not in stored
    for private in ("example.org", "192.0.2", "mach-1", "x.mkv", "127.0.0.1:1"):
        text = json.dumps(json.loads(stored)["plays"])
        assert private not in text
    again = (await add().refresh(restored)).library
    assert again is restored


async def test_recent_plays_are_few_and_totals_whole(
    serve: Serve, make_context: MakeContext
) -> None:
    sim: Simulator = await serve(Simulator, shows=400, movies=100)
    credentials = {"api_key": API_KEY, "user": "1001"}
    tracker = Tautulli(make_context(sim.base_url, credentials=credentials))
    library = (await tracker.refresh(None)).library
    assert len(library.plays) == 20
    assert library.totals.movies == sim.state()["movies"]
    assert library.totals.episodes == sim.state()["episodes"]
    assert sim.state()["rows"] > 2000, "more than one page"


# pages of history ---------------------------------------------------------------------------------------------


@pytest.fixture
async def long_history(clock: Clock, make_context: MakeContext) -> Simulator:
    sim = Simulator(generate(NOW, shows=30, movies=12), Viewer(), clock)
    at = NOW - timedelta(days=300)
    for show in sim.catalogue.shows:
        for episode in show.episodes:
            if episode.season > 0:
                at += timedelta(hours=8)
                sim.watch(int(show.ids["trakt"]), episode.season, episode.number, at)
    return sim


async def test_pages(
    clock: Clock, long_history: Simulator, make_context: MakeContext
) -> None:
    sim = long_history
    credentials = {"api_key": API_KEY, "user": "1001"}
    async with sim.serve() as url:
        tracker = Tautulli(make_context(url, credentials=credentials))
        pages = [await tracker.history()]
        # what comes meanwhile moves the rest, but nothing is told twice
        sim.watch_movie(500000)
        sim.watch_movie(500001)
        while cursor := pages[-1].cursor:
            pages.append(await tracker.history(cursor))
    plays = [play for page in pages for play in page.items]
    assert len(pages) > 3
    assert len(plays) == len({play.id for play in plays}) == len(sim.rows) - 2
    times = [play.watched_at for play in plays if play.watched_at]
    assert times == sorted(times, reverse=True)
    lookups = [a for a in sim.asked if a["cmd"] == "get_metadata"]
    assert len(lookups) == len(sim.catalogue.shows), "one for each show"


async def test_a_viewing_across_two_pages(
    long_history: Simulator, make_context: MakeContext
) -> None:
    sim = long_history
    rows = sorted(sim.rows, key=lambda row: row.started, reverse=True)
    middle = datetime.fromtimestamp(rows[99].stopped, UTC) + timedelta(hours=3)
    sim.finish(MOVIE, (0, 90), (90, 100), at=middle)
    credentials = {"api_key": API_KEY, "user": "1001"}
    async with sim.serve() as url:
        tracker = Tautulli(make_context(url, credentials=credentials))
        first = await tracker.history()
        second = await tracker.history(first.cursor)
    assert not any(isinstance(play.item, Movie) for play in first.items)
    assert isinstance(second.items[0].item, Movie)
    assert sum(isinstance(play.item, Movie) for play in second.items) == 1
    assert len(first.items) == 99


async def test_plays_of_one_item(sim: Simulator, tracker: Tautulli) -> None:
    sim.finish(MOVIE, at=NOW - timedelta(days=9))
    sim.finish(MOVIE)
    sim.watch(1000, 1, 1)
    sim.watch(1000, 1, 2)
    sim.watch(1001, 1, 1)
    movie = sim.catalogue.movies[0]
    by_title = Movie(title=movie.title, year=movie.year)
    assert len((await tracker.history(item=by_title)).items) == 2
    by_id = Movie(title="other", ids=Ids.of(plex=f"{MOVIE:024x}"))
    assert len((await tracker.history(item=by_id)).items) == 2
    show = Show(title=sim.catalogue.shows[0].title)
    for item, count in (
        (show, 2),
        (Season(show=show, number=1), 2),
        (Season(show=show, number=2), 0),
        (Episode(show=show, season=1, number=2), 1),
        (Show(title="unknown"), 0),
        (Movie(title="unknown"), 0),
    ):
        page = await tracker.history(item=item)
        assert (len(page.items), page.cursor) == (count, None)


async def test_an_empty_history(tracker: Tautulli) -> None:
    page = await tracker.history()
    assert (page.items, page.cursor) == ((), None)


# for other rooms, and what can't be done ----------------------------------------------------------------------


async def test_the_item_of_a_rating_key(
    clock: Clock, sim: Simulator, tracker: Tautulli
) -> None:
    movie = await tracker.item_of(str(MOVIE))
    assert movie is not None
    assert movie.ids.get("imdb") == sim.catalogue.movies[0].ids["imdb"]
    item = await tracker.item_of(str(EPISODE))
    assert isinstance(item, Episode)
    assert item.show.ids.get("tvdb") == str(sim.catalogue.shows[0].ids["tvdb"])
    asked = len(sim.asked)
    await tracker.item_of(str(MOVIE))
    assert len(sim.asked) == asked
    clock.advance(2 * HOUR)
    await tracker.item_of(str(MOVIE))
    assert len(sim.asked) == asked + 1


async def test_items_while_plex_is_down(sim: Simulator, tracker: Tautulli) -> None:
    sim.plex_down = True
    assert await tracker.item_of(str(MOVIE)) is None
    sim.plex_down = False
    assert await tracker.item_of(str(MOVIE)), "silence is not remembered"


async def test_the_cache_stays_small(
    sim: Simulator, tracker: Tautulli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("custom_components.up_next.trackers.tautulli.lookup._MOST", 2)
    for number in range(5):
        await tracker.item_of(str(MOVIE + number))
    assert len(tracker._lookup._known) <= 2


async def test_it_only_tells(tracker: Tautulli) -> None:
    movie = Movie(title="Any", ids=Ids.of(imdb="tt1"))
    write = MarkWatched(item=movie, watched_at=NOW)
    assert tracker.combine([write, write]) == 1
    (receipt,) = await tracker.send([QueuedWrite(write=write, created_at=NOW)])
    assert (receipt.outcome, receipt.reason) == (Outcome.REFUSED, "not_supported")
    with pytest.raises(Refused) as caught:
        await tracker.show(Ids.of(tmdb=1))
    assert caught.value.translation_key == "not_supported"
    with pytest.raises(Refused):
        await tracker.search(Query(text="any"))
    await tracker.sign_out()
