"""E-mails, call notes and adjuster reports: topics in a plausible order, each said by one sentence of the bank."""

from collections.abc import Sequence

from tailtune.samples.grammar import capital
from tailtune.samples.insurance_claims.pieces import Draft, Piece
from tailtune.samples.insurance_claims.plan import STATED, TOPICS
from tailtune.samples.insurance_claims.telling import Teller, slots_of

UNDATED_EVENT_SHARE = 0.12
CORRECTED_SHARE = 0.05
SUMMARY_SHARE = 0.18
NOTE_GAPS = (". ", "; ", " / ", "\n- ", ", ", "\n", " | ")

BRIEF_SHARE = 0.25
BRIEF = 0.45
"""Some writers say little."""
TERSE = 1.25
"""Call notes state more, in fewer words."""


def write(teller: Teller) -> None:
    """Writes the text of an e-mail, call note or report into the teller's draft."""
    {"email": _email, "call": _call, "report": _report}[teller.channel](teller)


def sentence(teller: Teller, topic: str) -> list[Piece]:
    """Says one topic, or nothing where no phrase fits the facts at hand."""
    phrases = [phrase for phrase in teller.bank.prose[teller.channel][topic] if teller.can(phrase)]
    return teller.tell(teller.dice.pick(phrases)) if phrases else []


def _opening(teller: Teller) -> list[Piece]:
    if teller.claim.dated:
        return sentence(teller, "opening_dated")
    return sentence(teller, "opening") if teller.dice.chance(0.6) else []


def _event(teller: Teller) -> list[Piece]:
    dice = teller.dice
    if dice.chance(UNDATED_EVENT_SHARE):
        return sentence(teller, "event_undated")
    if dice.chance(CORRECTED_SHARE):
        return sentence(teller, "corrected")
    return sentence(teller, "event")


def _topic(teller: Teller, topic: str) -> list[Piece]:
    """Says one topic of the plan, with what it entails."""
    claim = teller.claim
    if topic == "police_no":
        if not claim.values["police_notified"] or teller.draft.chosen.get("police_notified") is False:
            return []
        pieces = sentence(teller, topic)
        teller.draft.chosen["police_notified"] = True
        return pieces
    if topic == "items" and claim.event.says["peril"] == "theft":
        return sentence(teller, "items_lost")
    return sentence(teller, topic)


def _body(teller: Teller) -> list[list[Piece]]:
    """Draws topics and statements, and says them in any order after the event."""
    dice, plan = teller.dice, TOPICS[teller.channel]
    brief = BRIEF if dice.chance(BRIEF_SHARE) else 1.0
    factor = brief * (TERSE if teller.channel == "call" else 1.0)
    topics = [topic for topic, share in plan.items() if dice.chance(share * brief / 100)]
    topics += [f"={name}" for name, share in STATED.items() if dice.chance(share * factor / 100)]
    sentences: list[list[Piece]] = []
    while topics:
        topic = topics.pop(dice.below(len(topics)) if dice.chance(0.8) else 0)
        pieces = (teller.say(topic[1:]) or []) if topic.startswith("=") else _topic(teller, topic)
        if pieces:
            sentences.append(pieces)
            teller.draft.add(*pieces)
    return sentences


def _compose(teller: Teller, parts: Sequence[tuple[list[Piece], str]]) -> None:
    """Puts sentences, each with the gap behind it, into the draft in reading order."""
    teller.draft.pieces.clear()
    kept = [(pieces, gap) for pieces, gap in parts if pieces]
    for at, (pieces, gap) in enumerate(kept):
        teller.draft.add(*pieces)
        if at < len(kept) - 1:
            teller.draft.put(gap)


def _noted(draft: Draft, pieces: list[Piece]) -> list[Piece]:
    """Notes pieces in the draft, so that nothing is stated twice."""
    draft.add(*pieces)
    return pieces


