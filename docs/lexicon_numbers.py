"""Numbers below a thousand in words, in eleven languages, for make_lexicons.py.

The words and the rules that join them are school grammar, written for this project. German says
einhundert, Portuguese is that of Portugal, French has the hyphens of before 1990. Arabic is not
here: its numbers bend with what they count.
"""

# The letters of other scripts are meant: this file is about them.
# ruff: noqa: RUF001

SMALL = {
    "en": "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen",
    "de": "null eins zwei drei vier fünf sechs sieben acht neun zehn elf zwölf dreizehn vierzehn "
    "fünfzehn sechzehn siebzehn achtzehn neunzehn",
    "fr": "zéro un deux trois quatre cinq six sept huit neuf dix onze douze treize quatorze "
    "quinze seize dix-sept dix-huit dix-neuf",
    "es": "cero uno dos tres cuatro cinco seis siete ocho nueve diez once doce trece catorce "
    "quince dieciséis diecisiete dieciocho diecinueve veinte veintiuno veintidós veintitrés "
    "veinticuatro veinticinco veintiséis veintisiete veintiocho veintinueve",
    "it": "zero uno due tre quattro cinque sei sette otto nove dieci undici dodici tredici "
    "quattordici quindici sedici diciassette diciotto diciannove",
    "pt": "zero um dois três quatro cinco seis sete oito nove dez onze doze treze catorze quinze "
    "dezasseis dezassete dezoito dezanove",
    "ru": "ноль один два три четыре пять шесть семь восемь девять десять одиннадцать двенадцать "
    "тринадцать четырнадцать пятнадцать шестнадцать семнадцать восемнадцать девятнадцать",
    "tr": "sıfır bir iki üç dört beş altı yedi sekiz dokuz",
    "hi": "शून्य एक दो तीन चार पाँच छह सात आठ नौ दस ग्यारह बारह तेरह चौदह पंद्रह सोलह सत्रह अठारह उन्नीस "
    "बीस इक्कीस बाईस तेईस चौबीस पच्चीस छब्बीस सत्ताईस अट्ठाईस उनतीस तीस इकतीस बत्तीस तैंतीस चौंतीस "
    "पैंतीस छत्तीस सैंतीस अड़तीस उनतालीस चालीस इकतालीस बयालीस तैंतालीस चवालीस पैंतालीस छियालीस "
    "सैंतालीस अड़तालीस उनचास पचास इक्यावन बावन तिरपन चौवन पचपन छप्पन सत्तावन अट्ठावन उनसठ साठ "
    "इकसठ बासठ तिरसठ चौंसठ पैंसठ छियासठ सड़सठ अड़सठ उनहत्तर सत्तर इकहत्तर बहत्तर तिहत्तर चौहत्तर "
    "पचहत्तर छिहत्तर सतहत्तर अठहत्तर उन्यासी अस्सी इक्यासी बयासी तिरासी चौरासी पचासी छियासी सत्तासी "
    "अट्ठासी नवासी नब्बे इक्यानवे बानवे तिरानवे चौरानवे पचानवे छियानवे सत्तानवे अट्ठानवे निन्यानवे",
    "ja": "零 一 二 三 四 五 六 七 八 九",
    "zh": "零 一 二 三 四 五 六 七 八 九",
}
"""Numbers that no rule makes, from 0 on."""
TENS = {
    "en": "twenty thirty forty fifty sixty seventy eighty ninety",
    "de": "zwanzig dreißig vierzig fünfzig sechzig siebzig achtzig neunzig",
    "fr": "vingt trente quarante cinquante soixante soixante quatre-vingt quatre-vingt",
    "es": "veinte treinta cuarenta cincuenta sesenta setenta ochenta noventa",
    "it": "venti trenta quaranta cinquanta sessanta settanta ottanta novanta",
    "pt": "vinte trinta quarenta cinquenta sessenta setenta oitenta noventa",
    "ru": "двадцать тридцать сорок пятьдесят шестьдесят семьдесят восемьдесят девяносто",
    "tr": "yirmi otuz kırk elli altmış yetmiş seksen doksan",
}
"""From 20 on; French counts on by twenties from 60."""
HUNDREDS = {
    "es": "ciento doscientos trescientos cuatrocientos quinientos seiscientos setecientos "
    "ochocientos novecientos",
    "pt": "cento duzentos trezentos quatrocentos quinhentos seiscentos setecentos oitocentos "
    "novecentos",
    "ru": "сто двести триста четыреста пятьсот шестьсот семьсот восемьсот девятьсот",
}
ROUND = {"es": "cien", "pt": "cem"}
"""A hundred with nothing after it."""


def spelled(number: int, language: str) -> str:
    """Return a number below a thousand in words; nothing in Arabic."""
    if language not in SMALL:
        return ""
    if language in {"ja", "zh"}:
        return _signs(number, language)
    small = SMALL[language].split()
    hundred, rest = divmod(number, 100)
    if not hundred:
        return _below_hundred(rest, language, small)
    if not rest and hundred == 1 and language in ROUND:
        return ROUND[language]
    head = _hundreds(hundred, rest, language, small)
    if not rest:
        return head
    tail = _below_hundred(rest, language, small)
    if language == "it":
        # One o of centotto and centottanta; a tre at the end bears an accent.
        return (head[:-1] if tail.startswith("ott") else head) + ("tré" if rest == 3 else tail)
    return head + {"en": " and ", "de": "", "pt": " e "}.get(language, " ") + tail


def _hundreds(hundred: int, rest: int, language: str, small: list[str]) -> str:
    if language in HUNDREDS:
        return HUNDREDS[language].split()[hundred - 1]
    if language == "de":
        return ("ein" if hundred == 1 else small[hundred]) + "hundert"
    if language in {"en", "hi"}:
        return small[hundred] + {"en": " hundred", "hi": " सौ"}[language]
    word, gap = {"fr": ("cent", " "), "it": ("cento", ""), "tr": ("yüz", " ")}[language]
    if hundred == 1:
        return word
    many = "s" if language == "fr" and not rest else ""
    return small[hundred] + gap + word + many


def _below_hundred(number: int, language: str, small: list[str]) -> str:
    if number < len(small):
        return small[number]
    if language == "fr":
        return _french(number, small)
    ten, one = divmod(number, 10)
    if language == "tr" and ten == 1:
        return f"on {small[one]}" if one else "on"
    head = TENS[language].split()[ten - 2]
    if not one:
        return head
    if language == "de":
        return ("ein" if one == 1 else small[one]) + "und" + head
    if language == "it":
        # The vowel falls before uno and otto.
        return (head[:-1] if one in {1, 8} else head) + ("tré" if one == 3 else small[one])
    return head + {"en": "-", "es": " y ", "pt": " e "}.get(language, " ") + small[one]


def _french(number: int, small: list[str]) -> str:
    ten = number // 10
    head = TENS["fr"].split()[ten - 2]
    one = number % 20 if ten > 5 else number % 10
    if not one:
        return head + ("s" if number == 80 else "")
    return head + (" et " if one in {1, 11} and number < 80 else "-") + small[one]


def _signs(number: int, language: str) -> str:
    digits = SMALL[language].split()
    hundred, ten, one = number // 100, number // 10 % 10, number % 10
    chinese = language == "zh"
    text = ""
    if hundred:
        text += ("" if hundred == 1 and not chinese else digits[hundred]) + "百"
    if ten:
        text += ("" if ten == 1 and not (chinese and hundred) else digits[ten]) + "十"
    elif hundred and one and chinese:
        text += digits[0]
    return text + (digits[one] if one else "") or digits[0]
