"""Personal data and keys in texts: found where they are, and not where something only looks like them."""

from __future__ import annotations

import base64
import string
from itertools import pairwise
from types import SimpleNamespace

import numpy as np
import pytest

import text_zoo
from keepmum.detectors import KINDS, decoy, find, presidio, secrets_in
from keepmum.detectors._checked import ISSUERS, iban_holds, issued, luhn
from keepmum.detectors._keys import entropy, github_checksum_holds, jwt_holds
from keepmum.errors import ConfigError, DataError, MissingExtraError
from keepmum.texts import documents, masked

JWT = (
    "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ."
    "SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c"
)
"""The example of RFC 7519's readers everywhere; it opens nothing."""
PEM = "-----BEGIN RSA PRIVATE " + "KEY-----\nMIIBOgIBAAJBAKj34GkxFhD9\n-----END RSA PRIVATE " + "KEY-----"
EXAMPLES = [
    ("e-mail", "jane.doe+news@mail.example.org"),
    ("phone", "+44 20 7946 0958"),
    ("phone", "+1 (212) 555-0123"),
    ("phone", "(212) 555-0123"),
    ("phone", "212-555-0123"),
    ("phone", "555-0123"),
    ("card", "4111 1111 1111 1111"),
    ("card", "5555555555554444"),
    ("card", "3782 822463 10005"),
    ("card", "6011-1111-1111-1117"),
    ("iban", "GB82 WEST 1234 5698 7654 32"),
    ("iban", "DE89370400440532013000"),
    ("iban", "NO9386011117947"),
    ("ssn", "536-90-4399"),
    ("key", "AKIAIOSFODNN7EXAMPLE"),
    ("key", "ghp_" + "aB3dE5gH7jK9mN1pQ3rS5tU7vW9xY1zA3cE5"),
    ("key", "sk-proj-" + "Zq8rT2vX5yB1nM4kL7wP0sD3"),
    ("key", "xoxb-" + "123456789012-abcDEF456ghiJKL"),
    ("key", "hf_" + "AbCdEfGhIjKlMnOpQrStUvWxYzAbCdEfGh"),
    ("key", JWT),
    ("key", PEM),
    ("name", "Walter Zimmermann"),
    ("name", "Maria de la Cruz"),
    ("name", "Dr. Okonkwo"),
    ("name", "John Q. Public"),
]


@pytest.mark.parametrize(("kind", "piece"), EXAMPLES, ids=lambda value: value[:24])
@pytest.mark.parametrize("around", ["{}", "It is {}.", "({}), and", "see\n{}\nbelow", "'{}'; then"])
def test_a_piece_is_found_in_its_place(kind, piece, around):
    text = around.format(piece)
    assert [(f.kind, f.text) for f in find(text)] == [(kind, piece)]
    assert text[find(text)[0].start : find(text)[0].end] == piece


@pytest.mark.parametrize(
    "text",
    [
        "4111 1111 1111 1112",  # check digit
        "1111 1111 1111 1117",  # no issuer
        "411 1111 1111 11111",  # no such groups
        "0000 0000 0000 0000",
        "GB82 WEST 1234 5698 7654 33",  # check digits
        "DE8937040044053201300",  # too short
        "XX82 WEST 1234 5698 7654 32",  # no country
        "000-12-3456",
        "666-12-3456",
        "900-12-3456",
        "123-00-4567",
        "123-45-0000",
        "536-90-43991",
        "2125550123",  # any number
        "112-555-0123",
        "911-555-0123",
        "+12",
        "a@b",
        "a..b@example.org",
        "@handle",
        "AKIAIOSFODNN7EXAMPL",  # too short
        "AKIAAAAAAAAAAAAAAAAA",
        "sk-learn",
        "eyJhbGciOi.notjson.notjson",
        "On 2024-05-17 at 12:30, version 1.22.333.4444 cost 1,234,567,890.12",
        "ISBN 978-3-16-148410-0",
        "550e8400-e29b-41d4-a716-446655440000",
        "The House of Lords met the Duke of York in Spring Park",
        "The Paul and the Anna are ships",
        "Will The World Be There",
    ],
)
def test_what_only_looks_alike_is_passed_over(text):
    assert find(text) == []


