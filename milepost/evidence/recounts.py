"""What the rows claim, counted again from the events and the transfers, one query a claim.

Each query returns only what is wrong: where, what is stored, what it should be. All are plain reads of one
snapshot, so that a check of a million events needs no memory here and disturbs nobody.
"""

from __future__ import annotations

from collections.abc import Iterator

from milepost.evidence import claim_recounts
from milepost.evidence.bank_recounts import bank_recounts
from milepost.evidence.budget import BUDGET, PROPOSALS
from milepost.evidence.interest_recounts import INTEREST
from milepost.evidence.money_recounts import MONEY
from milepost.evidence.project_recounts import counters
from milepost.evidence.receivable_recounts import receivable_recounts
from milepost.evidence.recount_duties import duties
from milepost.evidence.recount_shape import INPUT as _INPUT
from milepost.evidence.recount_shape import Recount
from schema.nouns import NOUNS

# What a person once typed and no later step may change but those named: noun, steps, columns. A column whose
# input is called otherwise names both.
TYPED: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("project", ("project.apply",), ("code", "programme_id", "office_path", "currency")),
    (
        "project",
        ("project.apply", "project.revise"),
        ("title", "unit_name", "leader_name", "requested_minor", "plan"),
    ),
    ("project", ("project.record_acceptance",), ("acceptance_outcome=outcome",)),
    ("milestone", ("milestone.plan",), ("number", "title", "amount_minor")),
    ("milestone", ("milestone.plan", "milestone.extend"), ("due_on",)),
    ("milestone", ("milestone.plan", "milestone.assign"), ("evaluator_id",)),
    ("milestone", ("milestone.report",), ("report", "deliverables", "documents")),
    ("milestone", ("milestone.accept", "milestone.reject"), ("deliverables_accepted",)),
    ("payment", ("payment.attest", "payment.not_received"), ("attested=finding",)),
    (
        "payment",
        ("payment.plan",),
        ("tranche_id", "attempt", "currency", "milestone_id"),
    ),
    (
        "payee",
        ("payee.enter",),
        ("account_name", "account_kind", "account_no", "bank_name", "bank_code", "documents"),
    ),
    (
        "receivable",
        ("receivable.establish",),
        ("amount_minor", "ground", "legal_basis", "decision_no", "due_on"),
    ),
    ("task", ("task.invite",), ("expert_id",)),
    ("task", ("task.save_draft", "task.submit"), ("scores", "comment")),
    ("notice", ("notice.publish",), ("proposed_minor",)),
    ("objection", ("objection.file",), ("objector", "contact", "grounds")),
    ("dossier", ("project.describe",), ("summary", "fields")),
    ("dossier", ("project.describe", "project.amend_team"), ("team",)),
    ("review_request", ("review_request.file",), ("ground", "statement")),
    ("draw", ("draw.announce",), ("programme_id", "office_path", "title", "source_kind", "source_name")),
    (
        "delegation",
        ("delegation.grant",),
        (
            "programme_id",
            "delegate_id",
            "role",
            "within=office_path",
            "from_on",
            "until_on",
            "limit_minor",
            "currency",
            "reason",
        ),
    ),
    ("draw", ("draw.conclude",), ("value_evidence=evidence",)),
    ("batch", ("batch.make",), ("programme_id", "currency", "execution_on")),
    ("batch", ("batch.write",), ("file_name", "sha256", "staged_as")),
    (
        "bank_exception",
        ("bank_exception.raise",),
        ("kind", "file_id", "entry_id", "payment_id", "likely_id", "params"),
    ),
    (
        "bank_exception",
        tuple(f"bank_exception.{way}" for way in ("explain", "match", "use", "clear", "reopen")),
        ("note",),
    ),
    (
        "bank_intake",
        ("bank_intake.record",),
        ("file_id", "number", "register_sha256", "statements_sha256", "words_sha256"),
    ),
    ("call", ("call.announce",), ("programme_id", "title", "opens_on", "closes_on")),
    ("budget_change", PROPOSALS, ("reason", "paper")),
    *claim_recounts.TYPED,
)


def recounts() -> Iterator[Recount]:
    """Every claim, in the order in which a reader would ask."""
    yield from _subjects()
    yield from _typed()
    yield from _EVENTS
    yield from counters()
    yield from MONEY
    yield from receivable_recounts()
    yield from bank_recounts()
    yield from (Recount(*claim) for claim in claim_recounts.CLAIMS)
    yield from duties()
    yield from (Recount(*row) for row in (*BUDGET, *INTEREST))
    yield _DOCUMENTS


