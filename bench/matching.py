"""A round of reviews matched, held against the min-cost flow on the same data, and against the clock.

The flow knows loads and conflicts only, is laid here once more from nothing but the scores, and serves
nobody in particular. The matching also keeps two people of one institution apart, and serves the worst-served
better. Applications and experts are made up, with uneven subjects, texts to match, and institutions of uneven
size.
"""

from __future__ import annotations

import multiprocessing
import random
import resource
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import TYPE_CHECKING, Any

from bench.lines import Line
from bench.sizes import Sizes
from milepost.embedded import EmbeddedPostgres
from milepost.experts.affinity import affinity
from milepost.experts.matching import Terms, match
from milepost.experts.rounds import Application, Reviewer
from states.seating import Composition

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SEED = 3
LIMIT_S = 120
CONFLICTS_PERCENT = 3
COMPARED = (
    "{applications} applications, {experts} experts, 5 reviews each, 3 % of pairs in conflict, 20 to 25 "
    "reviews an expert, no two of one institution on a panel: {what}; fields and texts scored and matched in "
    "a process of its own, with one thread"
)
SUBJECTS = {
    "110": "方程 算子 流形 概率 优化 逼近 拓扑 数值解",
    "140": "等离子体 激光 超导 光子 晶格 散射 量子态 磁性",
    "150": "催化剂 配体 电解液 聚合物 分子筛 光谱 合成 萃取",
    "180": "基因 蛋白质 细胞 菌株 代谢 酶 群落 育种",
    "210": "甘蔗 水稻 土壤 灌溉 病虫害 施肥 种质 果园",
    "230": "奶水牛 饲料 疫苗 养殖 繁育 粪污 兽药 肉质",
    "320": "肿瘤 影像 手术 血管 糖尿病 康复 监护 感染",
    "350": "制剂 药效 缓释 中药材 毒性 晶型 靶向 质控",
    "430": "涂层 合金 复合材料 陶瓷 薄膜 腐蚀 疲劳 粉末",
    "460": "轴承 齿轮 机床 焊接 装配 液压 刀具 减振",
    "470": "发动机 电机 变压器 逆变器 燃烧 热管理 冷却 绝缘",
    "480": "电池 光伏 风电 储能 氢能 充电桩 余热 电网",
    "510": "天线 芯片 传感器 滤波 射频 雷达 封装 光纤",
    "520": "神经网络 数据库 知识图谱 视觉 隐私计算 调度 编译 检索",
    "530": "精馏 反应器 膜分离 结晶 助剂 树脂 纯化 废水",
    "560": "桥梁 混凝土 隧道 抗震 地基 装配式 钢结构 渗流",
    "580": "车辆 底盘 轨道 信号 物流 驾驶 碰撞 航道",
    "610": "大气 污泥 重金属 碳排放 监测 湿地 除臭 固废",
    "630": "绩效 供应链 决策 创新 质量管理 项目管理 知识产权 风险",
    "790": "财务 审计 成本 税收 投资 资金 预算 内控",
}
_QUALITIES = "柔性 智能 高温 低碳 微纳 轻量化 分布式 原位 大型 精密 耐磨 绿色 多尺度 在线 高效 自适应"
_ENGLISH = (
    "perovskite lithium transformer robust bearing catalyst genome alloy sensor coating diffusion lidar "
    "polymer grid fatigue protein retrieval membrane tunnel carbon"
)
_SENTENCES = (
    "面向{}的{}关键技术研究与应用，形成{}示范。",
    "针对{}中{}的瓶颈，建立{}模型，提出新的方法。",
    "完成{}与{}的协同设计，开展{}试验验证。",
    "突破{}、{}和{}等核心技术，申请发明专利。",
)
_KINDS = (
    (70, ("technology",)),
    (10, ("technology", "management")),
    (8, ("management",)),
    (8, ("finance",)),
    (4, ("finance", "investment")),
)


@dataclass(frozen=True)
class Made:
    """A round that was made up: who asks, who judges, and which pairs are in conflict by declaration."""

    applications: list[Application]
    reviewers: list[Reviewer]
    forbidden: set[tuple[str, str]]


