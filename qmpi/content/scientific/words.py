"""Words of laboratories and fields: acts, instruments, quantities and their units.

Theory of operation. As for software: tables of ready pieces. What is studied, and what it is
treated with, comes from the vocabulary itself.
"""

from collections.abc import Callable
from functools import cache

from qmpi.content.english.lexicon import Verb, english, with_article
from qmpi.content.english.prose import Said


def _listed(words: str) -> tuple[str, ...]:
    return tuple(words.split())


_ACTS = _listed("""
absorb acclimate add adjust analyze anchor apply arrange assay assess assign balance bathe blend
boil calibrate capture centrifuge chill clean coat code collect compare compress concentrate
control cool count cover crush culture cut degrade deposit detect digest dilute dissect dissolve
distribute drain dry enclose examine expose extract feed filter fix flush freeze grind grow
handle harvest heat hold illuminate immerse implant incubate infect inject inoculate inspect
irradiate isolate label light map mark mask measure melt mix monitor mount move observe
photograph place plant position prepare press probe process purify raise randomize rear record
release remove rinse rotate sample scan screen seal section seed separate shake shield soak sort
spin split spray spread stain starve sterilize stimulate stir store strain stretch submerge
survey suspend tag test thaw tie time trace transfer transplant transport trap treat trim twist
warm wash watch weigh wet wrap
""")
_TOOLS = _listed("""
aerometer amplifier anemometer autoclave balance barometer beaker bioreactor bolometer burette
calorimeter camera cannula capillary catheter centrifuge chamber chromatograph chronometer
colorimeter column compass condenser counter crucible cryostat cuvette densitometer desiccator
detector diffractometer dynamometer electrode electrometer enclosure evaporator filter flask
fluorometer freezer fume-hood funnel furnace galvanometer goniometer gradient greenhouse grid
humidifier hydrometer hygrometer incubator infusion interferometer lamp laser magnetometer
manometer membrane micrometer microphone microscope microtome monochromator mortar nebulizer
oscilloscope oven photometer pipette plate plot polarimeter potentiometer prism probe
psychrometer pump pycnometer pyrometer quadrat radiometer reactor recorder refractometer
resonator rheometer sensor shaker sieve slide spectrograph spectrometer spectrophotometer stirrer
sublimator syringe tank telescope tensiometer thermocouple thermometer thermostat transducer
transect trap tray turbidimeter valve vial viscometer voltmeter waterbath
""")
_TRAITS = _listed("""
acute adult ambient anaerobic annual aqueous artificial bare basal bimodal blind brief buffered
chronic clear coarse coastal cold common competing compact constant continuous controlled cool
crude daily damp dark deep dense depleted diffuse dilute direct distal diurnal dominant dormant
dry early elevated empty endemic enriched even exposed extreme fast feral fine fixed fresh frozen
gradual healthy heavy high homogeneous humid hybrid immature inactive indirect infected inert
inland intact intense intermittent invasive isolated juvenile labile large late latent lateral
light limited linear liquid local long low lunar marginal marine mature mild mixed mobile
moderate moist mutant narrow native natural nocturnal noisy normal open organic pale parallel
partial passive persistent porous primary proximal pure random rapid rare raw recent reduced
remote repeated resistant rich robust rough rural saline saturated seasonal secondary selective
sensitive severe shaded shallow sharp short single slow small smooth soft solid sparse spatial
spontaneous stable standard starved static steady steep sterile strong subtle sudden suspended
symmetric synthetic systemic tame temperate temporal terminal thermal thick thin tidal tolerant
toxic transient tropical turbid uniform unstable untreated upper urban variable volatile
vulnerable warm weak wet wide wild young
""")
_EFFECTS = _listed("""
accelerate affect alter amplify attenuate boost change damage decrease delay diminish disturb
double enhance extend hinder impair improve increase induce inhibit lengthen limit lower maintain
modify moderate modulate promote protect raise reduce regulate restore retard shorten slow speed
stabilize stimulate strengthen suppress weaken
""")
_REPORTS = _listed("""
argue assert assume claim conclude confirm demonstrate deny describe discover document doubt
establish estimate expect explain find hypothesize imply indicate infer note observe predict
propose report reveal show speculate suggest suspect
""")
QUANTITIES: tuple[tuple[str, str, int], ...] = (
    ("mass", "g", 1), ("mass", "kg", 2), ("length", "mm", 1), ("length", "cm", 1),
    ("thickness", "mm", 2), ("width", "cm", 1), ("height", "cm", 1), ("diameter", "mm", 2),
    ("volume", "ml", 1), ("density", "g/l", 1), ("temperature", "\N{DEGREE SIGN}C", 1),
    ("growth", "mm/day", 2), ("yield", "kg/ha", 0), ("latency", "ms", 0), ("delay", "s", 1),
    ("duration", "min", 1), ("survival", "days", 0), ("rate", "Hz", 2), ("frequency", "kHz", 2),
    ("pressure", "kPa", 1), ("force", "N", 2), ("voltage", "mV", 1), ("current", "mA", 2),
    ("resistance", "kOhm", 1), ("conductivity", "mS/cm", 2), ("absorption", "mg/h", 2),
    ("uptake", "mmol/h", 2), ("turnover", "g/day", 1), ("speed", "m/s", 2), ("distance", "m", 1),
    ("concentration", "mg/l", 2), ("intensity", "lux", 0), ("energy", "kJ", 1), ("power", "W", 1),
    ("elasticity", "MPa", 1), ("viscosity", "mPa s", 2), ("loudness", "dB", 1), ("area", "ha", 2),
    ("content", "mg/g", 2), ("loss", "g/h", 2), ("span", "cm", 1), ("count", "per plot", 0),
)  # fmt: skip
"""What is measured, its unit, and digits after the point."""
DOSES = ("mg/l", "g", "lux", "h", "kPa", "ml", "min", "mT", "dB", "mg/kg", "mmol/l", "km")
"""Units of what is given."""
_FORMS: dict[str, tuple[tuple[str, ...], Callable[[Verb], str]]] = {
    "op": (_ACTS, lambda verb: verb.base),
    "opd": (_ACTS, lambda verb: verb.past),
    "opn": (_ACTS, lambda verb: verb.participle),
    "opg": (_ACTS, lambda verb: verb.ing),
    "act": (_EFFECTS, lambda verb: verb.base),
    "act3": (_EFFECTS, lambda verb: verb.third),
    "actd": (_EFFECTS, lambda verb: verb.past),
    "actg": (_EFFECTS, lambda verb: verb.ing),
    "say": (_REPORTS, lambda verb: verb.base),
    "sayd": (_REPORTS, lambda verb: verb.past),
}
WORDS = (*_FORMS, "tool", "tools", "atool", "trait", "atrait", "how")
_HOW = """
again|at dawn|at dusk|at night|at random|before noon|by hand|carefully|daily|every morning|
gently|in darkness|in daylight|in duplicate|in parallel|in pairs|in random order|in the field|
in triplicate|in vacuum|on ice|on site|once|one by one|overnight|quickly|slowly|thoroughly|twice|
under argon|under light|under nitrogen|under oil|under shade|under water|weekly|within an hour|
without delay
"""


