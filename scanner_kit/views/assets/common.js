// What every screen uses: following a channel, remembering, hearing each other, and saying numbers.
const SVG = "http://www.w3.org/2000/svg"

// A plot's tooltip hangs in the document itself, and knows no theme of its own.
if (!document.getElementById("scanner-kit-tooltips")) {
  const style = document.createElement("style")
  style.id = "scanner-kit-tooltips"
  style.textContent = `.bk-Tooltip {
    --tooltip-color: var(--panel-surface-color, #fff); --tooltip-text: var(--panel-on-surface-color, #1c2430);
    --tooltip-border: color-mix(in oklab, var(--tooltip-text) 24%, var(--tooltip-color));
    --tooltip-arrow-color: var(--tooltip-border); --tooltip-arrow-inner-color: var(--tooltip-color);
  }`
  document.head.append(style)
}

function make(tag, name = "", text = "") {
  const node = document.createElement(tag)
  if (name) node.className = name
  if (text !== "") node.textContent = text
  return node
}

function button(name, text, label, press) {
  const node = make("button", name, text)
  node.type = "button"
  if (label) { node.title = label; node.setAttribute("aria-label", label) }
  node.addEventListener("click", press)
  return node
}

function icon(path) {
  const svg = document.createElementNS(SVG, "svg")
  svg.setAttribute("viewBox", "0 0 24 24")
  svg.setAttribute("class", "icon")
  svg.setAttribute("aria-hidden", "true")
  const line = document.createElementNS(SVG, "path")
  line.setAttribute("d", path)
  svg.append(line)
  return svg
}

// Keeps the state of a channel: whole at first, then changes; a gap in the sequence asks for the whole until it comes.
function follow(model, changed) {
  let seq = 0, asking = null
  const state = {}
  const ask = () => {
    clearTimeout(asking)
    asking = setTimeout(ask, 1000)
    model.send_msg({whole: true})
  }
  const take = () => {
    if (!model.delta) return
    const message = JSON.parse(model.delta)
    if (message.seq === seq) return
    if (message.since !== null && message.since !== seq) { ask(); return }
    clearTimeout(asking)
    const first = message.since === null || seq === 0
    if (message.since === null) for (const section of Object.values(state)) section.clear()
    for (const [name, {set, drop}] of Object.entries(message.sections)) {
      const section = state[name] ??= new Map()
      for (const key of drop) section.delete(key)
      for (const [key, value] of Object.entries(set)) section.set(key, value)
    }
    seq = message.seq
    changed(state, message, first)
  }
  model.on("delta", take)
  model.on("remove", () => clearTimeout(asking))
  take()
  // A notebook's cell is sent nothing before it asks.
  if (!model.served) asking = setTimeout(ask, 500)
  return state
}

// Draws what a screen shows, now and whenever it changes. A notebook's cell is sent nothing before it says that it is there.
function shows(model, draw) {
  model.on("shown", draw)
  draw()
  if (model.served) return
  let saying = 0
  const say = () => {
    saying = setTimeout(say, 1000)
    model.send_msg({there: true})
  }
  const end = () => clearTimeout(saying)
  model.on("heard", end)
  model.on("remove", end)
  saying = setTimeout(say)
}

const memory = {
  get(key, other) {
    try { return JSON.parse(localStorage.getItem("scanner-kit." + key)) ?? other } catch { return other }
  },
  set(key, value) {
    try { localStorage.setItem("scanner-kit." + key, JSON.stringify(value)) } catch { /* a page that may not remember */ }
  },
}

function shout(word, detail) { window.dispatchEvent(new CustomEvent("scanner-kit:" + word, {detail})) }

function hear(model, word, listen) {
  const listener = event => listen(event.detail)
  window.addEventListener("scanner-kit:" + word, listener)
  model.on("remove", () => window.removeEventListener("scanner-kit:" + word, listener))
}

function choose(model, symbol) {
  shout("chosen", symbol)
  model.send_msg({choose: symbol})
}

const pins = {
  all: () => memory.get("pins", []),
  has: symbol => pins.all().includes(symbol),
  toggle(symbol) {
    const others = pins.all().filter(pinned => pinned !== symbol)
    memory.set("pins", others.length === pins.all().length ? [...others, symbol] : others)
    shout("pins")
  },
}

// What this user does not want on the tape: "symbol NVDA" or "scanner hod_break", and how it is called.
const mutes = {
  all: () => memory.get("mutes", {}),
  set(key, label) { mutes.keep({...mutes.all(), [key]: label}) },
  drop(key) {
    const {[key]: _, ...others} = mutes.all()
    mutes.keep(others)
  },
  keep(muted) { memory.set("mutes", muted); shout("mutes") },
}

const still = () => matchMedia("(prefers-reduced-motion: reduce)").matches
const NONE = "–"
const whole = new Intl.NumberFormat("en-US", {maximumFractionDigits: 0})
const short = new Intl.NumberFormat("en-US", {notation: "compact", minimumFractionDigits: 1, maximumFractionDigits: 1})

const say = {
  price: x => x == null ? NONE : x.toFixed(Math.abs(x) < 1 ? 4 : 2),
  percent: x => x == null ? NONE : `${x > 0 ? "+" : x < 0 ? "−" : ""}${Math.abs(x).toFixed(Math.abs(x) >= 100 ? 0 : 2)}%`,
  distance: x => x == null ? NONE : `${x.toFixed(2)}%`,
  times: x => x == null ? NONE : `${x.toFixed(x >= 100 ? 0 : x >= 10 ? 1 : 2)}×`,
  count: x => x == null ? NONE : x < 10000 ? whole.format(x) : short.format(x),
  plain: x => x == null ? NONE : x >= 1000 ? short.format(x) : x.toFixed(x >= 100 ? 0 : 1),
  score: (x, unit) => unit === "%" ? say.percent(x) : unit === "off" ? say.distance(x) : unit === "×" ? say.times(x) : unit === "$" ? say.count(x) : say.plain(x),
}

