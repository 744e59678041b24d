"""The tuning lab, for `panel serve dashboards/tuning.py`.

It tries scanners on a simulated market; for bars of your own, add `--args bars.parquet --daily daily.parquet`.
"""

import sys

from scanner_kit import views
from scanner_kit.views.serve import extension
from scanner_kit.workbench import workbench

extension()
history, scanners = workbench(sys.argv[1:])
views.lab(history, *scanners).servable()
