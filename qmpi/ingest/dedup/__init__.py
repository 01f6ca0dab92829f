"""Documents that equal or nearly equal an earlier one, and the list of those dropped."""
