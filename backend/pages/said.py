"""Chinese for what other parts of Tagloom said in English and the store kept: reasons of the gate, failures, notes.

A line is put together from pieces that are known, such as figures of the gate. If any part of it is not, for example
an error of another program, the whole line stays as it was said.
"""

import re
from typing import NamedTuple

from backend.pages.said_pictures import PICTURES
from backend.pages.said_setup import SETUP


class Said(NamedTuple):
    """Words, and the language that they are in."""

    words: str
    language: str


_KINDS = {"held-out": "留出", "out-of-fold": "折外"}
_TASKS = r"(?P<count>\d+) tasks?"

# A piece of a line → Chinese. At each place of a line the first piece counts that fits there.
_PIECES = [
    (re.compile(pattern), chinese)
    for pattern, chinese in (
        *PICTURES,
        *SETUP,
        (r"may be worse, ", "可能变差："),
        (r"no gain: ", "没有提升："),
        (r"no gold to judge it by", "没有可用于评判的标注"),
        (r"macro-F1 falls by (?P<by>[\d.]+)", "macro-F1 下降 {by}"),
        (r"the log loss rises", "对数损失上升"),
        (r" and ", "，"),
        (r"(?P<label>[^:,]{1,100}?) is given wrongly more often", "“{label}”误标增多"),
        (
            r"macro-F1 (?P<new>[\d.]+) after (?P<old>[\d.]+) on (?P<count>\d+) (?P<kind>held-out|out-of-fold) items",
            "在 {count} 个{kind}任务上 macro-F1 为 {new}（此前 {old}）",
        ),
        (
            r"(?P<count>\d+) (?P<kind>held-out|out-of-fold) items, too few for a macro-F1",
            "{kind}任务仅 {count} 个，不足以计算 macro-F1",
        ),
        (
            r" \((?P<new>[\d.]+) after (?P<old>[\d.]+) on the (?P<count>\d+) that people changed\)",
            "，其中人工修改过的 {count} 个上为 {new}（此前 {old}）",
        ),
        (r" \((?P<count>\d+) of them changed by people\)", "，其中人工修改过 {count} 个"),
        (r", log loss (?P<new>[\d.]+) after (?P<old>[\d.]+)", "，对数损失 {new}（此前 {old}）"),
        (
            r"it agrees with (?P<own>\d+%) of its own gold, its recipe with (?P<recipe>\d+%)",
            "与自身训练标注的一致率为 {own}，而同样方法训练的模型对未见标注为 {recipe}",
        ),
        (
            r"(?P<label>[^:,]{1,100}?) would be given to (?P<new>\d+) of (?P<count>\d+) items after (?P<old>\d+), "
            r"and only (?P<seen>\d+) fully read gold items show that people (?:removed|added) it "
            r"\(needed: (?P<need>\d+)\); `tagloom promote` makes it serve all the same",
            "“{label}”将从 {old} 个任务变为 {new} 个（共 {count} 个），而只有 {seen} 个人工标注支持"
            "这一变化（至少需要 {need} 个）；"
            "仍要启用请用 `tagloom promote`",
        ),
        (r"cold start", "冷启动"),
        (r"overtaken while it waited", "等待期间已被更新的版本取代"),
        (r"judged against a version that no longer serves", "评判所对比的版本已停用"),
        (r"learned from (?P<count>\d+) annotations that were misread then", "学习时误读了 {count} 条标注"),
        (
            rf"nothing to train on: {_TASKS} with gold, but without picture",
            "没有可训练的数据：{count} 个已标注任务缺少图片",
        ),
        (
            rf"the last training left out {_TASKS} with gold, or used their texts alone, because the pictures could "
            "not be read; it is repeated when they are",
            "上次训练未使用 {count} 个已标注任务的图片（无法读取）；读到后会重新训练",
        ),
        (rf"{_TASKS} without picture for other reasons: the log has them", "另有 {count} 个任务缺少图片，原因见日志"),
        (rf"{_TASKS} without picture: ", "{count} 个任务缺少图片："),
        (
            r"(?P<name>[A-Z_]+) differs between the backend and worker (?P<worker>\S+): give both the same and start "
            "them again",
            "后端与 worker {worker} 的 {name} 不一致：请设为相同并重新启动",
        ),
        (
            r"a person removed a tag but left its proposed box: the label counts as absent, the box is ignored",
            "人工删除了标签但保留了建议的框：视为没有该标签，忽略该框",
        ),
        (
            r"a proposed box was left without its tag, and it is unknown whether the tag was proposed too",
            "保留了建议的框而没有对应标签，且不知道该标签是否也曾被建议",
        ),
        (
            r"a person drew or changed a box without setting its tag: the box counts, and so does the tag",
            "人工画框或改框但未选对应标签：框有效，标签也视为已选",
        ),
        (r"two boxes of one label on the same element count once", "同一元素上同一标签的两个框只计一次"),
        (r"a region of a control that the labelling config does not have", "区域所属的控件不在标注配置中"),
        (r"only another picture of the task was answered", "只标注了任务中的另一张图片"),
        (r"a question that is shown only under a condition was not answered", "有条件显示的问题未回答"),
        (r": ", "："),
    )
]


