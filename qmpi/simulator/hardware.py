"""Model of the machine: link, disk and step times, in seconds and bytes.

Numbers are of the size that one sees on clusters; no result of a run depends on them, only its
timing does.
"""

from msgspec import Struct

from qmpi.simulator.agenda import Chance
from qmpi.units import Bytes, Seconds


class Link(Struct, frozen=True):
    """A network between all ranks.

    Attributes:
        latency_seconds: of an empty message.
        jitter: largest extra delay, as a multiple of the latency, drawn evenly.
        bytes_per_second: of one pair.
        detect_seconds: largest time until a death is told.
    """

    latency_seconds: Seconds = Seconds(0.0005)
    jitter: float = 2.0
    bytes_per_second: float = 1e10
    detect_seconds: Seconds = Seconds(0.05)

    def delay(self, size: int, chance: Chance) -> float:
        """Return the time that a message takes.

        Args:
            size: bytes.
            chance: seeded.

        Returns:
            Seconds.
        """
        spread = self.latency_seconds * self.jitter * chance.random()
        return self.latency_seconds + spread + size / self.bytes_per_second

    def detection(self, chance: Chance) -> float:
        """Return the time until one rank hears of another's death.

        Args:
            chance: seeded.

        Returns:
            Seconds.
        """
        return self.detect_seconds * (0.02 + 0.98 * chance.random())


class Disk(Struct, frozen=True):
    """Files: RAM files of a host, and the shared disk.

    Attributes:
        open_seconds: to open one.
        ram_bytes_per_second: to and from a RAM file.
        disk_bytes_per_second: to and from the disk, of one rank.
    """

    open_seconds: Seconds = Seconds(0.002)
    ram_bytes_per_second: float = 5e9
    disk_bytes_per_second: float = 5e8


class Compute(Struct, frozen=True):
    """What work takes, each time with a spread of +-20 %.

    Attributes:
        lane_seconds: forward and backward of one lane.
        apply_seconds: optimizer step.
        warm_seconds: load torch, build the model.
        open_seconds: open the data sources.
        block_seconds: assemble a block.
        rows_seconds: generate the rows of a block.
        measure_seconds: measure a held-out row.
        state_bytes: size of a snapshot.
        poll_seconds: largest time until an engine that waits sees an abort.
        join_seconds: time-out of a rendezvous.
    """

    lane_seconds: Seconds = Seconds(0.05)
    apply_seconds: Seconds = Seconds(0.01)
    warm_seconds: Seconds = Seconds(4.0)
    open_seconds: Seconds = Seconds(1.0)
    block_seconds: Seconds = Seconds(0.005)
    rows_seconds: Seconds = Seconds(0.01)
    measure_seconds: Seconds = Seconds(0.02)
    state_bytes: Bytes = Bytes(20 << 20)
    poll_seconds: Seconds = Seconds(0.02)
    join_seconds: Seconds = Seconds(60.0)


class Hardware(Struct, frozen=True):
    """The whole machine.

    Attributes:
        ranks_per_host: ranks on one host, filled in rank order.
        corpus_rows: rows of each corpus.
        relaunch_seconds: from the end of a job to the first event of the next.
    """

    link: Link = Link()
    disk: Disk = Disk()
    compute: Compute = Compute()
    ranks_per_host: int = 4
    corpus_rows: int = 5000
    relaunch_seconds: Seconds = Seconds(3.0)


def spread(seconds: float, chance: Chance) -> float:
    """Return a duration with +-20 % of chance.

    Args:
        seconds: mean.
        chance: seeded.

    Returns:
        Seconds.
    """
    return seconds * chance.uniform(0.8, 1.2)
