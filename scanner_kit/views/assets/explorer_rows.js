// A page of triggers, as the server cut it; the rows are keyed, so that what comes later moves nothing.
const COLUMNS = [
  ["day", "Day"], ["time", "Time"], ["symbol", "Symbol"], ["scanner", "Scanner"], ["price", "Price"], ["level", "Level"], ["stop", "Stop"],
  ["rank", "Rank"], ["severity", "Severity"], ["result", "Result"], ["r", "R"], ["mfe", "MFE"], ["mae", "MAE"],
]
const TITLES = {mfe: "Farthest for the trade, % of entry", mae: "Farthest against the trade, % of entry", rank: "Place by score among all that passed in that step", r: "Result in R, after costs"}

export function render({model}) {
  const root = make("div", "screen card rows")
  const bar = make("div", "bar"), horizons = make("div", "segments"), count = make("span", "muted count")
  const refresh = button("plain", "Refresh", "Ask again: more may have been stored", () => model.send_msg({go: "first"}))
  bar.append(make("span", "name", "Stored triggers"), count, make("span", "space"), make("span", "muted what", "Outcome by"), horizons, refresh)
  const list = make("div", "list scroll"), table = make("table"), head = make("tr"), body = make("tbody"), quiet = make("div", "quiet")
  const thead = make("thead")
  thead.append(head)
  head.append(...COLUMNS.map(([key, title]) => { const cell = make("th", key, title); cell.scope = "col"; if (TITLES[key]) cell.title = TITLES[key]; return cell }))
  table.append(thead, body)
  list.append(table, quiet)
  const foot = make("div", "foot")
  const back = button("plain", "‹ Previous", "The page before", () => go("previous")), on = button("plain", "Next ›", "The page after", () => go("next")), first = button("plain", "« First", "The first page", () => go("first"))
  const place = make("span", "muted")
  foot.append(first, back, place, on)
  root.append(bar, list, foot)
  const nodes = new Map(), scrolled = new Map()
  let told = {rows: [], page: 0}, outcomes = {}, chosen = model.chosen, key = null

  const go = where => { scrolled.set(key, list.scrollTop); model.send_msg({go: where}) }
  const row = one => {
    if (nodes.has(one.key)) return nodes.get(one.key)
    const node = make("tr")
    node.dataset.key = one.key
    node.append(...COLUMNS.map(([name]) => make("td", name)))
    pressable(node, () => model.send_msg({look: one.key}))
    nodes.set(one.key, node)
    return node
  }
  const fill = (node, one) => {
    const cell = Object.fromEntries(COLUMNS.map(([name], i) => [name, node.children[i]]))
    put(cell.day, one.day); cell.day.title = one.date
    put(cell.time, one.time)
    put(cell.symbol, `${one.side > 0 ? "▲" : "▼"} ${one.symbol}`); cell.symbol.title = one.side > 0 ? "long" : "short"
    const marks = one.marks.map(([text, title]) => { const mark = make("span", "mark", text); mark.title = title; return mark })
    cell.scanner.replaceChildren(one.scanner, ...marks)
    put(cell.price, say.price(one.price)); put(cell.level, say.price(one.level)); put(cell.stop, say.price(one.stop))
    put(cell.rank, one.rank ?? NONE)
    put(cell.severity, one.severity === null ? "?" : one.severity.toFixed(1))
    const after = outcomes[one.key]
    put(cell.result, after ? after.result : one.after)
    cell.result.className = `result ${after?.result === "win" ? "up" : after?.result === "loss" ? "down" : "muted"}`
    cell.result.title = after || one.after !== "not yet" ? "" : "Outcomes are computed from the archived tape of the day"
    put(cell.r, after?.r ?? ""); cell.r.className = `r ${sign(after?.sign)}`
    put(cell.mfe, after?.mfe ?? ""); put(cell.mae, after?.mae ?? "")
    node.className = one.key === chosen ? "chosen" : ""
    node.setAttribute("aria-selected", String(one.key === chosen))
    return node
  }
  const draw = () => {
    root.classList.toggle("looking", Boolean(chosen))
    arrange(body, told.rows.map(one => fill(row(one), one)))
    const here = new Set(told.rows.map(one => one.key))
    for (const known of nodes.keys()) if (!here.has(known)) nodes.delete(known)
  }
  const take = () => {
    if (!model.shown) return
    const latest = JSON.parse(model.shown)
    if (latest.key !== key) { scrolled.set(key, scrolled.get(key) ?? list.scrollTop) }
    const moved = latest.key !== key
    if (latest.asked !== told.asked) scrolled.clear()
    told = latest
    key = latest.key
    horizons.replaceChildren(...latest.horizons.map(name => { const one = button("", name, "", () => model.send_msg({horizon: name})); one.setAttribute("aria-pressed", String(name === latest.horizon)); return one }))
    back.disabled = first.disabled = !latest.previous; on.disabled = !latest.next
    put(place, latest.looked || latest.rows.length ? `Page ${latest.page}${latest.looked ? ` · ${latest.looked}` : ""}` : ""); put(count, latest.waiting ? "asking …" : latest.rows.length ? `${latest.rows.length} on this page` : "")
    quiet.hidden = latest.rows.length > 0 || latest.waiting
    put(quiet, latest.none)
    root.classList.toggle("waiting", latest.waiting)
    draw()
    if (moved) list.scrollTop = scrolled.get(key) ?? 0
  }
  model.on("outcomes", () => { outcomes = model.outcomes ? JSON.parse(model.outcomes) : {}; draw() })
  model.on("chosen", () => { chosen = model.chosen; draw() })
  outcomes = model.outcomes ? JSON.parse(model.outcomes) : {}
  shows(model, take)
  return root
}
