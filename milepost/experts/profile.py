"""What an expert's entry may hold, and how it is read from what people write: each part on its own.

Of an identity number only a keyed hash is kept: HMAC-SHA256 under a key that is made once for the
installation. A telephone number is kept in one normal form, so that two can be compared.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
import unicodedata
from collections.abc import Iterable, Mapping
from datetime import date

from psycopg.types.json import Jsonb

from config.programmes import Text
from milepost.db import Session
from milepost.experts.permits import ExpertError
from milepost.queries.sight import masked
from schema.experts import KINDS, TIES

LOAD_MAX = 200
PROFILE_MAX = 4000
LINE_MAX = 200
_KEY = "identity_key"

KIND_LABELS: Mapping[str, Text] = {
    "technology": Text(zh="技术", en="Technology"),
    "management": Text(zh="管理", en="Management"),
    "finance": Text(zh="财务", en="Finance"),
    "investment": Text(zh="投资", en="Investment"),
}
TIE_LABELS: Mapping[str, Text] = {
    "kin": Text(zh="亲属", en="Kin"),
    "collaborator": Text(zh="合作", en="Collaborator"),
    "supervisor": Text(zh="师生", en="Supervisor or student"),
    "economic": Text(zh="经济利益", en="Economic interest"),
    "declared": Text(zh="自行申明", en="Declared"),
}
LANGUAGE_LABELS: Mapping[str, Text] = {
    "zh": Text(zh="中文", en="Chinese"),
    "en": Text(zh="英语", en="English"),
    "ja": Text(zh="日语", en="Japanese"),
    "ko": Text(zh="韩语", en="Korean"),
    "vi": Text(zh="越南语", en="Vietnamese"),
    "ru": Text(zh="俄语", en="Russian"),
    "de": Text(zh="德语", en="German"),
    "fr": Text(zh="法语", en="French"),
    "es": Text(zh="西班牙语", en="Spanish"),
}
CHANGE_LABELS: Mapping[str, Text] = {
    "expert_enrolled": Text(zh="入库", en="Enrolled as expert"),
    "expert_revised": Text(zh="修改专家信息", en="Expert entry revised"),
    "expert_fields_set": Text(zh="设定学科", en="Subjects set"),
    "expert_affiliated": Text(zh="登记单位", en="Affiliation entered"),
    "expert_affiliation_ended": Text(zh="结束单位", en="Affiliation ended"),
    "expert_tie_declared": Text(zh="申明关系", en="Tie declared"),
    "expert_tie_ended": Text(zh="结束关系", en="Tie ended"),
    "expert_absence_set": Text(zh="登记不便时段", en="Absence entered"),
    "expert_absence_removed": Text(zh="取消不便时段", en="Absence removed"),
    "expert_banned": Text(zh="禁评", en="Banned"),
    "expert_ban_lifted": Text(zh="解除禁评", en="Ban lifted"),
    "expert_retired": Text(zh="退出专家库", en="Retired from the pool"),
    "expert_returned": Text(zh="重新入库", en="Returned to the pool"),
}
assert set(KIND_LABELS) == set(KINDS) and set(TIE_LABELS) == set(TIES)


def chosen_in(texts: Iterable[str], known: Mapping[str, Text], code: str, zh: str, en: str) -> list[str]:
    """Some of a few known values, each by code or by name in either language, in the table's order."""
    found: set[str] = set()
    for text in (text.strip() for text in texts if text.strip()):
        match = [
            name
            for name, label in known.items()
            if text.casefold() in (name, label.zh.casefold(), label.en.casefold())
        ]
        if not match:
            names_zh = "、".join(label.zh for label in known.values())
            names_en = ", ".join(label.en for label in known.values())
            raise ExpertError(
                code,
                f"没有{zh}“{text[:40]}”。可填：{names_zh}。",
                f"There is no {en} {text[:40]!r}. There are: {names_en}.",
            )
        found.add(match[0])
    return [name for name in known if name in found]


def kinds_in(texts: Iterable[str]) -> list[str]:
    """The kinds of an expert, at least one."""
    kinds = chosen_in(texts, KIND_LABELS, "kind_unknown", "专家类别", "kind of expert")
    if not kinds:
        raise ExpertError("kind_missing", "请至少选择一个专家类别。", "Choose at least one kind of expert.")
    return kinds


def languages_in(texts: Iterable[str]) -> list[str]:
    """The languages somebody can review in; none said is Chinese."""
    return chosen_in(texts, LANGUAGE_LABELS, "language_unknown", "语言", "language") or ["zh"]


def tie_in(text: str) -> str:
    """The kind of a tie."""
    kinds = chosen_in([text], TIE_LABELS, "tie_unknown", "关系类别", "kind of tie")
    if not kinds:
        raise ExpertError("tie_missing", "请选择关系类别。", "Choose a kind of tie.")
    return kinds[0]


def region_in(text: str) -> str:
    """A region: the path of an office, such as /liuzhou/."""
    if not re.fullmatch(r"/([a-z0-9-]+/)*", text.strip()) or len(text) > LINE_MAX:
        raise ExpertError(
            "region_unusable",
            f"地区“{text[:40]}”不可用。请填写部门路径，如 / 或 /liuzhou/。",
            f"The region {text[:40]!r} cannot be used. Give an office's path, such as / or /liuzhou/.",
        )
    return text.strip()


