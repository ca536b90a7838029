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
from milepost.evidence.receivable_recounts import receivable_recounts
from milepost.evidence.recount_duties import duties
from milepost.evidence.recount_shape import INPUT as _INPUT
from milepost.evidence.recount_shape import Recount
from schema.nouns import NOUNS
from schema.payment import LIVE

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
    yield from _counters()
    yield from _MONEY
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


def _counter(column: str, zh: str, en: str, counted: str, stored: str = "p.{c}") -> Recount:
    """A column of the project against what its events or rows add up to."""
    told = stored.format(c=column)
    return Recount(
        "counter_differs",
        f"项目的{zh}与重新计数不符",
        f"a project's {en} differs from the recount",
        f"""SELECT p.id, x.stored::text, x.counted::text FROM project p
             {counted}
             CROSS JOIN LATERAL (SELECT {told} AS stored, coalesce(c.n, 0) AS counted) x
             WHERE x.stored IS DISTINCT FROM x.counted""",
    )


def _by_events(plus: str, minus: str) -> str:
    """How often one step was taken less how often the others were, by project."""
    return f"""LEFT JOIN (SELECT chain_id, sum(CASE WHEN step = '{plus}' THEN 1 ELSE -1 END) AS n
                 FROM event WHERE step IN ('{plus}', {minus}) GROUP BY 1) c ON c.chain_id = p.id"""


def _by_rows(table: str, what: str, where: str = "true") -> str:
    return f"""LEFT JOIN (SELECT project_id, {what} AS n FROM {table} WHERE {where} GROUP BY 1) c
                 ON c.project_id = p.id"""


