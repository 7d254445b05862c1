"""The industries: 11 level-1 and 80 level-2 values, with what each one draws and says."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Industry:
    """One level-2 value: its shape, words for the title, figures that are no prices, what comes with it."""

    level1: str
    level2: str
    shape: str
    nouns: tuple[str, ...]
    words: tuple[str, ...]
    specs: tuple[str, ...]
    gifts: tuple[tuple[str, str], ...]
    prices: tuple[int, int]


_GROUPS: dict[str, tuple[str, str, str, tuple[int, int]]] = {
    "手机/数码/电脑办公": (
        "智能 高速 轻薄 学生 商务 游戏 快充 全面屏 新款 长续航 降噪 官方正品 全网通 便携 超清 金属 无线 双模",
        "128GB 256GB 8核 24期 65W 5000mAh 120Hz 4800万 12GB 2.4G IP68 40h",
        "数据线:cable 耳机:earbuds 充电宝:powerbank 鼠标:mouse 收纳盒:box 大礼包:gift",
        (59, 5999),
    ),
    "大家电/生活电器": (
        "家用 全自动 智能 静音 变频 节能 大容量 一级能效 速热 不锈钢 多功能 小型 宿舍 预约 遥控 WIFI 除菌 正品 节水",
        "2000W 5L 1.5匹 251升 60L 3000pa 10kg 4K 220V 55英寸 8重 1200W 40dB",
        "电水壶:kettle 炒锅:wok 吹风机:dryer 保温杯:flask 大礼包:gift 电饭煲:cooker",
        (79, 6999),
    ),
    "女装/大衣": (
        "春秋 修身 显瘦 韩版 宽松 气质 中长款 长袖 碎花 时尚 名媛 学生 大码 百搭 冬季 加厚 蕾丝 2026新款 复古 打底",
        "M-3XL 160/84A 95%棉 5色 280g 3XL S-XL",
        "丝巾:skirt 手链:bracelet 项链:necklace 胸针:jewel_ring 大礼包:gift 手提包:handbag",
        (49, 899),
    ),
    "男装/运动户外": (
        "男士 潮流 修身 商务 休闲 纯棉 长袖 加绒 青年 韩版 大码 免烫 立领 秋冬 宽松 印花 2026新款 中年 爸爸装",
        "M-5XL 180斤 100%棉 6色 320g 4XL 170/88A",
        "皮带:bracelet 袜子:box 领带:suit 钱包:clutch 大礼包:gift 手表:watch",
        (39, 1299),
    ),
    "女鞋/男鞋/箱包": (
        "真皮 透气 百搭 软底 防滑 轻便 英伦 头层牛皮 学生 大容量 时尚 休闲 复古 万向轮 增高 耐磨 手工 单肩 潮",
        "35-40码 39-44 8cm 20寸 24寸 6cm 45L 38码",
        "鞋垫:oxford 钱包:clutch 袜子:box 雨伞:tube 大礼包:gift 护理膏:jar",
        (49, 1599),
    ),
    "腕表/眼镜/珠宝饰品": (
        "石英 防水 商务 时尚 学生 潮流 偏光 复古 纯银 镀金 夜光 超薄 真皮表带 情侣 气质 简约 韩版 正品 礼盒装",
        "30M防水 50M UV400 925银 18K 6.5mm 42mm 7.8g 100m",
        "表带:bracelet 手链:bracelet 眼镜盒:box 耳环:jewel_ring 大礼包:gift 墨镜:glasses",
        (39, 2999),
    ),
    "美妆/个人护理": (
        "补水 保湿 美白 控油 滋润 持久 去屑 柔顺 清洁 敏感肌 提亮 淡斑 紧致 男女 学生 留香 旗舰店正品 修护 防晒",
        "50ml 500ml 30g SPF50+ 100ml 24h 15ml 750ml 3.5g",
        "小样:dropper 面膜:mask 化妆包:clutch 唇膏:lipstick 大礼包:gift 洗面奶:tube",
        (29, 799),
    ),
    "家居建材": (
        "简约 现代 北欧 实木 家用 客厅 卧室 可拆洗 小户型 创意 加厚 不粘 静音 欧式 全铜 护眼 防臭 保温 四季",
        "1.8m 32cm 500ml 304钢 3档 250mm 12W 9.5kg 60支 6件",
        "抱枕:bedding 地毯:yoga_mat 角阀:faucet 保温杯:flask 大礼包:gift 台灯:lamp",
        (29, 4999),
    ),
    "母婴玩具": (
        "婴儿 宝宝 新生儿 儿童 柔软 可爱 透气 超薄 安全 轻便 折叠 四季 耐摔 益智 环保 宽口径 干爽 男女宝",
        "0-4岁 L54片 240ml 9-36kg 3C XL42 0-12月 60cm",
        "玩具熊:bear 奶瓶:bottle 积木:blocks 湿巾:box 大礼包:gift 纸尿裤:diapers",
        (39, 1999),
    ),
    "运动户外": (
        "成人 儿童 智能 健身 家用 加厚 防滑 双人 防雨 变速 轻便 减震 训练 初学者 专业 折叠 野营 铝合金",
        "10kg 21速 26寸 183cm 3-4人 10mm 6.5寸 25km 20kg",
        "头盔:robot 护具:box 手提袋:backpack 水壶:flask 大礼包:gift 毛巾:bedding",
        (39, 2699),
    ),
    "零食/茶酒/进口食品": (
        "坚果 休闲 零食 每日 办公室 特产 浓香 进口 原味 独立包装 送礼 年货 手工 新鲜 儿童 低脂 明前 干红 高钙",
        "500g 750ml 1L*12 14%vol 250g*2 30包 6瓶 1kg",
        "酒杯:flask 茶杯:flask 饼干:biscuits 坚果:pouch 大礼包:gift 茶叶:tin",
        (19, 599),
    ),
}

_LEVEL2: dict[str, str] = {
    "手机/数码/电脑办公": (
        "智能手机=phone=手机 平板电脑=tablet=平板电脑/学习机 笔记本电脑=laptop=笔记本/手提电脑 "
        "蓝牙耳机=earbuds=耳机/入耳式耳机 头戴耳机=headphones=耳麦/头戴式耳机 "
        "充电器数据线=cable=充电器/数据线 键盘鼠标=keyboard=键鼠套装/机械键盘 移动电源=powerbank=充电宝"
    ),
    "大家电/生活电器": (
        "平板电视=television=液晶电视/网络电视机 冰箱=fridge=电冰箱/双门冰箱 空调=aircon=冷暖空调/挂机 "
        "洗衣机=washer=滚筒洗衣机 电热水器=heater=热水器/储水式热水器 扫地机器人=robot=扫地机/吸尘器 "
        "原汁机=juicer=榨汁机/果汁机 电饭煲=cooker=电饭锅/压力锅 电水壶=kettle=烧水壶/热水壶 "
        "吹风机=dryer=电吹风/吹风筒 电风扇=fan=落地扇/风扇"
    ),
    "女装/大衣": (
        "连衣裙=dress=裙子/长裙 女式T恤=tee=T恤/短袖上衣 针织衫=sweater=毛衣/开衫 雪纺衫=blouse=衬衣/小衫 "
        "半身裙=skirt=A字裙/百褶裙 女式大衣=coat=毛呢外套/风衣 女式卫衣=hoodie=连帽衫/卫衣 "
        "女裤=trousers=阔腿裤/小脚裤"
    ),
    "男装/运动户外": (
        "男式T恤=tee=短袖T恤/体恤 男士衬衫=shirt=衬衣/衬衫 男士西服=suit=西装/礼服套装 "
        "男式夹克=jacket=外套/夹克衫 男式卫衣=hoodie=帽衫/套头衫 休闲裤=trousers=长裤/直筒裤 "
        "羽绒服=down_coat=棉衣/羽绒外套"
    ),
    "女鞋/男鞋/箱包": (
        "运动鞋=sneaker=跑步鞋/板鞋 高跟鞋=heel=单鞋/尖头鞋 男士皮鞋=oxford=正装鞋/皮鞋 "
        "短靴=boot=马丁靴/靴子 女士手提包=handbag=斜挎包/女包 双肩包=backpack=背包/书包 "
        "拉杆箱=suitcase=行李箱/旅行箱 男士手拿包=clutch=手包/手抓包"
    ),
    "腕表/眼镜/珠宝饰品": (
        "男表=watch=手表/腕表 女表=watch=手表/女士腕表 太阳镜=glasses=墨镜/偏光镜 "
        "光学镜架=spectacles=眼镜框/近视眼镜 项链=necklace=吊坠/锁骨链 戒指=jewel_ring=对戒/指环 "
        "手链=bracelet=手串/手镯"
    ),
    "美妆/个人护理": (
        "面部精华=dropper=精华液/原液 面霜=jar=日霜/保湿霜 洗发水=pump=洗发露/洗发乳 沐浴露=pump=沐浴乳 "
        "口红=lipstick=唇膏/唇釉 气垫粉底=cushion=BB霜/气垫 香水=perfume=淡香水/香氛 "
        "电动牙刷=toothbrush=牙刷/声波牙刷"
    ),
    "家居建材": (
        "沙发=sofa=布艺沙发/转角沙发 餐椅=chair=椅子/靠背椅 台灯=lamp=床头灯/学习灯 "
        "马桶=toilet=坐便器/抽水马桶 水龙头=faucet=面盆龙头/厨房龙头 炒锅=wok=平底锅/不粘锅 "
        "保温杯=flask=水杯/真空杯 床上四件套=bedding=床单被套/被套"
    ),
    "母婴玩具": (
        "安全座椅=car_seat=汽车座椅/儿童座椅 婴儿推车=stroller=手推车/伞车 纸尿裤=diapers=尿不湿/拉拉裤 "
        "毛绒玩具=bear=公仔/玩偶 奶瓶=bottle=宽口奶瓶/防胀气奶瓶"
    ),
    "运动户外": (
        "平衡车=hoverboard=扭扭车/思维车 自行车=bicycle=山地车/单车 哑铃=dumbbell=杠铃/健身器材 "
        "瑜伽垫=yoga_mat=健身垫/运动垫 帐篷=tent=野营帐篷/户外帐篷"
    ),
    "零食/茶酒/进口食品": (
        "坚果=pouch=干果/果仁 茶叶=tin=绿茶/茶叶罐装 葡萄酒=wine=干红/红酒 饼干糕点=biscuits=曲奇/糕点 "
        "进口牛奶=carton=纯牛奶/牛奶"
    ),
}


def _industries() -> tuple[Industry, ...]:
    found = []
    for level1, rows in _LEVEL2.items():
        words, specs, gifts, prices = _GROUPS[level1]
        pairs = tuple((name, shape) for name, shape in (gift.split(":") for gift in gifts.split()))
        for row in rows.split():
            level2, shape, nouns = row.split("=")
            found.append(
                Industry(
                    level1,
                    level2,
                    shape,
                    tuple(nouns.split("/")),
                    tuple(words.split()),
                    tuple(specs.split()),
                    pairs,
                    prices,
                )
            )
    return tuple(found)


INDUSTRIES: tuple[Industry, ...] = _industries()
LEVEL1: tuple[str, ...] = tuple(_GROUPS)