def test_prose_holds_nothing():
    assert [f for text in text_zoo.sentences(300, 1) for f in find(text)] == []


def test_the_standard_library_names_few_and_holds_no_numbers_of_people():
    """Real prose: half a megabyte about Python."""
    from pydoc_data.topics import topics

    found = [f for text in topics.values() for f in find(text, [k for k in KINDS if k not in ("name", "e-mail")])]
    assert found == []
    names = {f.text for text in topics.values() for f in find(text, ("name",))}
    assert len(names) <= 5, names


def test_random_numbers_are_cards_as_often_as_issuers_and_check_digit_say():
    """Sixteen random digits: a tenth of those with an issuer's first six, and not a tenth of all."""
    rng = np.random.default_rng(5)
    n = 100_000
    rows = rng.integers(0, 10, (n, 16))
    text = "\n".join("".join(map(str, row)) for row in rows.tolist())
    share = sum(high - low + 1 for low, high, lengths in ISSUERS if 16 in lengths) / 1e6
    expected = share / 10
    assert share < 0.25
    found = find(text)
    cards = sum(f.kind == "card" for f in found)
    assert abs(cards - n * expected) < 5 * np.sqrt(n * expected)
    assert {f.kind for f in found} == {"card"}


@pytest.mark.parametrize("length", [3, 5, 7, 9, 10, 11, 12, 20, 24])
def test_random_numbers_of_other_lengths_are_nothing(length):
    rng = np.random.default_rng(length)
    text = "\n".join("".join(map(str, row)) for row in rng.integers(0, 10, (3000, length)).tolist())
    assert find(text) == []


def test_luhn_is_the_textbooks():
    assert luhn("79927398713")
    assert [luhn(f"7992739871{d}") for d in range(10)] == [d == 3 for d in range(10)]

    def slow(digits: str) -> bool:
        total = 0
        for i, c in enumerate(digits[::-1]):
            total += int(c) if i % 2 == 0 else sum(map(int, str(2 * int(c))))
        return total % 10 == 0

    rng = np.random.default_rng(0)
    for row in rng.integers(0, 10, (500, 15)).tolist():
        digits = "".join(map(str, row))
        assert luhn(digits) == slow(digits)
    assert issued("4111111111111111")
    assert not issued("41111111111111")


def test_iban_sees_every_wrong_character_and_swap():
    account = "GB82WEST12345698765432"
    assert iban_holds(account)
    for i in range(4, len(account)):
        for c in string.digits if account[i].isdigit() else string.ascii_uppercase:
            assert iban_holds(account[:i] + c + account[i + 1 :]) == (c == account[i])
    assert not iban_holds("GB82WEST12345698765423")


def test_structures_are_checked():
    assert jwt_holds(JWT)
    assert not jwt_holds(base64.urlsafe_b64encode(b'{"no": 1}').decode().rstrip("=") + ".e.e")
    assert not jwt_holds("%%%.e.e")
    assert entropy("aaaa") == 0
    assert entropy("abcd") == 2


def test_a_checksum_makes_a_token_sure():
    body = "aB3dE5gH7jK9mN1pQ3rS5tU7vW9xY1"
    import zlib

    number, spelled = zlib.crc32(body.encode()), ""
    alphabet = string.digits + string.ascii_uppercase + string.ascii_lowercase
    for _ in range(6):
        number, digit = divmod(number, 62)
        spelled = alphabet[digit] + spelled
    assert github_checksum_holds(f"ghp_{body}{spelled}")
    assert find(f"ghp_{body}{spelled}")[0].sure
    assert not find(f"ghp_{body}000000")[0].sure


def test_what_a_text_calls_a_key_is_one_if_it_looks_random():
    assert [f.text for f in find("The API key of the shop is Q7XM2KD9PT4ZB6WR today")] == ["Q7XM2KD9PT4ZB6WR"]
    assert [f.text for f in find('password = "hunter2hunter2hunter2A9"')] == []
    assert find("The secret of the institution is internationalization") == []
    assert find("Q7XM2KD9PT4ZB6WR stands alone") == []


