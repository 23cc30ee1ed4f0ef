"""The recipes of docs/recipes, read as a person reads them: by their code blocks."""

import re
from pathlib import Path
from xml.etree import ElementTree

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


def asterisk(context=0):
    """The `CURLOPT()` settings of a context of the dialplan, and the URL that it gives to `CURL()`."""
    dialplan = blocks("asterisk.md", "asterisk")[context]
    options = dict(re.findall(r"Set\(CURLOPT\((\w+)\)=(.*)\)$", dialplan, re.M))
    return options, re.search(r"\$\{CURL\((http.*)\)\}\)$", dialplan, re.M).group(1)


def fields(page, first):
    """The two-column table whose first row is about `first`, as a person types it into a form."""
    rows = re.findall(r"^\| ([\w ]+) \| `(.*)` \|$", (RECIPES / page).read_text(), re.M)
    names = [name for name, _ in rows]
    assert first in names, f"{page} has no table that begins with {first}"
    chosen = {}
    for name, value in rows[names.index(first) :]:
        if name in chosen:
            break
        chosen[name] = value
    return chosen


def freeswitch():
    """The parameters of cidlookup.conf; the URL that the dialplan gives to mod_curl, and the variables it has set before."""
    configuration, _, dialplan = blocks("freeswitch.md", "xml")
    parameters = {p.get("name"): p.get("value") for p in ElementTree.fromstring(configuration).iter("param")}
    actions = [(a.get("application"), a.get("data")) for a in ElementTree.fromstring(f"<_>{dialplan}</_>").iter("action")]
    url = next(data for application, data in actions if application == "curl")
    variables = [data.split("=", 1) for application, data in actions[: actions.index(("curl", url))] if application == "set"]
    return parameters, url, dict(variables)
