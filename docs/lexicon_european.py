"""Inflected forms of English, German, the Romance languages and Russian, for make_lexicons.py.

Each function takes a cell of concepts.tsv, or a frequent word, and returns the forms that the data
file holds, or None where a form is not certain. A word left out costs nothing; a wrong one teaches.
"""

# The letters of other scripts are meant: this file is about them.

import gzip
import json
import re
from pathlib import Path

import lemminflect
import spacy_lookups_data
from german_nouns.lookup import Nouns
from lexicon_french import lexique
from wordfreq import top_n_list, zipf_frequency

Forms = list[str]
LOOKUPS = Path(spacy_lookups_data.__file__).parent / "data"
GERMAN = Nouns()
VOWELS = set("aeiouàáâãèéêìíòóôõùúAEIOUÉÈÊÁÍÓÚÀÂ")
STRESSED_A = {"agua", "águila", "arma", "hacha", "alma", "ave", "área", "aula", "ala", "arca"}


def table(name: str) -> dict[str, list[str]]:
    """Return a lookup table of spaCy."""
    return json.load(gzip.open(LOOKUPS / f"{name}.json.gz", "rt", encoding="utf8"))


def frequent(language: str, limit: int = 60000) -> Forms:
    """Return words from frequent to rare, letters only."""
    return [w for w in top_n_list(language, limit) if w.isalpha() and len(w) > 2]


def seen(word: str, language: str, least: float = 1.2) -> bool:
    """Return whether a form occurs."""
    return zipf_frequency(word, language) >= least


# English


def article_en(word: str) -> str:
    """Return a or an, by spelling; words whose sound differs are left out of the lexicon."""
    return "an" if word[0] in "aeio" or (word[0] == "u" and word[1:2] not in "nst") else "a"


def english_noun(cell: str) -> Forms:
    """Return singular, plural."""
    single, _, plural = cell.partition("/")
    return [single, plural or lemminflect.getInflection(single, "NNS", inflect_oov=True)[0]]


def english_verb(cell: str) -> Forms:
    """Return base, third person, past."""
    base, past = cell.split()[:2]
    return [base, lemminflect.getInflection(base, "VBZ")[0], past]


def english_many() -> tuple[list[Forms], list[Forms]]:
    """Return nouns and adjectives that are nothing else."""
    index = {kind: set(words) for kind, words in table("en_lemma_index").items()}
    nouns, adjectives = [], []
    good = (
        "al",
        "ous",
        "ive",
        "ic",
        "ful",
        "less",
        "able",
        "ible",
        "ish",
        "ary",
        "ant",
        "ent",
        "y",
    )
    odd = re.compile(r"^(hour|heir|honou?r|honest|one|once|eu|u[nst]|ouija)")
    for word in frequent("en"):
        if odd.match(word) or len(word) < 4:
            continue
        kinds = {kind for kind, words in index.items() if word in words}
        if kinds == {"noun"}:
            plural = lemminflect.getInflection(word, "NNS", inflect_oov=False)
            if plural and plural[0] != word and seen(plural[0], "en", 2.0):
                nouns.append([word, plural[0]])
        elif kinds == {"adj"} and word.endswith(good):
            adjectives.append([word])
    return nouns, adjectives


# German


def german_noun(word: str) -> Forms | None:
    """Return gender; nominative, accusative, dative of the singular; nominative, dative plural."""
    if word.startswith("="):
        return word[1:].split(",")
    found = []
    for entry in GERMAN[word]:
        bend = entry.get("flexion", {})
        # The second spellings of a case (Buche beside Buch) are old; the first one is taken.
        keys = [
            "nominativ singular", "akkusativ singular", "dativ singular",
            "nominativ plural", "dativ plural",
        ]  # fmt: skip
        forms = [bend.get(key) or bend.get(key + " 1") or "" for key in keys]
        gender = entry.get("genus") or ""
        if gender in {"m", "f", "n"} and all(forms) and "Nachname" not in entry.get("pos", []):
            found.append([gender, *forms])
    if not found or len({entry[0] for entry in found}) > 1:
        return None
    forms = found[0]
    return (
        forms
        if forms[1] == word and all(f[:1].isupper() and " " not in f for f in forms[1:])
        else None
    )


