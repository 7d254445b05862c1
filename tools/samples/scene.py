"""One picture: background, product, marks, copy, price and gift, with the box of each."""

from __future__ import annotations

from random import Random

from PIL import Image, ImageDraw, ImageFilter

from tools.samples import elements, phrases, shapes
from tools.samples.backgrounds import PLAIN, RICH, background
from tools.samples.brands import Brand
from tools.samples.canvas import Box, Canvas, inner
from tools.samples.catalogue import Industry
from tools.samples.elements import Amount, Piece, Rect
from tools.samples.ink import BLACK, lighter
from tools.samples.look import Look
from tools.samples.marks import logo, lookalike, platform
from tools.samples.plan import Plan
from tools.samples.style import Style
from tools.samples.type import line

_SIDES = {
    "left": ("left", "upper-left", "lower-left"),
    "right": ("right", "upper-right", "lower-right"),
    "top": ("top", "upper-left", "upper-right"),
    "bottom": ("bottom", "lower-left", "lower-right"),
}
_ANYWHERE = (
    "top",
    "upper-left",
    "upper-right",
    "left",
    "right",
    "lower-left",
    "lower-right",
    "bottom",
    "bottom-left",
    "bottom-right",
)


class Scene:
    """Draws one view of a product after its plan."""

    def __init__(
        self, rng: Random, industry: Industry, name: Brand, style: Style, look: Look, size: tuple[int, int]
    ) -> None:
        self.rng, self.industry, self.name, self.style, self.look, self.size = rng, industry, name, style, look, size

    def draw(self, plan: Plan, foreign: Brand) -> tuple[Image.Image, list[Box]]:
        """The finished picture and its boxes."""
        self.canvas = Canvas(self._ground(plan))
        getattr(self, f"_{plan.subject}")()
        self._strip(plan)
        self._logo(plan, foreign)
        self._money(plan)
        self._gift(plan)
        self._copies(plan)
        return self._finished(), self.canvas.boxes

    def _ground(self, plan: Plan) -> Image.Image:
        kinds = {
            "loud": RICH + PLAIN,
            "calm": PLAIN,
            "photo": ("room", "city", "wood", "grass", "bokeh", "cloud", "studio", "marble"),
        }[self.style.poise]
        return background(self.rng, self.rng.choice(kinds), self.size, self.style.tone)

    def _rendered(self, target: float) -> tuple[Image.Image, Rect]:
        """The product about as large as the target, turned a little."""
        worn = self.industry.shape in shapes.WORN and self.rng.random() < 0.5
        resolution = target / 100 * 1.25
        picture, core = shapes.product(
            self.industry.shape, self.rng, self.look, resolution, worn, self.rng.random() < 0.5
        )
        scale = min(target / max(picture.size), 1.0)
        small = picture.resize(
            (max(1, round(picture.width * scale)), max(1, round(picture.height * scale))),
            Image.Resampling.BOX if scale < 0.5 else Image.Resampling.BICUBIC,
            reducing_gap=2.0,
        )
        if worn or self.rng.random() < 0.45:
            left, top, right, low = (round(value * scale) for value in core)
            return small, (left, top, right, low)
        turned = small.rotate(
            self.rng.gauss(0, 2 if self.industry.shape in shapes.STEADY else 10), Image.Resampling.BICUBIC, expand=True
        )
        solid = turned.getchannel("A").point(lambda v: 255 if v > 60 else 0).getbbox() or (0, 0, *turned.size)
        return turned, solid

    def _stand(self, picture: Image.Image, core: Rect, x: float, y: float) -> None:
        """Set the product with its middle there, over a shadow on the ground."""
        spot = (round(self.size[0] * x - picture.width / 2), round(self.size[1] * y - picture.height / 2))
        if self.rng.random() < 0.75:
            self._shadow((spot[0] + core[0], spot[1] + core[1], spot[0] + core[2], spot[1] + core[3]))
        self.canvas.product(picture, spot, core)

    def _shadow(self, place: Rect) -> None:
        wide, high = max(8, place[2] - place[0]), max(6, (place[2] - place[0]) // 9)
        dark = Image.new("L", (wide + 24, high + 24), 0)
        ImageDraw.Draw(dark).ellipse((12, 12, wide + 12, high + 12), fill=110)
        dark = dark.filter(ImageFilter.BoxBlur(5))
        self.canvas.image.paste(BLACK, (place[0] - 12, place[3] - high // 2 - 14), dark)

    def _whole(self) -> None:
        side = min(self.size)
        picture, core = self._rendered(side * self.rng.uniform(0.55, 0.86))
        self._stand(
            picture,
            core,
            self.rng.choice((0.5, 0.5, 0.66, 0.34)) + self.rng.uniform(-0.04, 0.04),
            0.53 + self.rng.uniform(-0.06, 0.06),
        )

    def _crop(self) -> None:
        """Nearer than the frame: part of the product is outside."""
        picture, core = self._rendered(min(self.size) * self.rng.uniform(1.15, 1.5))
        self._stand(picture, core, 0.5 + self.rng.uniform(-0.25, 0.25), 0.5 + self.rng.uniform(-0.2, 0.3))

    def _pair(self) -> None:
        """Two of the product: the box spans both."""
        picture, core = self._rendered(min(self.size) * self.rng.uniform(0.48, 0.6))
        other, inside = self._rendered(min(self.size) * self.rng.uniform(0.4, 0.55))
        room = Image.new(
            "RGBA", (round((picture.width + other.width) * 0.92), max(picture.height, other.height)), (0, 0, 0, 0)
        )
        place = (room.width - other.width, room.height - other.height)
        low = room.height - picture.height
        room.alpha_composite(other, place)
        room.alpha_composite(picture, (0, low))
        span = (
            min(core[0], place[0] + inside[0]),
            min(core[1] + low, place[1] + inside[1]),
            max(core[2], place[0] + inside[2]),
            max(core[3] + low, place[1] + inside[3]),
        )
        self._stand(room, span, 0.5, 0.52)

    def _texture(self) -> None:
        """A close-up of the stuff alone: the product itself is not to be seen."""
        tone, rng = self.look.colour, self.rng
        sheet = background(rng, rng.choice(("cloud", "marble", "wood", "soft", "dark")), self.size, tone)
        if self.look.pattern is not None:
            near = self.look.pattern.resize((self.size[0] * 2, self.size[1] * 2), Image.Resampling.BILINEAR)
            sheet.paste(near, (0, 0), near)
        self.canvas.image = sheet

    def _chart(self) -> None:
        """A table of sizes or properties: copy, and no product."""
        rng, rows, columns = self.rng, self.rng.randint(4, 8), self.rng.randint(2, 5)
        sheet = Image.new(
            "RGB", self.size, rng.choice(((255, 255, 255), (244, 246, 248), lighter(self.style.tone, 0.85)))
        )
        brush, step = ImageDraw.Draw(sheet), rng.randint(26, 34)
        left, top, wide = 24, rng.randint(50, 90), self.size[0] - 48
        head = line(
            rng.choice(("产品参数", "尺码对照表", "产品尺寸", "规格信息", "SIZE CHART")),
            self.style.head,
            24,
            self.style.strong,
        )
        sheet.paste(head, (left, top - head.height - 10), head)
        for row in range(rows):
            for cell in range(columns):
                words = (
                    rng.choice((*self.industry.specs, *self.industry.words))
                    if row
                    else rng.choice(("尺码", "长度", "重量", "型号", "材质", "适用", "颜色"))
                )
                drawn = line(words, self.style.body, 14, (60, 62, 68))
                sheet.paste(drawn, (left + 6 + cell * wide // columns, top + row * step + 7), drawn)
            brush.line((left, top + row * step, left + wide, top + row * step), fill=(190, 194, 200))
        self.canvas.image = sheet
        place = (left, top - head.height - 10, left + wide, top + rows * step)
        self.canvas._taken.append(place)
        self.canvas.box("文案", place)

    def _parts(self) -> None:
        """What comes in the box, without the product."""
        piece = elements.gift(self.rng, self.industry, self.style, round(min(self.size) * 0.42), False, (250, 250, 250))
        spot = self.canvas.lay(self.rng, piece, ("middle",), 30)
        if spot and piece.text:
            self.canvas.box("文案", inner(spot, piece.text))

    def _strip(self, plan: Plan) -> None:
        if plan.copies > 1 and self.rng.random() < 0.4:
            words = self.rng.choice((phrases.service(self.rng), phrases.headline(self.rng, self.industry)))
            if self.rng.random() < 0.5:
                words += " " + phrases.service(self.rng)
            band = elements.strip(self.rng, words, self.style, self.size[0])
            self._put(band, (self.rng.choice(("bottom", "bottom", "top")),), "文案", 0)

    def _put(
        self, picture: Image.Image, anchors: tuple[str, ...], label: str, margin: int = 8, room: float = 0.12
    ) -> bool:
        spot = self.canvas.lay(self.rng, Piece(shapes.trimmed(picture)), anchors, margin, room)
        if spot and label:
            self.canvas.box(label, spot)
        return spot is not None

    def _logo(self, plan: Plan, foreign: Brand) -> None:
        habit, rng = self.style.habit, self.rng
        if plan.logo:
            ground = self.canvas.ground(self.canvas.at(habit.logo_at, (110, 40)))
            ink = elements.ink_on(rng, ground, self.style, rng.random() < 0.08)
            name = foreign if plan.foreign else self.name
            mark = logo(rng, name, habit.logo, rng.randint(14, 25), ink, self.style.strong)
            self._put(mark, (habit.logo_at, "top-left", "top-right"), "LOGO", 10)
        if plan.platform:
            self._put(platform(rng, rng.randint(14, 20)), ("top-right", "top", "upper-right", "top-left"), "LOGO", 8)
        if not plan.logo and rng.random() < (0.6 if plan.copies else 0.05):
            self._lookalike()

    def _lookalike(self) -> None:
        """Copy where a logo would be, dressed like one."""
        rng, habit = self.rng, self.style.habit
        words = rng.choice((phrases.badge(rng), phrases.service(rng)[:4], rng.choice(phrases.english(rng)[:1])))
        ink = elements.ink_on(rng, self.canvas.ground(self.canvas.at(habit.logo_at, (110, 40))), self.style, False)
        drawn = lookalike(rng, words, habit.logo, rng.randint(14, 24), ink, self.style.strong)
        self._put(drawn, (habit.logo_at, "top-left"), "文案", 10)

    def _money(self, plan: Plan) -> None:
        """The price, and figures that dress like one."""
        if plan.price:
            self._figures(plan.price, self.style.habit.price_at, "价格")
        if plan.figure:
            self._figures("figure", self.style.habit.price_at if not plan.price else self.rng.choice(_ANYWHERE), "文案")

    def _figures(self, kind: str, anchor: str, label: str) -> None:
        rng, habit = self.rng, self.style.habit
        amount = self._said(kind)
        ground = self.canvas.ground(self.canvas.at(anchor, (130, 60)))
        size = rng.randint(18, 40) if len(amount.figures) < 6 else rng.randint(18, 28)
        plate = habit.price if rng.random() < 0.8 else rng.choice(("block", "disc", "plain", "tag", "burst"))
        drawn = elements.price(rng, plate, amount, self.style, size, ground)
        self._put(drawn, (anchor, "bottom-left", "bottom-right", "lower-right", "upper-right", "left"), label, 6)

    def _said(self, kind: str) -> Amount:
        """A price in its words, or what looks like one."""
        rng = self.rng
        if kind == "figure":
            return Amount(*phrases.measured(rng, self.industry), below=True)
        if kind == "cut":
            return Amount(phrases.reduction(rng))
        labelled = kind == "labelled" or (kind != "bare" and rng.random() < 0.4)
        words = phrases.price_label(rng) if labelled else ""
        return Amount(phrases.amount(rng, self.industry), {"signed": "¥", "yuan": "元"}.get(kind, ""), words)

    def _gift(self, plan: Plan) -> None:
        rng, habit = self.rng, self.style.habit
        side = rng.randint(62, 104)
        if plan.gift == "shown" or plan.parts:
            given = plan.gift == "shown"
            piece = elements.gift(
                rng,
                self.industry,
                self.style,
                side,
                given,
                self.canvas.ground(self.canvas.at(habit.gift_at, (side, side))),
            )
            spot = self.canvas.lay(
                rng, piece, (habit.gift_at, "bottom-left", "bottom-right", "lower-left", "lower-right"), 6
            )
            if spot is not None:
                self._note(piece, spot, given)
        if plan.gift == "told":
            words = phrases.announcement(rng, rng.choice(self.industry.gifts)[0])
            self._words([words], "赠品")

    def _note(self, piece: Piece, spot: Rect, given: bool) -> None:
        """Box a gift, its announcement in `extra`; of mere accessories, the words under them are copy."""
        if given:
            extra = (
                "gift_text=" + " ".join(f"{value:g}" for value in self.canvas.percent(inner(spot, piece.text)))
                if piece.text
                else ""
            )
            self.canvas.box("赠品", inner(spot, piece.core) if piece.core else spot, extra)
        elif piece.text:
            self.canvas.box("文案", inner(spot, piece.text))

    def _words(self, lines: list[str], label: str, size: int | None = None) -> None:
        """A block of words on the shop's usual side, or wherever there is room."""
        rng = self.rng
        anchors = (*_SIDES[self.style.habit.copy], *rng.sample(_ANYWHERE, 4))
        ground = self.canvas.ground(self.canvas.at(anchors[0], (150, 70)))
        high = min(size or rng.randint(17, 34), int(self.size[0] * 0.86 / max(1, max(len(words) for words in lines))))
        drawn = elements.block(rng, lines, self.style, max(12, high), ground, rng.random() < 0.08)
        if rng.random() < 0.12:
            drawn = drawn.rotate(
                rng.choice((-90, 90, rng.uniform(-14, 14), rng.uniform(-14, 14))), Image.Resampling.BICUBIC, expand=True
            )
        self._put(drawn, anchors, label)

    def _copies(self, plan: Plan) -> None:
        rng = self.rng
        for _ in range(plan.copies):
            self._copy(rng.random())
        if plan.badge:
            words = phrases.badge(rng)
            if rng.random() < 0.4:
                self._put(elements.corner(rng, words, self.style), ("top-right",), "文案", 0)
            else:
                self._put(
                    elements.seal(
                        rng,
                        words,
                        self.style,
                        rng.randint(15, 22),
                        rng.choice((self.style.strong, self.style.bright, self.style.tone)),
                    ),
                    _ANYWHERE[1:7],
                    "文案",
                )

    def _copy(self, choice: float) -> None:
        rng = self.rng
        if choice < 0.1:
            words = phrases.headline(rng, self.industry).replace(" ", "")[:9]
            self._put(
                elements.vertical(rng, words, self.style, rng.randint(17, 26), self.canvas.ground((0, 80, 50, 300))),
                ("left", "right"),
                "文案",
            )
        elif choice < 0.2:
            self._put(
                elements.services(rng, self.style, self.canvas.ground((20, self.size[1] - 60, 380, self.size[1]))),
                ("bottom", "top"),
                "文案",
            )
        elif choice < 0.38:
            self._words(phrases.english(rng), "文案", rng.randint(14, 26))
        else:
            self._words(phrases.copy_lines(rng, self.industry, rng.choice((1, 1, 2, 2, 3))), "文案")

    def _finished(self) -> Image.Image:
        """Now and then a little blur, as from a picture scaled too often."""
        if self.rng.random() < 0.15:
            return self.canvas.image.filter(ImageFilter.BoxBlur(self.rng.uniform(0.3, 0.8)))
        return self.canvas.image
