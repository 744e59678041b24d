"""The live page, for `panel serve dashboards/live.py`.

It plays a simulated market; for a market of your own, share the board of another `sk.play(…)` before the first session.
"""

from scanner_kit import demo, views
from scanner_kit.views.serve import extension

extension()
views.live(demo.board()).servable()
