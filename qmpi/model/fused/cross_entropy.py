"""Mean cross-entropy of an output head, with its gradients, in one pass over chunks of rows.

Theory of operation. The loss is the last thing computed, so its gradient is known when it is: each
chunk of rows goes from features to logits, probabilities, gradient of the logits and on into the
gradients of features and head, before the next chunk begins. Never are all logits there, and none
are kept for a backward pass. Sums over chunks are in float32.

In float16 the gradients of the logits are between -1 and 1 times `LIFT`, so that small
probabilities keep their digits, and whatever is multiplied with them is scaled before it becomes
float16 again: what is out of its range then is so for the scale of the loss alone, and finds its
cure in a smaller one.
"""

import torch
from torch import Tensor

ROWS = 128
"""Rows whose logits are turned into probabilities at once: they stay in cache."""

LEAST_ROWS = 512
CHUNK_LOGITS = 1 << 22
"""Rows of a chunk, at least, and its logits, if these are more: a product over few rows is slow to
add to the head's gradient."""

LIFT = 2.0**12
"""Of the gradients of logits in float16: 2**-26 is a normal number then, 1 / 50,000 among them."""


class Loss:
    """The loss of one shape of head; keeps its scratch memory.

    Attributes:
        each: float32 [rows]; the loss of each row of the last step, in nats.
    """

    def __init__(
        self,
        rows: int,
        vocabulary: int,
        kind: torch.dtype,
        device: torch.device,
        cap: float = 0.0,
    ) -> None:
        """Allocate for one chunk.

        Args:
            rows: of all features.
            vocabulary: rows of the head, V.
            kind: type of features and head.
            device: where they live.
            cap: bound of the logits, by tanh; 0: none.
        """
        self._cap = cap
        self.each = torch.zeros(rows, device=device)
        self._rows = min(rows, max(LEAST_ROWS, CHUNK_LOGITS // vocabulary))
        self._logits = torch.empty(self._rows, vocabulary, dtype=kind, device=device)
        # Kept, too: memory that is asked for anew comes in pages that the machine clears first.
        self._lift = LIFT if kind == torch.float16 else 1.0
        self._wide = torch.empty(2, min(rows, ROWS), vocabulary, device=device)

    @torch.no_grad()
    def step(
        self, features: Tensor, head: Tensor, targets: Tensor, scale: float, of_head: Tensor
    ) -> tuple[float, Tensor]:
        """Compute loss and gradients.

        Args:
            features: [rows, width].
            head: [V, width], in the type of `features`.
            targets: int64 [rows].
            scale: the gradients are those of the sum of all rows' losses times this.
            of_head: float32 [V, width]; the head's gradient is added to it.

        Returns:
            The mean loss in nats, and the gradient of `features`, like them.
        """
        of_features, scale = torch.empty_like(features), scale / self._lift
        total = torch.zeros((), dtype=torch.float64, device=features.device)
        for start in range(0, features.shape[0], self._rows):
            part = features[start : start + self._rows]
            wanted = targets[start : start + self._rows]
            errors = torch.mm(part, head.t(), out=self._logits[: part.shape[0]])
            self.turn(errors, wanted, total, self.each[start : start + self._rows])
            out = of_features[start : start + self._rows]
            torch.addmm(out, errors, head, beta=0, alpha=scale, out=out)
            if part.dtype == torch.float32:
                of_head.addmm_(errors.t(), part, alpha=scale)
            elif part.dtype == torch.float16:
                of_head.add_(torch.addmm(part[:1], errors.t(), part, beta=0, alpha=scale))
            else:
                of_head.add_(torch.mm(errors.t(), part), alpha=scale)
        return float(total) / features.shape[0], of_features

    def turn(self, values: Tensor, targets: Tensor, total: Tensor, each: Tensor) -> None:
        """Turn the logits of a chunk into probabilities, less one at the targets, in place.

        In float16 they come out times `LIFT`.

        Args:
            values: logits [rows, V]; overwritten.
            targets: int64 [rows].
            total: float64; the sum of the losses is added to it.
            each: float32, as many as rows or more; takes the losses.
        """
        for row in range(0, values.shape[0], ROWS):
            rows = slice(row, row + ROWS)
            losses = self.to_errors(values[rows], targets[rows])
            each[row : row + losses.numel()] = losses
            total += losses.sum(dtype=torch.float64)

    def widened(self, values: Tensor) -> Tensor:
        """Return logits in float32, within their bound, in scratch memory.

        Args:
            values: [at most ROWS, V].
        """
        logits = self._wide[0, : values.shape[0]].copy_(values)
        if self._cap:
            logits.div_(self._cap).tanh_().mul_(self._cap)
        return logits

    def put(self, errors: Tensor, logits: Tensor, values: Tensor) -> None:
        """Write the gradients of logits over them.

        Args:
            errors: float32, of the logits within their bound; overwritten.
            logits: those; overwritten.
            values: takes the gradients.
        """
        if self._cap:
            # Of cap tanh(x / cap): 1 - tanh^2.
            errors.mul_(logits.div_(self._cap).square_().neg_().add_(1.0))
        values.copy_(errors if self._lift == 1.0 else errors.mul_(self._lift))

    def to_errors(self, values: Tensor, targets: Tensor) -> Tensor:
        """Do so for at most `ROWS` rows.

        Args:
            values: as of `turn`.
            targets: likewise.

        Returns:
            The losses in nats, float32 [rows].
        """
        wanted = targets.unsqueeze(-1)
        logits, chances = self.widened(values), self._wide[1, : values.shape[0]]
        told = logits.gather(1, wanted)
        largest = logits.amax(dim=-1, keepdim=True)
        torch.softmax(logits, dim=-1, out=chances)
        # The likeliest is at least 1 / V: its logarithm is safe where that of the target is not.
        losses = largest - chances.amax(dim=-1, keepdim=True).log() - told
        errors = chances.scatter_add_(1, wanted, torch.full_like(told, -1.0))
        self.put(errors, logits, values)
        return losses.squeeze(-1)
