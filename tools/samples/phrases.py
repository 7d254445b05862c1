"""What shops say on their pictures: copy, services, gifts, prices, and what only looks like them."""

from __future__ import annotations

import re
from random import Random

from tools.samples.catalogue import Industry

_HEADS = [
    "一言不合就降价",
    "限时狂欢",
    "品质之选",
    "年中大促",
    "新品上市",
    "店长推荐",
    "热卖爆款",
    "好评如潮",
    "匠心工艺",
    "超值特惠",
    "明星同款",
    "大牌品质",
    "质感生活",
    "开学必备",
    "换季清仓",
    "拒绝平庸",
    "你值得拥有",
    "工厂直营",
    "精英高配款",
    "厂家直销",
    "全新升级",
    "健康之选",
    "颜值担当",
    "销量领先",
    "轻奢美学",
    "畅享生活",
    "回头客推荐",
    "百搭不挑人",
    "细节决定品质",
    "源头好货",
    "安心之选",
    "宠爱自己",
    "自在随心",
    "上新首发",
]
_SERVICES = [
    "全国包邮",
    "送货上门",
    "送货入户",
    "七天无理由退换",
    "正品保证",
    "终身质保",
    "顺丰快递",
    "免费安装",
    "送装一体",
    "赠运费险",
    "十年联保",
    "假一赔十",
    "极速发货",
    "售后无忧",
    "三年换新",
    "包邮送到家",
    "免费试用30天",
    "千城送装",
    "6期免息",
    "0首付0利息",
    "24小时发货",
    "货到付款",
    "送运费险",
]
_DECOYS = [
    "送礼佳品",
    "送长辈",
    "送爱人首选",
    "送老师有面子",
    "送女友",
    "礼盒装",
    "送礼自用两相宜",
    "满299元包邮",
    "价值感满满",
    "0元试穿",
    "高性价比",
    "拒绝低价劣质",
    "满¥199包邮",
    "送给懂生活的你",
    "礼遇金秋",
    "以礼相待",
    "送男友",
    "年礼优选",
    "伴手礼",
    "百元质感",
    "无价之美",
]
_BADGES = [
    "新款",
    "正品",
    "热销",
    "包邮",
    "人气",
    "爆款",
    "质保",
    "首发",
    "现货",
    "推荐",
    "特惠",
    "联保",
    "好评",
    "加厚",
    "升级",
    "冬款",
    "夏款",
    "NEW",
    "HOT",
    "新品",
]
_ENGLISH = [
    "New Arrival",
    "Premium Quality",
    "Fashion Style",
    "HOT SALE",
    "Simple Life",
    "Limited Edition",
    "Best Choice",
    "Natural & Soft",
    "Made for You",
    "Since 1998",
    "Enjoy Every Day",
    "Smart Home",
    "Slim Design",
    "Comfort First",
    "Light Weight",
    "Autumn Winter",
    "Original Design",
    "Fresh Taste",
]
_TINY = [
    "THE BEST DESIGN FOR YOUR LIFE",
    "QUALITY IS OUR PROMISE",
    "ELEGANT AND TIMELESS",
    "BORN FOR COMFORT",
    "SIMPLE BUT NOT EASY",
]
_ANNOUNCE = (
    "下单即送{gift}",
    "送{gift}",
    "赠{gift}",
    "买一送一",
    "咨询客服送大礼",
    "收藏送{gift}",
    "拍1发2",
    "买1得3",
    "第2件0元",
    "多拿1件不加钱",
    "额外多得{gift}",
    "{gift}免费带走",
    "晒单返{gift}",
    "FREE GIFT",
    "{gift}0元拿",
    "下单再得{gift}",
    "0元得{gift}",
    "拍1得2",
)
_CAPTION = (
    "送{gift}",
    "赠{gift}",
    "{gift}x1",
    "送价值¥{worth}{gift}",
    "赠品 价值{worth}元",
    "下单就送",
    "{gift}0元拿",
    "{gift}免费得",
    "再得{gift}",
    "好礼二选一",
    "Free Gift",
    "0元得{gift}",
    "多得{gift}",
    "随单附{gift}",
    "免费得{gift}",
    "附{gift} 0元",
)
_PARTS = [
    "标配{gift}",
    "{gift}另购",
    "配件展示",
    "产品清单",
    "可选{gift}",
    "搭配推荐",
    "全套配件",
    "适用{gift}",
    "同款{gift}",
    "细节图",
    "{gift}需另拍",
    "热卖{gift}",
]
_LABELS = (
    "抢购价",
    "特惠价",
    "到手价",
    "券后",
    "活动价",
    "一口价",
    "首发价",
    "开抢价",
    "包邮价",
    "会员价",
    "新人价",
    "热卖价",
    "惊喜价",
    "狂欢价",
    "预订",
    "秒杀",
    "仅售",
    "会员专享",
    "现价",
    "Only",
    "开团",
    "团购",
)
_CUTS = ["立减{0}", "直降{0}元", "立省{0}", "拍下立减{0}元", "下单减{0}", "领券减{0}", "省{0}"]
_RANKS = [
    "NO.1",
    "TOP10",
    "第1名",
    "24期",
    "12期",
    "2026款",
    "365天",
    "100%",
    "0.1mm",
    "99%",
    "3年",
    "5折起",
    "1:1",
    "7天",
    "10年",
    "3代",
    "90天",
    "8折",
    "200万+",
    "5星",
]

