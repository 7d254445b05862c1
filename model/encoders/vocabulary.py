"""The vocabulary of the shipped text encoder: Chinese characters one by one, Latin words in pieces (WordPiece)."""

import re
import string
from collections import Counter
from collections.abc import Iterable

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
SIGNS = "¥￥®™©·•…—～【】（）《》「」“”‘’！？，。、；：％＋－×÷°℃→★☆✓"
WORDS = 600  # frequent Latin words and numbers that get an entry of their own
RARE = 20  # a word seen less often is left to its pieces


def vocabulary(texts: Iterable[str]) -> list[str]:
    """Special tokens, signs, the 6,763 characters of GB 2312, Latin letters and digits and their continuations, and the
    most frequent Latin words and numbers of the texts. Lower case."""
    pieces = string.digits + string.ascii_lowercase
    counts = Counter(word for text in texts for word in re.findall(r"[a-z]{2,}|[0-9]{2,}", text.lower()))
    words = sorted(word for word, count in counts.most_common(WORDS) if count >= RARE)
    signs = string.punctuation + SIGNS
    return list(dict.fromkeys([*SPECIAL, *signs, *pieces, *("##" + piece for piece in pieces), *words, *_gb2312()]))


def _gb2312() -> list[str]:
    """The Chinese characters of GB 2312 (rows 16 to 87), in its order."""
    codes = (bytes((row + 0xA0, cell + 0xA0)) for row in range(16, 88) for cell in range(1, 95))
    return [character for code in codes if (character := code.decode("gb2312", errors="ignore"))]
