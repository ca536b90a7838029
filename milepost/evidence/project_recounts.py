"""What a project's own columns claim, counted again from its rows and from the events that wrote them."""

from __future__ import annotations

from collections.abc import Iterator

from milepost.evidence.recount_shape import INPUT, Recount

_GRANTEE_SIGNING = "e.step = 'project.sign_agreement_as_grantee'"
# Where a programme has no agreement, the approval is what binds.
_SIGNING = """(e.step = 'project.sign_agreement' OR (e.step = 'project.approve' AND NOT EXISTS (
    SELECT 1 FROM allowed_step a WHERE a.machine = e.machine AND a.step = 'project.sign_agreement')))"""


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


def counters() -> Iterator[Recount]:
    """Every claim about a project's counters, sums, days and signatures."""
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
    entered = f"""LEFT JOIN (SELECT e.chain_id, sum(({INPUT.format(e="e")}->>'amount_minor')::bigint) AS n
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
             LEFT JOIN (SELECT chain_id, jsonb_agg(DISTINCT {INPUT.format(e="event")}->>'kind') AS kinds
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
                               ({INPUT.format(e="e")}->>'award_minor')::bigint AS award
                          FROM event e WHERE e.step = 'project.approve' ORDER BY e.chain_id, e.seq DESC) c
               ON c.chain_id = p.id
             WHERE p.award_minor IS NOT NULL AND p.award_minor <> coalesce(c.award, p.requested_minor)""",
    )


__all__ = ["counters"]
