"""Names and things that problems speak of."""

NAMES: tuple[str, ...] = (
    "Ana", "Ben", "Chen", "Dora", "Emil", "Farah", "Goran", "Hana", "Ivan", "Jonas", "Kofi",
    "Lena", "Mira", "Nadia", "Omar", "Paula", "Quentin", "Rosa", "Samir", "Tara", "Ugo", "Vera",
    "Wen", "Xenia", "Yusuf", "Zoe", "Aiko", "Boris", "Carla", "Dmitri", "Elif", "Felix", "Greta",
    "Hugo", "Ines", "Jamal", "Katya", "Luis", "Maya", "Nils", "Olga", "Pedro", "Rania", "Stefan",
    "Tomas", "Uma", "Viktor", "Wanda",
)  # fmt: skip
"""First names; none is the beginning of another."""

GOODS: tuple[str, ...] = (
    "pencils", "apples", "notebooks", "loaves of bread", "tickets", "lamps", "mugs", "shirts",
    "books", "bottles of juice", "stamps", "batteries", "chairs", "plants", "maps", "scarves",
    "kites", "candles", "bags of rice", "bolts", "brushes", "cables", "erasers", "postcards",
    "umbrellas", "sacks of flour",
)  # fmt: skip
"""Things that are sold by the piece."""

VEHICLES = (
    "A train", "A bus", "A cyclist", "A lorry", "A ship", "A drone", "A courier", "A hiker",
    "A tram", "A glider", "A ferry", "A motorcyclist",
)  # fmt: skip

KINDS: tuple[str, ...] = (
    "owls", "poets", "sailors", "vegetarians", "robots", "gardeners", "engineers", "cats",
    "metals", "planets", "squares", "mammals", "novels", "bridges", "clocks", "singers", "liars",
    "chemists", "tourists", "dancers", "islands", "machines", "glaciers", "proofs", "violins",
    "teachers", "lakes", "foxes", "pilots", "dragons", "wizards", "merchants", "painters",
    "blickets", "wugs", "zorps",
)  # fmt: skip
"""Plural nouns; some have no meaning, so that only the form of an argument counts."""

SCALES = (
    ("taller", "shorter", "tallest", "shortest"),
    ("older", "younger", "oldest", "youngest"),
    ("faster", "slower", "fastest", "slowest"),
    ("heavier", "lighter", "heaviest", "lightest"),
    ("richer", "poorer", "richest", "poorest"),
    ("stronger", "weaker", "strongest", "weakest"),
)
"""Comparatives and superlatives, the greater ones first."""
