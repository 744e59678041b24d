"""The explorer of the desk, for `panel serve dashboards/explorer.py`: stored triggers, and the board at any minute.

Which desk, the settings of the environment say; `scanner-kit serve` has all of its pages.
"""

from scanner_kit.live.pages import cell

cell.page("explorer").servable()
