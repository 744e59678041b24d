// What it is worth by the chosen horizon: figures with their interval and n, the variant and random entries beside.
export function render({model}) {
  const root = make("div", "screen card strip"), bar = make("div", "bar"), cells = make("div", "cells")
  const segments = make("div", "segments"), chips = make("div", "chips"), note = make("span", "note muted"), beside = make("span"), legend = make("div", "legend muted")
  const key = (kind, node) => { const one = make("span", "key"); one.append(make("i", kind), node); return one }
  legend.append(note, key("beside", beside), key("random", make("span", "", "random entries")))
  bar.append(make("span", "name", "What it is worth"), segments, chips, make("span", "space"), legend)
  root.append(bar, cells)
  const nodes = new Map()
  const draw = () => {
    if (!model.shown) return
    const {figures, horizon, horizons, beside: other, parts, few, days} = JSON.parse(model.shown)
    if (!segments.children.length) segments.append(...horizons.map(one => button("", one, one === "end" ? "To the end of the session" : `Within ${one} of the entry`, () => model.send_msg({horizon: one}))))
    for (const one of segments.children) one.setAttribute("aria-pressed", String(one.textContent === horizon))
    chips.replaceChildren(...parts.map(([by, said]) => {
      const chip = make("span", "chip", said)
      chip.append(button("off", "×", `No longer only ${said}`, () => model.send_msg({unpick: by})))
      return chip
    }))
    put(note, days < 5 ? "intervals need five days" : "small: 5–95 %")
    note.title = `5 % and 95 % of 1,000 resamples of days. Pale: fewer than ${few} results.`
    put(beside, other)
    beside.title = `The variant “${other}”: press another one to compare with it`
    for (const figure of figures) {
      if (!nodes.has(figure.name)) nodes.set(figure.name, cell(figure, cells))
      nodes.get(figure.name)(figure, other)
    }
  }
  shows(model, draw)
  return root
}

function cell({name, help}, cells) {
  const node = make("div", "cell"), value = make("b", "value"), n = make("span", "n"), interval = make("div", "interval")
  const beside = make("span"), random = make("span"), top = make("div", "top"), first = make("div", "other"), second = make("div", "other")
  node.dataset.figure = name
  node.title = help
  top.append(value, n)
  const dot = kind => make("i", kind)
  first.append(dot("beside"), beside); second.append(dot("random"), random)
  node.append(make("div", "title", name), top, interval, first, second)
  cells.append(node)
  return (figure, other) => {
    put(value, figure.value); put(n, `n = ${figure.n}`); put(interval, figure.interval)
    value.className = `value ${figure.tone}`
    node.classList.toggle("weak", figure.weak)
    put(beside, figure.beside); first.title = `With “${other}”`
    put(random, figure.random); second.title = "Random entries: same stock, day, side and risk, within the half hour after"
    second.style.visibility = figure.random ? "" : "hidden"
  }
}
