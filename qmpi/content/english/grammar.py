"""Rules that every kind of English prose shares: noun phrases, clauses, openings.

Theory of operation. In each rule the simple alternatives come first; a frame pool uses the later
ones at higher levels. Between two drawn words stand few fixed ones, since fixed text is what makes
generated prose compress and repeat. Number agrees within a rule: a rule's name says what it is.
"""

from collections.abc import Mapping, Sequence

BASE: Mapping[str, Sequence[str]] = {
    # Singular things, ideas, people; then plural ones.
    "thing": (
        "the [n thing]", "[an thing]", "the [a] [n thing]", "this [n thing]", "[aa] [n thing]",
        "the [n thing] of the [n]", "the [vn T] [n thing]", "each [n thing]", "its [a] [n thing]",
        "the [n thing] in <place>", "the [n thing] near <thing>", "one [a] [n thing]",
        "the [r] [a] [n thing]", "the [n thing] that [v3 t] <things>", "every [n thing] of <place>",
        "the [n] [n thing]", "the [n thing] with <things>", "another [a] [n thing]",
        "the [n thing] <who_past>", "the [a], [a] [n thing]", "no [n thing] but <thing>",
    ),
    "things": (
        "the [ns thing]", "[ns thing]", "[a] [ns thing]", "these [ns thing]", "the [a] [ns thing]",
        "most [ns thing]", "several [ns thing]", "[ns thing] and [ns thing]", "many [a] [ns thing]",
        "the [ns thing] of <place>", "[vn T] [ns thing]", "some [a] [ns thing]",
        "[ns thing] from [P]", "few [ns thing]", "the [ns thing] behind <thing>",
        "[a] [ns thing] or [ns thing]", "all [n] [ns thing]", "both [ns thing]",
        "the [ns thing] that [v t] <things>", "[r] [a] [ns thing]", "those [a] [ns thing]",
    ),
    "idea": (
        "the [n idea]", "[an idea]", "this [n idea]", "the [a] [n idea]", "[aa] [n idea]",
        "the [n idea] of <thing>", "the [n idea] of <idea>", "its [n idea]", "the [n] [n idea]",
        "the [n idea] between <thing> and <thing>", "any [n idea] of [n]", "the [r] [a] [n idea]",
        "the [n idea] that <clause>", "the [n idea] behind <ideas>", "[n idea]",
        "such [an idea]", "the [n idea] to [v T] <thing>",
    ),
    "ideas": (
        "the [ns idea]", "[a] [ns idea]", "these [ns idea]", "the [a] [ns idea]", "[ns idea]",
        "the [ns idea] of <thing>", "many [ns idea]", "[ns idea] and [ns idea]",
        "all [ns idea] of [n]", "two [a] [ns idea]", "the [ns idea] of <person>",
        "[a] and [a] [ns idea]", "further [ns idea] about <thing>", "most [a] [ns idea]",
    ),
    "person": (
        "the [n person]", "[F]", "[an person]", "the [a] [n person]", "[F] [L]",
        "[aa] [n person]", "the [n person] from [P]", "a certain [n person]", "the old [n person]",
        "the [n person] of <place>", "[F] the [n person]", "our [n person]",
        "the [n person] who [vd I]",
        "the [n person] with <things>", "[F] [L], [an person]", "the [r] [a] [n person]",
    ),
    "people": (
        "the [ns person]", "[ns person]", "[a] [ns person]", "the [a] [ns person]",
        "some [ns person]",
        "the [ns person] of [P]", "most [ns person]", "[F] and [F]", "[ns person] and [ns person]",
        "the [ns person] in <place>", "few [ns person]", "those [ns person] who [v I]",
    ),
    "place": (
        "the [n place]", "[P]", "the [a] [n place]", "[an place]", "the [n place] of [P]",
        "the [n place] by the [n place]", "[an place] near [P]", "[aa] [n place]",
    ),
    "who_past": (
        "that <person> [vd T]", "that [vd t] <things>", "[vn T] by <person>", "that [vd I]",
        "which <people> [vd T] [r]", "[vg T] <things>",
    ),
    # What is said of them: present tense, singular and plural subject; past tense.
    "is": (
        "[v3 t] <thing>", "is [a]", "[v3 t] <things>", "[v3 i]", "is [a] and [a]", "[v3 i] [r]",
        "can [v t] <thing>", "[r] [v3 t] <idea>", "is [an]", "may [v t] <ideas>", "is [vn T]",
        "is never [a]", "must [v t] <things>", "is [r] [a]", "is [vn T] by <people>",
        "has <things>", "[v3 t] neither <thing> nor <thing>", "seems [a]",
        "[v3 t] and [v3 t] <thing>",
        "is [a] enough to [v t] <thing>", "is [vn T] without <idea>", "remains [a] until <clause>",
        "would [v t] <thing> if <clause>", "is as [a] as <thing>", "[v3 t] <thing> [r]",
    ),
    "are": (
        "[v t] <thing>", "are [a]", "[v t] <things>", "[v i]", "are [a] and [a]", "[v i] [r]",
        "can [v t] <things>", "[r] [v t] <idea>", "are [ns]", "may [v t] <thing>", "are [vn T]",
        "are [r] [a]", "are [vn T] by <people>", "have <ideas>", "need <thing>", "seem [a]",
        "[v t] <things> or [v i]", "are [vn T] for <things>", "do not [v t] <thing>",
        "must [v t] <ideas> before <clause>", "were once [a]", "could [v t] <thing> [r]",
    ),
    "does": (
        "[v3 T] <thing>", "[v3 T] <things>", "[v3 I]", "[v3 I] [r]", "[v3 P] <person>",
        "is [an person]", "is [a]", "[v3 T] <idea>", "must [v T] <thing>", "[r] [v3 T] <things>",
        "can [v T] <ideas>", "[v3 C] that <clause>", "[v3 T] <thing> for <people>",
        "[v3 T] <things> with <thing>", "wants to [v T] <thing>", "hopes to [v P] <person>",
        "[v3 C] that <clause> [r]", "never [v3 T] <idea>", "has [vn T] <things> in <place>",
        "would rather [v T] <thing> than <thing>", "[v3 I] while <clause>",
    ),
    "do": (
        "[v T] <thing>", "[v T] <things>", "[v I]", "[v I] [r]", "[v P] <person>", "are [a]",
        "[v T] <ideas>", "must [v T] <thing>", "[r] [v T] <things>", "can [v T] <idea>",
        "[v C] that <clause>", "[v T] <thing> for <person>", "often [v P] <people>",
        "[v T] <things> without <idea>", "want to [v T] <thing>", "[v I] when <clause>",
    ),
    "did": (
        "[vd T] <thing>", "[vd I]", "[vd T] <things>", "[vd I] [r]", "[vd P] <person>",
        "[vd T] <idea>", "was [a]", "[r] [vd T] <thing>", "had [vn T] <things>",
        "[vd I] in <place>", "[vd T] <thing> with <things>", "[vd C] that <clause_past>",
        "could not [v T] <thing>", "[vd T] <things> and [vd I]", "wanted to [v T] <thing>",
        "[vd T] <thing> for <person>", "[vd I] while <clause_past>", "had never [vn T] <idea>",
        "[vd T] <thing>, [vg T] <things>", "[vd P] <people> from <place>",
    ),
    # Clauses.
    "clause": (
        "<thing> <is>", "<things> <are>", "<person> <does>", "<idea> <is>", "<people> <do>",
        "<ideas> <are>", "there is <thing>", "it is [a] that <thing> <is>", "there are <things>",
        "<person> <does> and <person> <does>", "no [n person] can [v T] <idea>",
        "what [v3 t] <thing> is <idea>", "<thing> <is> because <things> <are>",
        "neither <thing> nor <idea> <is>", "<person> who [v3 I] <does>",
    ),
    "clause_past": (
        "<person> <did>", "<people> <did>", "<thing> [vd i]", "<thing> [vd t] <thing>",
        "<things> [vd i] [r]", "there was <thing>", "<person> <did> and <person> <did>",
        "<things> [vd t] <idea>", "<idea> was [a]", "<thing> was [vn T] by <person>",
        "nobody [vd T] <thing>", "<place> was [a]", "<thing>, which <person> [vd T], was [a]",
    ),
    # Whole statements, with what may stand before them.
    "present": (
        "<clause>", "<clause>", "<thing> <is>", "<things> <are>", "<idea> <is>",
        "<clause>, and <clause>", "in <place>, <clause>", "[r], <clause>", "if <clause>, <clause>",
        "<clause>, but <clause>", "when <clause>, <clause>", "with <thing>, <clause>",
        "<clause>; <clause>", "for <people>, <clause>", "although <clause>, <clause>",
        "[vg T] <thing> [v3 t] <idea>", "because <clause>, <clause>",
        "unlike <things>, <thing> <is>",
        "to [v T] <thing>, <people> <do>", "<clause>, so <clause>", "once <clause>, <clause>",
        "<clause>: <ideas>, <ideas>, and <things>", "whatever <person> [v3 T], <clause>",
        "the more [a] <thing> becomes, the more <things> <are>",
        "where <clause>, <clause>, and <clause>",
    ),
    "past": (
        "<clause_past>", "<clause_past>", "<person> <did>", "<thing> [vd t] <thing>",
        "<clause_past>, and <clause_past>", "in <place>, <clause_past>", "[r], <clause_past>",
        "when <clause_past>, <clause_past>", "<clause_past>, but <clause_past>",
        "with <thing>, <person> <did>", "after <idea>, <clause_past>",
        "<clause_past>; <clause_past>",
        "although <clause_past>, <clause_past>", "[vg T] <thing>, <person> <did>",
        "because <clause_past>, <clause_past>", "before <clause_past>, <clause_past>",
        "<clause_past>, as if <clause_past>", "<clause_past>, so <person> <did>",
        "near <place>, where <clause_past>, <clause_past>",
    ),
    # Headings.
    "title": (
        "[a] [ns]", "the [n] of [ns]", "[ns] and [ns]", "[vg T] <thing>", "[n] and [n] in [P]",
        "[a] [n]: <ideas>", "on <thing>", "the [a] [n]", "[ns] of the [n place]",
        "[ns] without [ns]",
        "from [n] to [n]", "how <things> [v i]", "[n] [ns]", "[P] and its [ns]", "<idea>",
        "[an], [an], and <things>", "when <clause>", "[r] [a] [ns]", "toward <idea>",
        "the [n person] and the [n thing]", "[ns] as [ns]", "against [a] [ns]",
    ),
}  # fmt: skip
"""Rules by name."""


def grammar(**rules: Sequence[str]) -> Mapping[str, Sequence[str]]:
    """Return the shared rules with more beside or in place of them.

    Args:
        **rules: rules by name.

    Returns:
        A whole grammar for a `FramePool`.
    """
    return {**BASE, **rules}
