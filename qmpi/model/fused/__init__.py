"""Parts of a layer as single autograd nodes.

Theory of operation. Eager torch pays for each operation a pass over memory and, for each tensor
that it keeps, memory. These nodes keep what their gradient needs and nothing else, write gradients
of merged products into one buffer, and sum in float32 whatever the compute type.
`qmpi.model.plain` has most of the same parts as plain expressions, for a compiler and as the
reference of their tests.
"""
