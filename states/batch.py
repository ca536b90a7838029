"""The steps of a batch (批次): payments that go to the bank as one file; one makes it, another hands it over.

The decision is on record before anything is written, the file's digest before anybody can take the file, and
the file is at its place once. ``milepost.work.batches`` goes from each of these to the next, also after a
death in between.
"""

from __future__ import annotations

from uuid import uuid5

from schema.inputs import MakeBatch, NoInput, Reason, WriteBatch
from states.case import NAMESPACE, Case, Change, chain_of_programme
from states.step import Step, words


def _make(case: Case) -> Change:
    given: MakeBatch = case.input
    found = case.facts["batch_of"]
    payments = found["payments"]
    return Change(
        set={
            "chain_id": chain_of_programme(case.programme.code),
            "programme_id": given.programme_id,
            "currency": given.currency,
            "office_path": given.office_path,
            "execution_on": given.execution_on,
            "cut_off": found["cut_off"],
            "number": len(payments),
            "total_minor": sum(row["amount_minor"] for row in payments),
            "made_by": case.actor_id,
        },
        insert=[
            (
                "batch_payment",
                {
                    "id": case.new_id(f"batch_payment:{row['id']}"),
                    "batch_id": case.subject_id,
                    "payment_id": row["id"],
                    "position": position,
                    "live": True,
                },
            )
            for position, row in enumerate(payments, start=1)
        ],
    )


def _hand_over(case: Case) -> Change:
    return Change(set={"handed_by": case.actor_id, "handed_at": case.now})


def _let_go(case: Case) -> Change:
    """Its payments may go into another batch."""
    reason = case.input.reason
    return Change(
        set={"note": reason},
        update=[
            ("batch_payment", row["id"], {"live": False, "left_out": reason})
            for row in case.facts["batch_payments"]
        ],
    )


def _write(case: Case) -> Change:
    given: WriteBatch = case.input
    unsent = {row["payment_id"]: row["id"] for row in case.facts["batch_unsent"]}
    register = {
        "id": uuid5(NAMESPACE, f"bank_file:out:{given.sha256}"),
        "direction": "out",
        "kind": "sheet" if given.file_name.endswith(".xlsx") else "pain.001",
        "name": given.file_name,
        "sha256": given.sha256,
        "size": given.size,
        "at": case.now,
        "by_id": case.here["handed_by"],
        "batch_id": case.subject_id,
        "counts": {"payments": given.number, "total_minor": given.total_minor},
        "findings": list(given.findings),
    }
    return Change(
        set={
            "file_name": given.file_name,
            "sha256": given.sha256,
            "staged_as": given.staged_as,
            "number": given.number,
            "total_minor": given.total_minor,
        },
        insert=[("bank_file", register)],
        update=[
            # One that is on its way all the same is none of those: better to crash than to pay it beside.
            ("batch_payment", unsent[payment], {"live": False, "left_out": why})
            for payment, why in given.left_out.items()
        ],
        digests=(given.sha256,),
    )


STEPS: tuple[Step, ...] = (
    Step(
        "batch.make",
        (),
        "made",
        words("编制银行批次", "Make a bank batch"),
        input=MakeBatch,
        guards=("execution_day_works", "batch_takes_something"),
        effect=_make,
    ),
    Step(
        "batch.hand_over",
        ("made",),
        "handed_over",
        words("批准并交付银行", "Hand over to the bank"),
        input=NoInput,
        guards=("batch_made_by_another", "execution_day_to_come"),
        effect=_hand_over,
        fresh=True,
    ),
    Step(
        "batch.discard",
        ("made",),
        "discarded",
        words("撤销批次", "Discard"),
        input=Reason,
        needs=("batch_payments",),
        effect=_let_go,
    ),
    Step(
        "batch.write",
        ("handed_over",),
        "written",
        words("登记文件", "Write the file"),
        input=WriteBatch,
        needs=("batch_unsent",),
        effect=_write,
    ),
    Step(
        "batch.lapse",
        ("handed_over",),
        "lapsed",
        words("无可交付，作罢", "Nothing to hand over"),
        input=Reason,
        needs=("batch_payments",),
        effect=_let_go,
    ),
    Step("batch.send", ("written",), "sent", words("放入银行目录", "Put where the bank takes it")),
    Step("batch.answer", ("sent",), "answered", words("银行回执", "Answered by the bank")),
    Step(
        "batch.close",
        ("sent", "answered"),
        "closed",
        words("全部落定", "All decided"),
        guards=("batch_is_through",),
    ),
)

__all__ = ["STEPS"]