def german_verb(cell: str) -> Forms | None:
    """Return infinitive, present singular, past singular, past plural."""
    parts = cell.split()
    if len(parts) != 4 or "x" in parts:
        return None
    past = parts[2]
    return [parts[0], parts[1], past, past + ("n" if past.endswith("e") else "en")]


def german_adjective(cell: str) -> Forms:
    """Return the stem that endings go on."""
    word, _, stem = cell.partition(":")
    return [stem or word]


def german_many() -> tuple[list[Forms], list[Forms]]:
    """Return nouns with one gender, and adjectives by their suffix."""
    nouns, adjectives, ends = [], [], ("lich", "isch", "bar", "haft", "los", "sam")
    for word in frequent("de"):
        noun = german_noun(word.capitalize()) if GERMAN[word.capitalize()] else None
        if (
            noun
            and not seen(word + "st", "de", 2.5)
            and not word.endswith(("en", "isch"))
            and len(word) > 4
            and seen(noun[4], "de", 1.5)
        ):
            nouns.append(noun)
        stems = [word + end for end in ("e", "en", "er", "es")]
        if word.endswith(ends) and not noun and all(seen(stem, "de", 1.6) for stem in stems):
            adjectives.append([word])
    return nouns, adjectives


# Romance


def romance_plural(word: str, language: str, gender: str) -> str:
    """Return the plural of a noun or adjective by the rules of the language."""
    head, _, rest = word.partition(" ")
    if rest:
        # Only the head of pomme de terre, both of carte postale.
        tail = rest if rest.startswith("de ") else romance_plural(rest, language, gender)
        return f"{romance_plural(head, language, gender)} {tail}"
    rules = {
        "fr": ((r"([sxz])$", r"\1"), (r"(eau|eu|œu)$", r"\1x"), (r"al$", "aux"), (r"$", "s")),
        "es": (
            (r"([aeiouéó])$", r"\1s"), (r"z$", "ces"), (r"([aeiou])([aeiou])s$", r"\1\2ses"),
            (r"([aeiou])s$", r"\1s"), (r"ón$", "ones"), (r"ín$", "ines"), (r"án$", "anes"),
            (r"és$", "eses"), (r"ús$", "uses"), (r"$", "es"),
        ),
        "it": (
            (r"([àèìòù])$", r"\1"), (r"([^aeiou])$", r"\1"), (r"^(re|foto|auto|moto)$", r"\1"),
            (r"([cg])a$", r"\1he"), (r"([^aeiou][cg])ia$", r"\1e"), (r"io$", "i"),
            (r"a$", "i" if gender == "m" else "e"), (r"[oe]$", "i"), (r"$", ""),
        ),
        "pt": (
            (r"ão$", "ões"), (r"il$", "eis"), (r"([aou])l$", r"\1is"), (r"el$", "eis"),
            (r"m$", "ns"),
            (r"([rz])$", r"\1es"), (r"s$", "s"), (r"n$", "ns"), (r"$", "s"),
        ),
    }[language]  # fmt: skip
    for pattern, put in rules:
        made, count = re.subn(pattern, put, word)
        if count:
            return made
    return word


