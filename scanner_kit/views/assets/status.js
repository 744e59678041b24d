// The header. Ages are counted here, so that a server that falls silent is seen at once.
const AMBER_BEAT = 5, RED_BEAT = 8, RELOAD_BEAT = 25, AMBER_STEP = 75, RED_STEP = 90

export function render({model}) {
  const root = make("div", "screen status")
  const now = () => performance.now() / 1000
  let beat = now(), stepped = null, clock = null, watching = null, rows = []

  const light = make("button", "light"), dot = make("span", "dot"), word = make("span", "word")
  light.type = "button"
  const reasons = make("div", "reasons")
  reasons.setAttribute("role", "tooltip")
  light.append(dot, word, reasons)
  const badge = make("span", "badge"), age = make("span", "age"), step = make("span", "step")
  const ny = make("b"), local = make("b")
  const clocks = make("span", "clocks")
  clocks.append(make("span", "zone", "New York"), ny, make("span", "zone local", "Local"), local)
  local.className = "local"

  const find = make("input", "find")
  find.type = "search"; find.placeholder = "Find a symbol   /"; find.spellcheck = false; find.maxLength = 12
  find.setAttribute("aria-label", "Find a symbol; Enter opens it")
  find.addEventListener("input", () => shout("find", find.value.trim().toUpperCase()))
  find.addEventListener("keydown", event => {
    if (event.key === "Escape") { find.value = ""; shout("find", ""); find.blur() }
    if (event.key === "Enter" && find.value.trim()) choose(model, find.value.trim().toUpperCase())
  })
  const search = make("label", "search")
  search.append(icon(ICONS.search), find)

  const bell = sound(model)
  const theme = themeButton(model)
  const gear = button("tool", "", "Settings: thresholds of every scanner", () => model.send_msg({settings: true}))
  gear.dataset.tool = "settings"
  gear.append(icon(ICONS.settings))
  gear.hidden = !model.settings

  const space = make("span", "space")
  root.append(make("span", "product", "scanner_kit"), ways(model.pages), badge, light, age, step, space, search, clocks, bell, gear, theme)

  const drawClock = () => {
    const date = new Date()
    put(ny, newYorkSeconds.format(date)); put(local, localTime.format(date))
    // Only a server beats: in a notebook that stands still nobody is silent, and nothing is loaded again.
    const silent = model.served ? now() - beat : 0, old = stepped === null ? null : now() - stepped
    const level = silent > RED_BEAT ? "red" : silent > AMBER_BEAT ? "amber" : stepLevel(old, clock)
    age.className = `age ${level}`
    put(age, silent > AMBER_BEAT ? `server silent for ${ago(silent)}` : old === null ? "no step yet" : `updated ${ago(old)} ago`)
    dot.className = `dot ${worst(level, rows)}`
    put(word, silent > RED_BEAT ? "NO ANSWER" : rows[0]?.[1] ?? "STARTING")
    if (silent > RELOAD_BEAT) reload()
  }

  let asking = false
  const reload = async () => {
    if (asking) return
    asking = true
    try { if ((await fetch(location.href, {cache: "no-store"})).ok) location.reload() } catch { /* still away */ }
    setTimeout(() => { asking = false }, 3000)
  }

  const drawHealth = () => {
    reasons.replaceChildren(...rows.map(([, state, colour, reason, since, subject]) => {
      const row = make("div", "reason")
      row.append(make("span", `dot ${colour}`), make("b", "", subject), make("span", "word", state), make("span", "muted", reason))
      if (since) row.append(make("span", "since", `since ${newYork.format(new Date(since * 1000))}`))
      return row
    }))
    if (!rows.length) reasons.append(make("div", "reason muted", "Nothing has reported its health yet."))
    light.setAttribute("aria-label", `Health: ${rows.map(row => `${row[5]} ${row[1]}`).join(", ") || "unknown"}`)
  }

  follow(model, (state, message, first) => {
    const label = state.about?.get("label") ?? ""
    badge.hidden = !label
    put(badge, label.toUpperCase())
    const entries = Object.fromEntries(state.clock ?? [])
    if (entries.arrived !== clock?.arrived) stepped = now() - Math.max(0, message.sent - entries.arrived)
    clock = entries.arrived ? entries : null
    step.hidden = !clock
    if (clock) { put(step, `${newYork.format(new Date(clock.time * 1000))} ${clock.forming ? "so far" : SESSIONS[clock.session] ?? clock.session}`); step.title = clock.forming ? "The minute so far: it has not closed" : "The last minute that closed" }
    rows = [...(state.health ?? [])].map(([subject, row]) => [...row, subject]).sort((a, b) => a[0] - b[0])
    beat = now()
    drawHealth(); drawClock()
  })
  model.on("beat", () => { beat = now() })
  drawHealth(); drawClock()
  watching = setInterval(drawClock, 500)

  const keys = event => {
    const typing = event.composedPath().some(node => node.matches?.("input, textarea, select, [contenteditable]"))
    if (event.key === "/" && !typing) { event.preventDefault(); find.focus() }
    if (event.key === "Escape" && !typing) choose(model, "")
  }
  window.addEventListener("keydown", keys)
  model.on("remove", () => { clearInterval(watching); window.removeEventListener("keydown", keys) })
  return root
}