def _counters() -> Iterator[Recount]:
    zh, en = "冻结数", "number of holds"
    yield _counter("holds", zh, en, _by_rows("hold", "count(*)", "kind = 'hold' AND lifted_at IS NULL"))
    yield _counter("holds", zh, en, _by_events("project.place_hold", "'project.lift_hold'"))
    zh, en = "失信标记数", "number of integrity flags"
    open_flags = "kind = 'integrity' AND lifted_at IS NULL"
    yield _counter("integrity_flags", zh, en, _by_rows("hold", "count(*)", open_flags))
    flagged = _by_events("project.flag_integrity", "'project.clear_integrity'")
    yield _counter("integrity_flags", zh, en, flagged)
    zh, en = "未决异议数", "number of open objections"
    yield _counter("open_objections", zh, en, _by_rows("objection", "count(*)", "state = 'filed'"))
    answered = _by_events("objection.file", "'objection.uphold', 'objection.dismiss'")
    yield _counter("open_objections", zh, en, answered)
    zh, en = "自筹到位金额", "own contribution"
    yield _counter("own_contribution_minor", zh, en, _by_rows("contribution", "sum(amount_minor)"))
    entered = f"""LEFT JOIN (SELECT e.chain_id, sum(({_INPUT.format(e="e")}->>'amount_minor')::bigint) AS n
        FROM event e WHERE e.step = 'project.evidence_contribution' GROUP BY 1) c ON c.chain_id = p.id"""
    yield _counter("own_contribution_minor", zh, en, entered)
    for signer, zh, en in (
        ("unit", "单位承诺书", "pledge of the unit"),
        ("leader", "负责人承诺书", "pledge of the leader"),
    ):
        column, told = f"pledged_{signer}", "(p.{c})::int"
        yield _counter(column, zh, en, _by_rows("pledge", "count(*)", f"signer = '{signer}'"), told)
        signed = f"""LEFT JOIN (SELECT chain_id, 1 AS n FROM event WHERE step = 'project.sign_{signer}_pledge'
            GROUP BY 1) c ON c.chain_id = p.id"""
        yield _counter(column, zh, en, signed, told)
    for column, zh, en, signing in (
        ("grantee_signed_on", "承担单位签署任务书", "signature of the grantee", _GRANTEE_SIGNING),
        ("agreement_signed_on", "任务书签署", "signature of the agreement", _SIGNING),
    ):
        signed = f"""LEFT JOIN (SELECT e.chain_id, 1 AS n FROM event e WHERE {signing} GROUP BY 1) c
            ON c.chain_id = p.id"""
        yield _counter(column, zh, en, signed, "(p.{c} IS NOT NULL)::int")
    zh, en = "收款账户", "verified payee"
    verified = """LEFT JOIN (SELECT DISTINCT ON (chain_id) chain_id, subject_id AS n FROM event
        WHERE step = 'payee.verify' ORDER BY chain_id, seq DESC) c ON c.chain_id = p.id"""
    yield Recount(
        "counter_differs",
        f"项目的{zh}与事件所载不符",
        f"a project's {en} is not the one last verified",
        f"SELECT p.id, coalesce(p.payee_id::text, '-'), coalesce(c.n::text, '-') FROM project p {verified} "
        "WHERE p.payee_id IS DISTINCT FROM c.n",
    )
    yield Recount(
        "counter_differs",
        "项目的公示截止日与其最后一次公示不符",
        "a project's last day of notice is not that of its latest notice",
        """SELECT p.id, coalesce(p.notice_closes_on::text, '-'), coalesce(c.closes_on::text, '-')
              FROM project p
             LEFT JOIN (SELECT DISTINCT ON (e.chain_id) e.chain_id,
                               CASE n.state WHEN 'withdrawn' THEN NULL ELSE n.closes_on END AS closes_on
                          FROM event e JOIN notice n ON n.id = e.subject_id
                         WHERE e.step = 'notice.publish' ORDER BY e.chain_id, e.seq DESC) c
                ON c.chain_id = p.id
            WHERE p.notice_closes_on IS DISTINCT FROM c.closes_on""",
    )
    yield Recount(
        "counter_differs",
        "已列入的审查意见与事件所载不符",
        "the reviews on record are not those that were recorded",
        f"""SELECT p.id, p.reviews_done::text, coalesce(c.kinds, '[]')::text FROM project p
             LEFT JOIN (SELECT chain_id, jsonb_agg(DISTINCT {_INPUT.format(e="event")}->>'kind') AS kinds
                          FROM event WHERE step = 'project.record_review' GROUP BY 1) c ON c.chain_id = p.id
             WHERE NOT (p.reviews_done @> coalesce(c.kinds, '[]')
                        AND p.reviews_done <@ coalesce(c.kinds, '[]'))""",
    )
    yield Recount(
        "counter_differs",
        "立项金额与批准时不符",
        "an award is not the one that was approved",
        f"""SELECT p.id, p.award_minor::text, coalesce(c.award, p.requested_minor)::text FROM project p
             LEFT JOIN (SELECT DISTINCT ON (e.chain_id) e.chain_id,
                               ({_INPUT.format(e="e")}->>'award_minor')::bigint AS award
                          FROM event e WHERE e.step = 'project.approve' ORDER BY e.chain_id, e.seq DESC) c
               ON c.chain_id = p.id
             WHERE p.award_minor IS NOT NULL AND p.award_minor <> coalesce(c.award, p.requested_minor)""",
    )


_GRANTEE_SIGNING = "e.step = 'project.sign_agreement_as_grantee'"
# Where a programme has no agreement, the approval is what binds.
_SIGNING = """(e.step = 'project.sign_agreement' OR (e.step = 'project.approve' AND NOT EXISTS (
    SELECT 1 FROM allowed_step a WHERE a.machine = e.machine AND a.step = 'project.sign_agreement')))"""

# A leg of a transfer as it counts in its account; the same sums that the database's own trigger keeps.
_LEGS = """SELECT debit_id AS id,
      CASE kind WHEN 'pending' THEN amount_minor WHEN 'posted' THEN 0 ELSE -amount_minor END AS dp,
      CASE WHEN kind IN ('posted', 'post') THEN amount_minor ELSE 0 END AS dx,
      0::bigint AS cp, 0::bigint AS cx,
      CASE WHEN reverses_id IS NOT NULL THEN -amount_minor ELSE 0 END AS drawn, payment_id FROM transfer
    UNION ALL SELECT credit_id, 0, 0,
      CASE kind WHEN 'pending' THEN amount_minor WHEN 'posted' THEN 0 ELSE -amount_minor END,
      CASE WHEN kind IN ('posted', 'post') THEN amount_minor ELSE 0 END,
      CASE WHEN kind = 'pending' OR (kind = 'posted' AND reverses_id IS NULL) THEN amount_minor
           WHEN kind = 'void' THEN -amount_minor ELSE 0 END, payment_id FROM transfer"""

