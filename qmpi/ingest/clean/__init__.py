"""One cleaned unit: how it is made, and the files that it leaves."""
