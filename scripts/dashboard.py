#!/usr/bin/env python3
"""The Grafana dashboard, as a definition to read and to change, and what makes helm/dashboards/callcard.json of it.

    scripts/dashboard.py          rewrite helm/dashboards/callcard.json

A panel is a title, a description, a unit and its queries. In the queries every selector of a metric is given the dashboard's `job` and
`instance` when the file is made. scripts/check-dashboard holds the file against the definition, Grafana's types, and a running service.
"""

import json
import re
from dataclasses import dataclass, field
from pathlib import Path

FILE = Path(__file__).resolve().parent.parent / "helm/dashboards/callcard.json"
RATE = "$__rate_interval"
SOURCE = {"type": "prometheus", "uid": "${datasource}"}
WIDTH = 24  # of Grafana's grid


@dataclass
class Panel:
    title: str
    description: str
    unit: str
    queries: list  # (expression, legend)
    width: int = 8
    height: int = 8
    kind: str = "timeseries"
    stack: bool = False
    most: float | None = None
    thresholds: list = field(default_factory=list)  # (from, colour)
    words: dict = field(default_factory=dict)  # value → (text, colour)


@dataclass
class Row:
    title: str
    panels: list


def stat(title, description, unit, expression, legend="", **more):
    return Panel(title, description, unit, [(expression, legend)], width=4, height=4, kind="stat", **more)


def total(name, by, matchers=""):
    """The rate of a counter by one of its labels."""
    return f"sum by ({by}) (rate(callcard_{name}{matchers}[{RATE}]))", "{{" + by + "}}"


def ratio(part, whole):
    return f"sum(rate({part}[{RATE}])) / sum(rate({whole}[{RATE}]))"


def quantiles(name, matchers="", by=""):
    """p50, p95 and p99 of a histogram; with `by` the p95 of each."""
    groups = f"le, {by}" if by else "le"
    legend = "{{" + by + "}}" if by else ""
    return [
        (f"histogram_quantile({q}, sum by ({groups}) (rate(callcard_{name}_bucket{matchers}[{RATE}])))", legend or f"p{int(q * 100)}")
        for q in ([0.95] if by else [0.5, 0.95, 0.99])
    ]


GREEN, YELLOW, RED = "green", "yellow", "red"
SHARE_OF_GOOD = [(None, RED), (0.98, YELLOW), (0.995, GREEN)]
ASKED = '{status!="skipped"}'

