// The tape: one line per symbol and time, newest on top. Only the lines in sight exist; what one reads stays where it is.
const ROW = 46

export function render({model}) {
  const root = make("div", "screen card tape")
  const bar = make("div", "bar"), count = make("span", "count"), news = button("news", "", "", () => { list.scrollTop = 0 })
  const everything = make("input"), which = make("label", "which")
  everything.type = "checkbox"
  everything.setAttribute("role", "switch")
  everything.checked = memory.get("everything", false)
  which.append(everything, make("span", "track"), make("span", "", "Everything"))
  which.title = "Off: only severity of 98 and more, unknown severity, and halts"
  const silent = button("silent", "", "", () => menu.open(silent, mutedEntries()))
  bar.append(make("span", "name", "Triggers"), count, silent, make("span", "space"), news, which)
  const list = make("div", "list scroll"), room = make("div", "room"), quiet = make("div", "quiet")
  list.tabIndex = -1
  list.append(room, quiet)
  root.append(bar, list)
  const menu = makeMenu(root)

  const rows = new Map()
  let state = {}, shown = [], chosen = model.chosen, find = "", unseen = 0, range = [0, 100], pinned = false

  const pick = () => {
    const lines = [...(state.lines ?? [])].map(([key, line]) => ({key, ...line}))
    const muted = mutes.all(), some = Object.keys(muted).length
    const heard = some ? lines.map(line => withoutMuted(line, muted)).filter(Boolean) : lines
    silent.hidden = !some
    put(silent, `${some} muted`)
    shown = heard.filter(line => (everything.checked || line.notable) && line.symbol.includes(find))
    shown.sort((a, b) => b.time - a.time || (b.severity ?? -1) - (a.severity ?? -1) || (a.symbol < b.symbol ? -1 : 1))
    const known = shown.map(line => line.severity).filter(x => x !== null)
    range = known.length ? [Math.min(...known), Math.max(...known)] : [0, 100]
    put(count, shown.length === lines.length ? String(lines.length) : `${shown.length} of ${lines.length}`)
    quiet.hidden = shown.length > 0
    put(quiet, find ? `No trigger of ${find}` : lines.length && !heard.length ? "All that fired is muted." : lines.length ? "Nothing severe yet. Everything shows all that fired." : "No trigger yet today")
  }

  const draw = () => {
    room.style.height = `${shown.length * ROW}px`
    const from = Math.max(0, Math.floor(list.scrollTop / ROW) - 4), to = Math.ceil((list.scrollTop + list.clientHeight) / ROW) + 4
    const visible = shown.slice(from, to)
    const nodes = visible.map((line, i) => fill(row(line), line, from + i))
    arrange(room, nodes)
    for (const key of rows.keys()) if (!visible.some(line => line.key === key)) rows.delete(key)
    if (list.scrollTop < 4) unseen = 0
    news.hidden = unseen === 0
    put(news, `${unseen} new ↑`)
  }

  const row = line => {
    if (rows.has(line.key)) return rows.get(line.key)
    const node = make("div", "row")
    node.dataset.symbol = line.symbol
    const main = make("div", "main"), more = make("div", "more")
    main.append(make("span", "time"), make("span", "side"), make("b", "symbol", line.symbol), make("span", "chips"), make("span", "severity"))
    more.append(make("span", "session"), make("span", "figure"), make("span", "figure"), make("span", "figure"), make("span", "marks"))
    const mute = button("mute", "", `Mute ${line.symbol} or a scanner`, () => menu.open(mute, entriesOf(node.line)))
    mute.append(icon(ICONS.silent))
    node.append(main, more, mute)
    pressable(node, () => choose(model, line.symbol))
    rows.set(line.key, node)
    return node
  }

  const fill = (node, line, i) => {
    const [time, side, , chips, severity] = node.children[0].children, [session, price, level, stop, marks] = node.children[1].children
    node.line = line
    node.style.transform = `translateY(${i * ROW}px)`
    put(time, newYork.format(new Date(line.time * 1000)))
    const halt = line.fired.every(([, kind]) => kind === "halted" || kind === "resumed")
    put(side, halt ? "■" : line.side > 0 ? "▲" : "▼")
    side.className = `side ${halt ? "" : line.side > 0 ? "up" : "down"}`
    side.title = halt ? "no side" : line.side > 0 ? "long" : "short"
    const spoken = line.fired.map(chip => chip[4]).join("  ")
    if (chips.spoken !== spoken) { chips.replaceChildren(...chipsOf(line.fired)); chips.spoken = spoken; chips.title = spoken }
    put(severity, line.severity === null ? "?" : line.severity.toFixed(line.severity < 100 ? 1 : 0))
    severity.title = line.severity === null ? "Severity is not known" : "Severity: share of liquid symbols with no higher score"
    const share = line.severity === null ? 0 : range[1] > range[0] ? (line.severity - range[0]) / (range[1] - range[0]) : 1
    severity.style.setProperty("--share", `${Math.round(12 + 68 * share)}%`)
    severity.classList.toggle("unknown", line.severity === null)
    put(session, {PRE: "pre", REGULAR: "", POST: "post"}[line.session] ?? line.session)
    put(price, say.price(line.price)); put(level, `level ${say.price(line.level)}`); put(stop, `stop ${say.price(line.stop)}`)
    const told = (line.marks ?? []).map(([word]) => word).join("  ")
    if (marks.told !== told) {
      marks.told = told
      marks.replaceChildren(...(line.marks ?? []).map(([word, why]) => { const mark = make("span", "mark", word); mark.title = why; return mark }))
    }
    node.classList.toggle("chosen", line.symbol === chosen)
    node.classList.toggle("test", told.startsWith("test"))
    return node
  }

  // Two fit beside each other on a laptop; how many more have spoken is said, and which ones where one points.
  const chipsOf = fired => {
    const shown = fired.slice(0, fired.length > 3 || window.innerWidth < 1500 ? 2 : 3)
    const more = fired.length - shown.length
    return [...shown.map(chip), ...(more > 0 ? [make("span", "chip rest", `+${more}`)] : [])]
  }

  const chip = ([, kind, side, severity, spoken]) => {
    const node = make("span", `chip ${kind} ${side > 0 ? "up" : "down"}`, spoken)
    if (severity !== null) node.title = `${spoken}: severity ${severity}`
    return node
  }

  const entriesOf = line => [
    [`Mute ${line.symbol}`, () => mutes.set(`symbol ${line.symbol}`, line.symbol)],
    ...line.fired.map(([scanner, kind, , , spoken]) => {
      const name = kind === "fired" ? spoken : "halts"
      return [`Mute ${name}`, () => mutes.set(`scanner ${scanner}`, name)]
    }),
  ]
  const mutedEntries = () => [
    ...Object.entries(mutes.all()).map(([key, name]) => [`Hear ${name} again`, () => mutes.drop(key)]),
    ["Hear all again", () => mutes.keep({})],
  ]

  // New lines above push the view down by their height, unless it stands at the top with no pointer over it: what one
  // is about to click stays where it is.
  const add = (latest, first) => {
    const before = new Set(shown.map(line => line.key)), held = list.matches(":hover"), reading = list.scrollTop >= 4 || held
    const top = shown[0]?.time ?? 0
    state = latest
    pick()
    if (first) { draw(); receipt(); return }
    const fresh = shown.filter(line => !before.has(line.key))
    const above = fresh.filter(line => line.time >= top).length
    room.style.height = `${shown.length * ROW}px`
    if (reading && above) { pinned ||= held && list.scrollTop < 4; list.scrollTop += above * ROW; unseen += above }
    draw()
    receipt()
    const loud = fresh.find(line => line.notable)
    if (loud) shout("fired", loud.side)
    if (!reading) for (const line of fresh) if (rows.has(line.key)) tint(rows.get(line.key), "new")
  }

  // A test trigger has come all the way: whoever sent it is told that it was seen.
  const seen = new Set()
  const receipt = () => {
    for (const {probe} of (state.lines ?? new Map()).values()) {
      if (!probe || seen.has(probe)) continue
      seen.add(probe)
      requestAnimationFrame(() => model.send_msg({seen: probe}))
    }
  }

  everything.addEventListener("change", () => { memory.set("everything", everything.checked); list.scrollTop = 0; pick(); draw() })
  list.addEventListener("pointerleave", () => { if (pinned) { pinned = false; list.scrollTop = 0 } })
  list.addEventListener("scroll", () => requestAnimationFrame(draw), {passive: true})
  follow(model, (latest, message, first) => add(latest, first))
  hear(model, "chosen", symbol => { chosen = symbol; draw() })
  hear(model, "find", text => { find = text; list.scrollTop = 0; pick(); draw() })
  hear(model, "mutes", () => { pick(); draw() })
  model.on("chosen", () => { chosen = model.chosen; draw() })
  const watching = new ResizeObserver(draw)
  watching.observe(list)
  model.on("remove", () => watching.disconnect())
  pick()
  return root
}

