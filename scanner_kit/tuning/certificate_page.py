"""A certificate as people read it: plain text, Markdown, and a page of HTML that needs nothing else."""

from collections.abc import Iterator
from html import escape
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scanner_kit.tuning.certificate import Certificate, Check, Example

SIGNS = {"passed": "✓", "failed": "✗", "unverified": "?"}
SAID = {
    "passed": "Every check was made, and holds.",
    "failed": "At least one check does not hold.",
    "unverified": "Nothing was found, but not enough could be tried.",
}
EXAMPLE = (
    ("of", "who"), ("what", "what"), ("symbol", "symbol"), ("minute", "minute"), ("says", "found"),
    ("should be", "expected"),
)  # fmt: skip


def text(certificate: "Certificate") -> str:
    """Lines for a terminal."""
    width = max(len(check.name) for check in certificate.checks)
    lines = [f"{certificate.verdict.upper()}: {certificate.subject}", *(f"  on {told}" for told in tried(certificate))]
    for check in certificate.checks:
        lines.append(f"  {SIGNS[check.verdict]} {check.name:<{width}}  {_first(check)}")
        lines += [
            f"  {'':<{width + 3}} {line}" for finding in check.findings for line in _finding_lines(check, finding)
        ]
    return "\n".join(lines)


def _first(check: "Check") -> str:
    return check.told if not check.findings else check.asks


def _finding_lines(check: "Check", finding: Any) -> Iterator[str]:
    yield f"found: {finding.example.sentence}"
    yield f"remedy: {finding.remedy}"


def tried(certificate: "Certificate") -> Iterator[str]:
    """What it was tried on, a line a tape."""
    for trial in certificate.trials:
        spoken = f"known {trial.known:,} times" if certificate.kind == "metric" else _spoken(trial)
        yield f"{trial}: {spoken}"


def _spoken(trial: Any) -> str:
    return f"selected {trial.selected:,} times, fired {trial.fired:,} times"


def parts(example: "Example") -> list[tuple[str, str]]:
    """An example as a few named parts; what it does not have is left out."""
    minute = f"k={example.k}, ends {example.time} New York" if example.k >= 0 else ""
    told = {**vars(example), "minute": minute}
    return [(label, told[name]) for label, name in EXAMPLE if told[name]]


# Markdown


def markdown(certificate: "Certificate") -> str:
    """The page as Markdown: a table of the checks, then what was found."""
    lines = [
        f"### {SIGNS[certificate.verdict]} {certificate.verdict}: `{certificate.subject}`",
        "",
        f"{SAID[certificate.verdict]} scanner_kit {certificate.version}.",
        "",
        "Tried on:",
        "",
        *(f"- {told}" for told in tried(certificate)),
        "",
        "| | check | asks | comparisons that agree | verdict |",
        "| --- | --- | --- | ---: | --- |",
        *(f"| {SIGNS[c.verdict]} | {c.name} | {c.asks} | {c.compared:,} | {c.verdict} |" for c in certificate.checks),
    ]
    for check in certificate.checks:
        for finding in check.findings:
            lines += ["", f"**{check.name}** ({finding.law})", "", f"- found: {_cell(finding.example.sentence)}"]
            lines += [f"- {label}: {_cell(value)}" for label, value in parts(finding.example)]
            lines += [f"- remedy: {finding.remedy}"]
    settings = [f"| `{name}` | {_cell(repr(value))} |" for name, value in certificate.settings.items()]
    if settings:
        lines += ["", "<details><summary>Settings</summary>", "", "| setting | value |", "| --- | --- |", *settings]
        lines += ["", "</details>"]
    return "\n".join(lines) + "\n"


def _cell(told: str) -> str:
    return told.replace("|", "\\|")


# HTML