_IRREGULAR = {
    "pai": "pais",
    "anel": "anéis", "cachecol": "cachecóis", "paraguas": "paraguas",
    "mãe": "mães", "irmão": "irmãos", "pão": "pães", "cão": "cães", "lápis": "lápis",
    "cuoco": "cuochi", "medico": "medici", "storico": "storici", "amico": "amici",
    "fungo": "funghi", "fungi": "funghi", "bosco": "boschi", "succo": "succhi", "ago": "aghi",
    "farmaco": "farmaci", "lapis": "lapis", "journal": "journaux", "château": "châteaux",
    "cheval": "chevaux", "festival": "festivals", "albergo": "alberghi", "pacco": "pacchi",
    "carácter": "caracteres", "joven": "jóvenes", "régimen": "regímenes", "largo": "larghi",
    "carro": "carri", "pez": "peces", "réptil": "répteis", "pneu": "pneus", "bleu": "bleus",
    "uccello": "uccelli", "parco": "parchi", "banco": "banchi", "fuoco": "fuochi",
}  # fmt: skip


def plural_of(word: str, language: str, gender: str) -> str:
    """Return the plural, exceptions first."""
    made = _IRREGULAR.get(word)
    if (
        made
        and (language != "es" or word in {"joven", "pez", "paraguas"})
        and not (word in {"largo", "carro", "banco"} and language != "it")
    ):
        return made
    return romance_plural(word, language, gender)


def romance_noun(cell: str, language: str) -> Forms:
    """Return gender, singular, plural."""
    gender, word = cell.split(" ", 1)
    return [gender, word, plural_of(word, language, gender)]


def romance_adjective(cell: str, language: str) -> Forms:
    """Return masculine and feminine, singular and plural (m, f, mp, fp)."""
    parts = [part for part in cell.split(",") if part != "<"]
    if len(parts) == 4:
        return parts
    masculine = parts[0]
    if len(parts) == 2:
        feminine = parts[1]
    elif language == "fr":
        feminine = masculine if masculine.endswith("e") else masculine + "e"
    else:
        feminine = masculine[:-1] + "a" if masculine.endswith("o") else masculine
    made = [masculine, feminine, plural_of(masculine, language, "m")]
    if language == "it" and masculine.endswith(("co", "go")):
        hard = masculine.endswith(("nco", "go", "cco", "rco", "sco")) or masculine in {"fresco"}
        made[2] = masculine[:-1] + ("hi" if hard else "i")
    ending = "e" if language == "it" and feminine.endswith("a") else ""
    plural = (
        plural_of(feminine, language, "f") if not ending else romance_plural(feminine, "it", "f")
    )
    return [*made, plural]


_GENDERS = {
    "fr": (
        ("f", r"(tion|sion|ssion|ette|ance|ude|ité|logie|graphie|ure)$"),
        ("m", r"(isme|ment|eau|oir|age)$"),
    ),
    "es": (
        ("f", r"(ción|sión|dad|tad|tud|umbre|anza|encia|ancia|eza|ura|ía)$"),
        ("m", r"(miento|aje|ismo|azo|amen|men)$"),
    ),
    "it": (
        ("f", r"(zione|sione|tà|tù|anza|enza|ezza|tura|logia|grafia)$"),
        ("m", r"(mento|ismo|aggio|etto)$"),
    ),
    "pt": (
        ("f", r"(ção|ssão|dade|tude|agem|ência|ância|eza|tura|logia|grafia)$"),
        ("m", r"(mento|ismo)$"),
    ),
}
"""Endings that fix the gender and name no person: in Spanish a person as object takes "a"."""
_WRONG = {
    "fr": {
        "page", "cage", "image", "plage", "rage", "nage", "eau", "peau", "silence", "murmure",
        "mercure", "augure", "avance", "comité", "côté", "été", "coude", "prélude", "savoir",
        "pouvoir", "devoir", "vouloir", "comment",
    },
    "es": {
        "cura", "criatura", "personaje", "autoridad", "policía", "guía", "espía", "vigía",
        "mediodía", "tranvía",
    },
    "it": {
        "poveretto", "perfetto", "corretto", "diretto", "rispetto", "autorità", "eletto",
        "benedetto", "maledetto", "protetto", "prediletto", "ristretto", "predetto", "interdetto",
        "inetto", "reietto",
    },
    "pt": {
        "criatura", "futura", "personagem", "autoridade", "nomeada", "prematura", "imatura",
        "selvagem", "despreza", "cabeza", "attitude", "freqüência", "conseqüência", "seqüência",
    },
}  # fmt: skip


