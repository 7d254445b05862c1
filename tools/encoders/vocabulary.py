"""The vocabulary of the shipped text encoder: single Chinese characters, and pieces of Latin words (WordPiece)."""

import re
import string
from collections import Counter
from collections.abc import Iterable

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
SIGNS = "¥￥®™©·•…—～【】（）《》「」“”‘’！？，。、；：％＋－×÷°℃→★☆✓"
# At most so many frequent Latin words and numbers are entries.
WORDS = 600
# A word that is seen less often is encoded by its pieces.
RARE = 20


def vocabulary(texts: Iterable[str]) -> list[str]:
    """Return the entries of the vocabulary in lower case.

    The entries are special tokens, signs, Latin letters and digits and their continuations, the most frequent Latin
    words and numbers of the texts, and the 6,763 Chinese characters of GB 2312.
    """
    pieces = string.digits + string.ascii_lowercase
    counts = Counter(word for text in texts for word in re.findall(r"[a-z]{2,}|[0-9]{2,}", text.lower()))
    words = sorted(word for word, count in counts.most_common(WORDS) if count >= RARE)
    signs = string.punctuation + SIGNS
    # Rows 16 to 87 of GB 2312 hold its Chinese characters; bytes that stand for no character decode to nothing.
    codes = (bytes((row + 0xA0, cell + 0xA0)) for row in range(16, 88) for cell in range(1, 95))
    chinese = [character for code in codes if (character := code.decode("gb2312", errors="ignore"))]
    return list(dict.fromkeys([*SPECIAL, *signs, *pieces, *("##" + piece for piece in pieces), *words, *chinese]))