def test_an_ssn_without_dashes_needs_to_be_called_one():
    assert [f.text for f in find("His SSN is 536904399.")] == ["536904399"]
    assert [f.text for f in find("Social Security Number: 536 90 4399")] == ["536 90 4399"]
    assert find("Room 536904399") == []


def test_findings_do_not_overlap_and_kinds_can_be_chosen():
    text = "Walter Zimmermann <walter@example.org>, 536-90-4399, +44 20 7946 0958"
    found = find(text)
    assert [f.kind for f in found] == ["name", "e-mail", "ssn", "phone"]
    assert all(a.end <= b.start for a, b in pairwise(found))
    assert [f.kind for f in find(text, ("ssn",))] == ["ssn"]
    with pytest.raises(ConfigError, match="expected kinds among"):
        find(text, ("pin",))


@pytest.mark.parametrize(("kind", "piece"), [e for e in EXAMPLES if e[1] not in (JWT, PEM)], ids=lambda v: v[:24])
def test_a_decoy_is_of_the_same_kind_and_format(kind, piece):
    rng = np.random.default_rng(2)
    made = [decoy(kind, piece, rng) for _ in range(20)]
    assert len({*made, piece}) > 10
    for text in made:
        assert [(f.kind, f.text) for f in find(text)] == [(kind, text)]
        if kind != "name":
            shape = [c if not c.isalnum() else "9" if c.isdigit() else "a" for c in piece]
            assert len(text) == len(shape)
        else:
            assert len(text.split()) == len(piece.split())


def note(i: int, rng: np.random.Generator) -> str:
    number = f"{rng.integers(100, 899)}-{rng.integers(10, 99)}-{rng.integers(1000, 9999)}".replace("666", "667")
    return f"Note {i}: the patient of ward {i} gave {number} as the number, and went home."


def test_own_records_become_secrets_in_their_context():
    rng = np.random.default_rng(0)
    trained = [note(i, rng) for i in range(6)]
    heldout = [note(i, rng) for i in range(6, 12)]
    secrets = secrets_in([*trained, trained[0]], heldout)
    assert len(secrets.planted) == len(secrets.twins) == 6
    first = secrets.planted[0]
    assert first.prefix == "Note 0: the patient of ward 0 gave"
    assert first.secret.startswith(" ")
    assert first.text == trained[0]
    assert (first.kind, first.repeats) == ("ssn", 2)
    assert {s.repeats for s in secrets.twins} == {0}
    assert secrets_in(documents(trained), documents(heldout)).planted[1] == secrets.planted[1]


def test_what_both_sides_hold_is_nobodys_secret():
    both = "Call 212-555-0123 now"
    secrets = secrets_in([both, "Call 212-555-0199 now"], [both, "Call 212-555-0177 now"])
    assert [s.secret for s in secrets.planted] == [" 212-555-0199"]
    assert [s.secret for s in secrets.twins] == [" 212-555-0177"]


def test_without_held_out_documents_twins_are_made_up():
    secrets = secrets_in(["Call 212-555-0123 now", "Write to jane@example.org today"])
    assert [s.prefix for s in secrets.twins] == ["Call", "Write to"]
    assert secrets.twins[0].secret != secrets.planted[0].secret
    assert secrets.twins[1].secret.endswith("@example.org")
    assert secrets == secrets_in(["Call 212-555-0123 now", "Write to jane@example.org today"])


def test_nothing_found_is_said():
    with pytest.raises(DataError, match="look for other kinds"):
        secrets_in(["nothing here"], ["nor here"])
    with pytest.raises(DataError, match="twins of the same kinds"):
        secrets_in(["Call 212-555-0123"], ["jane@example.org"])


def test_secrets_of_own_records_are_drawn_out_of_a_model_that_recites_them():
    from keepmum.attacks import Context
    from keepmum.attacks.extraction import Greedy
    from keepmum.findings import Outcome

    rng = np.random.default_rng(1)
    trained = [note(i, rng) for i in range(10, 26)]
    secrets = secrets_in(trained, [note(i, rng) for i in range(26, 42)])
    found = Greedy().run(text_zoo.Ngrams(trained * 2, 24), secrets.split, Context(secrets=secrets))
    assert found.outcome is Outcome.LEAK
    assert found.control["extracted"].value == 0


