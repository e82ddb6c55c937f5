"""Names of persons: a given name from a list, or a title, before a word with a capital."""

from __future__ import annotations

import re
from collections.abc import Iterator

Span = tuple[int, int, bool]

_GIVEN_WORDS = """
Aaron Abigail Adam Adele Adrian Agnes Ahmed Aisha Alan Albert Alejandro Alex Alexander Alexandra Alfred Ali Alice
Alicia Alison Amanda Amelia Amir Amy Ana Anastasia Andre Andrea Andreas Andrew Angela Anita Ann Anna Anne Annette
Anthony Anton Antonio Arthur Astrid Audrey Barbara Beatrice Ben Benjamin Bernard Bernhard Beth Betty Beverly Bill
Bjorn Bob Boris Brandon Brenda Brian Bruce Bruno Camille Carl Carla Carlos Carmen Carol Caroline Carolyn Catherine
Cecilia Charles Charlotte Cheryl Chiara Chloe Chris Christian Christina Christine Christopher Clara Claudia Claire
Colin Connie Craig Cynthia Daniel Daniela David Deborah Debra Denise Dennis Diana Diane Diego Dieter Dmitri Donald
Donna Dorothy Douglas Edith Eduardo Edward Eileen Elaine Eleanor Elena Elisabeth Elizabeth Ellen Emil Emily Emma
Eric Erik Erika Ernest Esther Eugene Eva Evelyn Fatima Felix Fernando Fiona Florence Frances Francesca Francesco
Francis Frank Fred Frederick Gabriel Gary Gemma Geoffrey George Gerald Giovanni Giulia Gloria Greta Gregory Gustav
Hannah Hans Harold Harry Hassan Heather Heidi Heinrich Helen Helena Henry Herbert Hiroshi Howard Hugo Ian Ibrahim
Ines Ingrid Irene Isabel Isabella Ivan Jacob Jacqueline James Jamie Jan Jane Janet Janice Jason Javier Jean Jeffrey
Jennifer Jeremy Jessica Jill Joan Joanna Johan Johann John Jonathan Jorge Jose Josef Joseph Joshua Joyce Juan Judith
Julia Julian Julie Jun Karen Karin Karl Katarina Kate Katherine Kathleen Kathryn Katie Keith Kelly Kenneth Kevin
Kimberly Klaus Kristen Kyle Larry Lars Laura Lauren Lawrence Leah Lena Leo Leon Leonard Leonardo Lewis Li Liam
Lillian Linda Lisa Lois Lorenzo Louis Louise Luca Lucas Lucia Lucy Luis Luke Lydia Magdalena Malcolm Manuel Marco
Margaret Maria Marie Marilyn Mario Marion Marta Martha Martin Mary Mateo Matthew Matthias Maurice Max Maximilian
Megan Mei Melanie Melissa Michael Michel Michelle Miguel Mikhail Miriam Mohamed Mohammed Monica Monika Nadia Nancy
Naomi Natalia Natalie Nathan Neil Nicholas Nicola Nicole Nikolai Nina Noah Nora Norman Olga Oliver Olivia Omar Oscar
Otto Pablo Pamela Patricia Patrick Paul Paula Pauline Pedro Peter Petra Philip Phillip Phyllis Pierre Priya Rachel
Rafael Raj Ralph Ramon Raymond Rebecca Renate Ricardo Richard Rita Robert Roberto Robin Roger Roland Ronald Rosa
Rosemary Ruth Ryan Sabine Sally Samantha Samir Samuel Sandra Sara Sarah Sean Sebastian Sergei Sharon Sheila Shirley
Silvia Simon Sofia Sonia Sophia Sophie Stefan Stella Stephanie Stephen Steven Stuart Susan Susanne Suzanne Sven
Sylvia Tamara Tanya Tatiana Teresa Theodore Theresa Thomas Tim Timothy Tina Tom Tomas Tracy Ulrich Ursula Valentina
Valerie Vanessa Vera Veronica Victor Victoria Vincent Virginia Vladimir Walter Wanda Wei Wendy Werner William
Wolfgang Xavier Yolanda Yuki Yusuf Yvonne Zoe
"""
GIVEN = frozenset(_GIVEN_WORDS.split())
"""Given names that are no other word of English."""
_SURNAMES_WORDS = """
Adler Ahmed Andersen Baker Barnes Becker Bell Bennett Berger Bianchi Brooks Brown Carter Castro Chen Clark Cole
Collins Cooper Costa Cruz Davies Davis Dubois Edwards Evans Fischer Fisher Foster Garcia Gomez Graham Green Hall
Hansen Harris Hayes Hill Hoffman Hughes Ivanov Jackson Jansen Jensen Johnson Jones Kaplan Keller Kelly Khan Kim King
Klein Kowalski Kumar Larsen Lee Lehmann Lewis Lopez Martin Martinez Meyer Miller Mitchell Moore Morgan Morris Muller
Murphy Nelson Nguyen Novak Olsen Parker Patel Perez Peters Petrov Phillips Price Ramirez Reed Richter Rivera Roberts
Robinson Rossi Russell Ryan Sanders Santos Sato Schmidt Scott Silva Singh Smith Sokolov Suzuki Tanaka Taylor Thomas
Thompson Torres Turner Walker Wang Watson Weber White Williams Wilson Wood Wright Yamamoto Young Zhang Zimmermann
"""
SURNAMES = tuple(_SURNAMES_WORDS.split())
_TITLES = r"(?:Mr|Mrs|Ms|Dr|Prof|Herr|Frau|Mme|Sr|Sra)\.?"
_CAPITAL = "[A-ZÀ-Þ][a-zß-ÿ]+"
_SURNAME = rf"(?:(?:van|von|de|der|den|di|da|del|la|le|al|bin|Mac|Mc|O')[ ']?){{0,2}}{_CAPITAL}(?:[-']{_CAPITAL})?"
_NAME = re.compile(rf"\b(?:{_TITLES} )?({_CAPITAL})(?:-[A-Z][a-z]+)?(?: [A-Z]\.)?((?: {_SURNAME}){{1,2}})")
_TITLED = re.compile(rf"\b{_TITLES} {_SURNAME}(?: {_SURNAME})?")
_CAPITALIZED_WORDS = """
The A An And But Or If He She It We You They I Is Was Are Were Has Had Will Would In On At By For From To Of With
This That These Those Street Road Avenue University College Hospital School Church Day Park Bay County City Island
River Institute Company
"""
_CAPITALIZED = frozenset(_CAPITALIZED_WORDS.split())


def names(text: str) -> Iterator[Span]:
    """A given name of the list and one or two surnames, an initial between; or a title and a surname."""
    ends: list[int] = []
    place = 0
    while match := _NAME.search(text, place):
        words = match[2].split()
        kept = next((i for i, word in enumerate(words) if word in _CAPITALIZED), len(words))
        if match[1] in GIVEN and kept:
            end = match.start(2) + len(match[2]) - sum(len(word) + 1 for word in words[kept:])
            yield match.start(), end, False
            ends.append(end)
            place = end
        else:
            place = match.end(1)  # the second capital may be where a name begins
    for match in _TITLED.finditer(text):
        if match.group().split()[1] not in _CAPITALIZED:
            yield match.start(), match.end(), False
