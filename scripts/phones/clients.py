"""Programs that ask over libcurl, as their sources do it: the same options, the same treatment of the answer. Emulated; none of them runs here.

Each takes the caller's number (and the name that the trunk sent) and gives what the phone shows: a name, or the number if there is none.
"""

import io
import re
from urllib.parse import quote, unquote

import pycurl
from phones import recipes


class Reply:
    """What libcurl brought back: the body so far, the status, and whether the transfer failed."""

    def __init__(self, url, **options):
        body, handle = io.BytesIO(), pycurl.Curl()
        # A URL is bytes to libcurl: what a program does not encode goes out as it is.
        handle.setopt(pycurl.URL, url.encode())
        handle.setopt(pycurl.WRITEFUNCTION, body.write)
        handle.setopt(pycurl.NOSIGNAL, 1)
        for name, value in options.items():
            handle.setopt(getattr(pycurl, name), value)
        try:
            handle.perform()
            self.failed = False
        except pycurl.error:
            self.failed = True
        self.status = handle.getinfo(pycurl.RESPONSE_CODE)
        self.seconds = handle.getinfo(pycurl.TOTAL_TIME)
        self.body = body.getvalue()
        handle.close()


class Client:
    """One kind of phone system, set up as its recipe says, with the service at `port`."""

    def __init__(self, port):
        self.port = port
        self.seconds = None

    def here(self, text):
        assert "127.0.0.1" in text and "8080" in text, f"the recipe asks somewhere else: {text}"
        return text.replace("8080", str(self.port))

    def ask(self, url, **options):
        reply = Reply(url, **options)
        self.seconds = reply.seconds
        return reply


class Asterisk(Client):
    """`CURL()`: the status is ignored, redirects are not followed, trailing bytes below 33 are cut off. A comma begins a POST's body."""

    OPTIONS = {"httptimeout": ("TIMEOUT_MS", 1000), "conntimeout": ("CONNECTTIMEOUT_MS", 1000)}

    failure_codes, context = "", 0

    def __init__(self, port):
        super().__init__(port)
        self.settings, self.url = recipes.asterisk(self.context)

    def shows(self, number, name=""):
        return self.value(number) or name or number

    def value(self, number):
        url = self.here(self.url).replace("${URIENCODE(${CALLERID(num)})}", quote(number, safe=""))
        assert "${" not in url and "," not in url, url
        return self.curl(url)

    def curl(self, url):
        options = {"USERAGENT": "asterisk-libcurl-agent/1.0", "TIMEOUT_MS": 180_000}
        for name, value in self.settings.items():
            if name == "userpwd":
                options["USERPWD"] = value
            elif name in self.OPTIONS:
                option, unit = self.OPTIONS[name]
                options[option] = int(float(value) * unit)
        reply = self.ask(url, **options)
        # The list is cut up where it stands: from the second CURL() on only its first code is there.
        codes, self.failure_codes = self.failure_codes.split(","), self.failure_codes.partition(",")[0]
        if str(reply.status) in codes:
            return ""
        return reply.body.rstrip(bytes(range(33))).decode()


class AsteriskWithFailureCodes(Asterisk):
    """`CURLOPT(failurecodes)`: these statuses make the value empty."""

    failure_codes = "404,500"


class AsteriskHash(Asterisk):
    """`CURLOPT(hashcompat)=yes`: pairs, of which `%20` is decoded and `+` is not."""

    context = 1

    def value(self, number):
        assert self.settings["hashcompat"] == "yes"
        pairs = [pair.partition("=") for pair in super().value(number).split("&")]
        return {unquote(name): unquote(value) for name, _, value in pairs}


class FreePbx(Asterisk):
    """The CallerID Lookup source: `CURL()` with tokens put into a URL of its making. The answer replaces the trunk's name, empty or not."""

    def __init__(self, port):
        Client.__init__(self, port)
        self.settings = {"httptimeout": "7"}
        form = recipes.fields("freepbx.md", "Source Description")
        user = f"{form['Username']}:{quote(form['Password'], safe='')}"
        self.url = f"http://{user}@{form['Host']}:{form['Port']}/{form['Path']}?{form['Query']}"

    def shows(self, number, name=""):
        assert "//lookup" in self.url
        url = self.here(self.url).replace("[NUMBER]", number.replace("+", "%2B")).replace("[NAME]", name.replace(" ", "%20").replace(",", "%2C"))
        return self.curl(url) or number


class ModCidlookup(Client):
    """Digits only, whole seconds, the status ignored, nothing trimmed, two words and a space that mean "no name"."""

    def shows(self, number, name=""):
        settings, _, _ = recipes.freeswitch()
        url = self.here(settings["url"]).replace("${caller_id_number}", re.sub(r"\D", "", number))
        seconds = int(settings["curl-timeout"]) // 1000
        assert seconds > 0, "below a second is no limit"
        reply = self.ask(url, USERAGENT="freeswitch-cidlookup/1.0", TIMEOUT=seconds, FOLLOWLOCATION=1, MAXREDIRS=10, SSL_VERIFYPEER=0, SSL_VERIFYHOST=0)
        body = reply.body[:10_240].decode()
        assert "${" not in body and "%" not in body, "it would expand or print this"
        return number if body in ("", " ") or body.upper() in ("UNKNOWN", "UNAVAILABLE") else body


class ModCurl(Client):
    """The dialplan looks at the status itself; without `curl_timeout` it would wait for ever."""

    def shows(self, number, name=""):
        _, url, variables = recipes.freeswitch()
        url = self.here(url).replace("${url_encode(${caller_id_number})}", quote(number, safe=""))
        reply = self.ask(url, USERAGENT="freeswitch-curl/1.0", TIMEOUT=int(variables["curl_timeout"]), FOLLOWLOCATION=1, MAXREDIRS=15)
        return reply.body[:64_000].decode() if reply.status == 200 and reply.body else number


class Superfecta(Client):
    """Fails on 400 and above, follows redirects, encodes nothing in the URL; then tags and quotes go, and Latin-1 becomes UTF-8."""

    AGENT = "Mozilla/5.0 (Windows; U; Windows NT 5.1; en-US; rv:1.8.1.6) Gecko/20070725 Firefox/2.0.0.6"

    def shows(self, number, name=""):
        form = recipes.fields("freepbx.md", "URL")
        url = self.here(form["URL"]).replace("$thenumber", number)
        reply = self.ask(url, USERAGENT=self.AGENT, FAILONERROR=1, CONNECTTIMEOUT=3, TIMEOUT=3, FOLLOWLOCATION=1, SSL_VERIFYPEER=0)
        if reply.failed:
            return number
        found = re.search(form["Regular Expression"].strip("/"), reply.body.decode("latin-1"))
        text = re.sub(r"<[^>]*>|[\";']", "", found.group(1) if found else "").strip()[:60]
        return number if text in ("", "1") else text