STYLE = """
.sk-certificate { --paper: #ffffff; --ink: #1c2024; --soft: #5b6570; --line: #dde1e6; --raised: #f5f7f9;
  --passed: #0a6b3d; --failed: #b3261e; --unverified: #8a5a00; color-scheme: light dark;
  background: var(--paper); color: var(--ink); font: 15px/1.5 system-ui, sans-serif; max-width: 62rem; padding: 1rem; }
@media (prefers-color-scheme: dark) { .sk-certificate { --paper: #14171a; --ink: #e6e9ec; --soft: #a0a9b2;
  --line: #333a41; --raised: #1d2226; --passed: #5bd197; --failed: #ff8a80; --unverified: #f0bf5c; } }
[data-jp-theme-light="true"] .sk-certificate { --paper: #ffffff; --ink: #1c2024; --soft: #5b6570; --line: #dde1e6;
  --raised: #f5f7f9; --passed: #0a6b3d; --failed: #b3261e; --unverified: #8a5a00; color-scheme: light; }
[data-jp-theme-light="false"] .sk-certificate { --paper: #14171a; --ink: #e6e9ec; --soft: #a0a9b2; --line: #333a41;
  --raised: #1d2226; --passed: #5bd197; --failed: #ff8a80; --unverified: #f0bf5c; color-scheme: dark; }
.sk-certificate h1 { font-size: 1.35rem; line-height: 1.3; margin: 0 0 .25rem; overflow-wrap: anywhere; }
.sk-certificate .verdict { font-weight: 700; text-transform: uppercase; letter-spacing: .04em; }
.sk-certificate .passed { color: var(--passed); } .sk-certificate .failed { color: var(--failed); }
.sk-certificate .unverified { color: var(--unverified); }
.sk-certificate p, .sk-certificate ul { margin: .25rem 0 .75rem; } .sk-certificate .soft { color: var(--soft); }
.sk-certificate table { border-collapse: collapse; width: 100%; margin: .5rem 0 1rem; background: none; }
.sk-certificate th, .sk-certificate td { text-align: left; vertical-align: top; padding: .4rem .6rem;
  border-bottom: 1px solid var(--line); background: none; color: inherit; white-space: normal; }
.sk-certificate th { color: var(--soft); font-weight: 600; }
.sk-certificate td.number { text-align: right; font-variant-numeric: tabular-nums; }
.sk-certificate .finding { background: var(--raised); border-left: 4px solid var(--line); padding: .6rem .9rem;
  margin: .4rem 0; overflow-wrap: anywhere; }
.sk-certificate .finding.failed { border-color: var(--failed); color: inherit; }
.sk-certificate .finding.unverified { border-color: var(--unverified); color: inherit; }
.sk-certificate dl { display: grid; grid-template-columns: max-content 1fr; gap: .1rem .9rem; margin: .4rem 0; }
.sk-certificate dt { color: var(--soft); } .sk-certificate dd { margin: 0; }
.sk-certificate .verdict-cell { white-space: nowrap; }
.sk-certificate code { font: 0.92em ui-monospace, monospace; background: none; color: inherit; }
@media (max-width: 40rem) { .sk-certificate thead { display: none; }
  .sk-certificate tr { display: block; border-bottom: 1px solid var(--line); padding: .4rem 0; }
  .sk-certificate th, .sk-certificate td, .sk-certificate td.number { display: block; border: 0; text-align: left;
    padding: .1rem 0; } .sk-certificate dl { grid-template-columns: 1fr; } }
.sk-certificate summary { cursor: pointer; color: var(--soft); }
"""


def whole(certificate: "Certificate") -> str:
    """The page by itself: nothing is loaded from anywhere."""
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{certificate.verdict}: {escape(certificate.subject)}</title>"
        "<style>:root { color-scheme: light dark; } body { margin: 0; background: #ffffff; }"
        "@media (prefers-color-scheme: dark) { body { background: #14171a; } }"
        ".sk-certificate { margin: 0 auto; }</style></head>"
        f"<body>{fragment(certificate)}</body></html>\n"
    )


def fragment(certificate: "Certificate") -> str:
    """The page as a part of another, as a notebook shows it."""
    verdict = certificate.verdict
    return "".join(
        (
            f'<style>{STYLE}</style><article class="sk-certificate"><h1><span class="verdict {verdict}">',
            f"{SIGNS[verdict]} {verdict}</span> {escape(certificate.subject)}</h1>",
            f"<p>{SAID[verdict]}</p>",
            f'<p class="soft">A {certificate.kind}, tried by scanner_kit {certificate.version} on</p>',
            f"<ul>{''.join(f'<li>{escape(told)}</li>' for told in tried(certificate))}</ul>",
            "<table><thead><tr><th>check</th><th>what was tried</th><th>agree</th><th>verdict</th></tr></thead>",
            f"<tbody>{''.join(map(_row, certificate.checks))}</tbody></table>",
            _settings(certificate),
            "</article>",
        )
    )


def _row(check: "Check") -> str:
    findings = "".join(_finding(check, finding) for finding in check.findings)
    told = "" if check.findings else f'<div class="soft">{escape(check.told)}</div>'
    return (
        f"<tr><th scope='row'>{escape(check.name)}</th><td>{escape(check.asks)}{told}{findings}</td>"
        f'<td class="number">{check.compared:,}</td>'
        f'<td class="verdict-cell {check.verdict}">{SIGNS[check.verdict]} {check.verdict}</td></tr>'
    )


def _finding(check: "Check", finding: Any) -> str:
    listed = "".join(f"<dt>{escape(label)}</dt><dd>{escape(value)}</dd>" for label, value in parts(finding.example))
    return (
        f'<div class="finding {check.verdict}">{escape(finding.example.sentence)}'
        f"<dl>{listed}<dt>remedy</dt><dd>{_code(finding.remedy)}</dd></dl></div>"
    )


def _code(told: str) -> str:
    """Text in which what stands between backticks is code."""
    parts = escape(told).split("`")
    return "".join(f"<code>{part}</code>" if i % 2 else part for i, part in enumerate(parts))


def _settings(certificate: "Certificate") -> str:
    if not certificate.settings:
        return ""
    rows = "".join(
        f"<tr><td>{escape(name)}</td><td>{escape(repr(value))}</td></tr>"
        for name, value in certificate.settings.items()
    )
    return f"<details><summary>Settings</summary><table><tbody>{rows}</tbody></table></details>"
