"""Which language a text is written in, as py3langid sees it: by its letters alone, without asking anybody."""

from __future__ import annotations


def language(text: str) -> str:
    """ISO 639-1 code of the likeliest language, as `en`.

    Limit: of a few words it is often wrong. It errs alike on equal texts, so that a mix of languages can be compared
    with another mix; a single text's language is no fact.
    """
    from py3langid import classify  # reads its table at the first text: 0.7 s

    code, _ = classify(text)
    return str(code)
