"""Names of labels by which the mapping of labels to kinds is measured, written down before there was a rule for them.

No rule, word or margin may be chosen on ``UNSEEN`` or on ``NOTHING_MEASURED``.
"""

UNSEEN = {
    "product": (
        "article for sale",
        "object on offer",
        "wares",
        "the thing being sold",
        "hero product shot",
        "出售的物件",
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
        "mark of the maker",
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
        "promo wording",
        "advert lines",
        "marketing message",
        "catchphrase",
        "sales pitch",
        "广告文字",
        "推广文本",
        "宣传用语",
        "营销话术",
        "活动说明文字",
    ),
    "price": (
        "what it costs",
        "amount to pay",
        "asking price",
        "price figure",
        "selling cost",
        "实付价",
        "售卖金额",
        "多少钱",
        "要付的钱",
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

CHOSEN = {
    "product": (
        *("what is sold", "offered article", "Produkt", "Ware", "Hauptartikel", "producto", "produit", "the commodity"),
        *(
            "showcased product",
            "main piece",
            "商品主图",
            "卖家商品",
            "主角",
            "销售的产品",
            "商品实体",
            "物品",
            "在售品",
        ),
        *("product in the middle", "whole product", "the goods on sale", "товар", "artikel", "object being sold"),
    ),
    "gift": (
        *(
            "Freebie",
            "Werbegeschenk",
            "Gratiszugabe",
            "Zugabe",
            "regalo",
            "cadeau",
            "free extra",
            "buy one get one gift",
        ),
        *("free add-on", "bonus thrown in", "something free", "gratis item", "赠的东西", "免费小样", "加送", "送礼"),
        *("附加赠送", "赠品展示", "额外送的", "买一送一", "bonus", "подарок", "gift set included free"),
    ),
    "logo": (
        *("brand mark", "Markenzeichen", "Markenlogo", "Firmenlogo", "Marke", "emblem", "company logo", "brand sign"),
        *("shop mark", "brand badge", "manufacturer's mark", "brand crest", "徽标", "厂商标记", "公司标志", "品牌徽章"),
        *("企业标识", "品牌符号", "商家标志", "marca", "marque", "логотип", "name of the brand"),
    ),
    "copy": (
        *("Promotional copy", "Werbetext", "Werbespruch", "Verkaufstext", "advertising words", "sales message"),
        *(
            "promotional wording",
            "marketing text",
            "advert copy",
            "feature description text",
            "claim",
            "texto",
            "texte",
        ),
        *(
            "宣传语句",
            "广告文",
            "推销文字",
            "促销话语",
            "宣传内容",
            "推广文案",
            "优惠券",
            "coupon text",
            "рекламный текст",
        ),
        *("slogan line",),
    ),
    "price": (
        *("what it costs", "Preis", "Preisschild", "Verkaufspreis", "Kosten", "precio", "prix", "amount of money"),
        *(
            "how much it is",
            "cost of the item",
            "sum to pay",
            "price amount",
            "到手价",
            "售价",
            "金额",
            "价格数字",
            "标价牌",
        ),
        *("卖多少", "价码", "要多少钱", "цена", "price number", "promotional price"),
    ),
}
"""Names on which rules, words and margins may be chosen."""

NEAR = (
    *(
        "brand story",
        "price history",
        "product description",
        "gift receipt",
        "logo colour",
        "photocopy",
        "gift wrapping",
    ),
    *("product category", "brand country", "priced by weight", "production date", "product weight", "no logo visible"),
    *(
        "价格区间",
        "商品分类",
        "赠品规则",
        "品牌故事",
        "商品评论",
        "物价局",
        "礼盒包装",
        "产品参数",
        "没有文案",
        "产品编号",
        "牌照",
    ),
)
"""Names of something else that hold a word of a kind, or a part of one; they are only measured."""
