"""Tracking numbers as people write them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journey.numbers import fulfilment_key, made_up, normalised, tracking_numbers


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("1z 999 aa1 01 2345 6784", ["1Z999AA10123456784"]),
        ("UPS 1Z999AA10123456784", ["1Z999AA10123456784"]),
        ("DHL AWB# 1234567890", ["1234567890"]),
        ("DHL-1234567890", ["1234567890"]),
        ("Tracking: JJD000390", ["JJD000390"]),
        ("Tracking no.: 1Z 999", ["1Z999"]),
        ("Sendungsnummer JJD 0001 4500", ["JJD00014500"]),
        ("Sendungs-Nr. 00340434161094", ["00340434161094"]),
        ("Numéro de suivi : 6A 123 456 789", ["6A123456789"]),
        ("número de seguimiento LA123456789ES", ["LA123456789ES"]),
        ("LA 123 456 789 ES", ["LA123456789ES"]),
        ("RR 123 456 789 DE", ["RR123456789DE"]),
        ("RR123456789DE (Deutsche Post)", ["RR123456789DE"]),
        ("JJD 0001", ["JJD0001"]),
        ("JVGL 0612 3456", ["JVGL06123456"]),
        ("00 340 434-161.094", ["00340434161094"]),
        ("\uff11\uff12\uff13\uff14\uff15", ["12345"]),
        ("JJD106A, JJD106B", ["JJD106A", "JJD106B"]),
        ("JJD106A / JJD106B", ["JJD106A", "JJD106B"]),
        ("JJD106A und JJD106B", ["JJD106A", "JJD106B"]),
        ("JJD106A\nJJD106B", ["JJD106A", "JJD106B"]),
        ("00340434161094021501 00340434161094021502", ["00340434161094021501", "00340434161094021502"]),
        ("DHL 00340434161094021501 00340434161094021502", ["00340434161094021501", "00340434161094021502"]),
        ("JJD106A, jjd 106a", ["JJD106A"]),
        ("123456789 https://carrier.example/?id=987654321", ["123456789"]),
    ],
)
def test_a_number_is_found_in_what_was_typed(text, normal):
    """Blanks, case, words around it and several in one field do not hide a number."""
    assert [one.normal for one in tracking_numbers(text)] == normal


@pytest.mark.parametrize(
    "text",
    ["", " ", "N/A", "n.a.", "none", "-", "TBD", "0", "000000", "00-00", "tracking", "pending", "sans", "keine", "ohne",
     "no tracking", "https://carrier.example/track/123456789", "www.carrier.example/12345", None],
)  # fmt: skip
def test_a_placeholder_is_no_number(text):
    """Words for none, zeros and addresses are nobody's parcel."""
    assert tracking_numbers(text) == ()


def test_a_number_is_shown_as_it_was_written():
    """People compare it with what they were given."""
    assert tracking_numbers("UPS 1z 999 aa1")[0].written == "1z 999 aa1"


def test_the_key_of_a_parcel_without_a_number_is_short_enough():
    """A key of the longest id fits where a number does, and is known for ours."""
    assert fulfilment_key("10201") == "fulfilment:10201"
    assert len(fulfilment_key("9" * 200)) <= 200
    assert made_up(fulfilment_key("1"))
    assert not made_up("JJD1")


@given(st.text(max_size=60))
def test_a_normal_form_is_its_own_normal_form(text):
    """Whatever was typed, what was found in it is found again, and shown text says the same number."""
    for one in tracking_numbers(text):
        assert normalised(one.normal) == one.normal
        assert one.written
        assert one.normal.isalnum()


@given(
    st.from_regex(r"[A-Z]{0,4}[0-9]{6,18}[A-Z]{0,2}", fullmatch=True).filter(lambda text: len(set(text)) > 1),
    st.sampled_from([" ", "-", ".", " - "]),
    st.sets(st.integers(0, 23)),
    st.booleans(),
)
def test_blanks_signs_and_case_do_not_matter(number, sign, places, lower):
    """A number with blanks, dashes and dots anywhere between its digits is the same number."""
    typed = "".join(
        f"{sign}{mark}" if place in places and mark.isdigit() and number[place - 1 : place].isdigit() else mark
        for place, mark in enumerate(number)
    )
    assert [one.normal for one in tracking_numbers(typed.lower() if lower else typed)] == [number]


@given(st.lists(st.from_regex(r"JJD[0-9]{8,12}", fullmatch=True), min_size=1, max_size=4, unique=True),
       st.sampled_from([", ", ";", " / ", " | ", "\n", " & ", " + ", " and ", " und ", " et ", " y "]))  # fmt: skip
def test_several_in_one_field_are_several(numbers, between):
    """However they are divided, each is found, in its order."""
    assert [one.normal for one in tracking_numbers(between.join(numbers))] == numbers


@given(
    st.sampled_from(["DHL", "UPS ", "Tracking number", "Sendungsnummer", "n° de suivi", "Núm. de seguimiento", "AWB#"]),
    st.from_regex(r"[0-9]{8,20}", fullmatch=True).filter(lambda text: len(set(text)) > 1),
)
def test_words_before_it_do_not_matter(words, number):
    """A label in any of the four languages is not a part of the number."""
    assert [one.normal for one in tracking_numbers(f"{words} {number}")] == [number]
