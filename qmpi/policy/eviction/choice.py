"""Orders by name."""

from typing import Any, Literal, get_args

from qmpi.policy.eviction.clairvoyant import Clairvoyant
from qmpi.policy.eviction.order import Order
from qmpi.policy.eviction.past import AnyOne, FirstIn, LeastOften, LeastRecent

OrderName = Literal["clairvoyant", "lru", "lfu", "fifo", "random"]
ORDERS: tuple[OrderName, ...] = get_args(OrderName)
"""Names of all orders, the best first."""


def order_of(name: OrderName, seed: int = 0) -> Order[Any]:
    """Make an order.

    Args:
        name: which; the clairvoyant one knows no access yet.
        seed: of "random"; no other draws.

    Returns:
        One that keeps nothing.
    """
    match name:
        case "clairvoyant":
            return Clairvoyant()
        case "lru":
            return LeastRecent()
        case "lfu":
            return LeastOften()
        case "fifo":
            return FirstIn()
        case "random":
            return AnyOne(seed)