_MONEY: tuple[Recount, ...] = (
    Recount(
        "account_differs",
        "账户余额与划拨合计不符",
        "an account's sums are not those of its transfers",
        f"""SELECT coalesce(a.id, s.id), concat_ws('/', a.debits_pending, a.debits_posted, a.credits_pending,
                  a.credits_posted, a.drawn_minor), concat_ws('/', s.dp, s.dx, s.cp, s.cx, s.drawn)
             FROM account a FULL JOIN (
                SELECT id, sum(dp) AS dp, sum(dx) AS dx, sum(cp) AS cp, sum(cx) AS cx, sum(drawn) AS drawn
                  FROM ({_LEGS}) l GROUP BY id) s ON s.id = a.id
            WHERE a.id IS NULL OR (a.debits_pending, a.debits_posted, a.credits_pending, a.credits_posted,
                  a.drawn_minor) IS DISTINCT FROM (coalesce(s.dp, 0), coalesce(s.dx, 0), coalesce(s.cp, 0),
                  coalesce(s.cx, 0), coalesce(s.drawn, 0))""",
    ),
    Recount(
        "books_unbalanced",
        "该币种借贷合计不等",
        "debits and credits of a currency differ",
        """SELECT currency, sum(debits_posted)::text || '/' || sum(debits_pending),
                  sum(credits_posted)::text || '/' || sum(credits_pending) FROM account GROUP BY currency
           HAVING sum(debits_posted) <> sum(credits_posted) OR sum(debits_pending) <> sum(credits_pending)""",
    ),
    Recount(
        "account_overdrawn",
        "账户支出超过收入",
        "an account has given more than it received",
        """SELECT id, debits_posted + debits_pending, credits_posted FROM account
            WHERE kind <> 'treasury' AND debits_posted + debits_pending > credits_posted""",
    ),
    Recount(
        "award_exceeded",
        "占用与已付超过立项金额",
        "held and paid together exceed the award",
        """SELECT p.id, coalesce(a.drawn_minor, 0)::text || ' / ' || coalesce(a.ceiling_minor::text, '-'),
                  p.award_minor FROM project p JOIN account a ON a.owner_id = p.id AND a.kind = 'commitment'
            WHERE a.ceiling_minor IS DISTINCT FROM p.award_minor OR a.drawn_minor > p.award_minor""",
    ),
    Recount(
        "award_exceeded",
        "各笔拨款之和与立项金额不符",
        "the tranches do not add up to the award",
        """SELECT p.id, sum(t.amount_minor)::text, p.award_minor::text
             FROM project p JOIN tranche t ON t.project_id = p.id AND t.basis <> 'interest'
            GROUP BY p.id, p.award_minor
           HAVING sum(t.amount_minor) IS DISTINCT FROM p.award_minor""",
    ),
    Recount(
        "transfer_differs",
        "划拨的币种、对象或前后两步不一致",
        "a transfer's currency, payment or two phases do not fit together",
        """SELECT t.id, t.kind, coalesce(o.kind, r.kind, '-') FROM transfer t
             LEFT JOIN account d ON d.id = t.debit_id LEFT JOIN account c ON c.id = t.credit_id
             LEFT JOIN event e ON e.chain_id = t.chain_id AND e.seq = t.event_seq
             LEFT JOIN transfer o ON o.id = t.pending_id LEFT JOIN transfer r ON r.id = t.reverses_id
            WHERE d.currency IS DISTINCT FROM t.currency OR c.currency IS DISTINCT FROM t.currency
               OR t.payment_id IS DISTINCT FROM CASE WHEN e.noun = 'payment' THEN e.subject_id END
               OR (t.kind IN ('post', 'void')) <> (t.pending_id IS NOT NULL)
               OR (t.pending_id IS NOT NULL AND (o.kind, o.debit_id, o.credit_id, o.amount_minor)
                   IS DISTINCT FROM ('pending', t.debit_id, t.credit_id, t.amount_minor))
               OR (t.reverses_id IS NOT NULL AND (r.debit_id, r.credit_id, r.amount_minor)
                   IS DISTINCT FROM (t.credit_id, t.debit_id, t.amount_minor))""",
    ),
    Recount(
        "transfer_differs",
        "同一笔划拨被结清或冲销两次",
        "a transfer is resolved or reversed twice",
        """SELECT coalesce(pending_id, reverses_id), count(*), 1 FROM transfer
            WHERE pending_id IS NOT NULL OR reverses_id IS NOT NULL
            GROUP BY pending_id, reverses_id HAVING count(*) > 1""",
    ),
    Recount(
        "tranche_differs",
        "该笔拨款的已付金额与已结清的拨付不符",
        "what a tranche says is paid is not what was settled",
        """SELECT t.id, t.paid_minor, coalesce(y.paid, 0) FROM tranche t
             LEFT JOIN (SELECT tranche_id, sum(amount_minor) AS paid FROM payment WHERE state = 'settled'
                         GROUP BY 1) y ON y.tranche_id = t.id
            WHERE t.paid_minor <> coalesce(y.paid, 0)""",
    ),
    Recount(
        "tranche_differs",
        "支出与最后一次填报不符",
        "what a tranche says is spent is not what was last reported",
        f"""SELECT t.id, t.spent_minor, coalesce(r.spent, 0) FROM tranche t
             LEFT JOIN (SELECT DISTINCT ON (chain_id, n) chain_id, n, spent FROM (
                          SELECT e.chain_id, e.seq, (i.input->>'tranche')::int AS n,
                                 (i.input->>'spent_minor')::bigint AS spent
                            FROM event e CROSS JOIN LATERAL (SELECT {_INPUT.format(e="e")} AS input) i
                           WHERE e.step = 'project.report_spending') x ORDER BY chain_id, n, seq DESC) r
               ON r.chain_id = t.project_id AND r.n = t.number
            WHERE t.spent_minor <> coalesce(r.spent, 0)""",
    ),
    Recount(
        "paid_twice",
        "一笔拨款有多次有效拨付",
        "a tranche has more than one live payment",
        f"SELECT tranche_id, count(*), 1 FROM payment WHERE {LIVE} GROUP BY tranche_id HAVING count(*) > 1",
    ),
    Recount(
        "payment_differs",
        "拨付与其拨款的金额、币种或里程碑不符",
        "a payment differs from its tranche in sum, currency, project or milestone",
        """SELECT y.id, y.amount_minor || ' ' || y.currency,
                  coalesce(t.amount_minor || ' ' || t.currency, '-')
             FROM payment y LEFT JOIN tranche t ON t.id = y.tranche_id
            WHERE (y.project_id, y.currency, y.milestone_id)
                  IS DISTINCT FROM (t.project_id, t.currency, t.milestone_id)
               OR (t.basis IN ('fixed', 'interest') OR y.state NOT IN ('returned', 'void'))
                  AND y.amount_minor IS DISTINCT FROM coalesce(t.payable_minor, t.amount_minor)""",
    ),
    Recount(
        "payment_differs",
        "拨付的状态与其划拨不符",
        "the transfers of a payment are not those of its state",
        f"""SELECT y.id, y.state, coalesce(s.held, 0) || '/' || coalesce(s.paid, 0) FROM payment y
             LEFT JOIN (SELECT l.payment_id, sum(l.drawn) FILTER (WHERE a.kind = 'commitment') AS held,
                               sum(l.drawn) FILTER (WHERE a.kind = 'paid') AS paid
                          FROM ({_LEGS}) l JOIN account a ON a.id = l.id GROUP BY 1) s ON s.payment_id = y.id
            WHERE coalesce(s.held, 0) <> CASE WHEN y.state IN ('requested', 'approved', 'released',
                    'instructed', 'unknown', 'settled') THEN y.amount_minor ELSE 0 END
               OR coalesce(s.paid, 0) <> CASE y.state WHEN 'settled' THEN y.amount_minor ELSE 0 END""",
    ),
)


_DOCUMENTS = Recount(
    "document_changed",
    "文件内容与其哈希不符",
    "a document's content is not that of its hash",
    """SELECT sha256, sha256, encode(sha256(content), 'hex') FROM document
        WHERE sha256 <> encode(sha256(content), 'hex')""",
)
