// Thresholds as sliders and boxes. A drag is sent as fast as it is answered, never faster, and its last value always.
const PATIENCE = 4000

export function render({model}) {
  const root = make("div", "screen card controls")
  const bar = make("div", "bar"), body = make("div", "body scroll")
  const tool = (text, label, word) => button("tool", text, label, () => act({[word]: true}))
  const undo = tool("↶", "Undo  (Ctrl+Z)", "undo"), redo = tool("↷", "Redo  (Ctrl+Shift+Z)", "redo"), reset = tool("Reset", "Back to where the lab started", "reset")
  reset.classList.add("wide")
  bar.append(make("span", "name", "Thresholds"), make("span", "space"), undo, redo, reset)
  const forms = make("div", "forms"), variants = variantsOf(message => act(message)), away = exportOf(model)
  body.append(forms, variants.node, away.node)
  root.append(bar, body)

  let sent = model.shown ? JSON.parse(model.shown).answered : 0, waiting = 0, patience = null, coming = {}, released = false, built = "", controls = new Map()
  // What else is asked for waits for the moves before it: an undo undoes the whole drag.
  const acts = []
  // Each carries the scanner that it was meant for: another one may be on the bench by the time that it arrives.
  let scanner = ""
  const send = message => model.send_msg({...message, of: scanner})
  const act = message => { acts.push(message); flush() }
  const flush = () => {
    if (waiting) return
    if (!released && !Object.keys(coming).length) {
      while (acts.length) send(acts.shift())
      return
    }
    waiting = ++sent
    const values = coming, sliding = !released
    coming = {}; released = false
    clearTimeout(patience)
    patience = setTimeout(() => { waiting = 0; flush() }, PATIENCE)
    send({move: {seq: sent, values, sliding}})
  }
  // All that comes while a slider is held is one step for undo.
  const move = (name, value, sliding = false) => {
    if (name) coming[name] = value
    released ||= !sliding
    flush()
  }

  const draw = () => {
    if (!model.shown) return
    const told = JSON.parse(model.shown)
    if (told.scanner !== scanner) {
      scanner = told.scanner
      coming = {}; released = false; waiting = 0; acts.length = 0
      clearTimeout(patience)
    }
    if (waiting && told.answered >= waiting) { waiting = 0; clearTimeout(patience) }
    const shape = told.scanner + told.sections.map(({fields}) => fields.map(({name}) => name)).join()
    if (shape !== built) { build(told.sections); built = shape }
    for (const {fields} of told.sections) {
      for (const field of fields) controls.get(field.name).draw(field, told.refused[field.name] ?? "", field.name in coming || waiting > 0)
    }
    undo.disabled = !told.undo; redo.disabled = !told.redo
    reset.disabled = told.variants.find(({fixed}) => fixed).now
    variants.draw(told.variants, told.refused.variant ?? "")
    away.draw(told.toml, told.scanner)
    flush()
  }

  const build = sections => {
    controls = new Map()
    forms.replaceChildren(...sections.map(({title, open, fields}) => {
      const node = make("details", "section"), head = make("summary", "", title)
      node.open = open
      node.append(head, ...fields.map(field => {
        const control = controlOf(field, (value, sliding) => move(field.name, value, sliding), () => move("", null))
        controls.set(field.name, control)
        return control.node
      }))
      return node
    }))
  }

  root.addEventListener("keydown", event => {
    if (!(event.ctrlKey || event.metaKey) || event.key.toLowerCase() !== "z" || event.target.type === "text") return
    event.preventDefault()
    act(event.shiftKey ? {redo: true} : {undo: true})
  })
  model.on("remove", () => clearTimeout(patience))
  shows(model, draw)
  return root
}

let ids = 0

// A control draws what the server says, unless one is at it: what is being dragged or typed stays under the hand.
function controlOf(first, move, release) {
  const node = make("div", `control ${first.kind}`), id = `threshold-${++ids}`
  const label = make("label", "label", first.label), said = make("div", "said")
  label.htmlFor = id
  label.title = [first.doc, first.limits && `Bounds: ${first.limits}.`, `Default: ${first.default === "" ? "any" : first.default}.`].filter(Boolean).join("\n")
  const part = {switch: switchOf, choice: choiceOf}[first.kind] ?? (first.options.length ? wordsOf : boxOf)
  const {nodes, draw} = part(first, id, move, release)
  node.append(label, ...nodes, said)
  return {node, draw: (field, refusal, busy) => {
    if (!refusal) draw(field, busy)
    node.classList.toggle("moved", String(field.value) !== String(field.default))
    node.classList.toggle("refused", refusal !== "")
    put(said, refusal)
  }}
}

