"""qmpi: pretrain language models as one MPI job of typed roles. Importing it does nothing."""

__version__ = "0.1.0"