@cache
def _vocabulary() -> Mapping[str, Sequence[str]]:
    """The words of each subject of the third level; neighbours have some of them in common."""
    chance, found = random.Random(SEED), {}
    for first, nouns in SUBJECTS.items():
        for second in range(10, 50, 10):
            own = chance.sample(nouns.split(), 4)
            for third in range(5, 20, 5):
                made = [chance.choice(_QUALITIES.split()) + noun for noun in chance.sample(own, 3)]
                found[f"{first}{second}{third:02}"] = [*made, *own[:3], chance.choice(_ENGLISH.split())]
    return found


class _Maker:
    """Draws subjects, texts and institutions, all of them unevenly, from one seed."""

    def __init__(self, institutions: int) -> None:
        self.chance = random.Random(SEED)
        self.units = [f"unit {number}" for number in range(institutions)]
        self.unit_weights = [1 / (1 + number) ** 0.6 for number in range(institutions)]
        firsts = self.chance.sample(list(SUBJECTS), len(SUBJECTS))
        self.asked = {first: 1 / (1 + place) ** 0.7 for place, first in enumerate(firsts)}
        # Experts are not spread as applications are: some subjects are short of them.
        self.known = {first: weight * self.chance.uniform(0.6, 1.5) for first, weight in self.asked.items()}

    def unit(self) -> str:
        return self.chance.choices(self.units, self.unit_weights)[0]

    def subjects(self, popular: Mapping[str, float], most: int) -> tuple[str, ...]:
        """A main subject, named more or less exactly, and perhaps others, mostly near to it."""
        first = self.chance.choices(list(popular), list(popular.values()))[0]
        main = self.chance.choice([code for code in _vocabulary() if code.startswith(first)])
        cut = self.chance.choices((7, 5, 3), (60, 30, 10))[0]
        found = [main[:cut]]
        for _ in range(self.chance.randint(0, most)):
            shared = self.chance.choices((5, 3, 0), (50, 35, 15))[0]
            found.append(
                self.chance.choice([code for code in _vocabulary() if code.startswith(main[:shared])])
            )
        return tuple(dict.fromkeys(found))

    def text(self, subjects: Sequence[str], sentences: int) -> str:
        """Sentences about these subjects; about one in seven strays to another."""
        written = []
        for _ in range(sentences):
            subject = self.chance.choice(subjects)
            if self.chance.random() < 0.15:
                subject = self.chance.choice(list(_vocabulary()))
            words = [w for code, known in _vocabulary().items() if code.startswith(subject) for w in known]
            written.append(self.chance.choice(_SENTENCES).format(*self.chance.choices(words, k=3)))
        return "".join(written)


