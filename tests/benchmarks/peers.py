"""Loops over comparable models that `bench_peers` sets beside the engine.

All compute the same tokens in the same compute type, with AdamW, clipping and a schedule. The
peers' models are written here in the project's own words, or come from an installed package.
"""

import itertools
import os
import queue
import tempfile
import threading

import torch
from torch import nn
from torch.nn import functional

from qmpi.config.schedule import learning_rate
from qmpi.model.initial import initialise
from qmpi.model.transformer import Transformer


class Loop:
    """The loop that one would write by hand: lanes accumulate in `grad`, then clip and AdamW."""

    def __init__(self, model, loss, settings, kind):
        self.model, self.loss, self.settings, self.kind, self.number = (
            model,
            loss,
            settings,
            kind,
            0,
        )
        parameters = list(model.parameters())
        decay = settings.optimizer.weight_decay
        groups = [
            {"params": [p for p in parameters if p.dim() > 1], "weight_decay": decay},
            {"params": [p for p in parameters if p.dim() == 1], "weight_decay": 0.0},
        ]
        self.optimizer = torch.optim.AdamW(groups, lr=1e-3, betas=(0.9, 0.95), fused=True)

    def step(self, lanes):
        settings = self.settings
        for ids in lanes:
            with torch.autocast("cpu", self.kind, enabled=self.kind != torch.float32):
                loss = self.loss(ids[:, :-1], ids[:, 1:]) / len(lanes)
            loss.backward()
            loss.item()
        nn.utils.clip_grad_norm_(self.model.parameters(), settings.optimizer.clip_norm)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(settings.optimizer, self.number, settings.train.steps)
        self.optimizer.step()
        self.optimizer.zero_grad()
        self.number += 1


def bare(settings, kind, *, compiled=False):
    """This project's reference model; compiled by blocks, which share one graph."""
    model = Transformer(settings.model)
    initialise(model, settings.model, 0)
    if compiled:
        for block in model.model.layers:
            block.compile(fullgraph=True, dynamic=False)
        # Its table of angles is filled on the first call; that call must not be what is compiled.
        with torch.no_grad():
            model.model(torch.zeros(1, settings.train.sequence_tokens, dtype=torch.int64))
    return Loop(model, model.loss, settings, kind)


class GptBlock(nn.Module):
    """Pre-norm block with LayerNorm, merged q/k/v and a GELU network of four times the width."""

    def __init__(self, width, heads):
        super().__init__()
        self.heads = heads
        self.before_attention = nn.LayerNorm(width, bias=False)
        self.merged = nn.Linear(width, 3 * width, bias=False)
        self.output = nn.Linear(width, width, bias=False)
        self.before_network = nn.LayerNorm(width, bias=False)
        self.up = nn.Linear(width, 4 * width, bias=False)
        self.down = nn.Linear(4 * width, width, bias=False)

    def forward(self, x):
        batch, tokens, width = x.shape
        parts = self.merged(self.before_attention(x)).chunk(3, dim=-1)
        q, k, v = (p.view(batch, tokens, self.heads, -1).transpose(1, 2) for p in parts)
        seen = functional.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.output(seen.transpose(1, 2).reshape(batch, tokens, width))
        return x + self.down(functional.gelu(self.up(self.before_network(x))))


class Gpt(nn.Module):
    """The architecture of nanoGPT: GPT-2 without biases, learned positions, tied head."""

    def __init__(self, vocabulary, width, layers, heads, tokens):
        super().__init__()
        self.table = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(tokens, width)
        self.blocks = nn.ModuleList([GptBlock(width, heads) for _ in range(layers)])
        self.norm = nn.LayerNorm(width, bias=False)
        for parameter in self.parameters():
            if parameter.dim() > 1:
                nn.init.normal_(parameter, std=0.02)

    def forward(self, ids, targets):
        x = self.table(ids) + self.positions(torch.arange(ids.shape[1]))
        for block in self.blocks:
            x = block(x)
        logits = functional.linear(self.norm(x), self.table.weight)
        return functional.cross_entropy(logits.flatten(0, 1), targets.flatten())


def gpt(settings, kind, *, compiled=False):
    shape = settings.model
    tokens = settings.train.sequence_tokens
    model = Gpt(shape.vocab_size, shape.width, shape.layers, shape.heads, tokens)
    loss = torch.compile(model, dynamic=False) if compiled else model
    return Loop(model, loss, settings, kind)


def qwen3(settings):
    """The same shapes in `transformers`; ImportError where it is not installed."""
    from transformers import Qwen3Config, Qwen3ForCausalLM

    from qmpi.config.widths import ffn_width
    from qmpi.model.shape import head_dim

    shape = settings.model
    config = Qwen3Config(
        vocab_size=shape.vocab_size, hidden_size=shape.width, num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads, num_key_value_heads=shape.kv_heads,
        head_dim=head_dim(shape), intermediate_size=ffn_width(shape), tie_word_embeddings=True,
        max_position_embeddings=settings.train.sequence_tokens, use_cache=False,
    )  # fmt: skip
    return Qwen3ForCausalLM(config)


def hf(settings, kind):
    model = qwen3(settings)

    def loss(ids, targets):
        logits = model(input_ids=ids).logits.flatten(0, 1).float()
        return functional.cross_entropy(logits, targets.flatten())

    return Loop(model, loss, settings, kind)


class HfTrainer:
    """`transformers.Trainer`, held at each step's end until the next step is asked for."""

    def __init__(self, settings, kind):
        os.environ.setdefault("HF_HUB_OFFLINE", "1")
        from transformers import Trainer, TrainerCallback, TrainingArguments

        train = settings.train
        self._go, self._done = queue.Queue(), queue.Queue()
        shape, outer = (64, train.sequence_tokens), self
        ids = torch.randint(settings.model.vocab_size, shape)

        class Rows(torch.utils.data.IterableDataset):
            # Not the rows of the other sides: its loader reads ahead of the step that it is in.
            def __iter__(self):
                for row in itertools.cycle(ids):
                    # The model shifts labels itself.
                    yield {"input_ids": row, "labels": row.clone()}

        class Hold(TrainerCallback):
            def on_train_begin(self, *_, **__):
                torch.set_num_threads(train.threads)

            def on_step_begin(self, *_, **__):
                outer._go.get()

            def on_step_end(self, *_, **__):
                outer._done.put(None)

        arguments = TrainingArguments(
            output_dir=tempfile.mkdtemp(), max_steps=train.steps, use_cpu=True,
            per_device_train_batch_size=train.sequences, gradient_accumulation_steps=train.lanes,
            bf16=kind == torch.bfloat16, optim="adamw_torch_fused", max_grad_norm=1.0,
            lr_scheduler_type="cosine", save_strategy="no", logging_strategy="no", report_to=[],
            disable_tqdm=True, dataloader_num_workers=0,
        )  # fmt: skip
        self._trainer = Trainer(
            model=qwen3(settings), args=arguments, train_dataset=Rows(), callbacks=[Hold()]
        )
        self._thread = threading.Thread(target=self._train, daemon=True)
        self._thread.start()

    def _train(self):
        try:
            self._trainer.train()
        except Exception as error:  # noqa: BLE001 - handed to the thread that waits
            self._done.put(error)

    def step(self, lanes):  # noqa: ARG002
        self._go.put(None)
        failed = self._done.get()
        if failed is not None:
            raise failed
