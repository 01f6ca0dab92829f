"""How numbers, sums and polynomials are written in problems."""

from collections.abc import Iterable, Sequence


def signed(number: int) -> str:
    """Return a number as a further summand.

    Args:
        number: any.

    Returns:
        " + 3" or " - 3".
    """
    return f" + {number}" if number >= 0 else f" - {-number}"


def bracketed(number: int) -> str:
    """Return a number that may follow a sign.

    Args:
        number: any.

    Returns:
        The number, in brackets if negative.
    """
    return str(number) if number >= 0 else f"({number})"


def summed(numbers: Iterable[int]) -> str:
    """Return a sum of numbers, as "2 + 3 - 4".

    Args:
        numbers: at least one.

    Returns:
        The sum as written.
    """
    first, *others = numbers
    return str(first) + "".join(map(signed, others))


def polynomial(coefficients: Sequence[int], letter: str) -> str:
    """Return a polynomial as written, highest power first.

    Args:
        coefficients: from the constant upwards.
        letter: the unknown.

    Returns:
        As "2x^3 - x + 5"; "0" if all coefficients are 0.
    """
    parts: list[str] = []
    for power in range(len(coefficients) - 1, -1, -1):
        number = coefficients[power]
        if number == 0:
            continue
        size = abs(number)
        tail = "" if power == 0 else letter if power == 1 else f"{letter}^{power}"
        body = tail if size == 1 and power else f"{size}{tail}"
        if parts:
            parts.append(f" - {body}" if number < 0 else f" + {body}")
        else:
            parts.append(f"-{body}" if number < 0 else body)
    return "".join(parts) or "0"


def ratio(top: int, bottom: int) -> str:
    """Return a fraction in lowest terms as written.

    Args:
        top: any; shares no factor with `bottom`.
        bottom: > 0.

    Returns:
        As "3/4", or "3" if the bottom is 1.
    """
    return str(top) if bottom == 1 else f"{top}/{bottom}"


def listed(items: Sequence[str], last: str = "and") -> str:
    """Return a list in words.

    Args:
        items: at least one.
        last: word before the last item.

    Returns:
        As "a, b and c".
    """
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} {last} {items[-1]}"
