// Results by horizon, in one small table; a row chooses the horizon that all else is told by.
const COLUMNS = [["n", "n"], ["win", "Win rate"], ["mean", "Mean R"], ["random", "Random"], ["factor", "PF"], ["mfe", "MFE, R"], ["mae", "MAE, R"]]
const HELP = {n: "Results that the figures rest on", random: "Mean R of random entries: same stock, day, side and risk", factor: "Profit factor", mfe: "Mean maximum favourable excursion", mae: "Mean maximum adverse excursion"}

export function render({model}) {
  const root = make("div", "screen card horizons"), table = make("table"), head = make("tr"), body = make("tbody")
  head.append(make("th", "left", "Horizon"), ...COLUMNS.map(([key, title]) => Object.assign(make("th", key, title), {title: HELP[key] ?? ""})))
  const top = make("thead")
  top.append(head)
  table.append(top, body)
  root.append(table)
  const rows = new Map()
  const draw = () => {
    if (!model.shown) return
    const told = JSON.parse(model.shown)
    for (const row of told.rows) {
      if (!rows.has(row.horizon)) {
        const node = make("tr")
        node.append(make("td", "left", row.horizon), ...COLUMNS.map(([key]) => make("td", key)))
        pressable(node, () => model.send_msg({horizon: row.horizon}))
        body.append(node)
        rows.set(row.horizon, node)
      }
      const node = rows.get(row.horizon)
      COLUMNS.forEach(([key], i) => put(node.children[i + 1], row[key]))
      node.children[3].className = `mean ${row.tone}`
      node.children[3].title = row.interval && `5–95 %: ${row.interval}`
      node.classList.toggle("chosen", row.horizon === told.horizon)
      node.classList.toggle("weak", row.weak)
    }
  }
  shows(model, draw)
  return root
}
