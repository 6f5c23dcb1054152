"""What a customer's reply by SMS or WhatsApp says about wanting to hear from us at all: STOP, HELP, START or nothing.

A keyword must be the whole reply, in any case, with any punctuation and blanks. The keywords are those that US law
names (47 CFR 64.1200(a)(10): stop, quit, end, revoke, opt out, cancel, unsubscribe), those that carriers require
(https://www.twilio.com/docs/messaging/tutorials/advanced-opt-out,
https://docs.aws.amazon.com/sms-voice/latest/userguide/keywords-required.html), and German, French and Spanish ones.

The same law counts every reasonable wording. So a sentence that asks to end the messages, and not just anything, is
a STOP too: each phrase below must be the whole of a clause. Whoever writes about the order is never opted out.
"""

import re
import unicodedata
from collections.abc import Iterator, Mapping
from enum import StrEnum
from types import MappingProxyType


class Word(StrEnum):
    """What a reply asks for."""

    STOP = "stop"
    """No more of these messages."""
    HELP = "help"
    """Who writes here, and how does it end?"""
    START = "start"
    """Messages again, please."""
    NONE = "none"
    """Something else: an ordinary reply, for a person to read."""


# Keywords as `_tokens` leaves them: lower case, no accents, no blanks. The clear ones stay clear among "please" and
# "thanks"; the others could then be about an order or a delivery, and count only alone.
_CLEAR: Mapping[Word, str] = {
    Word.STOP: """
        stop stopall unsubscribe optout optmeout unsubscribeme stopsms stoptexts stoptexting stopmessages stopads
        stopspam stopp abmelden abbestellen austragen stoppwerbung stopwerbung
        arret arreter arretez desabonner desabonnement desinscrire desinscription stoppub stoppublicite
        baja darmedebaja darsedebaja parar alto stoppublicidad
    """,
    Word.HELP: "help helpme ineedhelp hilfe ichbrauchehilfe aide aidezmoi jaibesoindaide ayuda necesitoayuda",
}
_ALONE: Mapping[Word, str] = {
    Word.STOP: "quit end revoke cancel remove ende beenden aufhoren aufhoeren annuler cancelar basta",
    Word.HELP: "info infos informacion",
    Word.START: """
        start unstop optin subscribe resubscribe starten anmelden sabonner reabonner alta iniciar empezar
    """,
}
_BUILT_IN = {word: kind for table in (_CLEAR, _ALONE) for kind, words in table.items() for word in words.split()}
_AMONG_FILLERS = {word: kind for kind, words in _CLEAR.items() for word in words.split()}
_FILLER = re.compile(
    r"\b(?:(?:no|nein|non) (?:thanks|thank you|danke|merci|gracias)|please|pls|plz|thanks|thank you|thx|now|ok|okay|"
    r"hi|hello|hey|just|reply|bitte|danke|jetzt|hallo|sil vous plait|sil te plait|svp|merci|maintenant|bonjour|"
    r"por favor|gracias|ahora|hola|ya)\b"
)

# What may be asked to end. Never a bare "it" or "that": "stop it" may well be about the parcel.
_TEXTS = (
    r"(?:(?:all|any|more|your|you|these|this|those|the|annoying|marketing|promotional|text|sms|whatsapp|spam) )*"
    r"(?:texts|messages|sms|smses|ads|spam|marketing|promotions|promos|offers|advertising|notifications)"
)
_ME = r"(?:me|us|this number|this phone|my phone|my number)"
_AGAIN = r"(?: (?:again|anymore|any more|ever|ever again|at all|now|right now|immediately))*"
_I_WANT = r"(?:i (?:want|would like|wish|need) to|id like to|let me|how (?:do|can) i)"
_LIST = r"(?:(?:your|this|the|that) )?(?:(?:mailing|text|sms|marketing) )?lists?"
_SMS_DE = r"(?:(?:ihre|eure|diese|werbe|solche) )?(?:sms|nachrichten|werbung|mitteilungen)"
_KEINE = rf"keine (?:weiteren? {_SMS_DE}(?: mehr)?|{_SMS_DE} mehr|{_SMS_DE})"
_SCHICK = r"(?:schicke?|schickt|schicken sie|sendet?|senden sie|schreibt?|schreiben sie)"
_SMS_FR = r"(?:(?:de|des|vos|ces|les|plus) )*(?:sms|messages|pubs?|publicites?|textos|notifications|offres)"
_SMS_ES = r"(?:(?:mas|sus|estos|los) )*(?:sms|mensajes|publicidad|textos|promociones|notificaciones|spam)"

