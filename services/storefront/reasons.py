"""Why an article stands in a list: in fields for programs and in a sentence's end for people. Pure."""

from __future__ import annotations

from datetime import date

from contracts.recommendations import RecommendedArticle

Reason = dict[str, str | int | None]
_MONTHS = (
    *("January", "February", "March", "April", "May", "June"),
    *("July", "August", "September", "October", "November", "December"),
)


def reason(list_name: str, article: RecommendedArticle, country: str | None) -> tuple[Reason, str]:
    """Give the reason of an article of this list.

    Args:
        list_name: the list that it was taken from, as the contract names it.
        country: whose popular list it is, None for everybody's; of no other list.

    Returns:
        `kind` with what belongs to it, and the text, such as "because you bought REGENCY CAKESTAND 3 TIER".
    """
    times = article.times or 0
    match list_name:
        case "buy_again":
            return {"kind": "bought_before", "times": times, "last_on": article.last_on}, _before(article)
        case "also_bought":
            text = f"bought together in {_counted(times, 'order', 'orders')}"
            return {"kind": "bought_together", "times": times}, text
        case "popular":
            where = "everywhere" if country is None else f"in {country}"
            text = f"popular {where}: {_counted(times, 'customer', 'customers')} bought it of late"
            return {"kind": "popular", "country": country, "times": times}, text
    if article.because is None:
        return {"kind": "chosen_for_you"}, "chosen for you"
    said: Reason = {
        "kind": "because_you_bought",
        "stock_code": article.because,
        "description": article.because_description,
    }
    return said, f"because you bought {article.because_description or article.because}"


def _before(article: RecommendedArticle) -> str:
    times = article.times or 0
    often = {0: "you bought it before", 1: "you bought it once"}.get(times, f"you bought it {times:,} times")
    if article.last_on is None:
        return often
    on = "on" if times == 1 else "last on"
    return f"{often}, {on} {_day(article.last_on)}"


def _day(text: str) -> str:
    day = date.fromisoformat(text)
    return f"{day.day} {_MONTHS[day.month - 1]} {day.year}"


def _counted(number: int, one: str, many: str) -> str:
    return f"{number:,} {one if number == 1 else many}"
