"""Every mail about what a grantee owes, brought about."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from uuid import UUID

from milepost.documents import store
from milepost.mail.outbox import Mailing, queue_many
from tests.builders import World
from tests.invariants.town_receivable import BASIS, entry_row


def refunds(world: World) -> None:
    """Owe, in instalments, receive, too much, write off, keep; and a reminder of it."""
    finance = world.people["finance_officer"]
    project, _ = world.payment_at("settled")
    due = (world.clock.today() + timedelta(days=30)).isoformat()
    with world.database.session() as session:
        paper = store(session, "decision.txt", b"decision", finance[0].id, 1000).sha256

    def owed() -> UUID:
        given = {"amount_minor": 100, "due_on": due, **BASIS}
        made = world.take("programme_officer", "receivable.establish", project, **given).subject_id
        world.take(finance[0], "receivable.confirm", made)
        return made

    def receive(step: str, made: UUID) -> None:
        with world.database.session() as session:
            entry = entry_row(session.conn, finance[0].id, world.clock.now(), 100)
        world.take(finance[0], f"receivable.{step}", made, entry_id=str(entry))

    given = {"amount_minor": 1, "due_on": due, **BASIS}
    mistaken = world.take("programme_officer", "receivable.establish", project, **given).subject_id
    world.take("programme_officer", "receivable.cancel", mistaken, reason="示例")
    made, other = owed(), owed()
    grant = {"number": 2, "first_on": due, "decision_no": "D"}
    world.take(finance[0], "receivable.grant_instalments", made, **grant)
    receive("receive", made)
    receive("receive_over", made)
    ending = {"ending": "uncollectable", "reason": "示例", "decision_no": "D", "documents": [paper]}
    for step, who in (("keep", finance[1]), ("write_off", finance[1])):
        world.take(finance[0], "receivable.propose_write_off", other, **ending)
        world.take(who, f"receivable.{step}", other, **({"reason": "示例"} if step == "keep" else {}))
    _set_offs(world, project, owed)
    again = {"reason": "示例", "correction_no": "D", "documents": [paper]}
    for step, given in (("drop_correction", {"reason": "示例"}), ("correct", {})):
        world.take(finance[0], "receivable.propose_reopening", other, **again)
        world.take(finance[1], f"receivable.{step}", other, **given)
    deadline = world.value("SELECT id FROM deadline WHERE name = 'refund_due' LIMIT 1")
    told = {"deadline_id": str(deadline), "days": 15, "escalated": True, "covers": [1, 15]}
    with world.database.session() as session:
        people = (world.people["applicant"][0].id, finance[0].id)
        queue_many(
            session.conn,
            [Mailing(f"reminder:{deadline}:15", people, "refund_reminder", told, project)],
            now=world.clock.now(),
        )


def _set_offs(world: World, project: UUID, owed: Callable[[], UUID]) -> None:
    """Proposed and dropped; settled with its payment, which comes back; and of a payment as a whole."""
    finance, claim = world.people["finance_officer"], owed()
    following = world.payments(project)[1]

    def propose(payment: UUID, amount: int, made: UUID) -> None:
        given = {"payment_id": str(payment), "amount_minor": amount, "grounds": "示例"}
        world.take("programme_officer", "receivable.propose_set_off", made, **given)

    propose(following, 1, claim)
    world.take("programme_officer", "receivable.drop_set_off", claim, reason="示例")
    propose(following, 1, claim)
    world.take(finance[0], "receivable.agree_set_off", claim)
    world.pay(following, "settled")
    world.take("system", "payment.return_late", following, reference="B")
    whole, _ = world.payment_at("settled")
    following = world.payments(whole)[1]
    gross = world.value("SELECT amount_minor FROM payment WHERE id = %s", following)
    due = (world.clock.today() + timedelta(days=30)).isoformat()
    given = {"amount_minor": gross, "due_on": due, **BASIS}
    made = world.take("programme_officer", "receivable.establish", whole, **given).subject_id
    world.take(finance[0], "receivable.confirm", made)
    propose(following, gross, made)
    world.take(finance[0], "receivable.agree_set_off", made)
    world.pay(following, "released")
    world.take("system", "payment.settle_by_set_off", following)


__all__ = ["refunds"]