_NAMES = {
    # Sources: `model.weak_supervision` and `model.knowledge.shop`.
    "nearest gold": "最相近的标注",
    "industry prior": "行业先验",
    "boxes": "边框",
    "regression on the evidence": "证据回归",
    "brand memory": "品牌记忆",
    "gift sets": "赠品组合",
    "shop rules": "店铺规则",
    # Cues of the lexicon that comes with Tagloom.
    "rating plate or manual": "铭牌或说明书",
    "page of text": "整页文字",
    "nothing stands out": "没有突出的主体",
    "gift announced": "宣布有赠品",
    "gift announced in Japanese or Korean": "用日语或韩语宣布有赠品",
    "gift announced in a Romance language": "用罗曼语族语言宣布有赠品",
    "gift announced in another European language": "用其他欧洲语言宣布有赠品",
    "gift announced in another language": "用其他语言宣布有赠品",
    "brand at the top": "顶部有品牌",
    "brand elsewhere": "其他位置有品牌",
    "name-like text in a corner at the top": "上方角落有类似名称的文字",
    "short text in a corner at the top": "上方角落有短文字",
    "shop or platform mark": "店铺或平台标识",
    "two Chinese characters": "至少两个汉字",
    "six Chinese characters": "至少六个汉字",
    "English words of a sale": "英语促销用语",
    "words of a sale in other languages": "其他语言的促销用语",
    "four Latin words": "四个拉丁文单词",
    "a sentence in another script": "其他文字的句子",
    "amount of something": "带数量的内容",
    "amount of money": "金额",
    "word of a price": "价格用语",
    "number after the word of a price": "价格用语后的数字",
    "large lone number": "单独的大号数字",
    "currency alone": "单独的货币符号",
}


def named_in_chinese(source: str) -> str:
    """Return the name of a source, or of a cue behind its label, in Chinese; a name that is not ours stays."""
    label, colon, cue = source.partition(": ")
    return f"{label}：{_NAMES.get(cue, cue)}" if colon else _NAMES.get(source, source)


def in_chinese(line: str) -> str | None:
    """Return a line in Chinese; None if a part of it is not known."""
    found, at = [], 0
    while at < len(line):
        fits = next(((fit, to) for piece, to in _PIECES if (fit := piece.match(line, at))), None)
        if fits is None:
            return None
        values = {**fits[0].groupdict()}
        values |= {"kind": _KINDS[values["kind"]]} if "kind" in values else {}
        found.append(fits[1].format_map(values))
        at = fits[0].end()
    return "".join(found)
