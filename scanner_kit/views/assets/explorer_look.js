// Which trigger is looked at, what came of it, and the way to a notebook of its own.
export function render({model}) {
  const root = make("div", "screen look"), first = make("div", "first"), second = make("div", "second"), quiet = make("div", "quiet", "Press a trigger to look at it")
  const symbol = make("b", "symbol"), when = make("span", "muted when"), result = make("b", "result"), spoken = make("span", "spoken")
  const notebook = button("plain", "Open in a notebook", "Write a small notebook that makes this decision again", () => model.send_msg({notebook: true}))
  const close = button("tool", "", "Close  (Esc)", () => model.send_msg({look: ""}))
  close.append(icon(ICONS.close))
  first.append(symbol, when, make("span", "space"), result, close)
  second.append(spoken, make("span", "space"), notebook)
  root.append(first, second, quiet)
  const draw = () => {
    const one = model.shown ? JSON.parse(model.shown) : null
    quiet.hidden = one !== null
    first.hidden = second.hidden = one === null
    if (!one) return
    put(symbol, `${one.side > 0 ? "▲" : "▼"} ${one.symbol}`); put(when, `${one.scanner}, ${one.when}, ${one.time} New York`)
    when.title = when.textContent
    put(result, one.came); result.className = `result ${sign(one.sign)}`
    put(spoken, one.said); spoken.title = one.said
    spoken.className = `spoken ${one.fault ? "fault" : ""}`
    notebook.hidden = !one.notebook
  }
  const escape = event => { if (event.key === "Escape" && model.shown && !/^(INPUT|SELECT|TEXTAREA)$/.test(event.composedPath()[0].tagName)) model.send_msg({look: ""}) }
  window.addEventListener("keydown", escape)
  model.on("remove", () => window.removeEventListener("keydown", escape))
  shows(model, draw)
  return root
}
