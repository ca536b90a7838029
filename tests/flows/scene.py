"""An office in which every flow has something to do, and the traces that the flows leave."""

from __future__ import annotations

from collections import Counter
from datetime import date, timedelta
from typing import Any
from uuid import UUID

from milepost.clock import SimulatedClock
from milepost.db import Database
from milepost.demo.panels import invite_drawn
from milepost.experts.records import declare_tie
from tests.builders import World, build
from tests.work.panels import Panels, drawn, expert_actor

DAY = date(2025, 8, 1)


def set_scene(database: Database, today: date = DAY) -> World:
    """Agreements to lapse, a notice to end, payments to fall due, to pay, panels to fill, people to remind.

    The same for every database: ids follow from requests, and requests from the order of the work.
    """
    database.clock = SimulatedClock(today - timedelta(days=250))
    world = build(database, on=today - timedelta(days=250), name="scene")
    world.vote(year=today.year)
    for n in range(2):
        released = world.project_at("implementation", f"R{n}", milestones=2)
        world.pay(world.payments(released)[0], "released")
        payable = world.project_at("implementation", f"D{n}", milestones=1)
        world.make_payable(world.payments(payable)[0])
    for n in range(2):
        world.project_at("task_agreement", f"L{n}")
    noticed = world.project_at("public_notice", "N0")
    world.publish_notice(noticed)
    panels = drawn(database, projects=2, name="panels")
    world.clock.set(today)
    _unsettle(panels)
    return world


def _unsettle(panels: Panels) -> None:
    """Of two drawn panels one is not invited yet; on the other one declines, one gets into a conflict."""
    world = panels.world
    tasks = invite_drawn(world, panels.rounds[1])
    expert = world.value("SELECT expert_id FROM task WHERE id = %s", tasks[0])
    world.take(expert_actor(expert), "task.decline", tasks[0], reason="示例")
    barred = world.value("SELECT expert_id FROM task WHERE id = %s", tasks[1])
    with world.database.session() as session:
        officer = world.who("programme_officer").id
        declare_tie(session, barred, kind="kin", other_name="负责人1", evidence="示例", by=officer)


def traces(world: World) -> dict[str, Any]:
    """What happened by itself: steps of the system, mails by kind, the bank's books, what blocks payments."""
    steps = world.rows(
        "SELECT step, subject_id, request_id FROM event WHERE role = 'system' AND step = ANY(%s) "
        # The office of the scene acts for the system where it has to get on.
        "AND NOT starts_with(request_id, 'scene:')",
        [
            "project.lapse_agreement",
            "notice.end",
            "project.conclude_notice",
            "payment.fall_due",
            "payment.fall_back",
            "payment.instruct",
            "payment.settle",
            "milestone.fall_overdue",
            "task.invite",
            "task.take_away",
            "task.replace",
            "draw.succeed",
        ],
    )
    mails = world.rows("SELECT template, recipient_id, chain_id, context ->> 'deadline_id' FROM message")
    return {
        # A draw is followed up once for each seat: by its request, not by its subject.
        "steps": Counter((step, str(id) if step != "draw.succeed" else asked) for step, id, asked in steps),
        "mails": Counter((template, str(who), str(chain), about) for template, who, chain, about in mails),
        "bank": Counter(str(id) for (id,) in world.rows("SELECT end_to_end_id FROM simbank_instruction")),
        "blocked": {
            str(id): sorted(entry["code"] for entry in blocked)
            for id, blocked in world.rows(
                "SELECT k.payment_id, k.blocked FROM payment_check k JOIN payment y ON y.id = k.payment_id "
                "WHERE y.state IN ('planned', 'due')"
            )
        },
    }


def settled(world: World) -> list[UUID]:
    """The payments that are paid."""
    return [id for (id,) in world.rows("SELECT id FROM payment WHERE state = 'settled' ORDER BY id")]