def load_in(text: str | int) -> int:
    """How many tasks a year, as a whole number."""
    bare = str(text).strip()
    if not (bare.isascii() and bare.isdigit() and len(bare) < 6 and int(bare) <= LOAD_MAX):
        raise ExpertError(
            "load_unusable",
            f"每年任务数须为 0 至 {LOAD_MAX} 的整数，收到的是“{bare[:20]}”。",
            f"The tasks a year are a whole number from 0 to {LOAD_MAX}, not {bare[:20]!r}.",
        )
    return int(bare)


def line_in(text: str, zh: str, en: str, *, most: int = LINE_MAX, needed: bool = False) -> str:
    """One line of words."""
    return text_in(" ".join(text.split()), zh, en, most=most, needed=needed)


def text_in(text: str, zh: str, en: str, *, most: int = PROFILE_MAX, needed: bool = False) -> str:
    """Words of several lines, without invisible characters."""
    clean = text.replace("\r\n", "\n").replace("\r", "\n").strip()
    if needed and not clean:
        raise ExpertError("text_missing", f"请填写{zh}。", f"Give the {en}.")
    if len(clean) > most:
        raise ExpertError(
            "text_too_long",
            f"{zh}至多 {most} 字，收到 {len(clean)} 字。请缩短。",
            f"The {en} may have {most} characters, not {len(clean)}. Shorten it.",
        )
    if any(unicodedata.category(c) == "Cc" and c not in "\n\t" for c in clean):
        raise ExpertError(
            "text_has_control_characters",
            f"{zh}含有不可见的控制字符。请删除后重新填写。",
            f"The {en} has invisible control characters. Remove them.",
        )
    return clean


def phone_in(text: str) -> str:
    """A telephone number in one form: digits, after + and the country's where it is not China's; or none."""
    bare = re.sub(r"[\s().·-]+", "", unicodedata.normalize("NFKC", text)).replace("－", "").replace("—", "")
    if bare.startswith("00"):
        bare = "+" + bare[2:]
    bare = bare.removeprefix("+86")
    if bare and not re.fullmatch(r"\+?\d{7,15}", bare, re.ASCII):
        # The number itself is not repeated: a message may end in a report that others read.
        raise ExpertError(
            "phone_unusable",
            "电话号码应为 7 至 15 位数字，可加国家代码，如 +43。请检查。",
            "A telephone number has 7 to 15 digits, with + and a country's where needed. Check it.",
        )
    return bare


def masked_phone(phone: str) -> str:
    """A telephone number for those who need to know only that there is one."""
    return masked(phone) if phone else ""


# Identity numbers ---------------------------------------------------------------------------------------

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)


def identity_in(text: str) -> str:
    """An identity number in one form: 18 places with a right check digit, or another document's number.

    The 15 digits of old cards become the 18 of the same person's (GB 11643). Other documents begin with a
    letter. The number itself is in no message.
    """
    bare = re.sub(r"[\s-]+", "", unicodedata.normalize("NFKC", text)).upper()
    if re.fullmatch(r"\d{15}", bare, re.ASCII):
        bare = f"{bare[:6]}19{bare[6:]}"
        bare += _check_digit(bare)
    if re.fullmatch(r"[A-Z][A-Z0-9]{5,19}", bare, re.ASCII):
        return bare
    wrong: tuple[str, str] | None = None
    if not re.fullmatch(r"\d{17}[\dX]", bare, re.ASCII):
        wrong = ("应为 18 位，或以字母开头的其他证件号码", "has 18 places, or begins with a letter")
    elif not _born(bare):
        wrong = ("其中的出生日期不存在", "names a day of birth that does not exist")
    elif bare[-1] != _check_digit(bare[:17]):
        wrong = ("校验位不符", "does not agree with its check digit")
    if wrong is not None:
        raise ExpertError(
            "identity_unusable",
            f"证件号码{wrong[0]}。请对照证件核对。",
            f"The identity number {wrong[1]}. Compare it with the document.",
        )
    return bare


def _check_digit(seventeen: str) -> str:
    total = sum(int(digit) * weight for digit, weight in zip(seventeen, _WEIGHTS, strict=True))
    return "10X98765432"[total % 11]


def _born(number: str) -> bool:
    try:
        date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        return False
    return True


def identity_hash(session: Session, number: str) -> str:
    """The keyed hash of an identity number, the same for each way of writing it; the number is not kept."""
    return hmac.new(_key(session), identity_in(number).encode(), hashlib.sha256).hexdigest()


def _key(session: Session) -> bytes:
    """The installation's key. It stands in the database, so that a backup keeps people comparable."""
    for _ in range(2):
        row = session.conn.execute("SELECT value FROM setting WHERE name = %s", (_KEY,)).fetchone()
        if row is not None:
            return bytes.fromhex(row[0])
        # Of two that begin at once the second waits here, and then reads what the first has made.
        session.conn.execute(
            "INSERT INTO setting (name, value) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            (_KEY, Jsonb(secrets.token_hex(32))),
        )
    raise AssertionError("a key that was just made is there")


__all__ = [
    "CHANGE_LABELS",
    "KIND_LABELS",
    "LANGUAGE_LABELS",
    "LOAD_MAX",
    "PROFILE_MAX",
    "TIE_LABELS",
    "chosen_in",
    "identity_hash",
    "identity_in",
    "kinds_in",
    "languages_in",
    "line_in",
    "load_in",
    "masked_phone",
    "phone_in",
    "region_in",
    "text_in",
    "tie_in",
]