_AMOUNT = re.compile(r"(\d[\d.]*)(\D+)")


def headline(rng: Random, industry: Industry) -> str:
    """One line that sells."""
    words = rng.sample(industry.words, 2)
    return rng.choice(
        (
            rng.choice(_HEADS),
            f"{words[0]} {words[1]}",
            rng.choice(_HEADS),
            f"{words[0]}{rng.choice(industry.nouns)}",
            f"{rng.choice(industry.specs)} {words[0]}",
        )
    )


def copy_lines(rng: Random, industry: Industry, count: int) -> list[str]:
    """Lines of one block of copy, now and then with a phrase that tempts a rule."""
    lines = [headline(rng, industry)]
    for _ in range(count - 1):
        lines.append(
            rng.choice(
                (headline(rng, industry), rng.choice(_SERVICES), rng.choice(industry.words), rng.choice(industry.specs))
            )
        )
    if rng.random() < 0.3:
        lines[-1] = rng.choice(_DECOYS)
    return lines


def service(rng: Random) -> str:
    return rng.choice((*_SERVICES, *_DECOYS[:6]))


def badge(rng: Random) -> str:
    return rng.choice(_BADGES)


def english(rng: Random) -> list[str]:
    return [rng.choice(_ENGLISH), *([rng.choice(_TINY)] if rng.random() < 0.5 else [])]


def announcement(rng: Random, name: str) -> str:
    """A gift that is told, not shown."""
    return rng.choice(_ANNOUNCE).format(gift=name)


def caption(rng: Random, name: str) -> str:
    """What stands under a gift that is shown."""
    return rng.choice(_CAPTION).format(gift=name, worth=rng.randint(2, 60) * 10 - 1)


def part(rng: Random, name: str) -> str:
    """What stands under an accessory that is no gift."""
    return rng.choice(_PARTS).format(gift=name)


def amount(rng: Random, industry: Industry) -> str:
    """The figures of a price, as shops end them."""
    low, high = industry.prices
    value = low * (high / low) ** rng.random()
    if value < 100 and rng.random() < 0.5:
        return f"{value:.0f}.{rng.choice(('9', '8', '90', '00'))}"
    return str(round(value) // 10 * 10 + rng.choice((8, 9, 9, 0)))


def reduction(rng: Random) -> str:
    return rng.choice(_CUTS).format(rng.choice((5, 10, 20, 30, 50, 80, 100, 200, 300, 500)))


def price_label(rng: Random) -> str:
    return rng.choice(_LABELS)


def figure(rng: Random, industry: Industry) -> str:
    """A number that is set like a price and is none."""
    return rng.choice((*industry.specs, *rng.sample(_RANKS, 4)))


def measured(rng: Random, industry: Industry) -> tuple[str, str, str]:
    """Such a number and the words with it: at times the unit stands apart, and the number alone looks like a price."""
    said = figure(rng, industry)
    parts = _AMOUNT.fullmatch(said)
    if parts and rng.random() < 0.7:
        return parts[1], "", parts[2] + rng.choice(("", rng.choice(industry.words), rng.choice(industry.words)))
    return said, "", rng.choice(("", "", badge(rng), rng.choice(industry.words)))
