"""Samples of configuration files in TOML, JSON and INI.

Theory of operation. A sample gives some settings values that they may take, grouped by module.
Checkers parse the very characters and compare with the world.
"""

from qmpi.content.document import Plain
from qmpi.content.technical.world import Site, value_for

FORMATS = ("toml", "json", "ini")


def write_sample(site: Site, count: int) -> None:
    """Write a configuration file, fenced or bare.

    Args:
        site: with settings.
        count: settings given a value, at most as many as there are.
    """
    draw, page = site.draw, site.page
    chosen = sorted(draw.sample(range(len(site.settings)), min(count, len(site.settings))))
    sample = [(number, value_for(draw, site.settings[number])) for number in chosen]
    form = draw.choice(FORMATS)
    page.world["sample"], page.world["format"] = [[*pair] for pair in sample], form
    fence = draw.chance(60)
    page.say(f"```{form}\n" if fence else "")
    page.fact("config", _block(site, sample, form))
    page.say("\n```\n\n" if fence else "\n\n")


def _block(site: Site, sample: list[tuple[int, Plain]], form: str) -> str:
    groups: dict[str, list[str]] = {}
    for number, value in sample:
        row = site.settings[number]
        module = str(site.modules[row["module"]]["name"])
        groups.setdefault(module, []).append(_line(str(row["name"]), value, form))
    if form == "json":
        inner = [
            f'  "{module}": {{\n    ' + ",\n    ".join(lines) + "\n  }"
            for module, lines in groups.items()
        ]
        return "{\n" + ",\n".join(inner) + "\n}"
    return "\n\n".join(f"[{module}]\n" + "\n".join(lines) for module, lines in groups.items())


def _line(name: str, value: Plain, form: str) -> str:
    if isinstance(value, bool):
        written = "true" if value else "false"
    elif isinstance(value, str) and form != "ini":
        written = f'"{value}"'
    else:
        written = str(value)
    return f'"{name}": {written}' if form == "json" else f"{name} = {written}"
