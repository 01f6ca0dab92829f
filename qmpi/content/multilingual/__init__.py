"""Text in twelve languages: one meaning graph, realised by a grammar for each."""
