"""Made-up names of labels, written down before the rules that read them (model/lexicon/names.py).

For each kind the first list of a language holds forms of known names (case, plural, order, punctuation, a word for a
place), the second one what annotators of a shop might call the element.
"""

FORMS = {
    "product": [
        "Main products", "product_main", "MAIN-PRODUCT", "Products", "ProductArea", "product region", "The Product",
        "product (main)", "1. product", "items", "Main Item Box", "product:",
        "商品区域", "产品主体", "主体_商品", "商品（主体）", "主商品", "主体框", "【产品】", "主体-1", "商品图",
        "产品位置", "主体 product", "商品的主体",
    ],
    "gift": [
        "Free gifts", "gift_item", "GIFTS", "Gift (free)", "gifts area", "Free-Gift", "giveaways", "freebies",
        "gift free", "bonus gift", "the free gift",
        "gift/赠品", "赠品区域", "赠品图", "免费赠品", "赠品_gift", "礼品框", "赠品（小样）", "赠送礼品", "随单赠品",
        "小礼品", "GIFT赠品", "赠品2", "赠品、礼品",
    ],
    "logo": [
        "Logos", "brand_logo", "Logo Area", "logo brand", "LOGO 1", "Brand Logos", "logo (brand)", "BrandLogo",
        "brand-mark", "the logo", "logo of the brand", "Logo / Brand",
        "LOGO区域", "品牌logo", "logo标志", "商标图", "Logo框", "品牌标识", "店铺LOGO", "ＬＯＧＯ", "标志(logo)",
        "商标_logo", "品牌的标志", "产品LOGO",
    ],
    "copy": [
        "Promo text", "Promotional copy", "promo-copy", "text promo", "Promotion Texts", "Copy (promo)", "Slogans",
        "PromoCopy", "promotion text", "copy text", "Text Area", "text/copy",
        "促销的文案", "文案区域", "促销文字", "文案框", "宣传文案", "文案_copy", "营销文案", "促销文案1",
        "文案（促销）", "文字区域", "商品文案", "主文案",
    ],
    "price": [
        "Prices", "price_tag", "Price Tags", "promo price", "PriceArea", "price (promo)", "the price", "Sale prices",
        "price-label", "product price", "price of the product",
        "Price | 价格", "价格区域", "促销价格", "商品价格", "价格标签", "价格框", "价格_price", "售卖价格",
        "价格信息", "产品的价格", "价格（元）", "PRICE价格", "价格、价钱",
    ],
}  # fmt: skip

SHOP = {
    "product": [
        "hero product", "featured product", "main item", "sale item", "product body", "merchandise", "main subject",
        "product shot", "product photo", "core product",
        "主推商品", "主体物", "宝贝", "售卖商品", "货品", "单品", "主产品", "商品本体", "主打产品", "宝贝主体",
    ],
    "gift": [
        "gift with purchase", "complimentary gift", "free item", "free sample", "bonus item", "add-on gift", "GWP",
        "promotional gift", "extra gift", "complimentary item",
        "赠送品", "附赠", "附赠品", "买赠", "满赠", "小赠品", "随箱礼品", "伴手礼", "送的礼品", "赠送小样",
    ],
    "logo": [
        "store logo", "shop logo", "trademark", "company logo", "brand name", "brand icon", "logotype",
        "brand emblem", "manufacturer logo", "logo mark",
        "品牌名", "品牌商标", "店铺标志", "品牌名称", "官方logo", "厂标", "厂商标志", "品牌图标", "旗舰店标识",
        "牌子",
    ],
    "copy": [
        "selling points", "marketing copy", "tagline", "headline", "advertising text", "ad copy", "sales text",
        "campaign text", "promotional message", "marketing text",
        "卖点文案", "广告语", "标语", "促销信息", "活动文案", "营销文字", "广告词", "利益点", "宣传文字", "促销语",
    ],
    "price": [
        "selling price", "discount price", "original price", "list price", "retail price", "current price",
        "special offer price", "crossed-out price", "unit price", "price sticker",
        "到手价", "原价", "现价", "券后价", "活动价", "售价", "划线价", "优惠价", "单价", "特价",
    ],
}  # fmt: skip

# Written down after the rules, which were not changed for them.
LATER = {
    "product": [
        "Product Object", "the main product", "goods area", "Product_BBox", "product (whole)", "Main Object",
        "actual product", "sold item", "product figure", "Product 01",
        "商品主图区", "主商品区域", "产品图", "商品实物", "产品本身", "主体商品框", "商品_主体", "产品区",
        "所售商品", "商品整体",
    ],
    "gift": [
        "Gifts (free)", "gift image", "Free gift area", "FreeGift", "gift product", "bonus gifts", "gift promo",
        "giveaway item", "free stuff", "Gift: freebie",
        "赠品框", "赠品信息", "附送赠品", "赠品商品", "赠品-礼品", "赠礼", "赠送礼物", "额外赠品", "加赠", "礼物区",
    ],
    "logo": [
        "LogoBox", "brand_logos", "Logo (store)", "seller logo", "Brand Mark", "shop's logo", "logo image",
        "brand sign", "LOGO-brand", "Corner logo",
        "品牌LOGO图", "商家logo", "商标区域", "品牌标志图", "LOGO标识", "logo位置", "角标logo", "品牌商标logo",
        "店铺商标", "官方标志",
    ],
    "copy": [
        "Promo Copy", "promotional text", "PROMO_TEXT", "slogan text", "Text (promotional)", "marketing slogan",
        "Selling Point Text", "promo slogans", "discount text", "feature text",
        "促销文案区", "广告文案", "卖点文字", "宣传口号", "活动文字", "文案信息", "商品卖点", "促销标语",
        "营销文案区域", "产品文案",
    ],
    "price": [
        "Price Area", "PRICE_TAG", "sale price", "final price", "Promotional price", "Price info", "price (yuan)",
        "prices of items", "deal price", "PriceTag1",
        "价格标识", "活动价格", "促销价", "券后价格", "商品售价", "到手价格", "秒杀价", "现价区域", "价格数字",
        "折扣价",
    ],
}  # fmt: skip

# Names of something else, also where a part of the name is known.
OTHERS = [
    "gift card", "price list", "brand ambassador", "product name", "product title", "background", "model",
    "watermark", "bookmark", "logic", "priceless", "non-product", "not a gift", "no price", "other text",
    "text on package", "promoter", "itemized", "check mark", "related product", "energy mark", "copyright",
    "texture", "giftwrap", "", "42",
    "人物", "背景", "二维码", "水印", "商品标题", "商品名称", "品牌代言人", "能效标识", "用户评价", "性价比",
    "包装文字", "无赠品", "非文案", "其他", "其他文字", "没有价格", "销量", "规格", "推荐商品", "赠品数量",
    "价格走势", "促销标识", "…",
]  # fmt: skip

# Names that may mean two kinds.
AMBIGUOUS = [
    "logo text", "price text", "text or logo", "gift or price", "gift copy", "promo mark", "logo & price",
    "文案/价格", "赠品文字", "价格文案", "LOGO和价格", "赠品+价格", "赠品（价格）",
]  # fmt: skip
