// What changed: a table of thousands of rows of which only those in sight exist, here and on the wire.
const ROW = 28, SPARE = 20
const MARKS = ["", "↔", "+", "−"], STATES = ["stayed", "moved", "appeared", "disappeared"]
const TITLES = ["fires in both", "moved to another minute", "appeared", "disappeared"]
const COLUMNS = [["change", ""], ["symbol", "Symbol"], ["day", "Day"], ["time", "Time"], ["price", "Price"], ["result", "Result"], ["r", "R"]]
const FIRST_DOWN = ["price", "r"]

export function render({model}) {
  const root = make("div", "screen card table")
  const bar = make("div", "bar"), which = make("div", "segments"), find = make("input", "find")
  const count = make("span", "count")
  find.type = "search"; find.placeholder = "Symbol"; find.setAttribute("aria-label", "Only symbols with these letters"); find.maxLength = 16
  bar.append(make("span", "name", "What changed"), make("span", "space"), find)
  const kinds = make("div", "kinds")
  kinds.append(which)
  const head = make("div", "head"), list = make("div", "list scroll"), room = make("div", "room"), quiet = make("div", "quiet")
  list.tabIndex = -1
  list.append(room, quiet)
  root.append(bar, kinds, head, list)
  const buttons = new Map(["all", "changed", "appeared", "disappeared", "moved"].map(name => {
    const one = button(name, "", "", () => ask({which: name, start: 0}, true))
    which.append(one)
    return [name, one]
  }))
  const heads = COLUMNS.map(([key, title]) => {
    const one = button(`cell ${key}`, title || "±", title ? `Sort by ${title.toLowerCase()}` : "What changed first", () => {
      const same = told.sort === key, first = FIRST_DOWN.includes(key)
      ask({sort: same && told.down !== first ? "change" : key, down: same ? (told.down === first ? !first : false) : first, start: 0}, true)
    })
    head.append(one)
    return one
  })

  let told = {rows: [], total: 0, start: 0, counts: {}}, wanted = null, known = new Map(), nodes = new Map(), chosen = model.chosen
  const ask = (asked, up) => { if (up) list.scrollTop = 0; wanted = asked.start ?? null; model.send_msg({ask: asked}) }

  const draw = () => {
    room.style.height = `${told.total * ROW}px`
    const from = Math.max(0, Math.floor(list.scrollTop / ROW) - 4), to = Math.min(told.total, Math.ceil((list.scrollTop + list.clientHeight) / ROW) + 4)
    const visible = []
    let missing = false
    for (let i = from; i < to; i++) {
      const row = known.get(i)
      if (row) visible.push(fill(node(row), row, i))
      else missing = true
    }
    arrange(room, visible)
    const keys = new Set(visible.map(one => one.dataset.key))
    for (const key of nodes.keys()) if (!keys.has(key)) nodes.delete(key)
    const start = Math.max(0, from - SPARE)
    if (missing && wanted !== start) { wanted = start; model.send_msg({ask: {start}}) }
  }

  const node = row => {
    if (nodes.has(row.key)) return nodes.get(row.key)
    const one = make("div", "row")
    one.dataset.key = row.key
    one.append(...COLUMNS.map(([key]) => make("span", `cell ${key}`)))
    pressable(one, () => model.send_msg({look: row.key}))
    nodes.set(row.key, one)
    return one
  }

  const fill = (one, row, i) => {
    const [change, symbol, day, time, price, result, r] = one.children
    one.style.transform = `translateY(${i * ROW}px)`
    one.className = `row ${STATES[row.state]} ${row.key === chosen ? "chosen" : ""}`
    put(change, MARKS[row.state]); change.title = TITLES[row.state]
    put(symbol, `${row.side > 0 ? "▲" : "▼"} ${row.symbol}`); symbol.title = row.side > 0 ? "long" : "short"
    put(day, row.day); day.title = row.date
    put(time, row.was ? `${row.was} → ${row.time}` : row.time)
    put(price, say.price(row.price)); put(result, row.result)
    result.className = `cell result ${row.result === "win" ? "up" : row.result === "loss" ? "down" : "muted"}`
    put(r, row.r === null ? NONE : `${row.r > 0 ? "+" : row.r < 0 ? "−" : ""}${Math.abs(row.r).toFixed(2)}`)
    r.className = `cell r ${sign(row.r)}`
    return one
  }

  const take = () => {
    if (!model.shown) return
    const latest = JSON.parse(model.shown)
    told = latest
    known = new Map(latest.rows.map((row, i) => [latest.start + i, row]))
    wanted = null
    const {stayed, moved, appeared, disappeared} = latest.counts
    const texts = {all: `All ${stayed + moved + appeared + disappeared}`, changed: `Changed ${moved + appeared + disappeared}`, appeared: `+ Appeared ${appeared}`, disappeared: `− Disappeared ${disappeared}`, moved: `↔ Moved ${moved}`}
    for (const [name, one] of buttons) { put(one, texts[name]); one.setAttribute("aria-pressed", String(name === latest.which)) }
    heads.forEach((one, i) => { one.dataset.order = latest.sort === COLUMNS[i][0] ? (latest.down ? "▾" : "▴") : "" })
    put(heads[5], `Result, ${latest.horizon}`)
    if (document.activeElement !== find && find.value.toUpperCase() !== latest.find) find.value = latest.find
    quiet.hidden = latest.total > 0
    put(quiet, latest.find ? `No trigger of ${latest.find} here` : latest.which === "all" ? "Nothing fires under these thresholds. Loosen one." : `Nothing of that kind: compared with “${latest.beside}”`)
    draw()
  }

  let typing = null
  find.addEventListener("input", () => { clearTimeout(typing); typing = setTimeout(() => ask({find: find.value.trim(), start: 0}, true), 120) })
  list.addEventListener("scroll", () => requestAnimationFrame(draw), {passive: true})
  model.on("chosen", () => { chosen = model.chosen; draw() })
  const watching = new ResizeObserver(draw)
  watching.observe(list)
  model.on("remove", () => { watching.disconnect(); clearTimeout(typing) })
  shows(model, take)
  return root
}
