"""The live page, for `panel serve dashboards/live.py`.

It shows the board that this process shares; without one, an empty page that says so.
"""

from scanner_kit import views
from scanner_kit.views.serve import extension

extension()
views.live(views.shared_board()).servable()