ROWS = [
    Row("Answers", [
        stat("Lookups", "Lookups a second, over all instances that are chosen above.", "reqps",
             f"sum(rate(callcard_lookups_total[{RATE}]))"),
        stat("Answered", "The share of lookups that did not end in an error. The objective is 99.5 %.", "percentunit",
             "1 - " + ratio('callcard_lookups_total{answer="error"}', f"callcard_lookups_total{ASKED}"), thresholds=SHARE_OF_GOOD),
        stat("In time", "The share of lookups answered within 1.6 s, which is the default deadline and the time to write the answer. The objective is 99.9 %.", "percentunit",
             ratio('callcard_lookup_duration_seconds_bucket{status!="skipped", le="1.6"}', f"callcard_lookup_duration_seconds_count{ASKED}"),
             thresholds=[(None, RED), (0.99, YELLOW), (0.999, GREEN)]),
        stat("From the cache", "The share of lookups answered at once from fresh entries.", "percentunit",
             ratio('callcard_lookups_total{status="hit"}', f"callcard_lookups_total{ASKED}")),
        stat("CRM", "Whether calls to the CRM are made. While they are suspended, known callers get stale answers and others none.", "none",
             "max(callcard_upstream_breaker_open)", words={0: ("open for calls", GREEN), 1: ("suspended", RED)}),
        stat("Instances", "Instances that are scraped, by version.", "none", "count by (version) (callcard_build_info)", "{{version}}"),
        Panel("Lookups by status", "How answers were found. `stale` and `rejected` mean that the CRM is slow, failing or over its quota; `skipped` needed no lookup.", "reqps",
              [total("lookups_total", "status")], stack=True),
        Panel("Lookups by answer", "What callers were told. Many `invalid`: a phone system sends something else than numbers. Many `not_found`: a campaign, or a robot.", "reqps",
              [total("lookups_total", "answer")], stack=True),
        Panel("Lookups that fail", "The share of lookups that end in an error, by how far they came, and the objective's bound.", "percentunit",
              [(f'sum by (status) (rate(callcard_lookups_total{{answer="error"}}[{RATE}])) / scalar(sum(rate(callcard_lookups_total{ASKED}[{RATE}])))', "{{status}}"),
               ("vector(0.005)", "budget")]),
        Panel("Time to answer", "From question to answer, withheld numbers and extensions left out. Hits take well under a millisecond; the upper quantiles are the CRM's.", "s",
              quantiles("lookup_duration_seconds", ASKED), width=6),
        Panel("Time to answer by status (p95)", "Stale answers come after the soft deadline of 300 ms, waiting ends with the deadline of 1.5 s.", "s",
              quantiles("lookup_duration_seconds", ASKED, by="status"), width=6),
        Panel("HTTP requests", "Requests on both listeners by route and status code. Lookups in the form of a phone system are 200 also when they have no name to give.", "reqps",
              [(f"sum by (route, code) (rate(callcard_http_requests_total[{RATE}]))", "{{route}} {{code}}")], stack=True, width=6),
        Panel("Time of an HTTP request (p95)", "By route, on both listeners. `/lookup` is what callers wait for; a batch of 100 numbers may take as long as its slowest.", "s",
              quantiles("http_request_duration_seconds", by="route"), width=6),
    ]),
    Row("Cache", [
        Panel("Entries", "Numbers that somebody has, numbers that nobody has, numbers whose fill failed a moment ago, and contacts.", "short",
              [("sum by (kind) (callcard_cache_entries)", "{{kind}}")], width=6),
        Panel("Size", "The estimated size of each instance's cache. Its bound is CALLCARD_CACHE_MAX_BYTES.", "bytes",
              [("callcard_cache_bytes", "{{instance}}")], width=6),
        Panel("Bytes per entry", "The average over numbers and contacts, to size the cache by.", "bytes",
              [("sum(callcard_cache_bytes) / sum(callcard_cache_entries)", "average")], width=6),
        Panel("Evictions", "`size`: the cache is too small for the callers it sees. `expired`: nobody asked until the last usable moment.", "ops",
              [total("cache_evictions_total", "cause")], width=6),
        Panel("Fills", "Fills running now. One a number, however many callers wait for it.", "short",
              [("sum(callcard_fills_in_flight)", "in flight")], width=6),
        Panel("Time of a fill", "One whole fill with all of its CRM calls. It goes on after its callers have been answered.", "s",
              quantiles("fill_duration_seconds"), width=6),
        Panel("Stale answers", "Answers past their fresh time, given since the CRM did not answer soon.", "reqps",
              [(f"sum(rate(callcard_stale_age_seconds_count[{RATE}]))", "stale")], width=6),
        Panel("Age of stale answers", "Minutes are usual; hours mean that the CRM has been away for hours.", "s",
              quantiles("stale_age_seconds"), width=6),
    ]),
    Row("CRM and quota", [
        Panel("CRM calls by outcome", "`short_circuited` were not sent: calls were suspended, or the quota left no slot in time.", "reqps",
              [total("upstream_requests_total", "outcome")], stack=True),
        Panel("CRM calls by endpoint", "Searches, leads of the contacts found, refreshes by id, lists of names. The CRM allows 7 a second for an account.", "reqps",
              [total("upstream_requests_total", "endpoint", '{outcome!="short_circuited"}')], stack=True),
        Panel("CRM calls that fail", "The share of calls sent that brought neither an answer nor \"nothing there\".", "percentunit",
              [(ratio('callcard_upstream_requests_total{outcome!~"ok|empty|short_circuited"}', 'callcard_upstream_requests_total{outcome!="short_circuited"}'), "failed")]),
        Panel("Time of a CRM call (p95)", "Without the wait for a slot of the quota.", "s",
              quantiles("upstream_request_duration_seconds", by="endpoint")),
        Panel("Quota wait (p95)", "How long calls wait for their slot. Callers go first; background work takes what is left.", "s",
              quantiles("upstream_quota_wait_seconds", by="class")),
        Panel("Refused for want of quota", "Calls that would have come too late and so were not made. `live` ones mean that the quota does not suffice.", "reqps",
              [total("upstream_quota_refusals_total", "class")]),
        Panel("Calls suspended", "1 while an instance makes no calls to the CRM. The log says why.", "none",
              [("callcard_upstream_breaker_open", "{{instance}}")], most=1),
        Panel("Verdicts", "What comparing the CRM's candidates with the number found. `incomplete`: a full page without a match, which is never taken for \"nobody\".", "ops",
              [total("verdicts_total", "verdict")], stack=True),
        Panel("Search", "How the account's search treats the formatting of stored numbers, as measured or set. `unproven` costs up to six searches a number.", "none",
              [("max by (mode) (callcard_search_mode)", "{{mode}}")], most=1),
    ]),
    Row("Token", [
        Panel("Token ends in", "A long-lived token has to be replaced by a person; an access token is renewed half an hour to an hour before.", "s",
              [("min by (kind) (callcard_token_expiry_timestamp_seconds) - time()", "{{kind}}")], width=12),
        Panel("Token renewals", "How renewals of the access token ended. `refused` needs a person, `unsaved` a writable token store.", "short",
              [(f"sum by (outcome) (increase(callcard_token_refreshes_total[{RATE}]))", "{{outcome}}")], width=12),
    ]),
    Row("Webhooks", [
        Panel("Deliveries", "What became of the CRM's webhooks. `denied` came with a wrong secret; after `overflowed` everything cached counts as stale.", "ops",
              [total("webhook_deliveries_total", "outcome")]),
        Panel("Changes told", "Records that webhooks told of, and what that did to the cache. `none`: nothing of it was cached.", "ops",
              [(f"sum by (kind, effect) (rate(callcard_webhook_hints_total[{RATE}]))", "{{kind}} {{effect}}")]),
        Panel("Last delivery", "Time since the last one with the right secret, or since the start. Without webhooks it grows for ever.", "s",
              [("min(callcard_webhook_last_delivery_age_seconds)", "age")]),
    ]),
    Row("Directory", [
        Panel("Contacts", "Contacts in the local mirror; 0 without one.", "short", [("max(callcard_directory_contacts)", "contacts")], width=6),
        Panel("Lag", "How far the mirror is behind the CRM. Beyond a minute it says no more that nobody has a number.", "s",
              [("max(callcard_directory_lag_seconds)", "lag")], width=6),
        Panel("Complete", "1 once the mirror holds the whole contact base.", "none", [("max(callcard_directory_complete)", "complete")], most=1, width=6),
        Panel("Leader", "1 at the instance that keeps the mirror up to date, for all of them or for itself. None for longer than half a minute: nobody follows the CRM.", "none",
              [("callcard_directory_leader", "{{instance}}")], most=1, width=6),
    ]),
    Row("Shared store", [
        Panel("Reachable", "1 while an instance reaches the shared store; 0 also where none is configured.", "none",
              [("callcard_shared_up", "{{instance}}")], most=1),
        Panel("Replicas", "Replicas that share the quota, as last heard. Fewer than run: they do not hear of each other.", "none",
              [("max(callcard_shared_replicas)", "replicas")]),
        Panel("Fills that asked it first", "`hit` and `awaited` saved a CRM call that another replica had made; `away`: the store did not answer in time.", "ops",
              [total("shared_lookups_total", "result")], stack=True),
        Panel("Time of a shared call (p95)", "It is given up after CALLCARD_SHARED_TIMEOUT.", "s",
              quantiles("shared_duration_seconds", by="op")),
        Panel("Shared store errors", "Failed calls by operation. Each replica then works on alone, with its part of the quota.", "ops",
              [total("shared_errors_total", "op")]),
        Panel("Changes perhaps missed", "Times that an instance let everything in memory count as stale, since it may not have heard what others told.", "short",
              [(f"sum(increase(callcard_shared_missed_total[{RATE}]))", "times")]),
    ]),
    Row("Process", [
        Panel("CPU", "Cores in use by each instance.", "short", [(f"rate(process_cpu_seconds_total[{RATE}])", "{{instance}}")], width=6),
        Panel("Memory", "Resident memory of each instance.", "bytes", [("process_resident_memory_bytes", "{{instance}}")], width=6),
        Panel("Open descriptors", "The share of the descriptors that the process may open. At 1 connections wait.", "percentunit",
              [("process_open_fds / process_max_fds", "{{instance}}")], width=6),
        Panel("Uptime", "Since the start. A restart empties the cache.", "s", [("time() - process_start_time_seconds", "{{instance}}")], width=6),
    ]),
]


