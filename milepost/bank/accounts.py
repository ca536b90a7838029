"""An account number or a bank's code is refused with the reason, before money goes where nobody looks for it.

IBAN and BIC by ISO 13616 and ISO 9362 (schwifty). A Chinese account is a number and its bank's twelve digits
(联行号, CNAPS): three for the bank, four for the place, four for the branch, one to check the others by
ISO 7064 MOD 11,10. Card numbers end in a digit by the Luhn rule (ISO/IEC 7812); numbers of company accounts
follow each bank's own rules, so only their form is checked.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType

from schwifty import BIC, IBAN
from schwifty import exceptions as schwifty_says

from milepost.bank.files.batch import BBAN, CARD, Account, Agent
from milepost.bank.files.batch import IBAN as IBAN_SCHEME
from milepost.bank.files.characters import named
from milepost.bank.files.findings import Finding, finding

CNAPS_DIGITS = 12
CARD_DIGITS = (13, 19)
ACCOUNT_CHARACTERS = (6, 32)
# The pattern of the older schema, which is the narrower one; no BIC in use falls outside it.
_BIC = re.compile(r"[A-Z]{6}[A-Z2-9][A-NP-Z0-9](?:[A-Z0-9]{3})?")
# Accounts of non-residents and of free-trade zones carry letters in front of the number.
_CHINESE_ACCOUNT = re.compile(r"(?:NRA|OSA|FT[EFINU])?[0-9]+")
_MEMBER = re.compile(r"[A-Za-z0-9]{1,35}")
_UNIONPAY_CARD = re.compile(r"62[0-9]{14,17}")

# The first three digits of a CNAPS code, where they stand for one bank by itself.
BANKS: Mapping[str, tuple[str, str]] = MappingProxyType(
    {
        "102": ("中国工商银行", "Industrial and Commercial Bank of China"),
        "103": ("中国农业银行", "Agricultural Bank of China"),
        "104": ("中国银行", "Bank of China"),
        "105": ("中国建设银行", "China Construction Bank"),
        "201": ("国家开发银行", "China Development Bank"),
        "202": ("中国进出口银行", "Export-Import Bank of China"),
        "203": ("中国农业发展银行", "Agricultural Development Bank of China"),
        "301": ("交通银行", "Bank of Communications"),
        "302": ("中信银行", "China CITIC Bank"),
        "303": ("中国光大银行", "China Everbright Bank"),
        "304": ("华夏银行", "Hua Xia Bank"),
        "305": ("中国民生银行", "China Minsheng Bank"),
        "306": ("广发银行", "China Guangfa Bank"),
        "307": ("平安银行", "Ping An Bank"),
        "308": ("招商银行", "China Merchants Bank"),
        "309": ("兴业银行", "Industrial Bank"),
        "310": ("上海浦东发展银行", "Shanghai Pudong Development Bank"),
        "403": ("中国邮政储蓄银行", "Postal Savings Bank of China"),
    }
)


def check_iban(number: str, *, field: str = "account") -> Finding | None:
    """None when the IBAN's country, length, form and check digits fit, else what does not."""
    try:
        IBAN(number)
    except schwifty_says.InvalidChecksumDigits:
        return finding("iban_checksum", field)
    except schwifty_says.InvalidCountryCode:
        return finding("iban_country", field, country=number[:2])
    except schwifty_says.InvalidLength:
        expected = IBAN(number, allow_invalid=True).spec.iban_length
        return finding("iban_length", field, length=len(number), country=number[:2], expected=expected)
    except schwifty_says.SchwiftyException:
        return finding("iban_structure", field, country=number[:2])
    return None


def check_bic(bic: str, *, field: str = "bic") -> Finding | None:
    """None when the BIC is eight or eleven characters of the right kinds and its country exists."""
    if len(bic) not in (8, 11):
        return finding("bic_length", field, length=len(bic))
    if _BIC.fullmatch(bic) is None:
        return finding("bic_structure", field)
    try:
        BIC(bic)
    except schwifty_says.InvalidCountryCode:
        return finding("bic_country", field, country=bic[4:6])
    except schwifty_says.SchwiftyException:
        return finding("bic_structure", field)
    return None


def check_cnaps(code: str, *, field: str = "cnaps") -> Finding | None:
    """None when the code is twelve digits of which the last one fits."""
    if len(code) != CNAPS_DIGITS or not _digits(code):
        return finding("cnaps_length", field, length=len(code))
    if cnaps_check_digit(code[:-1]) != code[-1]:
        return finding("cnaps_check_digit", field)
    return None


def cnaps_check_digit(eleven: str) -> str:
    """The twelfth digit for the first eleven, by ISO 7064 MOD 11,10.

    >>> cnaps_check_digit("10210009999"), cnaps_check_digit("10510000001")
    ('6', '7')
    """
    product = 10
    for digit in eleven:
        product = (((product + int(digit)) % 10 or 10) * 2) % 11
    return str((11 - product) % 10)