@cache
def table_of(hole: str) -> tuple[Said, ...]:
    """Return what may fill a hole that is no fact.

    Args:
        hole: one of `WORDS`.

    Returns:
        Ready pieces.
    """
    if hole in _FORMS:
        bases, spell = _FORMS[hole]
        known = {verb.base: verb for verb in reversed(english().verbs)}
        return tuple(Said(spell(known[base])) for base in bases if base in known)
    if hole == "tools":
        plural = {noun.singular: noun.plural for noun in english().nouns}
        return tuple(Said(plural.get(tool, f"{tool}s")) for tool in _TOOLS)
    if hole in ("atool", "atrait"):
        return tuple(Said(with_article(said.text)) for said in table_of(hole[1:]))
    if hole == "how":
        return tuple(Said(how) for how in _HOW.replace("\n", "").split("|"))
    return tuple(map(Said, {"tool": _TOOLS, "trait": _TRAITS}[hole]))


@cache
def studied() -> tuple[tuple[str, str], ...]:
    """Return what can be studied: animals and plants, one and many.

    Returns:
        Singular and plural, from frequent to rare.
    """
    return tuple(
        (noun.singular, noun.plural)
        for noun in english().nouns
        if noun.kind in ("animal", "plant")
        and noun.plural != noun.singular
        and noun.singular.isalpha()
        and len(noun.singular) > 2
    )


@cache
def given() -> tuple[str, ...]:
    """Return what can be given to what is studied.

    Returns:
        Substances and foods, from frequent to rare.
    """
    return tuple(
        noun.singular
        for noun in english().nouns
        if noun.kind in ("substance", "food") and noun.singular.isalpha()
    )


@cache
def organs() -> tuple[tuple[str, str], ...]:
    """Return parts that can be measured, one and many.

    Returns:
        Singular and plural, from frequent to rare.
    """
    return tuple(
        (noun.singular, noun.plural)
        for noun in english().nouns
        if noun.kind == "body" and noun.plural != noun.singular and noun.singular.isalpha()
    )
