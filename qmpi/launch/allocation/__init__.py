"""The hosts that a job may use: which a batch system gave, which of them live, who gets how many.

Theory of operation. `find` reads what the batch system says, `probe` asks all hosts at once before
each start, `deal` shares the ranks among those that answered, `muster` puts the three together for
the supervisor. A host that stays silent costs its ranks, not the run.
"""
