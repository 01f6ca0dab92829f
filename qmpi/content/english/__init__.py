"""English: vocabulary, grammar compiled to frames, and prose over them."""
