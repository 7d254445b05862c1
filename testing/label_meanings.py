"""Names of labels by which the mapping of labels to kinds is measured, written down before there was a rule for them.

No rule, word or margin may be chosen on ``UNSEEN`` or on ``NOTHING_MEASURED``.
"""

UNSEEN = {
    "product": (
        "article for sale",
        "main object",
        "wares",
        "the thing being sold",
        "hero product shot",
        "所售商品",
        "卖的东西",
        "主图物品",
        "货物",
        "产品本体",
    ),
    "gift": (
        "freebies included",
        "present",
        "extra thrown in for free",
        "bonus sample",
        "complimentary gift item",
        "送的小礼物",
        "随单赠礼",
        "免费送的东西",
        "附带小样",
        "买就送",
    ),
    "logo": (
        "brand mark",
        "maker's emblem",
        "company insignia",
        "brand symbol",
        "manufacturer badge",
        "品牌图形",
        "厂家标志",
        "牌子图标",
        "企业徽标",
        "店铺招牌",
    ),
    "copy": (
        "Promotional copy",
        "advertising text",
        "marketing message",
        "catchphrase",
        "sales pitch",
        "广告文字",
        "推广文本",
        "宣传口号",
        "营销话术",
        "活动说明文字",
    ),
    "price": (
        "what it costs",
        "amount to pay",
        "asking price",
        "price figure",
        "selling cost",
        "到手价",
        "售卖金额",
        "多少钱",
        "商品售价",
        "卖价",
    ),
}
"""Ten names of each kind that are no aliases of the lexicon."""

_NOTHING = (
    *("background", "model", "hand", "sold out stamp", "watermark", "shadow", "packaging box", "size chart"),
    *("barcode", "QR code", "play button", "rating stars", "customer photo", "color swatch", "material close-up"),
    *("table", "border", "blurry", "low quality", "defect", "certificate", "delivery truck"),
    *("背景", "模特", "颜色", "尺码表", "水印", "二维码", "条形码", "阴影", "包装盒", "场景图", "细节图"),
    *("手部", "参数表", "产地", "保质期", "边框", "倒计时", "客服头像", "人脸", "模糊", "评价截图", "质检报告"),
    *("person", "face", "room", "furniture", "sky", "plant", "animal", "pet", "navigation bar", "search box"),
    *("icon of a phone", "arrow", "warning sign", "care instructions", "ingredients", "expiry date", "warranty"),
    *("stock status", "collage", "screenshot", "before and after", "duplicate", "season"),
    *("人物", "道具", "家具", "植物", "宠物", "天空", "箭头", "按钮", "导航栏", "搜索框", "成分表", "洗涤说明"),
    *("材质", "库存", "物流", "拼图", "截图", "重复图片", "季节", "风格", "性别", "年龄", "手机"),
)
NOTHING_CHOSEN = _NOTHING[::2]
"""Phrases that mean none of the kinds, on which a margin is chosen."""
NOTHING_MEASURED = _NOTHING[1::2]
"""Phrases that mean none of the kinds, on which it is measured."""
