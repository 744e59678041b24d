// What came after a trigger by each horizon, and the conditions under the present thresholds.
const STATES = {yes: "✓", no: "–", unknown: "?"}

export function render({model}) {
  const root = make("div", "screen reasons scroll")
  let key = null
  const draw = () => {
    const one = model.shown ? JSON.parse(model.shown) : null
    if (!one) { root.replaceChildren(); key = null; return }
    const top = one.key === key ? root.scrollTop : 0
    key = one.key
    const came = one.after.length ? [make("div", "group", "What came after"), after(one)] : []
    const why = one.conditions.length ? [make("div", "group", one.why ?? (one.fires ? "Why it fires" : "Why it does not fire")), conditions(one)] : []
    root.replaceChildren(...(one.fires ? [...came, ...why] : [...why, ...came]))
    root.scrollTop = top
  }
  shows(model, draw)
  return root
}

function after(one) {
  const table = make("table", "after"), head = make("tr")
  head.append(...["Horizon", "Result", "R", "MFE", "MAE"].map(title => make("th", "", title)))
  table.append(head, ...one.after.map(row => {
    const node = make("tr", row.horizon === one.horizon ? "chosen" : "")
    node.append(make("td", "what", row.horizon), make("td", "", row.result), make("td", sign(row.sign), row.r), make("td", "", row.mfe), make("td", "", row.mae))
    return node
  }))
  return table
}

function conditions(one) {
  const table = make("table", "conditions")
  const unmet = one.conditions.filter(({state}) => state !== "yes"), met = one.conditions.filter(({state}) => state === "yes")
  table.append(...[...unmet, ...met].map(({what, value, threshold, margin, state, unknown}) => {
    const row = make("tr", state)
    row.append(make("td", "mark", STATES[state]), make("td", "what", what), make("td", "value", value), make("td", "limit", threshold), make("td", "margin", unknown || margin))
    for (const cell of row.children) cell.title = cell.textContent
    return row
  }))
  return table
}
