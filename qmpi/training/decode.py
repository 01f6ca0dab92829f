"""Greedy continuations of many prompts at once, with a cache of keys and values.

Theory of operation. Prompts of a batch are aligned at their last tokens, so that all of them write
to the same column of the cache; columns before a prompt's first token are masked, and positions
count from that token. Each step then computes one token of each prompt: attention reads the cache,
nothing is computed twice. A prompt that has ended leaves the batch when half of it has. Shapes: B
prompts, T columns, H query heads, K key/value heads, D features a head.

The forward pass is written over the named weights, not over the model's modules: a cache needs
other attention than training, and modules that train fast merge what is separate here.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from qmpi.config.settings import ModelSettings
from qmpi.model.attention import rotary_table, rotate
from qmpi.model.shape import head_dim

BATCH = 64
"""Prompts decoded together: on a CPU more bring little, and wait for the longest."""

Stop = Callable[[int, list[int]], bool]
"""Number of a prompt and the tokens added to it so far: whether that is enough."""


class Decoder:
    """The model's forward pass over a cache."""

    def __init__(self, settings: ModelSettings, weights: Mapping[str, Tensor]) -> None:
        """Remember the weights; they are not copied.

        Args:
            settings: shape of the model.
            weights: float32, by the names of `qmpi.model.shape.parameter_shapes`.
        """
        self._settings, self._weights = settings, weights
        self._head = weights[
            "model.embed_tokens.weight" if settings.tied_head else "lm_head.weight"
        ]

    @torch.no_grad()
    def greedy(
        self,
        prompts: Sequence[Sequence[int]],
        budgets: Sequence[int],
        stop: Stop,
        progress: Callable[[int], None],
    ) -> list[list[int]]:
        """Continue each prompt by its likeliest tokens.

        Args:
            prompts: token ids, at least one each.
            budgets: most tokens added to each, >= 1.
            stop: asked after each token.
            progress: told how many more prompts have ended.

        Returns:
            The tokens added to each.
        """
        added: list[list[int]] = [[] for _ in prompts]

        def ended(number: int, token: int) -> bool:
            added[number].append(token)
            over = len(added[number]) >= budgets[number] or stop(number, added[number])
            progress(over)
            return over

        # Like lengths together: padding is computed as well.
        order = sorted(range(len(prompts)), key=lambda n: (len(prompts[n]), budgets[n]))
        for first in range(0, len(order), BATCH):
            numbers = order[first : first + BATCH]
            longest = max(budgets[number] for number in numbers)
            self._batch(numbers, [prompts[number] for number in numbers], longest, ended)
        return added

    def _batch(
        self,
        numbers: list[int],
        prompts: list[Sequence[int]],
        longest: int,
        ended: Callable[[int, int], bool],
    ) -> None:
        cache = _Cache(self._settings, list(map(len, prompts)), longest)
        tokens, places = _aligned(prompts), list(range(len(prompts)))
        while places:
            chosen = self._forward(tokens, cache).argmax(dim=-1)
            written = chosen.tolist()
            places = [place for place in places if not ended(numbers[place], written[place])]
            if 2 * len(places) <= len(numbers):
                kept = torch.tensor(places, dtype=torch.int64)
                numbers = [numbers[place] for place in places]
                chosen, places = chosen[kept], list(range(len(places)))
                cache.keep(kept)
            tokens = chosen.view(-1, 1)

    # Logits [B, vocab] that follow the last of the tokens [B, T].
    def _forward(self, tokens: Tensor, cache: "_Cache") -> Tensor:
        seen = cache.extend(tokens.shape[1])
        x = self._weights["model.embed_tokens.weight"][tokens]
        for number in range(self._settings.layers):
            name = f"model.layers.{number}"
            normed = self._norm(x, f"{name}.input_layernorm")
            x = x + self._attention(f"{name}.self_attn", normed, _Layer(cache, number, seen))
            normed = self._norm(x, f"{name}.post_attention_layernorm")
            x = x + self._feed_forward(f"{name}.mlp", normed)
        return functional.linear(self._norm(x[:, -1], "model.norm"), self._head)

    def _attention(self, name: str, x: Tensor, layer: "_Layer") -> Tensor:
        settings = self._settings
        cos, sin, mask = layer.seen
        split = (*x.shape[:2], -1, head_dim(settings))
        q, k, v = (self._linear(x, f"{name}.{part}_proj").view(split) for part in "qkv")
        if settings.qk_norm:
            q, k = self._norm(q, f"{name}.q_norm"), self._norm(k, f"{name}.k_norm")
        rotated = rotate(k.transpose(1, 2), cos, sin)
        keys, values = layer.cache.put(layer.number, rotated, v.transpose(1, 2))
        y = functional.scaled_dot_product_attention(
            rotate(q.transpose(1, 2), cos, sin),
            keys,
            values,
            attn_mask=mask,
            enable_gqa=settings.kv_heads != settings.heads,
        )
        return self._linear(y.transpose(1, 2).flatten(2), f"{name}.o_proj")

    def _feed_forward(self, name: str, x: Tensor) -> Tensor:
        gate = functional.silu(self._linear(x, f"{name}.gate_proj"))
        return self._linear(gate * self._linear(x, f"{name}.up_proj"), f"{name}.down_proj")

    def _linear(self, x: Tensor, name: str) -> Tensor:
        return functional.linear(x, self._weights[f"{name}.weight"])

    def _norm(self, x: Tensor, name: str) -> Tensor:
        weight = self._weights[f"{name}.weight"]
        return functional.rms_norm(x, weight.shape, weight, self._settings.norm_eps)


Seen = tuple[Tensor, Tensor, Tensor]
"""Cosines and sines [B, 1, T, D] of new columns, and what they see [B, 1, T, columns]."""


class _Cache:
    """Keys and values of a batch, and where each prompt begins.

    Invariants: columns below `_used` are written; a prompt's own begin at `_begins`.
    """

    def __init__(self, settings: ModelSettings, lengths: Sequence[int], longest: int) -> None:
        features, room = head_dim(settings), max(lengths) + longest
        shape = (settings.layers, 2, len(lengths), settings.kv_heads, room, features)
        self._stored = torch.zeros(shape)
        self._begins = max(lengths) - torch.tensor(lengths)
        self._table = rotary_table(room, features, settings.rope_theta, torch.device("cpu"))
        self._used = 0

    def extend(self, tokens: int) -> Seen:
        columns = torch.arange(self._used, self._used + tokens)
        self._used += tokens
        position = (columns - self._begins[:, None]).clamp_(min=0)
        cos, sin = (table[position].unsqueeze(1) for table in self._table)
        seen = torch.arange(self._used)
        own = (seen >= self._begins[:, None])[:, None, None, :]
        # A column of padding sees itself: a row that sees nothing would become NaN, and spread.
        mask = (own & (seen <= columns[:, None])) | (seen == columns[:, None])
        return cos, sin, mask

    def put(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        stored = self._stored[layer]
        first = self._used - keys.shape[2]
        stored[0, :, :, first : self._used] = keys
        stored[1, :, :, first : self._used] = values
        return stored[0, :, :, : self._used], stored[1, :, :, : self._used]

    def keep(self, places: Tensor) -> None:
        self._stored = self._stored[:, :, places]
        self._begins = self._begins[places]


class _Layer(NamedTuple):
    cache: _Cache
    number: int
    seen: Seen


def _aligned(prompts: Sequence[Sequence[int]]) -> Tensor:
    width = max(map(len, prompts))
    rows = [[0] * (width - len(prompt)) + list(prompt) for prompt in prompts]
    return torch.tensor(rows, dtype=torch.int64)
