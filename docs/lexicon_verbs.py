"""Third persons of French, Spanish, Italian and Portuguese verbs, for make_lexicons.py.

Each language has a rule for each class of infinitives, and a list of what leaves the rules. Both
are school grammar, written for this project; no conjugator and no table of one is read. A new verb
in concepts.tsv that is irregular needs an entry: the rules cannot know it. Spelling is that of 2009
in Portuguese and of 2010 in Spanish; French keeps the accents of before 1990, still the commoner.
"""

Forms = list[str]


def romance_verb(infinitive: str, language: str) -> Forms:
    """Return third persons, singular and plural, of present, past and future."""
    rule, irregular = {
        "fr": (_french, _FRENCH),
        "es": (_spanish, _SPANISH),
        "it": (_italian, _ITALIAN),
        "pt": (_portuguese, _PORTUGUESE),
    }[language]
    given = irregular.get(infinitive, "").split()
    parts = rule(infinitive)
    parts = [own if own != "-" else usual for own, usual in zip(given or parts, parts, strict=True)]
    *tenses, future = parts
    if language in {"fr", "it"}:
        # Present and a compound past: "to have" with the participle, the last of the parts.
        participle = tenses.pop()
        one, many = ("a", "ont") if language == "fr" else ("ha", "hanno")
        tenses += [f"{one} {participle}", f"{many} {participle}"]
    one, many = {"fr": "a ont", "es": "á án", "it": "à anno", "pt": "á ão"}[language].split()
    return [*tenses, future + one, future + many]


# French: present singular, plural; participle; stem of the future

_FRENCH = {
    "acheter": "achète achètent - achèter",
    "boire": "boit boivent bu -",
    "comprendre": "- comprennent compris -",
    "connaître": "connaît connaissent connu -",
    "construire": "construit construisent construit -",
    "décrire": "décrit décrivent décrit -",
    "dire": "dit disent dit -",
    "dormir": "dort dorment - -",
    "envoyer": "- - - enverr",
    "lire": "lit lisent lu -",
    "offrir": "offre offrent offert -",
    "peindre": "peint peignent peint -",
    "prendre": "- prennent pris -",
    "rire": "rit rient ri -",
    "répéter": "répète répètent - -",
    "savoir": "sait savent su saur",
    "sourire": "sourit sourient souri -",
    "suivre": "suit suivent suivi -",
    "traduire": "traduit traduisent traduit -",
    "voir": "voit voient vu verr",
    "écrire": "écrit écrivent écrit -",
}


def _french(infinitive: str) -> Forms:
    stem, kind = infinitive[:-2], infinitive[-2:]
    if kind == "er":
        # Before a mute e the y of nettoyer is an i.
        mute = stem[:-1] + "i" if stem.endswith(("oy", "uy")) else stem
        return [mute + "e", mute + "ent", stem + "é", mute + "er"]
    if kind == "ir":
        return [stem + "it", stem + "issent", stem + "i", infinitive]
    return [stem, stem + "ent", stem + "u", infinitive[:-1]]


# Spanish: present singular, plural; past singular, plural; stem of the future

_SPANISH = {
    "construir": "construye construyen construyó construyeron -",
    "contar": "cuenta cuentan - - -",
    "dar": "- - dio dieron -",
    "decir": "dice dicen dijo dijeron dir",
    "dormir": "duerme duermen durmió durmieron -",
    "elegir": "elige eligen eligió eligieron -",
    "encontrar": "encuentra encuentran - - -",
    "entender": "entiende entienden - - -",
    "enviar": "envía envían - - -",
    "fotografiar": "fotografía fotografían - - -",
    "jugar": "juega juegan - - -",
    "leer": "- - leyó leyeron -",
    "medir": "mide miden midió midieron -",
    "mostrar": "muestra muestran - - -",
    "oír": "oye oyen oyó oyeron oir",
    "pensar": "piensa piensan - - -",
    "perder": "pierde pierden - - -",
    "probar": "prueba prueban - - -",
    "recordar": "recuerda recuerdan - - -",
    "repetir": "repite repiten repitió repitieron -",
    "reír": "ríe ríen rio rieron reir",
    "saber": "- - supo supieron sabr",
    "seguir": "sigue siguen siguió siguieron -",
    "sonreír": "sonríe sonríen sonrió sonrieron sonreir",
    "traducir": "- - tradujo tradujeron -",
    "ver": "- - vio vieron -",
}


def _spanish(infinitive: str) -> Forms:
    stem = infinitive[:-2]
    ends = "a an ó aron" if infinitive.endswith("ar") else "e en ió ieron"
    return [*(stem + end for end in ends.split()), infinitive]


# Italian: present singular, plural; participle; stem of the future

_ITALIAN = {
    "bere": "beve bevono bevuto berr",
    "capire": "capisce capiscono - -",
    "conoscere": "- - conosciuto -",
    "costruire": "costruisce costruiscono - -",
    "dare": "dà danno - dar",
    "descrivere": "- - descritto -",
    "dipingere": "- - dipinto -",
    "dire": "dice dicono detto -",
    "discutere": "- - discusso -",
    "leggere": "- - letto -",
    "nascondere": "- - nascosto -",
    "offrire": "- - offerto -",
    "perdere": "- - perso -",
    "piangere": "- - pianto -",
    "prendere": "- - preso -",
    "pulire": "pulisce puliscono - -",
    "ridere": "- - riso -",
    "riferire": "riferisce riferiscono - -",
    "rompere": "- - rotto -",
    "sapere": "sa sanno - sapr",
    "scegliere": "- scelgono scelto -",
    "scrivere": "- - scritto -",
    "sorridere": "- - sorriso -",
    "tradurre": "traduce traducono tradotto tradurr",
    "udire": "ode odono - -",
    "vedere": "- - visto vedr",
}


def _italian(infinitive: str) -> Forms:
    stem, kind = infinitive[:-3], infinitive[-3:]
    if kind == "are":
        soft = stem
        if stem.endswith(("ci", "gi")):
            soft = stem[:-1]  # the i of mangiare only softens, as e does
        elif stem.endswith(("c", "g")):
            soft = stem + "h"
        return [stem + "a", stem + "ano", stem + "ato", soft + "er"]
    participle = stem + ("uto" if kind == "ere" else "ito")
    return [stem + "e", stem + "ono", participle, infinitive[:-1]]


# Portuguese: present singular, plural; past singular, plural; stem of the future

_PORTUGUESE = {
    "construir": "constrói constroem - construíram -",
    "dar": "dá dão deu deram -",
    "dizer": "diz - disse disseram dir",
    "ler": "lê leem - - -",
    "rir": "ri riem - - -",
    "saber": "- - soube souberam -",
    "sorrir": "sorri sorriem - - -",
    "traduzir": "traduz - - - -",
    "ver": "vê veem viu viram -",
}


def _portuguese(infinitive: str) -> Forms:
    stem = infinitive[:-2]
    ends = {"ar": "a am ou aram", "er": "e em eu eram", "ir": "e em iu iram"}[infinitive[-2:]]
    return [*(stem + end for end in ends.split()), infinitive]
