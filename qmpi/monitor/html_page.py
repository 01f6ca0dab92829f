"""The frame of the report: style sheet and page, all inline, so the file can be mailed or archived.

Colours are variables with a light and a dark set; the reader's system chooses. Colours of roles
keep their distance in both, and each mark has a shape of its own, so that colour is never the only
sign.
"""

from html import escape

STYLE = """
:root {
  color-scheme: light dark;
  --paper: #f7f8fa; --card: #ffffff; --ink: #1b2330; --dim: #5c6779; --rule: #dfe4ec;
  --good: #14804a; --good-back: #e4f5ec; --bad: #b42335; --bad-back: #fdebed; --accent: #2459c9;
  --coordinator: #7a4fc0; --generator: #0f8a8a; --memory: #3f78d8; --trainer: #e08a1e;
  --replica: #2f9e5b; --spare: #9aa5b5; --ghost: #9db7f0;
}
@media (prefers-color-scheme: dark) {
  :root {
    --paper: #11151c; --card: #191f29; --ink: #e6eaf1; --dim: #97a3b6; --rule: #2b3442;
    --good: #5bd394; --good-back: #143224; --bad: #ff8291; --bad-back: #3a1a20; --accent: #86aaf7;
    --coordinator: #a98be6; --generator: #43bcbc; --memory: #74a3f2; --trainer: #f0a94e;
    --replica: #5cc486; --spare: #66728a; --ghost: #40568a;
  }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); line-height: 1.5;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
main { max-width: 1040px; margin: 0 auto; padding: 32px 20px 64px; }
h1 { font-size: 1.7rem; margin: 0; letter-spacing: -0.01em; }
h2 { font-size: 1.05rem; margin: 0 0 12px; }
p { margin: 0 0 8px; }
.lead, .note { color: var(--dim); }
.note { font-size: .85rem; }
section { background: var(--card); border: 1px solid var(--rule); border-radius: 12px;
  padding: 20px; margin-top: 20px; overflow-x: auto; }
.tiles { display: grid; gap: 12px; grid-template-columns: repeat(auto-fit, minmax(190px, 1fr));
  margin-top: 20px; }
.tile { background: var(--card); border: 1px solid var(--rule); border-radius: 12px;
  padding: 14px 16px; }
.tile span { display: block; color: var(--dim); font-size: .8rem; }
.tile strong { font-size: 1.25rem; overflow-wrap: anywhere; }
.good, .bad { border-radius: 8px; padding: 10px 14px; font-weight: 600; }
.good { color: var(--good); background: var(--good-back); }
.bad { color: var(--bad); background: var(--bad-back); }
table { border-collapse: collapse; width: 100%; font-size: .92rem; }
th { text-align: left; color: var(--dim); font-weight: 600; }
th, td { padding: 7px 12px 7px 0; border-bottom: 1px solid var(--rule); vertical-align: top; }
tr:last-child td { border-bottom: 0; }
code, pre { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
code { font-size: .85rem; overflow-wrap: anywhere; }
pre { margin: 0; white-space: pre-wrap; overflow-wrap: anywhere; font-size: .88rem; }
pre b { color: var(--accent); }
.legend { display: flex; flex-wrap: wrap; gap: 4px 18px; margin-top: 8px; font-size: .85rem;
  color: var(--dim); }
.legend svg { width: 22px; height: 14px; vertical-align: -2px; margin-right: 6px; }
svg { display: block; width: 100%; min-width: 560px; height: auto; }
.legend svg { display: inline-block; min-width: 0; }
text { fill: var(--dim); font: 12px system-ui, sans-serif; }
text.row { fill: var(--ink); }
.grid { stroke: var(--rule); }
.loss, .ghost { fill: none; stroke-linejoin: round; }
.loss { stroke: var(--accent); stroke-width: 2; }
.ghost { stroke: var(--ghost); stroke-width: 8; stroke-linecap: round; opacity: .75; }
.curve { fill: none; stroke-width: 2; stroke-linejoin: round; }
.curve.coordinator { stroke: var(--coordinator); } .curve.generator { stroke: var(--generator); }
.curve.memory { stroke: var(--memory); } .curve.trainer { stroke: var(--trainer); }
.curve.replica { stroke: var(--replica); } .curve.spare { stroke: var(--spare); }
.again { stroke-dasharray: 7 4; }
.rung { stroke: var(--rule); stroke-dasharray: 2 4; }
rect.probe { fill: var(--ghost); opacity: .25; }
.strike { stroke: var(--bad); stroke-width: 1.5; stroke-dasharray: 4 4; }
.launch { stroke: var(--ink); stroke-width: 1.5; }
.generation { stroke: var(--dim); stroke-dasharray: 2 4; }
path.death { stroke: var(--bad); stroke-width: 3; stroke-linecap: round; }
path.promotion { fill: var(--good); stroke: var(--card); }
circle.snapshot { fill: var(--card); stroke: var(--ink); stroke-width: 1.2; }
rect.coordinator { fill: var(--coordinator); } rect.generator { fill: var(--generator); }
rect.memory { fill: var(--memory); } rect.trainer { fill: var(--trainer); }
rect.replica { fill: var(--replica); } rect.spare { fill: var(--spare); }
rect.part-data { fill: #b42335; } rect.part-forward { fill: #3f78d8; }
rect.part-backward { fill: #2f4f9e; } rect.part-sweep { fill: #0f8a8a; }
rect.part-communication { fill: #e08a1e; } rect.part-optimizer { fill: #2f9e5b; }
rect.part-digest { fill: #7a4fc0; } rect.part-snapshot { fill: #a0703c; }
rect.part-other { fill: #8a94a5; }
text.part { fill: #ffffff; font-weight: 600; }
svg.key { display: inline-block; min-width: 0; width: 14px; height: 14px; vertical-align: -2px; }
@media print { body { background: none; } section, .tile { break-inside: avoid; } }
"""


def page(title: str, body: str) -> str:
    """Return a whole page.

    Args:
        title: plain text.
        body: markup, already escaped where it needs to be.

    Returns:
        A self-contained HTML document: no script, nothing to load.
    """
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def section(heading: str, body: str) -> str:
    """Return a card.

    Args:
        heading: plain text.
        body: markup.

    Returns:
        Markup.
    """
    return f"<section>\n<h2>{escape(heading)}</h2>\n{body}\n</section>\n"


def table(head: tuple[str, ...], rows: list[tuple[str, ...]]) -> str:
    """Return a table.

    Args:
        head: names of the columns, plain text.
        rows: cells, markup.

    Returns:
        Markup.
    """
    names = "".join(f'<th scope="col">{escape(name)}</th>' for name in head)
    lines = "".join(
        "<tr>" + "".join(f"<td>{cell}</td>" for cell in row) + "</tr>\n" for row in rows
    )
    top = f"<thead><tr>{names}</tr></thead>\n" if head else ""
    return f"<table>\n{top}<tbody>\n{lines}</tbody>\n</table>"
