"""Who asks, where and in what words: the part of a question that carries no number.

Theory of operation. Bare exercises such as "gcd(84, 36)" have few forms and would soon repeat. A
scene puts a drawn person, trade and place before the question: about thirty bits of chance. Scenes
hold no digits, so whatever number stands in a question belongs to the problem.
"""

from qmpi.content.counter import Draw
from qmpi.content.reasoning.words import NAMES

SURNAMES: tuple[str, ...] = (
    "Abara", "Adler", "Aoki", "Arslan", "Baker", "Barros", "Bauer", "Bello", "Berg", "Blanc",
    "Bondar", "Brandt", "Cabral", "Castillo", "Cerny", "Chandra", "Cohen", "Costa", "Dahl",
    "Danso", "Demir", "Diallo", "Dubois", "Ekwueme", "Engel", "Farkas", "Ferrari", "Fischer",
    "Fontaine", "Fraser", "Fujita", "Galvez", "Gupta", "Haas", "Haddad", "Halvorsen", "Hoang",
    "Horvat", "Iyer", "Jansen", "Jensen", "Kaya", "Keita", "Khan", "Kovacs", "Kruger", "Laine",
    "Larsen", "Lemaire", "Lindqvist", "Lopes", "Maier", "Marchetti", "Mbeki", "Meyer", "Mishra",
    "Moreau", "Mori", "Nagy", "Nakamura", "Ndiaye", "Nowak", "Okafor", "Oliveira", "Olsen",
    "Orlov", "Osei", "Papadakis", "Park", "Pavlov", "Petit", "Popescu", "Quiroga", "Rahman",
    "Ramos", "Reyes", "Rossi", "Sahin", "Salo", "Santos", "Sato", "Schmid", "Sharma", "Silva",
    "Sorensen", "Suzuki", "Takeda", "Tanaka", "Tesfaye", "Thapa", "Toledo", "Ueda", "Vargas",
    "Virtanen", "Vogel", "Wagner", "Weiss", "Yamada", "Yilmaz", "Zhang", "Zielinski",
)  # fmt: skip

TRADES: tuple[str, ...] = (
    "baker", "surveyor", "weaver", "librarian", "carpenter", "nurse", "pilot", "tailor",
    "printer", "astronomer", "gardener", "plumber", "teacher", "auditor", "potter", "brewer",
    "clockmaker", "geologist", "mason", "beekeeper", "joiner", "chemist", "cook", "cartographer",
    "glazier", "editor", "fisher", "locksmith", "welder", "violinist", "vet", "roofer",
    "florist", "smith", "clerk", "pharmacist", "diver", "farmer", "electrician", "translator",
    "botanist", "tutor", "miller", "sculptor", "dentist", "cobbler", "sailor", "architect",
    "barber", "optician", "grocer", "juggler", "ranger", "porter", "cashier", "biologist",
    "upholsterer", "shepherd", "engraver", "signaller", "archivist", "driver", "painter", "cooper",
)  # fmt: skip

TOWNS: tuple[str, ...] = (
    "Aarhus", "Accra", "Adana", "Agadir", "Almaty", "Antwerp", "Arequipa", "Asmara", "Baku",
    "Bergen", "Bilbao", "Bogota", "Bologna", "Brno", "Bursa", "Cardiff", "Cebu", "Chennai",
    "Colombo", "Cork", "Cusco", "Dakar", "Darwin", "Delft", "Dresden", "Durban", "Fez", "Galway",
    "Gdansk", "Geneva", "Ghent", "Graz", "Hanoi", "Harare", "Hobart", "Incheon", "Izmir", "Jaipur",
    "Kampala", "Kazan", "Kigali", "Kobe", "Kosice", "Lagos", "La Paz", "Leeds", "Leipzig", "Lima",
    "Linz", "Lodz", "Lusaka", "Luxor", "Lyon", "Madurai", "Malaga", "Manaus", "Maribor", "Medan",
    "Mendoza", "Merida", "Minsk", "Mombasa", "Nairobi", "Nantes", "Odense", "Oran", "Osaka",
    "Oslo", "Oulu", "Padua", "Perth", "Plovdiv", "Porto", "Puebla", "Quito", "Rabat", "Recife",
    "Riga", "Rosario", "Rouen", "Samara", "Sapporo", "Seville", "Sibiu", "Sofia", "Split",
    "Sucre", "Suva", "Taipei", "Tallinn", "Tampere", "Tbilisi", "Tirana", "Tunis", "Turin",
    "Utrecht", "Varna", "Vilnius", "Wuhan", "Yerevan", "Zagreb",
)  # fmt: skip

