// The categories: all of them side by side, or one as a table that can be sorted; rows are keyed by symbol.
const COLUMNS = [
  {key: "pin", title: "", wide: 30},
  {key: "rank", title: "#", wide: 30, value: row => row.rank, text: x => String(x)},
  {key: "symbol", title: "Symbol", wide: 84, left: true, value: row => row.symbol, text: x => x},
  {key: "trend", title: "Trend", wide: 100, left: true},
  {key: "score", title: "Score", wide: 94, value: row => row.score},
  {key: "last", title: "Last", wide: 84, figure: 0, text: say.price, flash: true},
  {key: "change", title: "Change", wide: 88, figure: 1, text: say.percent, signed: true},
  {key: "gap", title: "Gap", wide: 82, figure: 2, text: say.percent, signed: true},
  {key: "rvol", title: "RVOL", wide: 86, figure: 3, text: say.times, level: 10},
  {key: "volume", title: "Volume", wide: 84, figure: 4, text: say.count},
  {key: "dollars", title: "$ volume", wide: 88, figure: 5, text: say.count},
  {key: "away", title: "", wide: 32},
]
for (const column of COLUMNS) if (column.figure !== undefined) column.value = row => row.figures[column.figure]

export function render({model}) {
  const root = make("div", "screen card lists")
  const tabs = make("div", "tabs")
  tabs.setAttribute("role", "tablist")
  const wall = make("div", "wall"), table = make("div", "sheet scroll")
  root.append(tabs, wall, table)
  const desk = {model, state: {}, chosen: model.chosen, find: "", shown: memory.get("list", "all"), sort: {key: "rank", down: false}}
  const drawWall = makeWall(desk, wall, name => show(name)), drawTable = makeTable(desk, table), drawTabs = makeTabs(desk, tabs, name => show(name))

  const draw = () => {
    const all = desk.shown === "all" || !desk.state.lists?.has(desk.shown)
    wall.hidden = !all; table.hidden = all
    drawTabs(all ? "all" : desk.shown)
    if (all) drawWall(); else drawTable()
  }
  const show = name => { desk.shown = name; desk.sort = {key: "rank", down: false}; memory.set("list", name); draw() }
  desk.draw = draw

  follow(model, state => { desk.state = state; draw() })
  hear(model, "chosen", symbol => { desk.chosen = symbol; draw() })
  hear(model, "find", text => { desk.find = text; draw() })
  hear(model, "pins", draw)
  model.on("chosen", () => { desk.chosen = model.chosen; draw() })
  const watching = new ResizeObserver(() => { if (!wall.hidden) drawWall() })
  watching.observe(wall)
  model.on("remove", () => watching.disconnect())
  return root
}

function names(state) {
  return [...(state.headings ?? [])].sort((a, b) => a[1][0] - b[1][0]).map(([name]) => name)
}

// The rows of a list as they are shown: found, pinned ones first, sorted.
function rowsOf(desk, name, sorted = true) {
  const pinned = new Set(pins.all())
  const rows = (desk.state.lists?.get(name) ?? []).map(([symbol, score], i) =>
    ({symbol, score, rank: i + 1, pinned: pinned.has(symbol), figures: desk.state.figures.get(symbol) ?? []}))
    .filter(row => row.symbol.includes(desk.find))
  const column = sorted && COLUMNS.find(({key}) => key === desk.sort.key)
  if (column?.value) rows.sort((a, b) => compare(column.value(a), column.value(b), desk.sort.down))
  return [...rows.filter(row => row.pinned), ...rows.filter(row => !row.pinned)]
}

function compare(a, b, down) {
  if (a == null || b == null) return (a == null) - (b == null)
  return (a < b ? -1 : a > b ? 1 : 0) * (down ? -1 : 1)
}

