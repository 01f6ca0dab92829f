"""How a run stands beside a reference, in words: the same in status, command and report."""

from qmpi.protocol.specialisation import Specialisation, TypeExcess

HEADS = ("type", "loss", "reference", "excess", "z", "relative", "bound", "z", "answers", "z")


def verdicts(told: Specialisation) -> list[tuple[str, str]]:
    """Return which types stand out.

    Args:
        told: how the run stands.

    Returns:
        Names with their values, as ("specialised", "mathematics (loss 0.41 below the reference,
        z = -9.1)"); one that says that none does, or that the run is not at its end.
    """
    if not told.is_judged:
        words = f"a run is judged at its end: {told.tokens:,} of {told.end_tokens:,} tokens"
        return [("not judged", words)]
    found = [
        (verdict, ", ".join(_named(each) for each in told.types if each.verdict == verdict))
        for verdict in ("specialised", "weak")
    ]
    shown = [(verdict, words) for verdict, words in found if words]
    return shown or [("balanced", f"no type stands out beside {told.runs} runs")]


def _named(each: TypeExcess) -> str:
    side = "below" if each.relative < 0.0 else "above"
    z = "" if each.relative_z is None else f", z = {each.relative_z:.1f}"
    return f"{each.type} (loss {abs(each.relative):.2f} {side} the reference{z})"


def excess_rows(told: Specialisation) -> list[tuple[str, ...]]:
    """Return how the run stands on each type.

    Args:
        told: how it stands.

    Returns:
        A cell for each of `HEADS`; "" for what is not known.
    """
    return [
        (
            each.type,
            f"{each.loss:.3f}",
            f"{each.reference:.3f}",
            f"{each.excess:+.3f}",
            f"{each.z:+.1f}",
            f"{each.relative:+.3f}",
            "" if each.bound is None else f"±{each.bound:.3f}",
            "" if each.relative_z is None else f"{each.relative_z:+.1f}",
            "" if each.answer_excess is None else f"{each.answer_excess:+.3f}",
            "" if each.answer_z is None else f"{each.answer_z:+.1f}",
        )
        for each in told.types
    ]


def measure_text(told: Specialisation) -> str:
    """Return what is compared, for below a table.

    Args:
        told: how the run stands.

    Returns:
        Text for people.
    """
    where = "in the last quarter" if told.is_judged else "in its newest part"
    return (
        f"nats a token {where}, beside {told.runs} runs of {told.reference}; relative: less the "
        f"mean excess of all types; bound: {100 * told.confidence:g} % of balanced runs lie within "
        "it on all types"
    )
