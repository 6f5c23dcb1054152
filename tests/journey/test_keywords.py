"""Who asks for no more messages is heard, in every usual wording, and nobody else is."""

# ruff: noqa: RUF001  people type these signs

import unicodedata

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from journey.keywords import Word, heard
from tests.support.patience import PATIENCE

STOPS = (
    "STOP|StopAll|QUIT|END|REVOKE|OPTOUT|OPT OUT|CANCEL|UNSUBSCRIBE|ARRET|Arrêt|"
    "stopp|Abmelden|Abbestellen|Désabonner|Baja|remove"
)
HELPS = "HELP|Info|Hilfe|Aide|Ayuda|help me|I need help|Aidez-moi"
STARTS = "START|UNSTOP|un-stop|Opt in|Subscribe|Anmelden|Alta|S'abonner"

WORDINGS = """please stop texting me
Stop texting me!!
STOP. STOP. STOP
no thanks, stop
Nein danke, stopp
stop please
S T O P
s.t.o.p.
ＳＴＯＰ
Hi, who is this? Please stop texting me, I never ordered anything
I got it, thanks and please stop messaging me
Can you stop texting me?
stop sending me messages
Stop sending these annoying texts now
stop all messages
unsubscribe me
please unsubscribe me from this list
How do I unsubscribe?
I want to opt out
opt me out
Don't text me again
Don’t message me
DO NOT CONTACT ME ANYMORE
never text me again
take me off your list
remove me from this mailing list please
wrong number, please remove me from your list
Lose my number.
leave me alone
I don't want any more messages
I no longer want to receive your texts
no more texts please
I revoke my consent
Bitte keine weiteren Nachrichten
keine SMS mehr!
Ich möchte keine Werbung mehr
ich moechte mich abmelden
Schicken Sie mir bitte keine Nachrichten mehr
Hören Sie auf, mir zu schreiben
Kontaktieren Sie mich nicht mehr
Melden Sie mich bitte ab
Löschen Sie meine Nummer
Lasst mich in Ruhe
Stopp bitte
Ne m'envoyez plus de messages
Ne me contactez plus
Arrêtez de m’envoyer des SMS
Désabonnez-moi svp
Je veux me désabonner
Je ne veux plus recevoir vos messages
Plus de SMS, merci
STOP SMS
Laissez-moi tranquille
Por favor, no me escriban más
No me envíen más mensajes
No quiero recibir más publicidad
Quiero darme de baja
Dejen de enviarme mensajes""".splitlines()

ORDINARY = """don't cancel my order
please cancel my order
Cancel please
cancel order 1001
How do I cancel?
when does it stop raining
stop the delivery
Please stop my order
stop it
stop by tomorrow
non-stop
don't stop
please don't stop texting me
Don't unsubscribe me
why did you stop texting me?
when will you stop texting me
I never said please stop texting me
Why did you ship it and stop texting me?
if you stop texting me I will miss it
stop sending it to my old address
Please stop sending the parcel, I moved
I will stop at the store
STOP? What does that mean
Reply STOP to unsubscribe, really?
The end
end of the week is fine
I quit my job
start shipping already
please start
Can you help me find my parcel
help with my order
is it info@shop.test
remove the second item from my order
please remove one mat
Don't text me before 9
Do not contact my neighbour
please do not leave the parcel
I don't want the mat anymore
no more mats needed
I don't need more mats
The texts stop working on my phone
unsubscribe is a funny word
forget my order
Kann ich das am Ende der Woche abholen?
Ich will die Bestellung stornieren
Widerruf
Keine Nachrichten bekommen
keine Ahnung
Bitte nicht klingeln
arrêt de bus
Annuler ma commande
Plus de tapis svp
Quiero cancelar mi pedido
¿El precio baja?
baja, ¿no?
Alto Adige
yes
no
ok thanks
🙂
...""".splitlines()

