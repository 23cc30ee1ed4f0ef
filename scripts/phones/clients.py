"""Asking over libcurl."""

import io

import pycurl


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
