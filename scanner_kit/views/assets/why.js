// Why a symbol is on each list and fired, or why not: one line a scanner, its conditions beneath.
const STATES = {yes: ["✓", "yes"], no: ["–", "no"], unknown: ["?", "unknown"]}

export function render({model}) {
  const root = make("div", "screen why scroll")
  const open = new Set()
  let symbol = null
  const draw = () => {
    const {symbol: latest, scanners, fault} = JSON.parse(model.shown || "{}")
    if (latest !== symbol) { symbol = latest; open.clear(); root.scrollTop = 0 }
    const nodes = []
    if (fault) nodes.push(make("div", "quiet", fault))
    for (const [title, wanted] of [["Lists", true], ["Triggers", false]]) {
      const members = (scanners ?? []).filter(scanner => scanner.category === wanted)
      if (members.length) nodes.push(make("div", "group", title), ...members.map(scanner => card(scanner, open)))
    }
    const top = root.scrollTop
    root.replaceChildren(...nodes)
    root.scrollTop = top
  }
  shows(model, draw)
  return root
}

function card(scanner, open) {
  const node = make("details", `scanner ${scanner.state}`), head = make("summary")
  node.open = open.has(scanner.name)
  node.addEventListener("toggle", () => node.open ? open.add(scanner.name) : open.delete(scanner.name))
  head.append(make("span", "mark", STATES[scanner.state][0]), make("span", "title", scanner.title), make("span", "verdict", scanner.verdict))
  const table = make("table")
  for (const row of scanner.conditions) table.append(condition(row))
  node.append(head, table)
  return node
}

function condition({what, value, threshold, margin, state, unknown}) {
  const row = make("tr", state)
  row.append(make("td", "mark", STATES[state][0]), make("td", "what", what), make("td", "value", value), make("td", "limit", threshold))
  for (const cell of row.children) cell.title = cell.textContent
  row.append(make("td", "margin", unknown || margin))
  return row
}
