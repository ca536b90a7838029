"""Line 1: one full ``perform`` against the bare transaction that writes the same rows."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from functools import partial

from bench import clients, release
from bench.lines import Line, take_turns
from bench.office import START, Office
from bench.release import Bare, Waiting
from bench.server import database
from bench.sizes import Sizes
from milepost.clock import SimulatedClock
from milepost.db import Session
from milepost.embedded import EmbeddedPostgres
from states.machines import static_machines

PROGRAMMES = 16
GOALS = {1: 0.6, 4: 0.5, 16: 0.5}
COMPARED = (
    "payment.release by perform (permission, nine gates and two guards, input, machine, event with its hash, "
    "duty, one transfer, deadlines, one message, committed) / the same rows by bare psycopg (chain locked, "
    "payment read, the rest known beforehand, one statement a table, the same triggers and constraints); "
    "{clients} client(s) as {kind}, sixteen programmes with an appropriation each, fsync on"
)


class Supply:
    """Approved payments, handed out once each; a client gets those of programmes of its own."""

    def __init__(self, waiting: list[list[Waiting]]) -> None:
        self.waiting = waiting
        self.given = [0] * len(waiting)

    def shares(self, count: int, of: int) -> list[list[Waiting]]:
        """For each of some clients its share, none twice, none to two."""
        lanes = len(self.waiting)
        shares: list[list[Waiting]] = []
        for client in range(of):
            mine = range(client % lanes, lanes, of)
            share: list[Waiting] = []
            for n in range(count // of + clients.WARM):
                lane = mine[n % len(mine)]
                share.append(self.waiting[lane][self.given[lane]])
                self.given[lane] += 1
            shares.append(share)
        return shares


def needed(sizes: Sizes, kinds: int) -> int:
    """How many payments the rounds use up; a little more, since the lanes are not used up evenly."""
    a_turn = sum(sizes.releases + n * clients.WARM for n in sizes.clients)
    return int(a_turn * 2 * (sizes.rounds + 1) * kinds * 1.02) + PROGRAMMES * 8


def measure(server: EmbeddedPostgres, sizes: Sizes) -> list[Line]:
    """A line for each number of clients, as threads; what processes show is in the raw figures."""
    clock = SimulatedClock(START)
    with database(server, "single", clock) as db:
        office = Office(db, clock, programmes=PROGRAMMES)
        office.open()
        supply = Supply(release.approved_payments(office, needed(sizes, 2), programmes=PROGRAMMES))
        machine = static_machines()["payment"].id
        bare = Bare(machine, clock.now(), clock.today() + dt.timedelta(days=2))
        return [_line(db.url, supply, bare, count, sizes) for count in sizes.clients]


def _by_hand(bare: Bare, session: Session, payment: Waiting) -> None:
    bare.release(session.conn, payment)


def _line(url: str, supply: Supply, bare: Bare, count: int, sizes: Sizes) -> Line:
    kinds: tuple[clients.Kind, ...] = ("threads", "processes")
    turns = {}
    for kind in kinds:

        def once(take: clients.Take, kind: clients.Kind = kind) -> float:
            return clients.rate(url, take, supply.shares(sizes.releases, count), kind)

        contenders: dict[str, Callable[[], float]] = {
            "perform": partial(once, release.by_perform),
            "bare": partial(once, partial(_by_hand, bare)),
        }
        turns[kind] = take_turns(contenders, sizes.rounds)
    ratios = {kind: turns[kind].ratio("perform", "bare") for kind in kinds}
    return Line(
        name=f"perform, {count} client{'s' if count > 1 else ''}",
        ratio=ratios["threads"],
        goal=GOALS[count],
        compared=COMPARED.format(clients=count, kind="threads"),
        raw={
            "unit": "steps a second",
            "clients": count,
            "n": sizes.releases,
            "threads": turns["threads"].as_json(),
            "processes": {**turns["processes"].as_json(), "ratio": round(ratios["processes"], 4)},
        },
    )
