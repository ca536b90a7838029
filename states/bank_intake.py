"""The step that puts a file of the bank (银行来文) on record, in the chain of the account.

A file says what it says, so nothing follows from this state; but nothing that the file said is booked before
it. With the digest in the chain, and the chain under the night's root, a file that is exchanged later shows,
and so does a row of what was read from it.
"""

from __future__ import annotations

from schema.inputs_bank import RecordFile
from states.case import Case, Change
from states.step import Step, words


def _record(case: Case) -> Change:
    given: RecordFile = case.input
    return Change(
        set={
            **case.facts["ground"],
            "file_id": given.file_id,
            "sha256": given.documents[0],
            "number": given.number,
            "register_sha256": given.register_sha256,
            "statements_sha256": given.statements_sha256,
            "words_sha256": given.words_sha256,
            "recorded_at": case.now,
        }
    )


STEPS: tuple[Step, ...] = (
    Step("bank_intake.record", (), "recorded", words("登记", "Record"), input=RecordFile, effect=_record),
)

__all__ = ["STEPS"]