def scoped(expression):
    """The expression with the chosen job and instance in every selector."""
    def scope(match):
        own = match[2][1:-1] if match[2] else ""
        return match[1] + "{" + ", ".join(filter(None, ['job=~"$job"', 'instance=~"$instance"', own])) + "}"
    return re.sub(r"\b((?:callcard|process)_\w+)(\{[^}]*\})?", scope, expression)


def panel_json(panel, number, x, y):
    defaults = {"unit": panel.unit, "min": 0, "color": {"mode": "palette-classic"}}
    if panel.unit == "percentunit" and panel.kind == "stat":
        defaults["decimals"] = 2
    if panel.most is not None:
        defaults["max"] = panel.most
    if panel.thresholds:
        defaults["thresholds"] = {"mode": "absolute", "steps": [{"value": at, "color": color} for at, color in panel.thresholds]}
        defaults["color"] = {"mode": "thresholds"}
    if panel.words:
        options = {str(value): {"text": text, "color": color, "index": n} for n, (value, (text, color)) in enumerate(panel.words.items())}
        defaults["mappings"] = [{"type": "value", "options": options}]
    if panel.kind == "timeseries":
        stacking = {"mode": "normal" if panel.stack else "none", "group": "A"}
        defaults["custom"] = {"drawStyle": "line", "lineWidth": 1, "fillOpacity": 30 if panel.stack else 5, "showPoints": "never", "spanNulls": False, "stacking": stacking}
        options = {
            "legend": {"displayMode": "table", "placement": "bottom", "showLegend": True, "calcs": ["lastNotNull", "max"]},
            "tooltip": {"mode": "multi", "sort": "desc"},
        }
    else:
        reduce = {"calcs": ["lastNotNull"], "fields": "", "values": False}
        options = {"reduceOptions": reduce, "colorMode": "value", "graphMode": "area", "justifyMode": "auto", "orientation": "auto", "textMode": "auto"}
    targets = [
        {"refId": chr(ord("A") + n), "datasource": SOURCE, "expr": scoped(expression), "legendFormat": legend or "__auto", "range": True, "instant": False}
        for n, (expression, legend) in enumerate(panel.queries)
    ]
    return {
        "id": number, "type": panel.kind, "title": panel.title, "description": panel.description, "datasource": SOURCE,
        "gridPos": {"x": x, "y": y, "w": panel.width, "h": panel.height}, "targets": targets,
        "fieldConfig": {"defaults": defaults, "overrides": []}, "options": options,
    }


