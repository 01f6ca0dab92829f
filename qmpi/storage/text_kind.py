"""Tell prose from source code and data, so that rules for prose leave the rest alone.

Theory of operation: the name of a file decides where it has a known ending; else, as for records of
JSON lines, the first lines are looked at: code begins lines with keywords and ends them with
brackets. A wrong guess towards code costs nothing but a rule that is not applied.
"""

import re

_CODE_ENDINGS = """
ada adb ads asm awk bash bat bib c cc cfg clj cljs cmake coffee conf cpp cs css csv cu cuh cxx d
dart diff dockerfile el elm erl ex exs f f90 f95 fs fsx glsl go gradle graphql groovy h hh hpp hrl
hs htm html hxx inc ini ipynb java jl js json jsx kt kts lean less lisp lock lua m m4 make mjs mk ml
mli mm nim nix pas patch php pl pm po properties proto ps1 py pyi pyx r rb rs s sass sbt scala scm
scss sh sol sql st sty sv svelte svg swift tcl tex tf toml ts tsv tsx v vb vhd vhdl vim vue xml xsd
xsl yaml yml zig zsh
"""
_CODE = frozenset(_CODE_ENDINGS.split())
_PROSE = frozenset({"txt", "text", "md", "markdown", "mdown", "rst", "adoc", "asciidoc", "wiki"})
_LOOKED_AT = 20_000
_LINES = 200
_CODE_LINE = re.compile(
    r"\s*(?:(?:def|class|import|from|return|if|elif|else|for|while|try|except|public|private|static"
    r"|void|int|fn|func|function|let|const|var|package|use|using|namespace|struct|enum|impl)\b"
    r".*[:;{(,)]$|#\s*(?:include|define|if|endif)\b|//|/\*|\*/|[})\]]+[;,]?$|[\w.\[\]]+\s*[-+*/|]?="
    r"\s*\S|.*[;{]$|@\w+|\w[\w.]*\(.*\)$)"
)
_SHARE = 0.4


def is_prose(text: str, suffix: str) -> bool:
    """Whether rules for prose apply.

    Args:
        text: a document.
        suffix: ending of its file's name, as in ".md"; "" if it says nothing.

    Returns:
        False for source code, markup and data.
    """
    ending = suffix.removeprefix(".")
    if ending in _PROSE:
        return True
    if ending in _CODE:
        return False
    lines = [line.rstrip() for line in text[:_LOOKED_AT].split("\n")[:_LINES]]
    lines = [line for line in lines if line]
    code = sum(1 for line in lines if _CODE_LINE.match(line[:200]))
    return code < _SHARE * max(1, len(lines))
