// What is asked for. The address of the page says the same, so that a link brings somebody else to it.
export function render({model}) {
  const root = make("div", "screen card asked")
  const first = make("div", "line"), second = make("div", "line chips")
  const views = make("div", "segments")
  const view = new Map([["triggers", "Triggers"], ["board", "Board at a minute"]].map(([name, title]) => [name, button(name, title, "", () => model.send_msg({view: name}))]))
  views.append(...view.values())
  const labelled = (text, node) => { const label = make("label", "field"); label.append(make("span", "what", text), node); return label }
  const entry = (type, label, more = {}) => { const node = make("input", ""); Object.assign(node, {type, spellcheck: false, ...more}); node.setAttribute("aria-label", label); return node }
  const from = entry("date", "From day"), to = entry("date", "To day")
  const symbol = entry("search", "Symbols, with commas between them", {placeholder: "any", maxLength: 200}), severity = entry("text", "Severity at least", {placeholder: "any", inputMode: "decimal"})
  const scanner = make("select"), order = make("select"), metric = make("select"), op = make("select"), value = entry("text", "Value of the metric", {placeholder: "value", inputMode: "decimal"})
  scanner.setAttribute("aria-label", "Scanner"); order.setAttribute("aria-label", "Order"); metric.setAttribute("aria-label", "Metric"); op.setAttribute("aria-label", "At least or at most")
  op.append(...[[">=", "≥"], ["<=", "≤"]].map(([name, text]) => Object.assign(make("option", "", text), {value: name})))
  symbol.className = "symbol"; severity.className = "short"; value.className = "short"
  const days = make("span", "days")
  days.append(from, make("span", "muted", "–"), to)
  const add = button("plain", "Add", "Ask for this metric too", () => addCondition())
  const one = make("span", "days")
  one.append(metric, op, value, add)
  const fields = make("div", "fields")
  fields.append(labelled("Days", days), labelled("Symbols", symbol), labelled("Scanner", scanner), labelled("Severity ≥", severity), labelled("Metric", one), labelled("Order", order))
  const clear = button("plain", "Clear", "Ask for everything", () => model.send_msg({ask: null}))
  first.append(views, fields)
  root.append(first, second)
  let told = {query: {}, scanners: [], metrics: [], orders: [], view: "triggers"}

  const ask = changes => model.send_msg({ask: changes})
  const range = () => { const a = from.value, b = to.value; return a && a === b ? a : a || b ? `${a}..${b}` : "" }
  from.addEventListener("change", () => { if (from.value && !to.value) to.value = from.value; ask({days: range()}) })
  to.addEventListener("change", () => ask({days: range()}))
  for (const [node, name] of [[symbol, "symbol"], [scanner, "scanner"], [severity, "severity"], [order, "order"]]) {
    node.addEventListener("change", () => ask({[name]: node.value.trim()}))
  }
  const conditions = () => (told.query.metric ?? "").split(",").filter(Boolean)
  const addCondition = () => {
    if (!metric.value || !value.value.trim()) { value.focus(); return }
    ask({metric: [...conditions(), `${metric.value}${op.value}${value.value.trim()}`].join(",")})
    value.value = ""
  }
  value.addEventListener("keydown", event => { if (event.key === "Enter") addCondition() })

  const options = (node, entries) => {
    const key = JSON.stringify(entries)
    if (node.known === key) return
    node.known = key
    node.replaceChildren(...entries.map(([name, text]) => Object.assign(make("option", "", text), {value: name})))
  }
  const set = (node, text) => { if (node.getRootNode().activeElement !== node || node.tagName === "SELECT") node.value = text }
  const draw = () => {
    if (!model.shown) return
    told = JSON.parse(model.shown)
    const {query} = told
    for (const [name, node] of view) node.setAttribute("aria-pressed", String(name === told.view))
    fields.hidden = told.view !== "triggers"
    options(scanner, [["", "any"], ...told.scanners]); options(order, told.orders); options(metric, told.metrics)
    const [low, high] = (query.days ?? "").includes("..") ? query.days.split("..") : [query.days ?? "", query.days ?? ""]
    set(from, low); set(to, high); set(symbol, query.symbol ?? ""); set(severity, query.severity ?? "")
    set(scanner, told.scanners.some(([name]) => name === query.scanner) ? query.scanner : ""); set(order, query.order ?? "newest")
    for (const node of [from, to]) { node.min = told.days[0] ?? ""; node.max = told.days[1] ?? "" }
    const chips = conditions().map(text => {
      const chip = button("chip", text.replace(">=", " ≥ ").replace("<=", " ≤ "), `Ask no longer for ${text}`, () => ask({metric: conditions().filter(other => other !== text).join(",")}))
      chip.append(icon(ICONS.close))
      return chip
    })
    const some = told.view === "triggers" && Object.keys(query).length > 0
    second.replaceChildren(...chips, ...(some ? [clear] : []), make("span", told.fault ? "fault" : "muted", told.fault || told.said))
    second.hidden = told.view !== "triggers"
    if (model.served && told.link !== undefined) {
      const address = `${location.pathname}${told.link ? "?" : ""}${told.link}`
      if (address !== location.pathname + location.search) history.replaceState(history.state, "", address)
    }
  }
  shows(model, draw)
  return root
}