def placed():
    """Rows and panels with their places: from left to right, a new line where there is no room."""
    number, y = 0, 0
    for row in ROWS:
        number += 1
        yield {"id": number, "type": "row", "title": row.title, "collapsed": False, "gridPos": {"x": 0, "y": y, "w": WIDTH, "h": 1}, "panels": []}
        y, x, height = y + 1, 0, 0
        for panel in row.panels:
            if x + panel.width > WIDTH:
                y, x, height = y + height, 0, 0
            number += 1
            yield panel_json(panel, number, x, y)
            x, height = x + panel.width, max(height, panel.height)
        y += height


def variable(name, label, query):
    return {
        "name": name, "label": label, "type": "query", "datasource": SOURCE, "query": {"query": query, "refId": name},
        "refresh": 2, "sort": 1, "multi": True, "includeAll": True, "allValue": ".*", "hide": 0, "skipUrlSync": False, "options": [],
        "current": {"selected": True, "text": ["All"], "value": ["$__all"]},
    }


def dashboard():
    source = {
        "name": "datasource", "label": "Data source", "type": "datasource", "query": "prometheus", "refresh": 1, "hide": 0, "multi": False,
        "includeAll": False, "skipUrlSync": False, "options": [], "regex": "",
    }
    starts = {
        "name": "Starts", "enable": True, "hide": False, "iconColor": "blue", "datasource": SOURCE, "expr": scoped("process_start_time_seconds") + " * 1000",
        "useValueForTime": "on", "titleFormat": "Start", "textFormat": "{{instance}}",
    }
    return {
        "uid": "callcard", "title": "callcard", "description": "Who is calling? Lookups, cache, CRM and process.", "tags": ["callcard", "telephony", "crm"],
        "schemaVersion": 39, "version": 1, "editable": False, "graphTooltip": 1, "refresh": "30s", "timezone": "browser", "weekStart": "", "fiscalYearStartMonth": 0,
        "time": {"from": "now-6h", "to": "now"}, "timepicker": {}, "links": [],
        "annotations": {"list": [starts]},
        "templating": {"list": [
            source, variable("job", "Job", "label_values(callcard_build_info, job)"),
            variable("instance", "Instance", 'label_values(callcard_build_info{job=~"$job"}, instance)'),
        ]},
        "panels": list(placed()),
    }


def text():
    return json.dumps(dashboard(), indent=1, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.parent.mkdir(exist_ok=True)
    FILE.write_text(text())