const SESSIONS = {PRE: "premarket", REGULAR: "regular session", POST: "after hours", CLOSED: "closed"}
const RANK = {green: 0, amber: 1, red: 2}

function ago(seconds) {
  const s = Math.max(0, Math.floor(seconds))
  return s < 100 ? `${s} s` : s < 6000 ? `${Math.floor(s / 60)} min` : `${Math.floor(s / 3600)} h`
}

function stepLevel(old, clock) {
  if (old === null || clock?.session === "CLOSED") return ""
  return old > RED_STEP ? "red" : old > AMBER_STEP ? "amber" : "green"
}

function worst(level, rows) {
  const all = [level, ...rows.map(row => row[2])].filter(colour => colour in RANK)
  return all.sort((a, b) => RANK[b] - RANK[a])[0] ?? ""
}

// Browsers let a page sound only after a press: the switch is one, and after a reload any first press is.
function sound(model) {
  let context = null
  const bell = button("tool", "", "", () => { memory.set("sound", !memory.get("sound", false)); arm(); draw(); play() })
  bell.dataset.tool = "sound"
  const arm = () => {
    if (!memory.get("sound", false)) return
    context ??= new AudioContext()
    context.resume().then(draw)
  }
  const draw = () => {
    const on = memory.get("sound", false)
    bell.replaceChildren(icon(on ? ICONS.sound : ICONS.silent))
    bell.classList.toggle("on", on)
    bell.title = !on ? "Sound is off: press for a tone at each new trigger" : context?.state === "running" ? "Sound is on" : "Sound is on from your first press on this page"
    bell.setAttribute("aria-label", bell.title)
    bell.setAttribute("aria-pressed", String(on))
  }
  const play = (side = 1) => {
    if (!memory.get("sound", false) || context?.state !== "running") return
    const tone = context.createOscillator(), volume = context.createGain(), at = context.currentTime
    tone.frequency.setValueAtTime(side > 0 ? 660 : 523, at)
    tone.frequency.setValueAtTime(side > 0 ? 880 : 392, at + 0.09)
    volume.gain.setValueAtTime(0.0001, at)
    volume.gain.exponentialRampToValueAtTime(0.16, at + 0.015)
    volume.gain.exponentialRampToValueAtTime(0.0001, at + 0.3)
    tone.connect(volume).connect(context.destination)
    tone.start(at); tone.stop(at + 0.32)
  }
  window.addEventListener("pointerdown", arm)
  model.on("remove", () => { window.removeEventListener("pointerdown", arm); context?.close() })
  hear(model, "fired", play)
  draw()
  return bell
}