_PHRASES: Mapping[str, tuple[str, ...]] = {
    "en": (
        rf"stop (?:texting|messaging|contacting|spamming|writing|writing to|bothering|harassing)(?: {_ME})?{_AGAIN}",
        rf"stop sending(?: {_ME})? {_TEXTS}(?: to {_ME})?{_AGAIN}",
        rf"stop {_TEXTS}{_AGAIN}",
        rf"(?:dont|do not|never) (?:text|message|sms|contact|spam|write to|write) {_ME}{_AGAIN}",
        rf"(?:dont|do not|never) send(?: {_ME})? {_TEXTS}{_AGAIN}",
        rf"i (?:dont|do not|no longer) (?:want|wish|need)(?: to (?:get|receive))? {_TEXTS}(?: from you)?{_AGAIN}",
        rf"no more {_TEXTS}",
        rf"(?:unsubscribe|opt) {_ME}(?: out)?(?: (?:from|of) (?:{_TEXTS}|everything|this|{_LIST}))?",
        rf"unsubscribe(?: from)? (?:{_TEXTS}|everything|all|{_LIST})",
        rf"{_I_WANT} (?:unsubscribe|opt ?out)(?: (?:from|of) (?:{_TEXTS}|this|{_LIST}))?",
        rf"(?:take|get) {_ME} off (?:of )?{_LIST}",
        rf"remove {_ME}(?: (?:from|off) {_LIST})?",
        r"(?:delete|lose|forget) my (?:phone )?number",
        r"i (?:hereby )?(?:revoke|withdraw) (?:my )?consent",
        r"leave me alone",
    ),
    "de": (
        rf"keine (?:weiteren? {_SMS_DE}|{_SMS_DE} mehr)",
        rf"{_KEINE} (?:schicken|senden|schreiben)",
        rf"(?:ich )?(?:will|mochte|moechte|wunsche|wuensche) {_KEINE}(?: (?:erhalten|bekommen|haben))?",
        r"(?:ich )?(?:will|mochte|moechte) (?:mich abmelden|nicht mehr (?:angeschrieben|kontaktiert) werden)",
        rf"{_SCHICK} (?:mir|uns) (?:{_KEINE}|nicht mehr|nichts mehr|nie wieder)",
        r"(?:kontaktiere|kontaktiert|kontaktieren sie) (?:mich|uns) (?:nicht mehr|nie wieder)",
        rf"(?:hoe?r|hoe?rt|hoe?ren sie) auf (?:mir|uns) (?:zu schreiben|{_SMS_DE} zu (?:schicken|senden|schreiben))",
        r"(?:melde|meldet|melden sie) mich(?: bitte)?(?: vo[mn] (?:newsletter|verteiler|der liste))? ab",
        r"(?:nehmt|nimm|nehmen sie) mich(?: bitte)? (?:aus|vo[mn]) (?:(?:de|eure|ihre)[mr] )?(?:verteiler|liste)",
        r"(?:loe?sche?|loe?scht|loe?schen sie)(?: bitte)? meine (?:handynummer|telefonnummer|nummer)",
        r"(?:lass|lasst|lassen sie) mich(?: bitte)? in (?:ruhe|frieden)",
    ),
    "fr": (
        rf"(?:arretez?|cessez?) (?:de (?:m|me |nous )?|d)(?:envoyer|ecrire|contacter|spammer|harceler)(?: {_SMS_FR})?",
        rf"(?:arretez?|stop) {_SMS_FR}",
        rf"ne (?:m|me |nous )(?:envoyez|envoie|ecrivez|ecris|contactez?) plus(?: (?:rien|jamais|{_SMS_FR}))?",
        r"(?:desabonnez?|desinscrivez|desinscris) ?moi(?: de (?:la|votre) liste)?",
        r"je (?:veux|souhaite|voudrais|desire) me (?:desabonner|desinscrire)",
        rf"je (?:veux|souhaite|voudrais|desire) ne plus (?:recevoir {_SMS_FR}|etre contactee?)",
        rf"je ne (?:veux|souhaite|desire) plus (?:recevoir )?{_SMS_FR}",
        rf"plus (?:de|aucun) {_SMS_FR}",
        r"(?:retirez|enlevez|supprimez) (?:moi de (?:la|votre|vos) listes?|mon numero)",
        r"(?:laissez?|fichez) moi (?:tranquille|en paix|la paix)",
    ),
    "es": (
        rf"(?:dejen?|deja|dejad|paren?) de (?:enviar|mandar|escribir|contactar|molestar)(?:me|nos)?(?: {_SMS_ES})?",
        rf"no (?:me )?(?:envien?|envies|manden?|mandes) mas(?: {_SMS_ES})?",
        r"no me (?:escriban?|escribas|contacten?|contactes) (?:mas|nunca mas)",
        rf"(?:ya )?no (?:quiero|deseo)(?: recibir)? {_SMS_ES}",
        rf"no mas {_SMS_ES}",
        r"(?:quiero|deseo|quisiera|necesito) dar(?:me)? de baja",
        r"(?:denme|deme|dame|dadme) de baja",
        r"(?:borren?|borra|eliminen?|elimina|quiten) mi numero",
        r"(?:dejenme|dejeme|dejame) en paz",
    ),
}
# "Can you stop texting me", "just unsubscribe me now": polite or impatient, and nothing else.
_BEFORE = (
    r"(?:(?:please|pls|plz|kindly|just|ok|okay|hi|hello|hey|no|and|so|then|can you|could you|would you|will you|"
    r"bitte|hallo|und|nein|merci de|sil vous plait|svp|bonjour|et|non|por favor|hola|y) )*"
)
_AFTER = (
    r"(?: (?:please|pls|plz|thanks|thx|thank you|now|ok|okay|bitte|danke|sofort|jetzt|merci|svp|sil vous plait|"
    r"maintenant|por favor|gracias|ya|ahora))*"
)
_PHRASE = re.compile(f"{_BEFORE}(?:{'|'.join(one for many in _PHRASES.values() for one in many)}){_AFTER}")
# After these words a new clause begins, unless a word before them turns it round ("we said don't, and ...").
_JOINTS = frozenset({"please", "pls", "plz", "and", "but", "so", "und", "aber", "bitte", "et", "mais", "y", "pero"})
_TURNS = re.compile(
    r"not|dont|didnt|doesnt|cant|wont|never|no|if|unless|until|when|why|did|does|said|told|asked|tell|say|says|think|"
    r"nicht|nie|keine?|wenn|falls|warum|ne|pas|jamais|si|quand|pourquoi|nunca|cuando|porque"
)

