"""The demo's expert pool: sixty invented people, entered as an office would, from one spreadsheet.

They are named after the sixty-year cycle, in the order of the Hundred Surnames: nobody takes them for real,
and everybody can tell them apart. Some cannot be asked (retired, banned, away), some are tied to applicants.
"""

from __future__ import annotations

import csv
import io
from datetime import timedelta
from uuid import UUID

from milepost.db import Database, Session
from milepost.experts import pool
from milepost.importing.experts import CREATED, import_experts
from milepost.importing.people import person_id

# The ten stems and the twelve branches whose pairs make the cycle.
_STEMS = ("甲jia", "乙yi", "丙bing", "丁ding", "戊wu", "己ji", "庚geng", "辛xin", "壬ren", "癸gui")
_BRANCHES = (
    "子zi",
    "丑chou",
    "寅yin",
    "卯mao",
    "辰chen",
    "巳si",
    "午wu",
    "未wei",
    "申shen",
    "酉you",
    "戌xu",
    "亥hai",
)
_REGIONS = {"": "/", "N": "/example-north/", "C": "/example-coast/", "A": "/example-abroad/"}
_KINDS = {"T": "technology", "M": "management", "F": "finance", "I": "investment"}
_TITLES = {"T": ("教授", "研究员", "副教授", "高级工程师"), "M": ("正高级经济师", "研究员"),
           "F": ("注册会计师", "高级会计师"), "I": ("投资总监",)}  # fmt: skip
_WORK = {
    "520": "机器学习、工业软件与数据治理", "510": "传感器与通信芯片", "460": "数控装备与精密制造",
    "550": "食品加工与冷链", "430": "轻量化材料", "530": "化工过程安全", "610": "水环境治理",
    "210": "特色作物育种", "360": "民族药质量控制", "470": "节能电机", "580": "智能交通", "560": "装配式建筑",
    "790": "项目财务核算与绩效评价", "630": "科技项目管理与成果转化",
}  # fmt: skip

# Surname, its letters, kinds, subject codes, where they work, region.
_PEOPLE = """
赵 zhao T 52020 示例大学计算机学院
钱 qian T 52020,52040 示例理工大学 N
孙 sun T 52020,12010 示例软件研究院
李 li T 52050 示例交通大学 C
周 zhou T 52060 示例信息工程大学 N
吴 wu T 52020,41310 示例智能系统研究所
郑 zheng T,M 52040 示例数据中心 C
王 wang T 52020,46025 示例自动化研究所 N
冯 feng T 52010 示例师范大学
陈 chen T 52050,51040 示例电子科技大学 C
褚 chu T 52020 示例工业互联网研究院
卫 wei T 52060,62010 示例网络安全中心 N
蒋 jiang T 52020,51020 示例计算技术研究所 C
沈 shen T 51010 示例微电子研究所
韩 han T 51020,51040 示例电子科技大学 C
杨 yang T 51030 示例光电研究所 N
朱 zhu T 51040 示例通信研究院
秦 qin T 51020 示例理工大学 N
尤 you T 51050,52020 示例传感技术中心 C
许 xu T 46025 示例机床研究所
何 he T 46020 示例装备制造大学 N
吕 lv T 46030,46040 示例精密仪器研究所 C
施 shi T 46025 示例汽车研究院
张 zhang T,M 46040 示例轴承厂 N
孔 kong T 46050 示例焊接研究所 C
曹 cao T 43020 示例材料研究所
严 yan T 53014 示例化工大学 N
华 hua T 61030 示例水环境研究院
金 jin T 21030 示例农业大学 C
魏 wei T 36040 示例民族药研究所
陶 tao T 47020 示例电机厂
姜 jiang T 58030 示例交通大学 C
戚 qi F 79063 示例会计师事务所
谢 xie F 79063 示例财经大学 N
邹 zou F,M 79063,63020 示例审计事务所 C
喻 yu F 79063 示例税务师事务所
柏 bai F 79063 示例资产评估公司 N
水 shui F 79063 示例大学财务处
窦 dou M 63050 示例科技情报研究所
章 zhang M 63050,63020 示例生产力促进中心 N
云 yun M 63020 示例高新区管委会 C
苏 su M 63055 示例行政学院
潘 pan M,I 63044 示例技术交易所 N
葛 ge M 63050 示例知识产权中心
奚 xi M 63055 示例产业研究院 C
范 fan M 63020 示例商会
彭 peng I 79071 示例创业投资公司 C
郎 lang I 79071,63044 示例产业基金
鲁 lu I 79071 示例银行 N
"""
# Three more who are as invented as the rest: from abroad, and one who was entered twice.
_MORE = (
    ("erika.mustermann", "Erika Mustermann", "T", "46025,52020", "Example Institute of Technology", "A"),
    ("jane.doe", "Jane Doe", "T", "51020", "Example University", "A"),
    ("zhao.jiazi.2", "赵甲子", "T", "43020", "示例大学计算机学院", ""),
)
# The demo's own log-ins; two applications of the open round need exactly the first three.
_LOGINS = (
    ("expert1", "T", "550", "示例食品研究所", ""),
    ("expert2", "T", "55020,55010", "示例海洋食品研究院", "C"),
    ("expert3", "T", "55010", "示例轻工大学", "N"),
    ("expert4", "T", "52020", "示例语言智能实验室", "C"),
    ("expert5", "T", "52040,52050", "示例机器人公司", ""),
    ("expert6", "T", "52060", "示例云计算中心", "N"),
    ("expert7", "M", "63050", "示例科学技术协会", "C"),
    ("expert8", "T", "51010", "示例半导体实验室", "N"),
    ("expert9", "T", "46020", "示例制造工程中心", ""),
)
_BUSY = 60
"""Tasks a year of the demo's own log-ins, who review for the city's other programmes as well."""
RETIRED = ("shui.xinchou", "kong.wuzi")
BANNED = ("bai.gengzi", "lu.renzi")
AWAY = ("yu.jihai", "fan.jiyou", "yan.gengyin")


