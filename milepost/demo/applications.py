"""What the demo's key projects apply for, how good they are meant to be, and what experts write of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Application:
    """One application: its unit's number, its subject, codes, the sum in ten thousand yuan, its merit.

    ``merit`` is the share of the full marks that a fair expert gives, in percent. ``part``: a point of it
    that reviews take up. ``partner`` is a unit that takes part; ``unsuitable``: experts, each with a unit,
    to whom it asks not to be sent.
    """

    number: int
    subject: str
    part: str
    codes: tuple[str, ...]
    sum_wan: int
    merit: int
    partner: str = ""
    unsuitable: tuple[tuple[str, str], ...] = ()

    @property
    def code(self) -> str:
        """The project's code; its unit has the same number."""
        return f"K-{self.number:02d}"

    @property
    def title(self) -> str:
        """The project's title, which nobody takes for real; whose it is does not follow from it."""
        return f"示例：{self.subject}（虚构）"

    @property
    def unit(self) -> str:
        """The unit that applies."""
        return f"示例单位 {self.number:02d}"

    @property
    def leader(self) -> str:
        """Who leads the project."""
        return f"示例负责人 {self.number:02d}"

    def dossier(self) -> Mapping[str, Any]:
        """What the application says of itself, as ``project.describe`` takes it."""
        team = [
            {"name": self.leader, "unit": self.unit, "part": "leader"},
            {"name": f"示例骨干 {self.number:02d}-1", "unit": self.unit},
            {"name": f"示例骨干 {self.number:02d}-2", "unit": self.partner or self.unit},
        ]
        if self.partner:
            team.append({"unit": self.partner, "part": "unit"})
        return {
            "summary": f"围绕{self.subject}，解决{self.part}这一关键问题，"
            "在两条产线上验证并形成可推广的方法。本摘要为虚构内容，仅供演示。",
            "fields": self.codes,
            "team": team,
            "unsuitable": [{"name": name, "unit": unit} for name, unit in self.unsuitable],
        }


FIRST = (
    Application(1, "车间巡检问答助手", "问答的可靠性", ("52020",), 150, 50),
    Application(2, "铸件缺陷的小样本识别", "样本不足", ("52020",), 180, 85, "示例理工大学"),
    Application(3, "数控程序自动生成", "生成程序的安全校核", ("52040",), 220, 79,
                unsuitable=(("钱乙丑", "示例理工大学"),)),
    Application(4, "订单预测平台", "数据来源", ("52050",), 120, 45),
    Application(5, "轴承寿命的机理与数据融合预测", "机理模型的适用范围", ("52020",), 240, 90, "示例交通大学"),
    Application(6, "糖厂能耗优化调度", "现场数据质量", ("52060",), 160, 74),
    Application(7, "多车型混线排产", "求解规模", ("52040",), 140, 68),
    Application(8, "工业知识图谱构建工具", "知识更新", ("52050",), 200, 82, unsuitable=(("王辛未", ""),)),
    Application(9, "园区安全视频分析", "误报率", ("52020", "52060"), 130, 53),
    Application(10, "设备远程运维的边缘计算", "边缘侧资源受限", ("52010",), 170, 71),
)  # fmt: skip
"""The call whose round is over: reviewed, ranked, noticed or declined."""

SECOND = (
    Application(11, "螺蛳粉酸笋发酵过程控制", "菌群稳定性", ("55020",), 150, 76),
    Application(12, "预制菜冷链品质监测", "传感成本", ("55010",), 160, 70),
    Application(13, "毫米波雷达芯片测试方法", "测试覆盖率", ("51010",), 210, 80),
    Application(14, "光纤传感的桥梁监测", "长期漂移", ("51020",), 190, 72),
    Application(15, "五轴机床误差补偿", "热误差建模", ("46025",), 230, 78),
    Application(16, "机器人打磨力控", "力控精度", ("46020",), 170, 69),
    Application(17, "高速主轴动平衡", "在线测量", ("46030",), 140, 75),
)
"""The call whose round is under way, draws still to come included."""

_OPENINGS = (
    "申报书目标明确，围绕{subject}提出的技术路线层次清楚。",
    "{subject}属于产业急需，选题有现实意义。",
    "总体思路可行，对{part}的分析抓住了要害。",
    "研究内容与{subject}的应用场景结合紧密。",
    "对国内外进展的梳理较全面，{part}的难点交代得当。",
    "项目组前期工作与{subject}相关，基础数据可核对。",
    "{subject}的需求来自企业一线，考核指标可以测量。",
)
_MIDDLES = {
    "technology": ("{part}的验证方案写得具体，对照实验设置合理。",
                   "{part}的处理方法有新意，但缺少与现有方案的对比。",
                   "针对{part}的实验规模偏小，结论的普适性有待证明。"),
    "finance": ("预算科目与任务对应，{subject}的设备费测算依据充分。",
                "材料费偏高，{subject}的测试外协应附报价。",
                "自筹来源说明清楚，经费安排与{part}的进度相符。"),
    "management": ("里程碑划分合理，{subject}的推广路径可行。", "合作分工需细化，{part}由谁负责应写明。",
                   "效益测算口径应统一，{subject}的受益企业可列出名单。"),
}  # fmt: skip
_ENDINGS = {
    "high": ("建议优先支持。", "建议支持。", "同意立项。"),
    "middle": ("修改完善后可支持。", "建议补充说明后支持。", "可作为备选。"),
    "low": ("现有材料不足以支持立项。", "建议完善后另行申报。", "不建议本次立项。"),
}


def comment(application: Application, kind: str, seat: int, percent: int) -> str:
    """What an expert writes; no two of one application begin alike, so that no two comments are the same."""
    band = "high" if percent >= 78 else "middle" if percent >= 62 else "low"
    number = application.number
    parts = (
        _pick(_OPENINGS, seat),
        _pick(_MIDDLES.get(kind, _MIDDLES["technology"]), number + seat),
        _pick(_ENDINGS[band], number + 2 * seat),
    )
    text = "".join(parts).format(subject=application.subject, part=application.part)
    return f"{text}（示例评审意见）"


def _pick(texts: Sequence[str], n: int) -> str:
    return texts[n % len(texts)]


__all__ = ["FIRST", "SECOND", "Application", "comment"]
