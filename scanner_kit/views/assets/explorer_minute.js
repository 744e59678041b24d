// Day and minute of the board: a slider over the minutes that are stored, steps to both sides, and a box to type in.
export function render({model}) {
  const root = make("div", "screen card minute")
  const day = make("select"), slider = make("input", "slide"), typed = make("input", "typed"), said = make("span", "said muted")
  day.setAttribute("aria-label", "Day")
  Object.assign(slider, {type: "range", min: 0, step: 1}); slider.setAttribute("aria-label", "Minute of the board")
  Object.assign(typed, {type: "text", maxLength: 8, spellcheck: false}); typed.setAttribute("aria-label", "Time in New York, such as 09:37")
  const back = button("plain", "‹", "A minute back", () => model.send_msg({step: -1})), on = button("plain", "›", "A minute on", () => model.send_msg({step: 1}))
  const far = [button("plain", "«", "15 minutes back", () => model.send_msg({step: -15})), button("plain", "»", "15 minutes on", () => model.send_msg({step: 15}))]
  root.append(day, far[0], back, typed, on, far[1], slider, said)
  let told = {minutes: [], at: -1}, sent = null, waiting = null
  const move = () => { if (waiting === null) waiting = setTimeout(() => { waiting = null; if (sent !== slider.value) { sent = slider.value; model.send_msg({at: Number(sent)}) } }, 40) }
  slider.addEventListener("input", () => { put(said, ""); typed.value = told.minutes[Number(slider.value)] ?? ""; move() })
  typed.addEventListener("change", () => model.send_msg({time: typed.value}))
  typed.addEventListener("keydown", event => {
    const step = {ArrowUp: 1, ArrowRight: 1, ArrowDown: -1, ArrowLeft: -1}[event.key]
    if (step && (event.key === "ArrowUp" || event.key === "ArrowDown")) { event.preventDefault(); model.send_msg({step}) }
  })
  day.addEventListener("change", () => model.send_msg({day: day.value}))
  const keys = event => {
    if (root.getBoundingClientRect().height === 0 || event.composedPath().some(node => node.matches?.("input, textarea, select"))) return
    const step = {ArrowRight: 1, ArrowLeft: -1}[event.key]
    if (step) { event.preventDefault(); model.send_msg({step: step * (event.shiftKey ? 15 : 1)}) }
  }
  window.addEventListener("keydown", keys)
  const draw = () => {
    if (!model.shown) return
    told = JSON.parse(model.shown)
    const entries = JSON.stringify(told.days)
    if (day.known !== entries) { day.known = entries; day.replaceChildren(...told.days.map(([name, text]) => Object.assign(make("option", "", text), {value: name}))) }
    day.value = told.day
    slider.max = Math.max(0, told.minutes.length - 1)
    if (waiting === null) slider.value = Math.max(0, told.at)
    sent = slider.value
    if (typed.getRootNode().activeElement !== typed || !told.fault) typed.value = told.minutes[told.at] ?? ""
    back.disabled = far[0].disabled = told.at <= 0; on.disabled = far[1].disabled = told.at >= told.minutes.length - 1
    slider.disabled = !told.minutes.length
    put(said, told.fault || told.said); said.className = `said ${told.fault ? "fault" : "muted"}`
  }
  model.on("remove", () => { window.removeEventListener("keydown", keys); clearTimeout(waiting) })
  shows(model, draw)
  return root
}