def _subjects() -> Iterator[Recount]:
    for name, noun in NOUNS.items():
        yield Recount(
            "row_differs",
            f"{name} 的状态或版本与其最后一个事件不符",
            f"the state or version of a {name} is not that of its last event",
            f"""SELECT s.id, s.state || '/' || s.version, coalesce(e.to_state || '/' || e.subject_seq, '-')
                  FROM "{name}" s
                  LEFT JOIN event e ON e.subject_id = s.id AND e.noun = '{name}'
                   AND e.chain_id = s.{noun.chain}
                   AND e.subject_seq = (SELECT max(subject_seq) FROM event WHERE subject_id = s.id)
                 WHERE e.subject_id IS NULL OR e.to_state <> s.state OR e.subject_seq <> s.version""",
        )
        yield Recount(
            "row_missing",
            f"事件所述的 {name} 不存在",
            f"an event speaks of a {name} that is not there",
            f"""SELECT e.subject_id, '-', e.to_state FROM event e
                  LEFT JOIN "{name}" s ON s.id = e.subject_id
                 WHERE e.noun = '{name}' AND e.subject_seq = 1 AND s.id IS NULL""",
        )


def _typed() -> Iterator[Recount]:
    for noun, steps, columns in TYPED:
        named = ", ".join(f"'{step}'" for step in steps)
        pairs = [(column, given or column) for column, _, given in (c.partition("=") for c in columns)]
        values = ", ".join(
            f"('{column}', coalesce(to_jsonb(s.\"{column}\"), 'null'), i.input->'{given}')"
            for column, given in pairs
        )
        yield Recount(
            "value_differs",
            f"{noun} 的内容与当时所填不符",
            f"a value of a {noun} is not what was entered",
            f"""SELECT s.id, v.name || ' ' || v.stored::text, coalesce(v.entered::text, '-') FROM "{noun}" s
                  LEFT JOIN (SELECT DISTINCT ON (e.subject_id) e.subject_id, {_INPUT.format(e="e")} AS input
                               FROM event e WHERE e.step IN ({named})
                              ORDER BY e.subject_id, e.subject_seq DESC) i ON i.subject_id = s.id
                 CROSS JOIN LATERAL (VALUES {values}) v(name, stored, entered)
                 WHERE v.stored <> coalesce(v.entered, 'null')
                   AND NOT (v.entered IS NULL AND v.stored IN ('null', '[]', '{{}}'))""",
        )


_EVENTS: tuple[Recount, ...] = (
    Recount(
        "subject_sequence",
        "事件不接续其对象先前的状态",
        "an event does not start where its subject stood",
        """SELECT e.chain_id || ':' || e.seq, e.from_state || '/' || e.subject_seq, coalesce(p.to_state, '-')
             FROM event e LEFT JOIN event p
               ON p.subject_id = e.subject_id AND p.subject_seq = e.subject_seq - 1
            WHERE CASE WHEN e.subject_seq = 1 THEN e.from_state <> ''
                  ELSE p.chain_id IS NULL OR p.to_state <> e.from_state OR p.chain_id <> e.chain_id
                       OR p.noun <> e.noun OR p.seq >= e.seq END""",
    ),
    Recount(
        "step_not_allowed",
        "事件的步骤不在其状态机之中",
        "an event's step is not one that its machine allows",
        """SELECT e.chain_id || ':' || e.seq,
                  e.step || ' ' || e.from_state || '→' || e.to_state || ' ' || e.role, e.machine
             FROM event e LEFT JOIN allowed_step a ON a.machine = e.machine AND a.step = e.step
              AND a.from_state = e.from_state AND a.to_state = e.to_state AND a.role = e.role
            WHERE a.machine IS NULL""",
    ),
    Recount(
        "programme_changed",
        "已发布的计划文本与其摘要不符",
        "the text of a published programme is not that of its digest",
        """SELECT id, digest, encode(sha256(convert_to(source, 'UTF8')), 'hex') FROM programme_version
            WHERE digest <> encode(sha256(convert_to(source, 'UTF8')), 'hex')""",
    ),
)


_DOCUMENTS = Recount(
    "document_changed",
    "文件内容与其哈希不符",
    "a document's content is not that of its hash",
    """SELECT sha256, sha256, encode(sha256(content), 'hex') FROM document
        WHERE sha256 <> encode(sha256(content), 'hex')""",
)