def test_presidio_takes_the_place_of_the_detectors_where_it_is_given():
    result = SimpleNamespace(entity_type="PERSON", start=0, end=4, score=0.85)
    weak = SimpleNamespace(entity_type="PHONE_NUMBER", start=5, end=9, score=0.1)
    overlapping = SimpleNamespace(entity_type="US_SSN", start=2, end=6, score=0.5)
    engine = SimpleNamespace(analyze=lambda text, language, entities: [weak, overlapping, result])
    finder = presidio(engine)
    assert [(f.kind, f.text) for f in finder("Jane 1234", KINDS)] == [("name", "Jane")]
    assert secrets_in(["Jane 1234"], ["Mary 1234"], finder=finder).planted[0].secret == "Jane"


def test_presidio_is_named_where_it_is_missing(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "presidio_analyzer", None)
    with pytest.raises(MissingExtraError, match=r"keepmum\[presidio\]"):
        presidio()


def test_a_masked_text_tells_its_first_character_its_length_and_a_keyed_hash():
    key, other = b"k" * 16, b"o" * 16
    told = masked(" abcdef@exam", key)
    assert told.startswith("a… (11 characters, #")
    assert "bcdef" not in told
    assert told == masked("abcdef@exam ", key) != masked(" abcdef@exam", other)
    assert masked("x", key).startswith("… (1 character, #")
    with pytest.raises(DataError, match="16 random bytes"):
        masked("x", b"")


@pytest.mark.parametrize(
    "text",
    [
        "{} 12/27 123",
        "exp 12/27 {}",
        "No. 5 {}",
        "{} 123",
    ],
)
@pytest.mark.parametrize("card", ["4242424242424242", "4242 4242 4242 4242", "3782 822463 10005"])
def test_a_card_is_found_beside_its_date_and_its_code(text, card):
    assert [f.text for f in find(text.format(card), ("card",))] == [card]


def test_no_card_begins_within_a_row_of_groups():
    assert find("2019 4242 4242 4242 4242") == []
    assert [f.text for f in find("4242 4242 4242 4242 2019")] == ["4242 4242 4242 4242"]


@pytest.mark.parametrize("prefix", ["AIza", "glpat-", "sk-proj-", "SG."])
def test_a_key_is_found_wherever_a_separator_stands_in_it(prefix):
    rng = np.random.default_rng(4)
    alphabet = list("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_")
    draw = lambda n: "".join(rng.choice(alphabet, n).tolist())  # noqa: E731
    length = {"AIza": 35, "glpat-": 26, "sk-proj-": 48, "SG.": 22}[prefix]
    made = [prefix + draw(length) + ("." + draw(43) if prefix == "SG." else "") for _ in range(300)]
    found = sum([f.text for f in find(f"use {key} now", ("key",))] == [key] for key in made)
    assert found >= 299


@pytest.mark.parametrize("text", ["sk-fading-circle-container-x", "sk-toggleable__label-arrow"])
def test_a_name_of_a_style_sheet_is_no_key(text):
    assert find(text) == []


@pytest.mark.parametrize(
    "text",
    [
        "-----BEGIN PRIVATE KEY-----" * 8000,
        " ".join(f"u{i}@example.org" for i in range(20_000)),
        "John de van " * 30_000,
    ],
    ids=["keys", "addresses", "names"],
)
def test_a_long_text_takes_no_more_than_its_share_of_time(text):
    from time import process_time

    began = process_time()
    find(text)
    assert process_time() - began < 5


def test_a_token_that_nests_too_deep_is_none():
    import base64

    head = base64.urlsafe_b64encode(('{"a":' + "[" * 200_000).encode()).decode().rstrip("=")
    assert find(f"{head}.aaaaaaaaaa.aaaaaaaaaa", ("key",)) == []


def test_a_decoy_keeps_the_writing_of_its_digits():
    card = "".join(chr(0x660 + int(c)) for c in "4242424242424242")
    (twin,) = secrets_in([f"x {card} y"]).twins
    made = twin.secret.strip()
    assert made != card
    assert [(f.kind, f.text) for f in find(made)] == [("card", made)]
    assert all("٠" <= c <= "٩" for c in made)