def _email(teller: Teller) -> None:
    dice, draft = teller.dice, teller.draft
    line = dice.pick(("\n", "\n\n", " "))
    subject = _noted(draft, sentence(teller, "subject")) if dice.chance(0.35) else []
    opening = _noted(draft, _opening(teller))
    greeting = sentence(teller, "greeting") if dice.chance(0.6) else []
    event = _noted(draft, _event(teller))
    body = _body(teller)
    tail = sentence(teller, "tail") if dice.chance(0.3) else []
    closing = sentence(teller, "closing") if dice.chance(0.7) else []
    signature = _noted(draft, sentence(teller, "signature")) if dice.chance(0.9) else []
    head = [(subject, "\n"), (greeting, line), (opening, " "), (event, " ")]
    paragraph = dice.pick((" ", " ", "\n"))
    _compose(
        teller,
        [*head, *((one, paragraph) for one in body), (tail, line), (closing, dice.pick(("\n", " "))), (signature, "")],
    )


def _call(teller: Teller) -> None:
    dice, draft = teller.dice, teller.draft
    gap = dice.pick(NOTE_GAPS)
    opening = _noted(draft, _opening(teller))
    event = _noted(draft, _event(teller))
    body = _body(teller)
    before = 1 if dice.chance(0.25) else 0
    parts = [opening, *body[:before], event, *body[before:]]
    trimmed = [_bare(part) for part in parts]
    if dice.chance(0.3):
        trimmed = [_raised(part) for part in trimmed]
    _compose(teller, [(part, gap) for part in trimmed])


def _bare(pieces: list[Piece]) -> list[Piece]:
    """Drops the end mark: notes put their own between fragments."""
    if pieces and not pieces[-1].label:
        return [*pieces[:-1], pieces[-1]._replace(text=pieces[-1].text.rstrip("."))]
    return pieces


def _raised(pieces: list[Piece]) -> list[Piece]:
    return [pieces[0]._replace(text=capital(pieces[0].text)), *pieces[1:]] if pieces else pieces


def _report(teller: Teller) -> None:
    dice, draft = teller.dice, teller.draft
    subject = _noted(draft, sentence(teller, "subject")) if dice.chance(0.6) else []
    opening = _noted(draft, _opening(teller))
    event = _noted(draft, _event(teller))
    body = _body(teller)
    summary = _noted(draft, _summary(teller)) if dice.chance(SUMMARY_SHARE) else []
    signature = _noted(draft, sentence(teller, "signature")) if dice.chance(0.6) else []
    gap = dice.pick((" ", " ", "\n"))
    _compose(
        teller,
        [(subject, "\n"), (opening, " "), (event, " "), *((one, gap) for one in body), (summary, gap), (signature, "")],
    )
    if draft.pieces and signature:
        at = len(draft.pieces) - len(signature) - 1
        draft.pieces[at] = Piece("\n")


def _summary(teller: Teller) -> list[Piece]:
    """A last sentence that may say values again."""
    phrases = teller.bank.prose["report"]["summary"]
    known = [phrase for phrase in phrases if all(name in teller.claim.values for name in slots_of(phrase))]
    return teller.tell(teller.dice.pick(known)) if known else []


def _ended(draft: Draft, at: int) -> bool:
    """Whether a sentence ends before a piece."""
    return at > 0 and draft.pieces[at - 1].text.endswith(".")


def lengthen(teller: Teller, chars: int) -> None:
    """Adds boiler-plate between the sentences of a report until it has more than `chars` characters."""
    dice, draft, lines = teller.dice, teller.draft, teller.bank.extras["boilerplate"]
    places = [at for at, piece in enumerate(draft.pieces) if piece.text in (" ", "\n") and _ended(draft, at)]
    length = sum(len(piece.text) for piece in draft.pieces)
    added: dict[int, str] = {}
    while length <= chars and places:
        line = dice.pick(lines)
        at = dice.pick(places)
        added[at] = added.get(at, "") + f" {line}"
        length += len(line) + 1
    draft.pieces = [
        piece._replace(text=added[at] + piece.text) if at in added else piece for at, piece in enumerate(draft.pieces)
    ]
