"""What a customer's reply to an offer says: send it again, money back, or something for a person to read.

The word must be the whole reply, in any case, with any punctuation and among "please" and "thanks": "refund" is a
choice, "where is my refund?" is a question.
"""

import re
import unicodedata
from typing import Final

from journey.remedies import Choice

# As `_plain` leaves them: lower case, no accents, single blanks.
_SAID: Final = {
    Choice.REPLACEMENT: (
        "1|one|option 1|option one|first|the first|first one|the first one",
        "replacement|a replacement|replace|replace it|send again|send it again|resend|resend it|a new one|new one",
        "eins|option eins|ersatz|ersetzen|ersatzlieferung|neulieferung|noch einmal|nochmal|noch mal",
        "noch einmal schicken|nochmal schicken|noch einmal senden|nochmal senden|neu schicken",
        "un|option un|remplacement|un remplacement|remplacer|renvoyer|renvoyez|renvoyer le tout|nouvel envoi",
        "un nouvel envoi|uno|opcion 1|opcion uno|reemplazo|un reemplazo|reenvio|reenviar|otra vez|enviar otra vez",
        "enviarlo otra vez|enviamelo otra vez",
    ),
    Choice.REFUND: (
        "2|two|option 2|option two|second|the second|second one|the second one",
        "refund|a refund|refund me|money|my money|the money|money back|my money back",
        "zwei|option zwei|geld|geld zuruck|geld zurueck|mein geld zuruck|mein geld zurueck|erstattung|erstatten",
        "ruckerstattung|rueckerstattung|ruckzahlung|rueckzahlung",
        "deux|option deux|remboursement|un remboursement|rembourser|remboursez moi|mon argent",
        "dos|opcion 2|opcion dos|reembolso|un reembolso|mi dinero|dinero|devolver el dinero|devolucion del dinero",
        "devolverme el dinero",
    ),
}
_MEANS: Final = {said: choice for choice, rows in _SAID.items() for row in rows for said in row.split("|")}
_FILLER: Final = re.compile(
    r"\b(?:please|pls|plz|thanks|thank you|thx|ok|okay|yes|hi|hello|i want|i would like|id like|bitte|danke|ja|hallo|"
    r"ich mochte|ich moechte|ich will|ich hatte gern|s il vous plait|sil vous plait|svp|merci|oui|bonjour|"
    r"je veux|je voudrais|je prefere|por favor|gracias|si|hola|quiero|prefiero)\b"
)
# Longer than any of these words with every politeness; what is longer is a letter.
_LONGEST: Final = 120


def chosen(text: str) -> Choice | None:
    """What a reply chooses; None for everything that is not clearly one of the two. Nothing is raised."""
    if len(text) > _LONGEST:
        return None
    plain = _plain(text)
    return _MEANS.get(plain) or _MEANS.get(" ".join(_FILLER.sub(" ", plain).split()))


def _plain(text: str) -> str:
    """Lower case, letters without accents, every run of other signs one blank; an apostrophe is no gap."""
    apart = unicodedata.normalize("NFKD", unicodedata.normalize("NFKC", text).casefold())
    folded = "".join(one for one in apart if unicodedata.category(one) not in {"Mn", "Me", "Cf"})
    return " ".join(re.sub(r"[\W_]+", " ", re.sub(r"['’]", "", folded)).split())  # noqa: RUF001  as people type it
