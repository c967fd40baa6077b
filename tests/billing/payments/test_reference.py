import pytest
from hypothesis import given
from hypothesis import strategies as st

from billing.payments.reference import BadReference, body_of, creditor_reference, is_creditor_reference, printed

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
bodies = st.text(ALPHABET, min_size=1, max_size=21)


def test_the_published_examples() -> None:
    assert creditor_reference("LS2026050017") == "RF28LS2026050017"
    assert creditor_reference("LS-2026-05-0017") == "RF28LS2026050017"
    assert is_creditor_reference("RF18 5390 0754 7034")
    assert printed("rf18539007547034") == "RF18 5390 0754 7034"


@given(bodies)
def test_a_reference_is_valid_and_gives_its_body_back(body: str) -> None:
    assert body_of(creditor_reference(body).lower()) == body


@given(bodies, st.data())
def test_one_wrong_character_is_always_found(body: str, data: st.DataObject) -> None:
    reference = creditor_reference(body)
    place = data.draw(st.integers(2, len(reference) - 1))
    alphabet = "0123456789" if place < 4 else ALPHABET
    other = data.draw(st.sampled_from(alphabet).filter(lambda char: char != reference[place]))
    # MOD 97-10 reads a letter as two digits, so a digit for a letter shifts the rest: found all but always.
    if reference[place].isdigit() == other.isdigit():
        assert not is_creditor_reference(reference[:place] + other + reference[place + 1 :])


@pytest.mark.parametrize("number", ["", "---", "A" * 22, "发票"])
def test_a_number_that_fits_no_reference_is_refused(number: str) -> None:
    with pytest.raises(BadReference):
        creditor_reference(number)


@pytest.mark.parametrize("text", ["", "RF", "RF00A", "DE28LS2026050017", "RF28LS2026050018", "RF2８LS2026050017"])
def test_what_is_no_reference(text: str) -> None:
    assert not is_creditor_reference(text)
    with pytest.raises(BadReference):
        body_of(text)