# What customers write about, and never to be opted out by.
ABOUT = "order parcel mat delivery tomorrow refund size address courier blue".split()  # noqa: SIM905  reads better
LITTLE = "my the it when where please is a to and don't cancel stop end help start".split()  # noqa: SIM905
punctuation = st.text(st.sampled_from(" .!?,;:-–*\"'\n\t\u00a0🙂\u200b"), max_size=5)


@pytest.mark.parametrize(
    ("words", "expected"), [(STOPS, Word.STOP), (HELPS, Word.HELP), (STARTS, Word.START)], ids=["stop", "help", "start"]
)
@given(data=st.data(), before=punctuation, after=punctuation)
def test_a_keyword_is_heard_in_any_case_and_punctuation(words, expected, data, before, after) -> None:
    """The whole STOP family, HELP and START, in four languages, however they are typed."""
    word = data.draw(st.sampled_from(words.split("|")))
    typed = "".join(data.draw(st.sampled_from([one, one.upper(), one.lower()])) for one in word)
    assert heard(f"{before}{typed}{after}") is expected


@pytest.mark.parametrize("text", WORDINGS)
def test_any_reasonable_wording_is_a_stop(text) -> None:
    """47 CFR 64.1200(a)(10) counts them all; so do we in four languages, in any case and without accents."""
    bare = "".join(one for one in unicodedata.normalize("NFD", text) if not unicodedata.combining(one))
    assert [heard(one) for one in (text, text.upper(), text.lower(), bare)] == [Word.STOP] * 4


@pytest.mark.parametrize("text", ORDINARY)
def test_an_ordinary_reply_is_nothing(text) -> None:
    """Who writes about an order, the weather or a bus stop goes on hearing from us."""
    assert [heard(one) for one in (text, text.upper(), text.lower())] == [Word.NONE] * 3


@given(st.permutations(ABOUT).map(lambda words: words[:2]), st.lists(st.sampled_from(LITTLE), max_size=5), st.randoms())
@example(["order", "mat"], ["don't", "cancel", "my"], None)
def test_whoever_writes_about_the_order_is_never_opted_out(topics, little, random) -> None:
    """No order of words with a parcel or a mat in it is a keyword, even with all of them strewn in."""
    words = [*little, *topics]
    if random is not None:
        random.shuffle(words)
    assert heard(" ".join(words)) is Word.NONE


@given(st.sampled_from(STOPS.split("|")), st.from_regex(r"[xw][a-z0-9]{2,11}", fullmatch=True))
def test_a_keyword_with_another_word_is_no_keyword(word, other) -> None:
    """One more word, before or after, makes it a sentence, unless it says what to stop."""
    assume(other != "werbung")
    assert [heard(f"{word} {other}"), heard(f"{other} {word}")] == [Word.NONE] * 2


@settings(deadline=PATIENCE * 1000)
@given(st.text(max_size=300))
@example("please " * 2_000)
@example("stop sending " + "all " * 2_000)
@example("and please " * 500)
def test_whatever_comes_in_has_an_answer(text) -> None:
    """No text raises, and none takes the minutes of a pattern that tries every way to split it."""
    assert heard(text) in Word


def test_what_the_phone_adds_is_not_read() -> None:
    """A signature under the word does not hide it; other lines do."""
    assert heard("STOP\nSent from my iPhone") is Word.STOP
    assert heard("Stopp\n\nGesendet von Outlook für Android") is Word.STOP
    assert heard("STOP\nthe parcel at the neighbour's") is Word.NONE


def test_a_shop_adds_and_takes_away_words() -> None:
    """Its own keywords go first, in any spelling, each for a whole reply."""
    extra = {"Avsluta": Word.STOP, "Hjälp!": Word.HELP, "info": Word.NONE}
    assert heard("AVSLUTA.", extra=extra) is Word.STOP
    assert heard("hjalp", extra=extra) is Word.HELP
    assert heard("Info", extra=extra) is Word.NONE
    assert heard("avsluta min order", extra=extra) is Word.NONE
    assert heard("avsluta") is Word.NONE
    assert heard("stop", extra=extra) is Word.STOP
