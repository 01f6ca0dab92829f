"""What a sentence means, before any language: the shape of events that all grammars read.

Theory of operation. An event is a tuple (verb, tense, agent, patient, recipient, place, time) of
numbers into the tables of words. A noun phrase is (noun, count, adjective): count 0 is "the one", 1
"a", 2 "the several", more is that many; adjective -1 is none. An agent may be a person by name:
(-1, first name, surname) for a woman, (-2, first name, surname) for a man. A place is the number
of a noun, or -1 - c for city c. None stands for what is not said. Tense is 0 past, 1 present,
2 future. A sentence is (link, event, sentence or None): link "e" ends it, "b" because, "t" that,
"a" and.
"""

Phrase = tuple[int, int, int]
Event = tuple[int, int, Phrase, Phrase | None, Phrase | None, int | None, int | None]
Sentence = tuple[str, Event, "Sentence | None"]
Chunks = list[tuple[str, str]]
"""Parts of a clause in order: role (S V O R P T, or x for a particle) and words."""
