"""nbval compares texts only; this makes it compare the figures too."""

from nbval.plugin import IPyNbCell

from tools import figures

texts_agree = IPyNbCell.compare_outputs


def pngs(outputs) -> list[str]:
    return [o["data"]["image/png"] for o in outputs if "image/png" in o.get("data", {})]


def all_agrees(cell, fresh, stored, skip_compare=None) -> bool:
    if not texts_agree(cell, fresh, stored, skip_compare):
        return False
    tags = cell.cell.metadata.get("tags", [])
    wrong = figures.complaint(pngs(stored), pngs(fresh), tags)
    if wrong:
        cell.comparison_traceback.append(wrong)
    return not wrong


IPyNbCell.compare_outputs = all_agrees