def bank_of(cnaps: str) -> tuple[str, str] | None:
    """The bank that a CNAPS code belongs to, in Chinese and English, where its first digits say so."""
    return BANKS.get(cnaps[:3])


def luhn_holds(number: str) -> bool:
    """Whether the last digit follows from the others as on cards."""
    total = 0
    for place, digit in enumerate(reversed(number)):
        worth = int(digit) * (2 if place % 2 else 1)
        total += worth - 9 if worth > 9 else worth
    return total % 10 == 0


def check_card(number: str, *, field: str = "account") -> Finding | None:
    """None when the card number has as many digits as cards have and the last one fits."""
    least, most = CARD_DIGITS
    if not (least <= len(number) <= most and _digits(number)):
        return finding("card_length", field, length=len(number), least=least, most=most)
    return None if luhn_holds(number) else finding("card_check_digit", field)


def check_chinese_account(number: str, *, field: str = "account") -> Finding | None:
    """None when the number can be one; a card's form with a wrong last digit is mentioned, not refused."""
    least, most = ACCOUNT_CHARACTERS
    if _CHINESE_ACCOUNT.fullmatch(number) is None:
        return finding("account_characters", field, characters=_odd(number, _digits))
    if not least <= len(number) <= most:
        return finding("account_length", field, length=len(number), least=least, most=most)
    if _UNIONPAY_CARD.fullmatch(number) and not luhn_holds(number):
        return finding("card_perhaps", field)
    return None


def check_account(
    account: Account, *, field: str = "account", schemes: frozenset[str] = frozenset()
) -> Finding | None:
    """None when the number fits its kind; of a bank's own kinds (``schemes``) only the length is known."""
    if not account.number:
        return finding("account_missing", field)
    if account.scheme == IBAN_SCHEME:
        return check_iban(account.number, field=field)
    if account.scheme == CARD:
        return check_card(account.number, field=field)
    if account.scheme == BBAN:
        return check_chinese_account(account.number, field=field)
    if account.scheme not in schemes:
        return finding("scheme_unknown", field, scheme=account.scheme)
    if len(account.number) > 34:
        return finding("account_length", field, length=len(account.number), least=1, most=34)
    if not (account.number.isascii() and account.number.isprintable()):
        return finding("account_characters", field, characters=_odd(account.number, str.isascii))
    return None


def check_agent(
    agent: Agent, account: Account, *, field: str = "agent", needed: bool = True
) -> Iterator[Finding]:
    """What does not fit about the bank: its codes, whether there is one, whether its name goes with its code.

    An IBAN names its bank, so that an agent may be left out; any other account needs one if ``needed``.
    """
    if agent.bic:
        wrong = check_bic(agent.bic, field=field)
        if wrong is not None:
            yield wrong
        elif account.scheme == IBAN_SCHEME and agent.bic[4:6] != account.number[:2]:
            yield finding("bic_elsewhere", field, bic=agent.bic[4:6], iban=account.number[:2])
    if agent.member_id and agent.clearing_system == "CNAPS":
        wrong = check_cnaps(agent.member_id, field=field)
        if wrong is not None:
            yield wrong
        else:
            yield from _name_goes_with_code(agent)
    elif agent.member_id and _MEMBER.fullmatch(agent.member_id) is None:
        yield finding("member_id_invalid", field, system=agent.clearing_system or "–")
    if not (agent.bic or agent.member_id) and account.scheme != IBAN_SCHEME and needed:
        yield finding("agent_missing", field)


def _name_goes_with_code(agent: Agent) -> Iterator[Finding]:
    """A bank is named in many ways, so only the name of another one of the large banks is noticed."""
    bank = bank_of(agent.member_id)
    if bank is None or not agent.name or bank[0] in agent.name or bank[1].lower() in agent.name.lower():
        return
    # The longest name decides: 中国银行 also stands at the end of no other, but 兴业银行 is short.
    others = [
        zh for code, (zh, _) in BANKS.items() if agent.name.startswith(zh) and code != agent.member_id[:3]
    ]
    if others:
        yield finding("bank_name_differs", "bank_name", found=f"{bank[0]} ({bank[1]})", stated=agent.name)


def _odd(number: str, fits: Callable[[str], bool]) -> str:
    """The characters that do not fit, by name: what is invisible must be told too."""
    odd = [char for char in dict.fromkeys(number) if not fits(char) or not char.isprintable()]
    return ", ".join(named(char) for char in odd[:5])


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit()


__all__ = [
    "ACCOUNT_CHARACTERS",
    "BANKS",
    "CARD_DIGITS",
    "CNAPS_DIGITS",
    "bank_of",
    "check_account",
    "check_agent",
    "check_bic",
    "check_card",
    "check_chinese_account",
    "check_cnaps",
    "check_iban",
    "cnaps_check_digit",
    "luhn_holds",
]
