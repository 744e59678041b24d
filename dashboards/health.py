"""The whole health of the desk, for `panel serve dashboards/health.py`: every row, the chain, the last steps.

Which desk, the settings of the environment say; `scanner-kit serve` has `/api/health` beside it.
"""

from scanner_kit.live.pages import cell

cell.page("health").servable()
