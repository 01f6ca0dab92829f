"""Floor 2: what a job will take, before it runs: a pure model of time, memory, load, money."""
