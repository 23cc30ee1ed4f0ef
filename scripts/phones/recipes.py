"""The recipes of docs/recipes, read as a person reads them: by their code blocks."""

import re
from pathlib import Path

RECIPES = Path(__file__).resolve().parent.parent.parent / "docs/recipes"


def blocks(page, language):
    """The code blocks of this language, in their order."""
    found = re.findall(rf"^```{language}\n(.*?)^```$", (RECIPES / page).read_text(), re.M | re.S)
    assert found, f"{page} has no block of {language}"
    return found


def kamailio(over_kept_connections=False):
    """The whole configuration; with the page's other route in the place of the first, if wanted."""
    whole, route = blocks("kamailio.md", "kamailio")
    if over_kept_connections:
        before, found, _ = whole.partition("# callcard: asks for")
        assert found and _.strip().endswith("}"), "the route does not stand last"
        whole = before + route
    return whole
