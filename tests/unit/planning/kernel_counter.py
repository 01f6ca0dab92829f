"""Counts the kernels that torch runs, and the bytes that they read and write."""

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

PRODUCTS = ("mm", "bmm", "addmm", "baddbmm", "_scaled_dot_product")
VIEWS = frozenset(
    {
        *("view", "t", "transpose", "split", "slice", "select", "unsqueeze", "expand", "detach"),
        *("as_strided", "unbind", "alias", "_unsafe_view", "permute", "squeeze", "narrow"),
        *("split_with_sizes", "_reshape_alias", "empty_like", "empty", "empty_strided"),
    }
)
OVERWRITING = frozenset({"fill_", "zero_", "copy_"})
TOUCHING = frozenset({"gather", "scatter_add_", "index_add_", "index"})
"""They read or write a few places of what they are given."""


class KernelCounter(TorchDispatchMode):
    """Counts what is run while it is entered, products apart."""

    def __init__(self):
        super().__init__()
        self.kernels = self.bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        name = func.__name__.split(".")[0]
        if name not in VIEWS and not name.startswith(PRODUCTS):
            self.kernels += 1
            self.bytes += moved(name, args, kwargs or {}, result)
        return result


def moved(name, args, kwargs, result):
    """Bytes that an operation reads and writes."""
    if name in TOUCHING:
        return 0
    if name == "_fused_adamw_":
        return sum(map(size_of, tensors([args[:4], args[0], args[2:4]])))
    # What an operation is told to write to it does not read.
    read = tensors(args[1:] if name in OVERWRITING else args)
    given = {key: value for key, value in kwargs.items() if key not in {"out", "grad_input"}}
    return sum(map(size_of, [*read, *tensors(given), *tensors(result)]))


def tensors(tree):
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def size_of(tensor):
    """Bytes of what is stored of a tensor: an expanded dimension is there once."""
    count = 1
    for size, stride in zip(tensor.shape, tensor.stride(), strict=True):
        count *= size if stride else 1
    return count * tensor.element_size()