// A line without the scanners that are muted; what it says is then of the most severe that is left. Nothing where none is.
function withoutMuted(line, muted) {
  if (muted[`symbol ${line.symbol}`]) return null
  const fired = line.fired.filter(([scanner]) => !muted[`scanner ${scanner}`])
  if (!fired.length || fired.length === line.fired.length) return fired.length ? line : null
  const [, , side, severity, , level, stop] = fired.reduce((most, chip) => (chip[3] ?? -1) > (most[3] ?? -1) ? chip : most)
  return {...line, fired, side, severity, level, stop, notable: fired.some(chip => chip[7])}
}

// A menu beside what was pressed, over the card; a press elsewhere or Escape closes it.
function makeMenu(root) {
  const menu = make("div", "menu scroll")
  menu.setAttribute("role", "menu")
  menu.hidden = true
  root.append(menu)
  let opener = null
  const close = () => {
    if (menu.hidden) return
    menu.hidden = true
    opener?.focus()
  }
  menu.addEventListener("keydown", event => {
    const step = {ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling"}[event.key]
    if (step) { event.preventDefault(); menu.getRootNode().activeElement?.[step]?.focus() }
    if (event.key === "Escape") { event.stopPropagation(); close() }
  })
  menu.addEventListener("focusout", event => { if (!menu.contains(event.relatedTarget)) menu.hidden = true })
  return {
    open(beside, entries) {
      opener = beside
      menu.replaceChildren(...entries.map(([text, act]) => {
        const entry = button("entry", text, "", () => { act(); close() })
        entry.setAttribute("role", "menuitem")
        return entry
      }))
      menu.hidden = false
      const card = root.getBoundingClientRect(), at = beside.getBoundingClientRect()
      const left = Math.min(at.left - card.left, card.width - menu.offsetWidth - 8)
      const below = at.bottom - card.top + 2, above = at.top - card.top - menu.offsetHeight - 2
      const top = below + menu.offsetHeight <= card.height - 8 ? below : Math.max(8, above)
      menu.style.transform = `translate(${Math.max(8, left)}px, ${top}px)`
      menu.firstChild.focus()
    },
  }
}
