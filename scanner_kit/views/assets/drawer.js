// The settings drawer: every scanner by name; one that is opened has its thresholds asked for, and shown below its name.
export function render({model}) {
  const root = make("div", "screen drawer")
  const find = make("input", "find")
  find.type = "search"; find.placeholder = "Find a scanner"; find.spellcheck = false
  find.setAttribute("aria-label", "Find a scanner; Enter opens it")
  const list = make("div", "list")
  root.append(
    make("div", "title", "Settings"),
    make("div", "note", "Thresholds are shared: a change is in force from the next step, for everyone."),
    find, list,
  )
  const by = signed(model)
  root.insertBefore(by, find)
  const items = new Map()
  let shown = {scanners: [], opened: "", fields: []}

  const open = name => model.send_msg({open: name === shown.opened ? "" : name})
  const item = (name, title) => {
    if (items.has(name)) return items.get(name)
    const node = make("section", "item"), head = button("head", "", "", () => open(name))
    head.append(make("span", "name", title), icon(ICONS.more))
    node.append(head)
    node.dataset.scanner = name
    items.set(name, node)
    return node
  }
  const draw = () => {
    const found = shown.scanners.filter(([, title]) => title.toUpperCase().includes(find.value.trim().toUpperCase()))
    const nodes = []
    for (const [label, speaks] of [["Lists", false], ["Triggers", true]]) {
      const some = found.filter(([, , triggers]) => triggers === speaks)
      if (some.length) nodes.push(group(items, label), ...some.map(([name, title]) => item(name, title)))
    }
    arrange(list, nodes)
    for (const [name, node] of items) {
      const opened = name === shown.opened && !node.classList.contains("group")
      node.firstChild.setAttribute?.("aria-expanded", String(opened))
      if (!opened) node.body?.remove()
      if (!opened) node.body = null
      else fillBody(model, node, shown)
    }
  }
  const take = () => {
    if (!model.shown) return
    const before = shown.opened
    shown = JSON.parse(model.shown)
    by.draw(shown)
    draw()
    if (shown.opened && shown.opened !== before) items.get(shown.opened)?.scrollIntoView({block: "nearest"})
  }
  find.addEventListener("input", draw)
  find.addEventListener("keydown", event => {
    const first = list.querySelector(".item")?.dataset.scanner
    if (event.key === "Enter" && first && first !== shown.opened) open(first)
  })
  shows(model, take)
  return root
}

// Who changes thresholds, and why, for those who read their history; a name is remembered, and a sign-in's is not asked for.
function signed(model) {
  const node = make("div", "by"), who = make("input"), why = make("input")
  for (const [input, words] of [[who, "Your name"], [why, "Why, for the history"]]) {
    input.type = "text"; input.placeholder = words; input.maxLength = 200
    input.setAttribute("aria-label", words)
    input.addEventListener("change", () => { memory.set("who", who.value.trim()); tell() })
  }
  const tell = () => model.send_msg({by: [who.value, why.value]})
  who.value = memory.get("who", "")
  node.append(who, why)
  node.draw = shown => {
    node.hidden = !shown.remembers; who.hidden = Boolean(shown.user)
    if (shown.remembers && who.value && !node.told) { node.told = true; tell() }
  }
  return node
}

function group(items, label) {
  const key = ` ${label}`
  if (!items.has(key)) items.set(key, make("div", "group", label))
  return items.get(key)
}

function fillBody(model, item, shown) {
  if (!item.body) {
    item.body = make("div", "body")
    item.body.controls = new Map()
    item.append(item.body)
  }
  const {body} = item, nodes = [body.about ??= make("div", "about")]
  put(body.about, shown.about)
  let last = null
  for (const field of shown.fields) {
    if (field.group !== last) nodes.push(heading(body, last = field.group))
    const node = body.controls.get(field.name) ?? control(model, body, field)
    fillControl(node, field, shown.version)
    nodes.push(node)
  }
  body.reset ??= button("reset", "Reset to defaults", "", () => model.send_msg({reset: true}))
  body.reset.disabled = !shown.fields.some(field => field.changed)
  body.said ??= make("div", "said")
  put(body.said, shown.said)
  arrange(body, [...nodes, body.said, body.reset])
}

function heading(body, text) {
  const key = ` ${text}`
  if (!body.controls.has(key)) body.controls.set(key, make("div", "heading", text))
  return body.controls.get(key)
}

function control(model, body, field) {
  const node = make("div", `control ${field.kind}`), label = make("label", "", ""), below = make("div", "below")
  const input = field.kind === "choice" ? make("select") : make("input")
  if (field.kind === "choice") input.append(...field.options.map(option => make("option", "", option)))
  if (field.kind === "switch") input.type = "checkbox"
  else if (field.kind !== "choice") { input.type = "text"; input.placeholder = "any"; input.spellcheck = false }
  below.id = `below-${field.name}`
  input.setAttribute("aria-describedby", below.id)
  label.append(make("span", "what", field.label), input)
  label.title = field.doc
  node.append(label, below)
  input.addEventListener("change", () => {
    node.drawn = input.value
    model.send_msg({enter: [field.name, field.kind === "switch" ? input.checked : input.value, node.base]})
  })
  Object.assign(node, {input, below, drawn: null})
  body.controls.set(field.name, node)
  return node
}

// What is being written is left alone; what was refused stays, with the reason.
function fillControl(node, field, version) {
  const {input, below} = node, written = node.drawn !== null && input.value !== node.drawn
  // What is written is written over the version that was last seen here; a refusal shows the one in force now.
  if (!written || (field.said && field.said !== node.said)) node.base = version
  node.said = field.said
  if (field.kind === "switch") input.checked = field.value
  else if (!field.said && !written) { input.value = field.value; node.drawn = input.value }
  input.setAttribute("aria-invalid", String(Boolean(field.said)))
  put(below, field.said || field.limits)
  node.classList.toggle("refused", Boolean(field.said))
  node.classList.toggle("changed", field.changed)
}
