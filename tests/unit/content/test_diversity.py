"""Each type passes the gates of diversity on a small sample of three bands.

A sample of 0.3 MB is more novel and less compressible than one of 3 MB, for which the gates are
made. Real texts of eight kinds changed between the two sizes by these amounts: Heaps exponent -0.03
to -0.09, novelty -0.01 to -0.07, zlib 0 to +0.27, LZMA +0.4 to +1.0. So the gates here are tighter
by the middle of that. Openings are counted: three of a hundred documents may begin alike by chance.
`tests/benchmarks/bench_diversity.py` measures the full size and prints real text beside it.
"""

import pytest
from content_sample import generated, up_to

from qmpi.content.address import TYPES
from qmpi.content.diversity import GATES, failures, measure

SMALL = GATES | {"heaps": (">=", 0.60), "novel": (">=", 0.74)}
SMALL |= {"zlib": ("<=", 3.9), "lzma": ("<=", 4.8)}
BYTES = 300_000
ALIKE = 3


@pytest.mark.parametrize("levels", [(1, 14), (43, 57), (86, 100)], ids=str)
@pytest.mark.parametrize("type_name", TYPES)
def test_a_small_sample_passes(type_name, levels):
    found = measure(up_to(generated(type_name, levels), BYTES))
    gates = SMALL | {"opening": ("<=", ALIKE / found.documents)}
    assert failures(found, gates) == []
