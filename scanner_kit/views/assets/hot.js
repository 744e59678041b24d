// The hot list: one card a symbol, in order of heat.
export function render({model}) {
  const root = make("div", "screen hot")
  const cards = new Map()
  let state = {}, chosen = model.chosen

  const draw = () => {
    const list = [...(state.lists?.values() ?? [])][0] ?? []
    const top = Math.max(...list.map(([, score]) => score ?? 0), 1e-9)
    const nodes = list.map(([symbol, score], i) => fill(card(symbol), symbol, i + 1, score, top))
    for (const symbol of cards.keys()) if (!list.some(([listed]) => listed === symbol)) cards.delete(symbol)
    while (nodes.length < model.places) nodes.push(empty(nodes.length + 1, nodes.length === 0))
    arrange(root, nodes)
  }

  const card = symbol => {
    if (cards.has(symbol)) return cards.get(symbol)
    const node = make("div", "card heat")
    node.setAttribute("role", "button")
    node.parts = {
      rank: make("span", "rank"), symbol: make("b", "symbol", symbol), last: make("span", "last"), change: make("b", "change"),
      rvol: make("span", "rvol"), volume: make("span", "volume"), spark: sparkline(160, 34), level: make("i", "level"),
    }
    const {rank, last, change, rvol, volume, spark, level} = node.parts
    const head = make("div", "head"), foot = make("div", "foot")
    head.append(rank, node.parts.symbol, make("span", "space"), last)
    foot.append(change, rvol, volume)
    node.append(head, spark, foot, level)
    pressable(node, () => choose(model, symbol))
    cards.set(symbol, node)
    return node
  }

  const fill = (node, symbol, rank, score, top) => {
    const [last, change, , rvol, volume, , word] = state.figures.get(symbol) ?? []
    const parts = node.parts
    put(parts.rank, String(rank)); put(parts.last, say.price(last)); put(parts.change, say.percent(change))
    put(parts.rvol, `${say.times(rvol)} RVOL`); put(parts.volume, `${say.count(volume)} sh`)
    parts.change.className = `change ${sign(change)}`
    parts.spark.draw(word)
    parts.level.style.width = `${Math.round(100 * (score ?? 0) / top)}%`
    node.title = `Heat ${say.plain(score)}`
    node.setAttribute("aria-label", `${symbol}, ${say.price(last)}, ${say.percent(change)}, relative volume ${say.times(rvol)}`)
    node.classList.toggle("chosen", symbol === chosen)
    flash(parts.last, node.last, last)
    node.last = last
    return node
  }

  const empty = (rank, first) => {
    const node = make("div", "card heat empty")
    node.append(make("span", "quiet", first ? "Nothing is hot yet" : ""))
    return node
  }

  follow(model, (latest) => { state = latest; draw() })
  hear(model, "chosen", symbol => { chosen = symbol; draw() })
  model.on("chosen", () => { chosen = model.chosen; draw() })
  draw()
  return root
}