# What phones put under a message of their own accord.
_SIGNATURE = re.compile(
    r"^\W*(?:sent from|get outlook|gesendet von|von meinem|envoye d|enviado desde|mit freundlichen)"
)
# Longer than any SMS; a request comes at the beginning.
_LONGEST = 1600
_NOTHING: Mapping[str, Word] = MappingProxyType({})


def heard(text: str, *, extra: Mapping[str, Word] = _NOTHING) -> Word:
    """What `text`, a reply as it came in, asks for; `Word.NONE` for everything that is not clearly one of the others.

    `extra` has further keywords of the shop, in any case and spelling, each for a whole reply; they go before the
    ones here, so `{"info": Word.NONE}` takes one away. Nothing is raised, whatever the text.
    """
    lines = [
        folded for line in text[:_LONGEST].splitlines() if (folded := _fold(line)) and not _SIGNATURE.match(folded)
    ]
    tokens = _tokens(" ".join(lines))
    if not tokens:
        return Word.NONE
    own = {"".join(_tokens(_fold(word))): kind for word, kind in extra.items()}
    whole, once = "".join(tokens), "".join(_without_repeats(tokens))
    for known in (own, _BUILT_IN):
        if (word := known.get(whole, known.get(once))) is not None:
            return word
    core = "".join(_without_repeats(_FILLER.sub(" ", " ".join(tokens)).split()))
    if (word := _AMONG_FILLERS.get(core)) is not None:
        return word
    return Word.STOP if any(_PHRASE.fullmatch(clause) for clause in _clauses(lines)) else Word.NONE


def _fold(text: str) -> str:
    """Lower case, letters without accents, full-width forms as plain ones, nothing invisible."""
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    return "".join(one for one in apart if unicodedata.category(one) not in {"Mn", "Me", "Cf"}).strip()


def _tokens(folded: str) -> list[str]:
    """The words; an apostrophe is no gap, every other sign is one."""
    return re.sub(r"[\W_]+", " ", re.sub(r"['’`´ʼ]", "", folded)).split()  # noqa: RUF001  apostrophes people type


def _without_repeats(tokens: list[str]) -> list[str]:
    return [one for one, before in zip(tokens, [None, *tokens], strict=False) if one != before]


def _clauses(lines: list[str]) -> Iterator[str]:
    """The sentences, their parts between commas and dashes, and what follows a joint inside of one."""
    for line in lines:
        for sentence in re.split(r"[.!?;…]+", line):
            for part in (sentence, *re.split(r"[,:()]|\s[-–—]+\s", sentence)):  # noqa: RUF001  dashes people type
                tokens = _tokens(part)
                yield " ".join(tokens)
                for at, token in enumerate(tokens):
                    if _TURNS.fullmatch(token):
                        break
                    if token in _JOINTS:
                        yield " ".join(tokens[at + 1 :])
