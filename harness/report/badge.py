"""A badge with the verdict of a session, as an SVG or as the JSON of which shields.io makes one."""

import json
from pathlib import Path
from xml.sax.saxutils import escape

from lvm_gates.harness.base.errors import UserError
from lvm_gates.harness.base.visible import visible
from lvm_gates.harness.results.model import Scorecard

_COLOURS = {"release": "#2ea44f", "hold": "#bf8700", "blocked": "#cf222e"}
_ORDER = ("blocked", "hold", "release")
# Of an 11 px sans-serif letter, on average, and what stands around the words.
_LETTER, _PADDING = 6.5, 10


def render_badge(scorecard: Scorecard, label: str, file: Path) -> bytes:
    """The badge: the worst verdict of the session's models.

    Args:
        scorecard: of the session.
        label: the left half.
        file: whose suffix says which kind is wanted.

    Raises:
        UserError: neither .json nor .svg, or a session without a model.
    """
    verdicts = {card.verdict for card in scorecard.models}
    if not verdicts:
        raise UserError(f"--out {file}: the report holds no model, so there is no verdict to show; gate a model.")
    verdict = next(each for each in _ORDER if each in verdicts)
    label, message, colour = visible(label), {"release": "released"}.get(verdict, verdict), _COLOURS[verdict]
    if file.suffix == ".json":
        return (json.dumps({"schemaVersion": 1, "label": label, "message": message, "color": colour}) + "\n").encode()
    if file.suffix != ".svg":
        raise UserError(f"--out {file}: is neither .svg nor .json; name a file that ends in one of them.")
    return _svg(label, message, colour).encode()


def _svg(label: str, message: str, colour: str) -> str:
    left, right = (round(_LETTER * len(text)) + _PADDING for text in (label, message))
    said = escape(f"{label}: {message}", {'"': "&quot;"})
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img" aria-label="{said}">'
        f"<title>{said}</title>"
        f'<rect width="{left}" height="20" fill="#444"/><rect x="{left}" width="{right}" height="20" fill="{colour}"/>'
        '<g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11" text-anchor="middle">'
        f'<text x="{left / 2:g}" y="14">{escape(label)}</text>'
        f'<text x="{left + right / 2:g}" y="14">{escape(message)}</text></g></svg>\n'
    )
