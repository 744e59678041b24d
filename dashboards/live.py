"""The live page, for `panel serve dashboards/live.py`: of the desk that the environment's settings name, where it runs.

Else a simulated market is played here, and says so; for a market of your own, share the board of another `sk.play(…)`
before the first session.
"""

from scanner_kit import demo, views
from scanner_kit.live.pages import cell
from scanner_kit.views.serve import extension

extension()
page = cell.page("live") if cell.runs() else views.live(demo.board())
page.servable()
