"""How an office composes a drawn panel: experts in the pool, a draw announced, witnessed and concluded."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from milepost.experts.pool import NewExpert, enrol
from milepost.experts.records import Unit

if TYPE_CHECKING:
    from milepost.demo.office import Office

FIGURE = "上证综合指数收盘点位，两位小数（上海证券交易所公布） · SSE Composite close, two decimals"
KINDS = ("technology", "technology", "technology", "finance", "management")
REGIONS = ("/", "/neighbour/")


def enrol_experts(office: Office, *, fields: Sequence[str] = ("510",), region: str = "/") -> None:
    """Put the office's experts into the pool, each of another unit, every other one from elsewhere."""
    if office.rows("SELECT 1 FROM expert LIMIT 1"):
        return
    officer = office.who("programme_officer")
    with office.database.session() as session:
        for number, expert in enumerate(office.people["expert"]):
            login, name = office.rows("SELECT login, name FROM person WHERE id = %s", expert.id)[0]
            enrol(
                session,
                NewExpert(
                    login=login,
                    name=name,
                    kinds=(KINDS[number % len(KINDS)],),
                    region=region if number % 2 else REGIONS[1],
                    yearly_load=100,
                    fields=fields,
                    units=(Unit(f"示例研究所 {number + 1}"),),
                ),
                by=officer.id,
            )


def draw_panels(
    office: Office, rounds: Sequence[UUID], *, title: str = "示例抽取", value: str = "3012.47"
) -> UUID:
    """Announce a draw, wait for its value, have it witnessed and concluded: the draw's id."""
    published_on = office.clock.today() + timedelta(days=1)
    draw_id = announce_draw(office, rounds, title=title, source_on=published_on)
    office.clock.set(published_on)
    conclude_draw(office, draw_id, value=value, evidence="示例：交易所网站")
    return draw_id


def announce_draw(
    office: Office,
    rounds: Sequence[UUID],
    *,
    title: str,
    source_on: date,
    source_name: str = FIGURE,
    witnessed: bool = True,
) -> UUID:
    """Announce a draw by a figure of a later day; a supervisor is there where the programme wants one."""
    draw_id = office.take(
        "programme_officer",
        "draw.announce",
        None,
        programme_id=str(office.published.id),
        office_path=office.path,
        title=title,
        rounds=[str(id) for id in rounds],
        source_kind="figure",
        source_name=source_name,
        source_on=source_on.isoformat(),
    ).subject_id
    review = office.programme.review
    if witnessed and review is not None and review.panel.witness:
        office.take("supervisor", "draw.witness", draw_id)
    return draw_id


def conclude_draw(office: Office, draw_id: UUID, *, value: str, evidence: str) -> None:
    """Enter the value on its day, which draws."""
    office.take("programme_officer", "draw.conclude", draw_id, value=value, evidence=evidence)


def invite_drawn(office: Office, round_id: UUID) -> list[UUID]:
    """Invite everybody who was drawn for a round: the tasks."""
    rows = office.rows(
        "SELECT s.expert_id FROM draw_seat s JOIN draw_round r ON r.draw_id = s.draw_id "
        "AND r.round_id = s.round_id AND r.voided_at IS NULL WHERE s.round_id = %s "
        "AND NOT EXISTS (SELECT 1 FROM task t WHERE t.round_id = s.round_id AND t.expert_id = s.expert_id) "
        "ORDER BY s.entry, s.rank",
        round_id,
    )
    return [
        office.take("programme_officer", "task.invite", round_id, expert_id=str(row[0])).subject_id
        for row in rows
    ]


__all__ = ["FIGURE", "announce_draw", "conclude_draw", "draw_panels", "enrol_experts", "invite_drawn"]
