// The head of a chosen symbol: its name and figures, a pin, the way to its page elsewhere, and out.
export function render({model}) {
  const root = make("div", "screen detail")
  const symbol = make("b", "symbol"), name = make("span", "full"), last = make("span", "last"), change = make("b", "change")
  const pin = button("tool pin", "", "Keep on top of the lists", () => pins.toggle(shown.symbol))
  pin.append(icon(ICONS.star))
  const away = make("a", "tool away")
  away.target = "_blank"; away.rel = "noopener noreferrer"
  away.append(icon(ICONS.away))
  const close = button("tool close", "", "Close  (Esc)", () => choose(model, ""))
  close.append(icon(ICONS.close))
  const windows = make("div", "segments")
  windows.append(...model.windows.map(window => button("", window, "", () => model.send_msg({window}))))
  root.append(symbol, last, change, name, make("span", "space"), windows, pin, away, close)
  let shown = {}
  const draw = () => {
    if (!model.shown) return
    shown = JSON.parse(model.shown)
    put(symbol, shown.symbol); put(name, shown.name ?? ""); put(last, say.price(shown.last)); put(change, say.percent(shown.change))
    change.className = `change ${sign(shown.change)}`
    for (const one of windows.children) one.setAttribute("aria-pressed", String(one.textContent === model.window))
    pin.classList.toggle("on", pins.has(shown.symbol))
    pin.setAttribute("aria-pressed", String(pins.has(shown.symbol)))
    away.href = model.address.replace("{symbol}", encodeURIComponent(shown.symbol))
    away.title = `${shown.symbol} elsewhere, in a new tab`
    away.setAttribute("aria-label", away.title)
  }
  model.on("window", draw)
  hear(model, "pins", draw)
  shows(model, draw)
  return root
}