function makeTabs(desk, bar, show) {
  const made = new Map()
  // Tabs that have no room are a scroll away; the edge says that there are more.
  const edge = () => bar.classList.toggle("more", bar.scrollWidth - bar.clientWidth - bar.scrollLeft > 1)
  bar.addEventListener("scroll", edge, {passive: true})
  bar.addEventListener("wheel", event => { if (!event.deltaX) bar.scrollLeft += event.deltaY }, {passive: true})
  const watching = new ResizeObserver(edge)
  watching.observe(bar)
  desk.model.on("remove", () => watching.disconnect())
  return current => {
    const wanted = [["all", "All lists", null, "All"], ...names(desk.state).map(name => [name, desk.state.headings.get(name)[1], rowsOf(desk, name, false).length, desk.state.headings.get(name)[4]])]
    const nodes = wanted.map(([name, title, count, brief]) => {
      let tab = made.get(name)
      if (!tab) {
        tab = button("tab", "", "", () => { show(name); tab.scrollIntoView({inline: "nearest", block: "nearest"}) })
        tab.setAttribute("role", "tab")
        tab.dataset.list = name
        tab.append(make("span", "long", title), make("span", "short", brief ?? title), make("span", "count"))
        made.set(name, tab)
      }
      tab.setAttribute("aria-selected", String(name === current))
      tab.title = count === null ? title : `${title}: ${count}`
      put(tab.lastChild, count === null ? "" : String(count))
      tab.classList.toggle("none", count === 0)
      return tab
    })
    arrange(bar, nodes)
    edge()
  }
}

// The figure that a list's score is already.
const SAID = {Gap: "gap", Change: "change", Dollars: "dollars"}
const TILE = {head: 30, row: 24, rows: 2}
// Even numbers keep up and down side by side.
const tilesAcross = width => width >= 1200 ? 6 : width >= 700 ? 4 : width >= 540 ? 3 : width >= 300 ? 2 : 1

function makeWall(desk, wall, show) {
  const tiles = new Map()
  const tile = name => {
    if (tiles.has(name)) return tiles.get(name)
    const node = make("section", "tile"), body = make("div", "body"), quiet = make("div", "quiet")
    const head = button("head", "", "", () => { if (name !== "pinned") show(name) })
    head.append(make("span", "name"), make("span", "count"), make("span", "what"))
    node.append(head, body, quiet)
    Object.assign(node, {body, quiet, head, lines: new Map()})
    node.dataset.list = name
    tiles.set(name, node)
    return node
  }
  const line = (node, symbol) => {
    if (node.lines.has(symbol)) return node.lines.get(symbol)
    const row = make("div", "line")
    row.append(make("b", "symbol", symbol), make("span", "last"), make("span", "value"))
    row.dataset.symbol = symbol
    pressable(row, () => choose(desk.model, symbol))
    node.lines.set(symbol, row)
    return row
  }
  const fill = (node, [, title, what, unit], rows, room, none) => {
    put(node.head.children[0], title); put(node.head.children[1], String(rows.length)); put(node.head.children[2], what)
    const shown = rows.slice(0, room)
    arrange(node.body, shown.map(({symbol, score, figures, pinned}) => {
      const row = line(node, symbol)
      put(row.children[1], say.price(figures[0])); put(row.children[2], say.score(score, unit))
      row.children[2].className = `value ${unit === "%" ? sign(score) : ""}`
      row.classList.toggle("chosen", symbol === desk.chosen); row.classList.toggle("pinned", pinned)
      flash(row.children[1], row.before, figures[0])
      row.before = figures[0]
      return row
    }))
    for (const symbol of node.lines.keys()) if (!shown.some(row => row.symbol === symbol)) node.lines.delete(symbol)
    node.quiet.hidden = rows.length > 0
    put(node.quiet, desk.find && node.dataset.list !== "pinned" ? `No ${desk.find} here` : none)
  }
  return () => {
    const {clientWidth: width, clientHeight: height} = wall
    if (!width) return
    const all = [...names(desk.state), "pinned"]
    const across = tilesAcross(width)
    const down = Math.ceil(all.length / across)
    const room = Math.max(TILE.rows, Math.floor((height / down - TILE.head - 4) / TILE.row))
    wall.style.gridTemplateColumns = `repeat(${across}, minmax(0, 1fr))`
    wall.style.gridTemplateRows = `repeat(${down}, minmax(${TILE.head + 4 + TILE.rows * TILE.row}px, 1fr))`
    arrange(wall, all.map(name => {
      const node = tile(name)
      if (name === "pinned") fill(node, [0, "Pinned", "Change", "%"], pinnedRows(desk), room, "Press ☆ to keep a symbol here")
      else fill(node, desk.state.headings.get(name), rowsOf(desk, name, false), room, "Quiet: nothing qualifies")
      return node
    }))
  }
}

function pinnedRows(desk) {
  return pins.all().map(symbol => ({symbol, figures: desk.state.figures?.get(symbol) ?? [], pinned: false}))
    .map(row => ({...row, score: row.figures[1]}))
}