const sign = x => x > 0 ? "up" : x < 0 ? "down" : ""

const newYork = new Intl.DateTimeFormat("en-GB", {timeZone: "America/New_York", hour: "2-digit", minute: "2-digit"})
const newYorkSeconds = new Intl.DateTimeFormat("en-GB", {timeZone: "America/New_York", hour: "2-digit", minute: "2-digit", second: "2-digit"})
const localTime = new Intl.DateTimeFormat("en-GB", {hour: "2-digit", minute: "2-digit"})

// A sparkline of a word of 36 heights; the same word is not drawn twice.
function sparkline(width, height) {
  const svg = document.createElementNS(SVG, "svg")
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`)
  svg.setAttribute("class", "spark")
  svg.setAttribute("preserveAspectRatio", "none")
  svg.setAttribute("aria-hidden", "true")
  const line = document.createElementNS(SVG, "polyline")
  svg.append(line)
  let drawn = null
  svg.draw = word => {
    if (word === drawn) return
    drawn = word
    const points = Array.from(word ?? "", (letter, i) => {
      const x = 1 + (width - 2) * i / Math.max(1, word.length - 1)
      return `${x.toFixed(1)},${(height - 2 - (height - 4) * parseInt(letter, 36) / 35).toFixed(1)}`
    })
    line.setAttribute("points", points.join(" "))
    svg.classList.toggle("down", points.length > 1 && parseInt(word.at(-1), 36) < parseInt(word[0], 36))
  }
  return svg
}

function put(node, text) { if (node.textContent !== text) node.textContent = text }

function flash(node, before, now) {
  if (before != null && now != null && before !== now) tint(node, now > before ? "up" : "down")
}

// Tinted, then fainter, then plain again: an animation would have every frame of that second drawn anew.
function tint(node, word) {
  if (still() || document.hidden) return
  const turn = node.turn = {}
  const later = (seconds, act) => setTimeout(() => { if (node.turn === turn) act() }, 1000 * seconds)
  node.dataset.tint = word
  later(0.45, () => { node.dataset.tint = `${word} faint` })
  later(0.9, () => { delete node.dataset.tint })
}

// Puts nodes in order and moves only those that are out of place.
function arrange(parent, nodes) {
  nodes.forEach((node, i) => { if (parent.children[i] !== node) parent.insertBefore(node, parent.children[i] ?? null) })
  while (parent.children.length > nodes.length) parent.lastElementChild.remove()
}

function pressable(node, act) {
  node.tabIndex = 0
  node.addEventListener("click", event => { if (!event.target.closest("button, a")) act() })
  node.addEventListener("keydown", event => {
    if (event.target !== node) return
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); act() }
    const next = event.key === "ArrowDown" ? node.nextElementSibling : event.key === "ArrowUp" ? node.previousElementSibling : null
    if (next) { event.preventDefault(); next.focus(); next.click() }
  })
}

const ICONS = {
  star: "M12 3.5l2.6 5.4 5.9.8-4.3 4.1 1 5.9-5.2-2.8-5.2 2.8 1-5.9L3.5 9.7l5.9-.8z",
  away: "M14 4h6v6M20 4l-9 9M18 14v5H5V6h5",
  sound: "M4 9.5v5h3.5l4.5 4v-13l-4.5 4zM15.5 9a4 4 0 0 1 0 6M18 6.5a8 8 0 0 1 0 11",
  silent: "M4 9.5v5h3.5l4.5 4v-13l-4.5 4zM16 9.5l5 5M21 9.5l-5 5",
  moon: "M19.5 14.5A8 8 0 0 1 9.5 4.5a8 8 0 1 0 10 10z",
  sun: "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8zM12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
  settings: "M4 7h9M17 7h3M4 17h3M11 17h9M15 5v4M9 15v4",
  search: "M10.5 4.5a6 6 0 1 0 0 12 6 6 0 0 0 0-12zM15 15l5 5",
  close: "M6 6l12 12M18 6L6 18",
  more: "M9 5l7 7-7 7",
}

// The way to the other pages of this server; [name, title, "here" or ""].
function ways(pages) {
  const nav = make("nav", "ways")
  nav.setAttribute("aria-label", "Pages")
  nav.append(...(pages ?? []).map(([name, title, here]) => {
    const link = make("a", here, title)
    link.href = name
    if (here) link.setAttribute("aria-current", "page")
    return link
  }))
  nav.hidden = !nav.childElementCount
  return nav
}

// A button that turns the theme of the page; it is kept in a cookie, for the server has to know before it makes a page.
function themeButton(model) {
  const theme = button("tool", "", "", () => {
    const dark = !model.dark
    document.cookie = `scanner-kit-theme=${dark ? "dark" : "light"}; path=/; max-age=31536000; samesite=lax`
    model.send_msg({dark})
  })
  theme.dataset.tool = "theme"
  theme.hidden = !model.served
  const draw = () => {
    theme.replaceChildren(icon(model.dark ? ICONS.sun : ICONS.moon))
    theme.title = model.dark ? "Light theme" : "Dark theme"
    theme.setAttribute("aria-label", theme.title)
  }
  model.on("dark", draw)
  draw()
  return theme
}
