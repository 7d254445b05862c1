"""A small folder of labelled pictures, as `tagloom evaluate` and the demo read it."""

from pathlib import Path

from PIL import Image


def folder_of(folder: Path, rows: int, boxes: str = "") -> Path:
    """Write items.csv with ``rows`` rows and their pictures, and boxes.csv with the rows ``boxes``; return the folder.

    Each pair of successive rows is of one product; every fifth row is unlabelled. The others have the label 主体, and
    two of three of them LOGO as well.
    """
    lines = ["id,image,title,level1,level2,product_id,split,labels"]
    for i in range(rows):
        Image.new("RGB", (8, 8)).save(folder / f"{i}.png")
        state, labels = ("unlabelled", "") if i % 5 == 4 else ("labelled", "主体|LOGO" if i % 3 else "主体")
        lines.append(f"i{i},{i}.png,标题{i},食品,坚果,p{i // 2},{state},{labels}")
    (folder / "items.csv").write_text("\n".join(lines), "utf-8")
    if boxes:
        (folder / "boxes.csv").write_text("id,label,x,y,width,height,extra\n" + boxes, "utf-8")
    return folder