def romance_many(language: str) -> tuple[list[Forms], list[Forms]]:
    """Return nouns whose ending fixes the gender, and adjectives of regular kinds."""
    known, adjectives_known = _known(language)
    nouns, adjectives = [], []
    for word in frequent(language):
        if word in _WRONG[language]:
            continue
        gender = _gender(word, language)
        if gender and (word in known or language == "pt"):
            forms = [gender, word, plural_of(word, language, gender)]
            # An invented plural betrays a word that is no noun, or has none.
            if seen(forms[2], language, 1.5) and forms[2] not in adjectives_known:
                nouns.append(forms)
        if word in adjectives_known and word not in known:
            forms = romance_adjective(_spelled(word, language), language)
            if all(seen(form, language, 1.1) for form in forms):
                adjectives.append(forms)
    return nouns, adjectives


def _spelled(word: str, language: str) -> str:
    if language != "fr":
        return word
    for masculine, feminine in (("eux", "euse"), ("if", "ive"), ("el", "elle"), ("ien", "ienne")):
        if word.endswith(masculine):
            return f"{word},{word[: -len(masculine)]}{feminine}"
    return word


_ADJECTIVE = {
    "fr": r"(ique|able|ible|el|if|eux|al|aire|ien|ant|ent)$",
    "es": r"(ico|oso|ivo|ble|al|ario|ante|ente|ado)$",
    "it": r"(ico|oso|ivo|bile|ale|ario|ante|ente)$",
    "pt": r"(ico|oso|ivo|al|ário)$",
}


def _known(language: str) -> tuple[set[str], set[str]]:
    ends = re.compile(_ADJECTIVE[language])
    if language == "fr":
        return _known_french(ends)
    if language == "es":
        index = table("es_lemma_index")
        verbs = set(index["verb"])
        nouns = set(index["noun"]) - set(index["adj"]) - verbs
        adjectives = set(index["adj"]) - set(index["noun"]) - verbs
    elif language == "it":
        nouns = set(table("it_lemma_lookup_noun").values())
        adjectives = set(table("it_lemma_lookup_adj").values()) - nouns
        nouns -= adjectives
    else:
        spanish = set(table("es_lemma_index")["adj"])
        swap = {word.replace("ario", "ário"): word for word in spanish}
        bare = str.maketrans("áéíóúâêô", "aeiouaeo")
        plain = {word.translate(bare) for word in spanish}
        nouns = set()
        adjectives = {w for w in frequent("pt") if w in swap or w.translate(bare) in plain}
        adjectives = {w for w in adjectives if len(w) > 5}
    return nouns, {word for word in adjectives if ends.search(word)}


def _known_french(ends: re.Pattern[str]) -> tuple[set[str], set[str]]:
    """Return the words whose gender and forms Lexique does not give otherwise than the rules."""
    nouns, adjectives = set(), set()
    for noun, facts in lexique()["NOM"].items():
        gender = _gender(noun, "fr")
        if facts.genders == {gender} and facts.forms <= {noun, plural_of(noun, "fr", gender)}:
            nouns.add(noun)
    for adjective, facts in lexique()["ADJ"].items():
        if ends.search(adjective) and facts.forms <= {
            *romance_adjective(_spelled(adjective, "fr"), "fr")
        }:
            adjectives.add(adjective)
    return nouns, adjectives


def _gender(noun: str, language: str) -> str:
    """Return the gender that a noun's ending fixes, or nothing."""
    fixed = (gender for gender, ends in _GENDERS[language] if re.search(ends, noun))
    return next(fixed, "") if len(noun) > 5 else ""