THINGS: tuple[str, ...] = (
    "crates", "tiles", "coins", "beads", "letters", "seedlings", "bricks", "parcels", "cards",
    "marbles", "tulips", "oranges", "planks", "nails", "ribbons", "plates", "barrels", "eggs",
    "shells", "screws", "buttons", "leaflets", "spools", "jars", "cushions", "lanterns", "bells",
    "pebbles", "spoons", "ropes", "stickers", "melons", "pipes", "masks", "flags", "needles",
    "helmets", "cones", "figs", "walnuts", "hinges", "valves", "pearls", "sponges", "baskets",
    "wheels", "magnets", "lenses", "feathers", "tokens", "dice", "keys", "bulbs", "bows",
)  # fmt: skip
"""Things that are counted."""

_ASKS = (
    "asks", "wants to know", "writes", "has this to solve", "poses a riddle", "notes down",
    "is stuck on this", "sets a task", "copies from the board", "puts it to a friend",
    "needs an answer", "tries an old exercise", "reads out", "sends a puzzle", "begins a lesson",
    "checks a result", "reports", "wonders",
)  # fmt: skip
_PAPERS = (
    "notebook", "diary", "workbook", "letter", "exam sheet", "desk", "school book", "lecture",
    "blackboard", "quiz", "postcard", "scrapbook", "column", "homework", "slate", "newsletter",
)  # fmt: skip
_KINDS = (
    "dusty", "blue", "spare", "last", "lost", "first", "grey", "torn", "new", "thin", "green",
    "worn", "neat", "short", "long", "red", "faded", "borrowed", "favourite", "yellowed",
    "half-empty",
)  # fmt: skip


def person(draw: Draw) -> str:
    """Return a first name with a surname.

    Args:
        draw: chance.

    Returns:
        Two words.
    """
    return f"{draw.choice(NAMES)} {draw.choice(SURNAMES)}"


def scene(draw: Draw) -> str:
    """Return how a question comes up.

    Args:
        draw: chance.

    Returns:
        Some words without digits that end in a colon and a space; the question follows.
    """
    first, last, trade, town = (
        draw.choice(NAMES),
        draw.choice(SURNAMES),
        draw.choice(TRADES),
        draw.choice(TOWNS),
    )
    form, asks = draw.below(8), draw.choice(_ASKS)
    if form == 0:
        return f"{first} {last}, {trade} in {town}, {asks}: "
    if form == 1:
        return f"{town}. The {trade} {first} {last} {asks}: "
    if form == 2:
        return f"{first} {last} of {town} ({trade}) {asks}: "
    if form == 3:
        kind, paper = draw.choice(_KINDS), draw.choice(_PAPERS)
        return f"{last}'s {kind} {paper}, {town}, for {first} the {trade}: "
    if form == 4:
        return f"{town}'s {trade} {first} {last} {asks}: "
    if form == 5:
        kind, paper = draw.choice(_KINDS), draw.choice(_PAPERS)
        return f"{first} {last}, {trade}, has a {kind} {paper} from {town}: "
    if form == 6:
        return f"{last} from {town} {asks}, and {first} the {trade} works it out: "
    return f"{trade.capitalize()} {first} {last} {asks} in {town}: "
