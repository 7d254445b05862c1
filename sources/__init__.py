"""Sources that others write (labelling functions): their interface, where they are found, and how they are asked.

from sources import Item, Opinion, source

@source("brand list", version="1")
def brand_list(item: Item) -> dict[str, float] | None:
    return {"LOGO": 0.9} if "ACME" in item.title else None
"""

from sources.interface import Item, Label, Opinion, ProposedBox, ReadBlock, Source, source

__all__ = ["Item", "Label", "Opinion", "ProposedBox", "ReadBlock", "Source", "source"]