function makeTable(desk, sheet) {
  const table = make("table"), head = make("thead"), body = make("tbody"), quiet = make("div", "quiet")
  const columns = make("colgroup"), titles = make("tr"), rows = new Map()
  for (const column of COLUMNS) {
    const col = make("col", column.key)
    col.style.width = `${column.wide}px`
    columns.append(col)
    titles.append(heading(desk, column))
  }
  head.append(titles)
  table.append(columns, head, body)
  sheet.append(table, quiet)
  return () => {
    const [, , what, unit] = desk.state.headings.get(desk.shown)
    table.dataset.without = SAID[what] ?? ""
    for (const cell of titles.children) drawHeading(desk, cell, what)
    const shown = rowsOf(desk, desk.shown)
    arrange(body, shown.map(row => fillRow(desk, rows.get(row.symbol) ?? newRow(desk, rows, row.symbol), row, unit)))
    for (const symbol of rows.keys()) if (!shown.some(row => row.symbol === symbol)) rows.delete(symbol)
    quiet.hidden = shown.length > 0
    put(quiet, desk.find ? `No ${desk.find} on this list` : "Quiet: everything works, nothing qualifies")
  }
}

function heading(desk, column) {
  const cell = make("th", `${column.key} ${column.left ? "left" : ""}`)
  cell.scope = "col"
  cell.column = column
  if (!column.value) { cell.textContent = column.title; return cell }
  cell.append(button("sort", column.title, "", () => {
    const {key, down} = desk.sort
    const first = column.key !== "symbol" && column.key !== "rank"
    desk.sort = key !== column.key ? {key: column.key, down: first} : down === first ? {key, down: !first} : {key: "rank", down: false}
    desk.draw()
  }))
  return cell
}

function drawHeading(desk, cell, what) {
  const {column} = cell, sorted = column.value && desk.sort.key === column.key
  if (column.key === "score") put(cell.firstChild, what)
  if (column.value) cell.firstChild.dataset.order = sorted && column.key !== "rank" ? (desk.sort.down ? "▾" : "▴") : ""
  cell.setAttribute("aria-sort", sorted && column.key !== "rank" ? (desk.sort.down ? "descending" : "ascending") : "none")
}

function newRow(desk, rows, symbol) {
  const row = make("tr")
  row.dataset.symbol = symbol
  row.cells_ = COLUMNS.map(column => {
    const cell = make("td", `${column.key} ${column.left ? "left" : ""}`)
    row.append(cell)
    return cell
  })
  const [pin, , name, trend] = row.cells_
  pin.append(button("pin", "", `Keep ${symbol} on top`, () => pins.toggle(symbol)))
  pin.firstChild.append(icon(ICONS.star))
  name.textContent = symbol
  row.spark = sparkline(88, 22)
  trend.append(row.spark)
  row.cells_.at(-1).append(away(desk.model.address, symbol))
  pressable(row, () => choose(desk.model, symbol))
  rows.set(symbol, row)
  return row
}

function away(template, symbol) {
  const link = make("a", "away")
  link.href = template.replace("{symbol}", encodeURIComponent(symbol))
  link.target = "_blank"; link.rel = "noopener noreferrer"
  link.title = `${symbol} elsewhere, in a new tab`
  link.setAttribute("aria-label", link.title)
  link.append(icon(ICONS.away))
  return link
}

function fillRow(desk, row, shown, unit) {
  COLUMNS.forEach((column, i) => {
    const cell = row.cells_[i]
    if (!column.value || column.key === "symbol") return
    const value = column.value(shown)
    const text = column.key === "score" ? say.score(value, unit) : column.text(value)
    if (column.signed || (column.key === "score" && unit === "%")) cell.className = `${column.key} ${sign(value)}`
    if (column.level) cell.style.setProperty("--level", `${Math.min(100, 100 * (value ?? 0) / column.level)}%`)
    if (column.flash) flash(cell, row.before, value)
    put(cell, text)
  })
  row.before = shown.figures[0]
  row.spark.draw(shown.figures[6])
  row.classList.toggle("chosen", shown.symbol === desk.chosen)
  row.classList.toggle("pinned", shown.pinned)
  row.setAttribute("aria-selected", String(shown.symbol === desk.chosen))
  return row
}