def made_up(applications: int, experts: int, panel: Composition, loads: tuple[int, int]) -> Made:
    """The round of the line; the same numbers give the same round."""
    maker = _Maker(max(5, experts // 5))
    chance = maker.chance
    ours, theirs = [], []
    for number in range(applications):
        subjects = maker.subjects(maker.asked, 1)
        text, unit = maker.text(subjects, chance.randint(6, 14)), maker.unit()
        ours.append(Application(f"A{number:04}", subjects, text, frozenset({unit}), panel, "home"))
    for number in range(experts):
        subjects = maker.subjects(maker.known, 2)
        text, unit = maker.text(subjects, chance.randint(4, 20)), maker.unit()
        kinds = chance.choices([kinds for _, kinds in _KINDS], [weight for weight, _ in _KINDS])[0]
        region = chance.choices(("home", "away"), (60, 40))[0]
        load = chance.randint(*loads)
        theirs.append(Reviewer(f"E{number:04}", subjects, text, frozenset(kinds), region, unit, load))
    own = sum(each.institution in asks.institution_keys for asks in ours for each in theirs)
    forbidden: set[tuple[str, str]] = set()
    while own + len(forbidden) < applications * experts * CONFLICTS_PERCENT // 100:
        asks, each = chance.choice(ours), chance.choice(theirs)
        if each.institution not in asks.institution_keys:
            forbidden.add((asks.id, each.id))
    return Made(ours, theirs, forbidden)


def by_flow_alone(made: Made, scores: NDArray[np.int32]) -> tuple[int, NDArray[np.int64]]:
    """The best total by min-cost flow with loads and conflicts only, and the sum of each application."""
    import numpy as np
    from ortools.graph.python import min_cost_flow

    columns = {reviewer.id: column for column, reviewer in enumerate(made.reviewers)}
    may = np.array(
        [
            [each.institution not in asks.institution_keys for each in made.reviewers]
            for asks in made.applications
        ]
    )
    rows_of = {asks.id: row for row, asks in enumerate(made.applications)}
    for application, reviewer in made.forbidden:
        may[rows_of[application], columns[reviewer]] = False
    rows, cells = np.nonzero(may)
    count, people = may.shape
    worth = scores[rows, cells].astype(np.int64)
    flow = min_cost_flow.SimpleMinCostFlow()
    pairs = flow.add_arcs_with_capacity_and_unit_cost(rows, count + cells, np.ones_like(rows), -worth)
    for column, reviewer in enumerate(made.reviewers):
        flow.add_arc_with_capacity_and_unit_cost(count + column, count + people, reviewer.load, 0)
    for row, asks in enumerate(made.applications):
        flow.set_node_supply(row, asks.panel.size)
    flow.set_node_supply(count + people, -sum(asks.panel.size for asks in made.applications))
    assert flow.solve_max_flow_with_min_cost() == flow.OPTIMAL
    taken = flow.flows(pairs)
    return int((taken * worth).sum()), np.bincount(rows, weights=taken * worth, minlength=count).astype(
        np.int64
    )


def one_round(
    count: tuple[int, int], panel: Composition, loads: tuple[int, int], terms: Terms
) -> dict[str, Any]:
    """Score and match one round, and say how long it took, how much memory, and how good it is."""
    import numpy as np

    made = made_up(*count, panel, loads)
    began = time.perf_counter()
    scores = affinity(made.applications, made.reviewers).scores
    scored = time.perf_counter()
    found = match(made.applications, made.reviewers, scores, forbidden=made.forbidden, terms=terms)
    ended = time.perf_counter()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    optimum, sums = by_flow_alone(made, scores)
    flow = np.sort(sums // panel.size)
    ours = np.sort(np.array([service for _, service in found.service]))
    tenth = -(-len(ours) // 10)
    return {
        "seconds": {"affinity": round(scored - began, 2), "matching": round(ended - scored, 2)},
        "peak_mib": round(peak, 1),
        "total": found.total,
        "flow_optimum": optimum,
        "of_flow_optimum": round(found.total / optimum, 5),
        "gap_to_proved_bound_millionths": found.gap_millionths,
        "worst": {"flow": int(flow[0]), "ours": found.worst, "limit": found.worst_limit},
        "lowest_tenth_mean": {"flow": int(flow[:tenth].mean()), "ours": int(ours[:tenth].mean())},
        "lowest_decile": {"flow": int(np.quantile(flow, 0.1)), "ours": int(np.quantile(ours, 0.1))},
        "empty_seats": sum(short.seats for short in found.short),
        "empty_seats_least": found.empty_least,
    }


FIVE = Composition(5)
COMPOSED = Composition(5, {"technology": 3, "management": 1}, True, Fraction(1, 5))
ROUNDS: dict[str, tuple[Composition, tuple[int, int], Terms]] = {
    "the line": (FIVE, (20, 25), Terms()),
    "not one task to spare": (FIVE, (20, 20), Terms()),
    "three of technology, one of management, a fifth off-site": (COMPOSED, (20, 25), Terms()),
    "each pair closed by chance with one half": (FIVE, (20, 25), Terms(open_percent=50, seed="bench")),
}


def measure(server: EmbeddedPostgres, sizes: Sizes) -> list[Line]:
    """Match the round of the line and three like it, each in a process of its own; no database is asked."""
    raw: dict[str, Any] = {}
    for name, (panel, loads, terms) in ROUNDS.items():
        with multiprocessing.get_context("spawn").Pool(1) as pool:
            raw[name] = pool.apply(one_round, (sizes.matched, panel, loads, terms))
    line = raw["the line"]
    seconds, worst = sum(line["seconds"].values()), line["worst"]
    applications, experts = sizes.matched

    def compared(what: str) -> str:
        return COMPARED.format(applications=applications, experts=experts, what=what)

    return [
        Line(
            "matching, total affinity",
            line["of_flow_optimum"],
            compared("total affinity of the matching / of the min-cost flow with loads and conflicts only"),
            0.99,
            raw=raw,
        ),
        Line(
            "matching, worst-served",
            worst["ours"] / max(1, worst["flow"]),
            compared("mean affinity of the application served worst by the matching / by that flow"),
            1.5,
            raw=line,
        ),
        Line(
            "matching, time",
            seconds / LIMIT_S,
            compared("seconds it took / two minutes"),
            1.0,
            "at most",
            raw=line["seconds"],
        ),
    ]
