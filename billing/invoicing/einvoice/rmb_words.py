"""Amounts of CNY in the capital characters of Chinese documents (大写)."""

from decimal import Decimal

_DIGITS = "零壹贰叁肆伍陆柒捌玖"
_PLACES = ("", "拾", "佰", "仟")
_GROUPS = ("", "万", "亿", "万亿")
MOST = Decimal("9999999999999999.99")


class TooMuch(ValueError):
    """An amount of ten quadrillion or more has no such words."""


def rmb_words(amount: Decimal) -> str:
    """16151.39 -> 壹万陆仟壹佰伍拾壹圆叁角玖分; a red amount begins with 负. Raises TooMuch."""
    if abs(amount) > MOST:
        raise TooMuch
    fen = int(abs(amount) * 100)
    yuan, jiao, rest = fen // 100, fen // 10 % 10, fen % 10
    sign = "负" if amount < 0 else ""
    whole = f"{_whole(yuan)}圆" if yuan else ""
    if not jiao and not rest:
        return f"{sign}{whole or '零圆'}整"
    tail = f"{_DIGITS[jiao]}角" if jiao else "零" if whole else ""
    return f"{sign}{whole}{tail}{f'{_DIGITS[rest]}分' if rest else '整'}"


def _whole(number: int) -> str:
    """Groups of four digits, a zero for every gap."""
    words, gap = "", False
    for at in range(len(_GROUPS) - 1, -1, -1):
        group = number // 10_000**at % 10_000
        if not group:
            gap = gap or bool(words)
            continue
        if words and (gap or group < 1000):
            words += "零"
        words += _group(group) + _group_word(at, number)
        gap = False
    return words


def _group_word(at: int, number: int) -> str:
    # Ten thousand times a hundred million: the 亿 is said once, after the last group of them.
    return "万" if at == 3 and number // 10_000**2 % 10_000 else _GROUPS[at]


def _group(number: int) -> str:
    words, gap = "", False
    for at in (3, 2, 1, 0):
        digit = number // 10**at % 10
        if not digit:
            gap = gap or bool(words)
            continue
        words += ("零" if gap else "") + _DIGITS[digit] + _PLACES[at]
        gap = False
    return words
