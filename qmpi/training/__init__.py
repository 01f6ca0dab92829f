"""Floor 3: the step engine: lanes, order-free reduction, optimizer, snapshots. torch only, no messages."""
