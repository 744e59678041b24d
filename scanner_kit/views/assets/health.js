// Health: the chain from the bus to the screen, every row worst first, the last steps, and the processes side by side.
const SHOWN_STEPS = 60, LATE = 10
const AMBER_BEAT = 5, RED_BEAT = 8
const STATIONS = {bus: "Bus", tape: "Tape", bars: "Bars", engine: "Engine", lists: "Lists", store: "Store", serve: "Serve"}

export function render({model}) {
  const root = make("div", "screen whole")
  const chain = make("div", "chain"), rows = make("section", "card rows"), steps = make("section", "card steps"), processes = make("section", "card processes")
  const said = make("span", "muted"), body = make("tbody"), quiet = make("div", "quiet", "Nothing has reported its health yet.")
  rows.append(titled("Everything, worst first", said), sheet(["State", "What", "Reason", "Since", "Figures"], body, "all"), quiet)
  const stepSaid = make("span", "muted"), plot = make("div", "plot"), last = make("tbody")
  steps.append(titled("Last steps", stepSaid), plot, sheet(["Step", "Published", "Here", "Fired"], last, "figures"))
  const meant = ["", "How long after the step was due it was published", "How long it then took to come to this server", "Triggers"]
  steps.querySelectorAll("th").forEach((cell, i) => { cell.title = meant[i] })
  const desk = make("tbody")
  processes.append(titled("Processes"), sheet(["Process", "State", "Version", "Prefix", "Bus", "Clock", "Beat"], desk, "desk"))
  root.append(chain, rows, steps, processes)
  const stations = new Map(), known = new Map()
  const now = () => performance.now() / 1000
  let state = {}, sent = 0, heard = now(), beat = now()

  const station = name => {
    if (stations.has(name)) return stations.get(name)
    const node = make("div", "card station")
    const head = make("div", "head")
    head.append(make("span", "dot"), make("b", "", STATIONS[name]), make("span", "word"))
    node.append(head, make("div", "reason"))
    node.dataset.station = name
    stations.set(name, node)
    return node
  }
  const drawChain = () => {
    arrange(chain, [...(state.stations ?? [])].sort((a, b) => a[1][0] - b[1][0]).map(([name, [, word, colour, reason]]) => {
      const node = station(name), [dot, , label] = node.firstChild.children
      node.className = `card station ${colour}`
      dot.className = `dot ${colour}`
      put(label, word || "NO SIGN"); put(node.lastChild, reason); node.title = reason
      return node
    }))
  }
  const drawRows = () => {
    const all = [...(state.rows ?? [])].sort((a, b) => a[1][0] - b[1][0])
    arrange(body, all.map(([subject, [, word, colour, reason, since, figures]]) => {
      if (!known.has(subject)) known.set(subject, rowOf(5))
      const node = known.get(subject), [a, b, c, d, e] = node.children
      if (!a.firstChild) a.append(make("span", "dot"), make("span", "word"))
      node.className = colour
      a.firstChild.className = `dot ${colour}`
      put(a.lastChild, word); put(b, subject); put(c, reason); c.title = reason
      put(d, since ? newYorkSeconds.format(new Date(since * 1000)) : "")
      put(e, Object.entries(figures).map(([name, value]) => `${name} ${value === null ? NONE : whole.format(value)}`).join(" · "))
      return node
    }))
    for (const subject of known.keys()) if (!all.some(([one]) => one === subject)) known.delete(subject)
    quiet.hidden = all.length > 0
    const count = colour => all.filter(([, row]) => row[2] === colour).length
    put(said, all.length ? `${count("red")} red, ${count("amber")} amber, ${count("green")} green` : "")
  }
  const drawSteps = () => {
    const all = [...(state.steps ?? [])].map(([key, step]) => step).sort((a, b) => a[0] - b[0]).slice(-SHOWN_STEPS)
    const most = Math.max(2, ...all.map(step => step[3] ?? 0))
    plot.replaceChildren(...all.map(([time, , , delay, , forming]) => {
      const bar = make("i", delay > LATE ? "late" : forming ? "forming" : "")
      bar.style.height = `${Math.max(2, 100 * Math.max(0, delay ?? 0) / most)}%`
      bar.title = `${newYorkSeconds.format(new Date(time * 1000))}: ${seconds(delay)} after it was due`
      return bar
    }))
    put(stepSaid, all.length ? `from due to this server, the last ${all.length}; the highest is ${seconds(Math.max(...all.map(step => step[3] ?? 0)))}` : "No step yet")
    arrange(last, all.slice(-24).reverse().map(([time, published, here, , fired, forming], i) => {
      const node = last.children[i] ?? rowOf(4)
      const texts = [`${(forming ? newYorkSeconds : newYork).format(new Date(time * 1000))}${forming ? " so far" : ""}`, seconds(published), seconds(here), String(fired)]
      texts.forEach((text, j) => put(node.children[j], text))
      return node
    }))
  }
  const drawDesk = () => {
    const all = [...(state.processes ?? [])].sort((a, b) => a[1][0] < b[1][0] ? -1 : 1)
    arrange(desk, all.map(([name, [, word, version, prefix, bus, offset, began, at, differs]], i) => {
      const node = desk.children[i] ?? rowOf(7)
      const age = at === null ? null : Math.max(0, sent - at + now() - heard)
      const texts = [name, word, version, prefix, bus, offset === null ? NONE : `${offset > 0 ? "+" : offset < 0 ? "−" : ""}${Math.abs(offset).toFixed(1)} s`, age === null ? NONE : `${age.toFixed(0)} s`]
      texts.forEach((text, j) => { put(node.children[j], text); node.children[j].title = text })
      ;["version", "prefix", "redis"].forEach((one, j) => {
        node.children[2 + j].classList.toggle("differs", differs.includes(one))
        if (differs.includes(one)) node.children[2 + j].title = `${texts[2 + j]}: other processes of this desk use another ${one}`
      })
      return node
    }))
  }
  const draw = () => { drawChain(); drawRows(); drawSteps(); drawDesk() }
  follow(model, (latest, message) => { state = latest; sent = message.sent; heard = beat = now(); draw() })
  model.on("beat", () => { beat = now() })
  const watching = setInterval(() => {
    drawDesk()
    const silent = model.served ? now() - beat : 0
    root.classList.toggle("silent", silent > RED_BEAT)
    if (silent > AMBER_BEAT) put(said, `this server is silent for ${Math.round(silent)} s`)
  }, 1000)
  model.on("remove", () => clearInterval(watching))
  draw()
  return root
}

const seconds = x => x == null ? NONE : x >= 100 ? `${Math.round(x)} s` : x >= 1 ? `${x.toFixed(1)} s` : `${Math.round(1000 * x)} ms`

function titled(text, ...more) {
  const bar = make("div", "bar")
  bar.append(make("span", "name", text), make("span", "space"), ...more)
  return bar
}

function sheet(titles, body, name) {
  const box = make("div", `box scroll ${name}`), table = make("table"), head = make("thead"), line = make("tr")
  line.append(...titles.map(title => Object.assign(make("th", "", title), {scope: "col"})))
  head.append(line)
  table.append(head, body)
  box.append(table)
  return box
}

function rowOf(cells) {
  const row = make("tr")
  for (let i = 0; i < cells; i++) row.append(make("td"))
  return row
}