function boxOf(first, id, move, release) {
  const box = make("input", "box"), slide = make("input", "slide")
  box.type = "text"; box.id = id; box.placeholder = "any"; box.autocomplete = "off"; box.spellcheck = false
  let shown = "", held = false
  const type = () => { if (box.value !== shown) { shown = box.value; move(box.value) } }
  box.addEventListener("change", type)
  box.addEventListener("keydown", event => {
    if (event.key === "Enter") type()
    if (event.key === "Escape") { box.value = shown; box.blur() }
  })
  if (first.range) {
    slide.type = "range"
    ;[slide.min, slide.max, slide.step] = first.range.map(String)
    slide.setAttribute("aria-label", first.label)
    slide.addEventListener("pointerdown", () => { held = true })
    const free = () => { held = false }
    for (const word of ["pointerup", "pointercancel", "blur"]) slide.addEventListener(word, free)
    slide.addEventListener("input", () => {
      shown = box.value = String(Number(slide.value))
      fill(slide)
      move(Number(slide.value), true)
    })
    slide.addEventListener("change", release)
  }
  return {nodes: first.range ? [box, slide] : [box], draw: (field, busy) => {
    if (!busy && !held && !(box.matches(":focus") && box.value !== shown)) { shown = field.value; if (box.value !== shown) box.value = shown }
    if (!first.range) return
    slide.disabled = field.number === null
    if (busy || held || field.number === null) return
    const [low, high] = first.range, inside = field.number >= low && field.number <= high
    if (inside || field.number > Number(slide.max)) slide.max = String(inside ? high : 2 * field.number)
    if (inside || field.number < Number(slide.min)) slide.min = String(inside ? low : field.number)
    if (Number(slide.value) !== field.number) slide.value = String(field.number)
    fill(slide)
  }}
}

function fill(slide) {
  const share = (Number(slide.value) - Number(slide.min)) / (Number(slide.max) - Number(slide.min) || 1)
  slide.style.setProperty("--share", `${100 * share}%`)
}

function choiceOf(first, id, move) {
  const segments = make("div", "segments")
  segments.id = id
  segments.append(...first.options.map(option => button("", option, "", () => move(option))))
  return {nodes: [segments], draw: field => { for (const one of segments.children) one.setAttribute("aria-pressed", String(one.textContent === field.value)) }}
}

function switchOf(first, id, move) {
  const box = make("input", "check")
  box.type = "checkbox"; box.id = id
  box.addEventListener("change", () => move(box.checked))
  return {nodes: [box], draw: (field, busy) => { if (!busy) box.checked = field.value }}
}

function wordsOf(first, id, move) {
  const segments = make("div", "segments")
  segments.id = id
  const on = () => [...segments.children].filter(one => one.getAttribute("aria-pressed") === "true").map(one => one.textContent)
  segments.append(...first.options.map(option => {
    const one = button("", option, "", () => {
      one.setAttribute("aria-pressed", String(one.getAttribute("aria-pressed") !== "true"))
      move(on().join(", "))
    })
    return one
  }))
  return {nodes: [segments], draw: field => {
    const chosen = field.value.split(", ")
    for (const one of segments.children) one.setAttribute("aria-pressed", String(chosen.includes(one.textContent)))
  }}
}

function variantsOf(act) {
  const node = make("section", "variants"), rows = make("div", "rows"), form = make("form", "keep"), name = make("input", "box"), said = make("div", "said")
  name.type = "text"; name.placeholder = "Name of this variant"; name.setAttribute("aria-label", "Name of this variant"); name.autocomplete = "off"; name.maxLength = 40
  const keep = make("button", "wide tool", "Keep")
  keep.type = "submit"
  form.append(name, keep)
  form.addEventListener("submit", event => {
    event.preventDefault()
    if (!name.value.trim()) { name.focus(); return }
    act({keep: name.value.trim()})
    name.value = ""
  })
  node.append(make("div", "title", "Variants"), make("div", "hint", "Press one to compare with it"), rows, form, said)
  const known = new Map()
  return {node, draw: (variants, refusal) => {
    put(said, refusal)
    for (const key of known.keys()) if (!variants.some(one => one.name === key)) known.delete(key)
    arrange(rows, variants.map(one => {
      if (!known.has(one.name)) known.set(one.name, rowOf(act, one))
      const row = known.get(one.name), [compare, figures, take] = row.children
      row.classList.toggle("beside", one.beside)
      row.classList.toggle("now", one.now)
      compare.setAttribute("aria-pressed", String(one.beside))
      put(figures, `${one.a_day} a day, ${one.mean}`)
      figures.classList.toggle("weak", one.weak)
      take.disabled = one.now
      return row
    }))
  }}
}

function rowOf(act, {name, fixed}) {
  const row = make("div", "variant")
  row.append(button("compare", name, `Compare with “${name}”`, () => act({compare: name})), make("span", "figures"))
  row.append(button("tool take", "Take", `Go on from “${name}”`, () => act({take: name})))
  const drop = button("tool drop", "×", `Give up “${name}”`, () => act({drop: name}))
  drop.style.visibility = fixed ? "hidden" : ""
  row.append(drop)
  return row
}

function exportOf(model) {
  const node = make("details", "export"), text = make("pre", "toml scroll"), line = make("div", "line")
  let name = "settings"
  const save = button("tool wide", "Download", "Download as a settings file", () => {
    const link = make("a")
    link.href = URL.createObjectURL(new Blob([text.textContent], {type: "application/toml"}))
    link.download = `${name}.toml`
    link.click()
    setTimeout(() => URL.revokeObjectURL(link.href), 1000)
  })
  const copy = button("tool wide", "Copy", "Copy to the clipboard", async () => {
    try { await navigator.clipboard.writeText(text.textContent); put(copy, "Copied") } catch { getSelection().selectAllChildren(text) }
    setTimeout(() => put(copy, "Copy"), 1500)
  })
  line.append(save, copy)
  node.append(make("summary", "title", "Export"), text, line, make("div", "hint", "replay --settings, demo --settings and the live page take it."))
  return {node, draw: (toml, scanner) => { put(text, toml); name = scanner }}
}