def _cycle(n: int) -> tuple[str, str]:
    """The n-th pair of the sixty-year cycle, in characters and in letters."""
    stem, branch = _STEMS[n % 10], _BRANCHES[n % 12]
    return stem[0] + branch[0], stem[1:] + branch[1:]


def _rows() -> list[dict[str, str]]:
    rows = []
    for n, line in enumerate(_PEOPLE.split("\n")[1:-1]):
        surname, letters, kinds, fields, unit, region, *_ = [*line.split(), ""]
        given, spelt = _cycle(n)
        rows.append(_row(f"{letters}.{spelt}", surname + given, kinds, fields, unit, region, n))
    rows += [_row(*entry, n) for n, entry in enumerate(_MORE)]
    for n, (login, kinds, fields, unit, region) in enumerate(_LOGINS):
        row = _row(login, f"示例评审专家 {n + 1:02d}", kinds, fields, unit, region, n)
        rows.append({**row, "email": "", "yearly_load": str(_BUSY)})
    return rows


def _row(login: str, name: str, kinds: str, fields: str, unit: str, region: str, n: int) -> dict[str, str]:
    titles = _TITLES[kinds[0]]
    work = _WORK.get(fields[:3], "产业投资与科技金融")
    return {
        "login": login,
        "name": name,
        "email": f"{login}@example.invalid",
        "kinds": ";".join(_KINDS[kind] for kind in kinds.split(",")),
        "region": _REGIONS[region],
        "yearly_load": str(10 + n % 5),
        "title": titles[n % len(titles)],
        "languages": "en;de" if region == "A" else "zh;en" if n % 3 == 0 else "zh",
        "fields": fields.replace(",", ";"),
        "units": f"{unit} | {2008 + n % 14}-09-01 |",
        "profile": f"{work}（虚构人物，仅供演示）",
    }


def fill_pool(database: Database, *, officer: UUID, supervisor: UUID) -> None:
    """Import the sheet as the officer, then enter who cannot be asked and who is tied to whom."""
    rows = _rows()
    sheet = io.StringIO(newline="")
    writer = csv.DictWriter(sheet, fieldnames=list(rows[0]))
    writer.writeheader()
    writer.writerows(rows)
    with database.session() as session:
        report = import_experts(session, "示例专家库.csv", sheet.getvalue().encode(), by=officer)
        if report.count(CREATED) != len(rows):
            refused = [row.as_json() for row in report.rows if row.outcome != CREATED]
            raise ValueError(f"the demo's own pool was not taken in: {refused}")
        _standing(session, officer, supervisor)


def _standing(session: Session, officer: UUID, supervisor: UUID) -> None:
    today = session.clock.today()
    for login in RETIRED:
        pool.retire(session, expert_id(session, login), reason="示例：本人申请退出。", by=officer)
    for login, years in zip(BANNED, (3, 5), strict=True):
        reason = "示例：泄露评审信息，按规定禁评。"
        pool.ban(session, expert_id(session, login), years=years, reason=reason, by=supervisor)
    for login, days in zip(AWAY, (400, 150, 200), strict=True):
        first = today - timedelta(days=10)
        pool.set_absence(
            session,
            expert_id(session, login),
            from_on=first,
            to_on=first + timedelta(days=days),
            reason="示例：出国访学",
            by=officer,
        )
    for login, kind, name, unit, evidence in (
        ("sun.bingyin", "kin", "示例负责人 05", "", "示例：本人申明为亲属。"),
        ("chu.jiaxu", "economic", "", "示例单位 08", "示例：持有该单位股权。"),
        ("wei.yihai", "supervisor", "示例负责人 02", "示例单位 02", "示例：曾为其博士生导师。"),
    ):
        person = expert_id(session, login)
        pool.declare_tie(
            session, person, kind=kind, other_name=name, other_unit=unit, evidence=evidence, by=person
        )
    # Who left an applicant's unit less than three years ago still has a conflict with it.
    left = pool.Unit("示例单位 03", today - timedelta(days=2600), today - timedelta(days=400))
    pool.affiliate(session, expert_id(session, "feng.renshen"), left, by=officer)


def expert_id(session: Session, login: str) -> UUID:
    """The account of somebody in the demo's pool."""
    row = session.conn.execute("SELECT id FROM person WHERE login = %s", (login,)).fetchone()
    return UUID(str(row[0])) if row else person_id(login)


__all__ = ["AWAY", "BANNED", "RETIRED", "expert_id", "fill_pool"]
